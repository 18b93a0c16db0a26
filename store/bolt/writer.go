package bolt

import (
	"context"
	"fmt"

	"go.etcd.io/bbolt"
)

// maxBatch bounds the writes that share a commit, and so the time that a
// commit takes.
const maxBatch = 128

// job is one write on its way. fn must check before it changes anything: with
// an answer (see answer) it has changed nothing. It may run twice.
type job struct {
	fn   func(*bbolt.Tx) error
	done chan error // buffered: the caller may be gone
}

// update runs fn in a write transaction and returns after the commit is
// durable. Callers that come while a commit is under way share the next one; a
// lone caller waits for nobody.
//
// A call whose context ends before the writer takes it has written nothing.
// Later its outcome is unclear, and the error says so: the write may still
// succeed, whole, and the next look-up shows it.
func (s *Store) update(ctx context.Context, op string, fn func(*bbolt.Tx) error) (err error) {
	defer func() { s.report(op, err) }()
	if err := s.begin(ctx); err != nil {
		return explain(op, err)
	}
	defer s.calls.Done()
	j := &job{fn: fn, done: make(chan error, 1)}
	select {
	case s.jobs <- j:
	case <-ctx.Done():
		return explain(op, ctx.Err())
	}
	select {
	case err := <-j.done:
		return explain(op, err)
	case <-ctx.Done():
		return explain(op, fmt.Errorf("%w: %w", errUnclear, ctx.Err()))
	}
}

// write is the one writer. It ends when s.jobs is closed.
func (s *Store) write() {
	defer close(s.ended)
	for j := range s.jobs {
		s.commit(s.waiting(j))
	}
}

// waiting returns first and the jobs whose callers wait right now. The channel
// has no buffer: a caller who gives up leaves nothing behind.
func (s *Store) waiting(first *job) []*job {
	batch := []*job{first}
	for len(batch) < maxBatch {
		select {
		case j, ok := <-s.jobs:
			if !ok {
				return batch
			}
			batch = append(batch, j)
		default:
			return batch
		}
	}
	return batch
}

// commit runs the jobs in one transaction, one after the other, each seeing
// what those before it wrote. If one fails, each runs again on its own, so
// that it spoils nobody else's.
func (s *Store) commit(batch []*job) {
	results := make([]error, len(batch))
	failed, err := s.try(batch, results)
	if failed && len(batch) > 1 {
		for _, j := range batch {
			s.commit([]*job{j})
		}
		return
	}
	for i, j := range batch {
		// An answer may rest on what another job of this batch wrote: if that
		// did not become durable, the answer is void as well.
		if err != nil {
			results[i] = err
		}
		j.done <- results[i]
	}
}

// try runs the jobs in one transaction and fills in their results. err is a
// failure that concerns all; failed says that a job is the cause.
func (s *Store) try(batch []*job, results []error) (failed bool, err error) {
	err = guard(func() error {
		tx, err := s.db.Begin(true)
		if err != nil {
			return err
		}
		failed = true
		defer tx.Rollback() // after a commit it does nothing
		changed := false
		for i, j := range batch {
			results[i] = j.fn(tx)
			if results[i] != nil && !answer(results[i]) {
				return results[i]
			}
			changed = changed || results[i] == nil
		}
		failed = false
		if !changed {
			return nil // spare the disk a sync
		}
		if err := tx.Commit(); err != nil {
			return fmt.Errorf("%w: %w", errCommit, err)
		}
		return nil
	})
	return failed, err
}
