// Package bolt keeps the promise of package store in one bbolt file: one
// machine, one owner, every write durable (fsync) before it is answered.
//
// It owns the file: its layout, its lock, and how concurrent writes share a
// commit. It must not know what a login is or why something is written. The
// texts of bbolt stay in here; an error names the operation, and for a failing
// disk what the operating system said.
package bolt

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"

	"go.etcd.io/bbolt"

	"github.com/jithook/jithook/store"
)

// Store is a userstore in one bbolt file. Open makes it.
type Store struct {
	db    *bbolt.DB
	jobs  chan *job     // to the one writer; unbuffered, see writer.go
	ended chan struct{} // closed when the writer has returned

	failed func(op string) // Options.Failed

	mu     sync.Mutex
	closed bool
	calls  sync.WaitGroup // calls under way; grows only while !closed
}

var _ store.Store = (*Store)(nil)

// Buckets of the file.
var (
	bucketMeta         = []byte("meta")          // "schema" → number
	bucketIdentities   = []byte("identities")    // id → document
	bucketKeys         = []byte("keys")          // identity.Key → id, or a pin, see pin.go
	bucketIdentitiesBy = []byte("identities_by") // term, id → nothing
	bucketDue          = []byte("due")           // term, id → nothing; see outbox.go
	bucketDecisions    = []byte("decisions")     // id → record
	bucketDecisionsBy  = []byte("decisions_by")  // term, id → nothing
	bucketReceipts     = []byte("receipts")      // store.Receipt.Key → document; see receipts.go
	bucketReceiptsBy   = []byte("receipts_by")   // time, key → nothing
	bucketBudgets      = []byte("budgets")       // store.Budget.Key → document
)

func buckets() [][]byte {
	return [][]byte{
		bucketMeta, bucketIdentities, bucketKeys, bucketIdentitiesBy, bucketDue, bucketDecisions, bucketDecisionsBy,
		bucketReceipts, bucketReceiptsBy, bucketBudgets,
	}
}

// fault is a failure of this package in its own words. Its text may leave the
// package, unlike bbolt's.
type fault string

func (f fault) Error() string { return string(f) }

const (
	errClosed  = fault("the store is closed")
	errUnclear = fault("the time ran out during the commit, which may still succeed")
	errCommit  = fault("the file cannot be written; has the disk room, and does it take writes?")
	errPanic   = fault("a page of the file cannot be used; if it stays so, the file is damaged: restore a backup")
	errDangles = fault("the file is damaged: a key or an index names an identity or a record that is not there; restore a backup")
)

// Ping returns nil if a read works now.
func (s *Store) Ping(ctx context.Context) error {
	return s.view(ctx, "ping", func(tx *bbolt.Tx) error {
		_, err := schemaOf(tx)
		return err
	})
}

// Close waits for the calls under way and releases the file. Later calls fail;
// closing twice does nothing.
func (s *Store) Close() error {
	s.mu.Lock()
	again := s.closed
	s.closed = true
	s.mu.Unlock()
	if again {
		return nil
	}
	s.calls.Wait()
	close(s.jobs)
	<-s.ended
	return explain("close", s.db.Close())
}

// begin announces a call, so that Close waits for it; s.calls.Done ends it.
func (s *Store) begin(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errClosed
	}
	s.calls.Add(1)
	return nil
}

// view runs fn in a read transaction: one unchanging state of the file. It
// returns when ctx ends even while the disk stands still; fn goes on then, and
// its result is dropped. fn must write to what only its caller's success reads.
func (s *Store) view(ctx context.Context, op string, fn func(*bbolt.Tx) error) (err error) {
	defer func() { s.report(op, err) }()
	if err := s.begin(ctx); err != nil {
		return explain(op, err)
	}
	done := make(chan error, 1)
	go func() {
		defer s.calls.Done()
		done <- guard(func() error { return s.db.View(fn) })
	}()
	select {
	case err := <-done:
		return explain(op, err)
	case <-ctx.Done():
		return explain(op, ctx.Err())
	}
}

// report tells who watches the store of a failure, which an answer is not, nor a
// caller who has gone.
func (s *Store) report(op string, err error) {
	if s.failed != nil && errors.Is(err, store.ErrUnavailable) && !errors.Is(err, context.Canceled) {
		s.failed(op)
	}
}

// guard turns a panic into errPanic: that is how bbolt reports a page that it
// cannot use. bbolt has rolled its transaction back by then.
func guard(fn func() error) (err error) {
	defer func() {
		if recover() != nil {
			err = errPanic
		}
	}()
	return fn()
}

// answer reports whether err is an answer of the contract and no failure. A
// write that ends with an answer has changed nothing.
func answer(err error) bool {
	var taken *store.TakenError
	var elsewhere *store.ElsewhereError
	return errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrConflict) ||
		errors.Is(err, store.ErrPageToken) || errors.As(err, &taken) || errors.As(err, &elsewhere)
}

// explain adds the operation to an answer, and makes everything else a
// store.ErrUnavailable that tells only what cannot hold a key or a value.
func explain(op string, err error) error {
	if err == nil {
		return nil
	}
	if answer(err) {
		return fmt.Errorf("bolt: %s: %w", op, err)
	}
	out := fmt.Errorf("bolt: %s: %w", op, store.ErrUnavailable)
	var f fault
	if errors.As(err, &f) {
		out = fmt.Errorf("%w: %w", out, f)
	}
	if cause := ended(err); cause != nil {
		out = fmt.Errorf("%w: %w", out, cause)
	}
	var system syscall.Errno
	if errors.As(err, &system) { // such as: no space left on device
		out = fmt.Errorf("%w: %w", out, system)
	}
	return out
}

// ended returns why a context in err's chain ended, or nil.
func ended(err error) error {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return context.DeadlineExceeded
	case errors.Is(err, context.Canceled):
		return context.Canceled
	}
	return nil
}
