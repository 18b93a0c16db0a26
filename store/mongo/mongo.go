// Package mongo keeps the promise of package store in a MongoDB database: any
// number of jithooks, every write durable on a majority, with its journal,
// before it is answered.
//
// It owns the database: its collections, its indexes, and what an unclear
// answer of a server means. It must not know what a login is or why something
// is written. The texts of the driver and of the server stay in here: a
// duplicate-key error prints the key. An error names the operation, what this
// package knows about the cause, and the server's numeric code.
//
// One identity is one document, and every write that matters is one write of
// that document; see document.go for its layout and unclear.go for what happens
// when its outcome is unknown.
package mongo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	driver "go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

// Store is a userstore in one MongoDB database. Open makes it.
type Store struct {
	opts Options

	life context.Context // of everything that runs by itself; ends with Close
	end  context.CancelFunc
	own  sync.WaitGroup // what runs by itself
	move chan string    // ids of identities whose journal is to be moved

	usable atomic.Pointer[database] // nil until set up
	setUp  setUp

	mu     sync.Mutex
	closed bool
	calls  sync.WaitGroup // calls under way; grows only while !closed
}

var _ store.Store = (*Store)(nil)

// fault is a failure of this package in its own words. Its text may leave the
// package, unlike the driver's.
type fault string

func (f fault) Error() string { return string(f) }

const (
	errClosed  = fault("the store is closed")
	errUnclear = fault("no answer to a write, which may still succeed; the next look-up shows it")
	errSilent  = fault("no usable answer: check that a primary runs, and the address, TLS and credentials in the URI")
)

// Ping returns nil if a read works now.
func (s *Store) Ping(ctx context.Context) error {
	return s.call(ctx, "ping", func(ctx context.Context, db *database) error {
		return db.read(ctx)
	})
}

// Close waits for the calls under way and for the records that are being
// moved, and disconnects. Later calls fail; closing twice does nothing.
func (s *Store) Close() error {
	s.mu.Lock()
	again := s.closed
	s.closed = true
	s.mu.Unlock()
	if again {
		return nil
	}
	s.calls.Wait()
	s.end()
	s.own.Wait()
	return explain(context.Background(), "close", s.setUp.disconnect())
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

// callTimeout bounds a call whose context has no deadline of its own, so that
// a server that hangs cannot hold Close, or a worker, for ever.
const callTimeout = 10 * time.Second

// call runs fn with the database, as soon as that is set up. A call whose
// context had ended before has sent nothing.
func (s *Store) call(ctx context.Context, op string, fn func(context.Context, *database) error) (err error) {
	defer func() {
		if s.opts.Failed != nil && errors.Is(err, store.ErrUnavailable) && !errors.Is(ctx.Err(), context.Canceled) {
			s.opts.Failed(op)
		}
	}()
	if err := s.begin(ctx); err != nil {
		return explain(ctx, op, err)
	}
	defer s.calls.Done()
	bounded := ctx
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		bounded, cancel = context.WithTimeout(ctx, callTimeout)
		defer cancel()
	}
	db, err := s.database(bounded)
	if err == nil {
		err = fn(bounded, db)
	}
	return explain(ctx, op, err)
}

// answer reports whether err is an answer of the contract and no failure. A
// write that ends with an answer has changed nothing, except that an unclear
// one may still.
func answer(err error) bool {
	var taken *store.TakenError
	var elsewhere *store.ElsewhereError
	return errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrConflict) ||
		errors.Is(err, store.ErrPageToken) || errors.As(err, &taken) || errors.As(err, &elsewhere)
}

// explain adds the operation to an answer, and makes everything else a
// store.ErrUnavailable that tells only what cannot hold a key or a value.
func explain(ctx context.Context, op string, err error) error {
	if err == nil {
		return nil
	}
	if answer(err) {
		return fmt.Errorf("mongo: %s: %w", op, err)
	}
	text := []any{op, store.ErrUnavailable, reason(err)}
	if cause := ended(ctx, err); cause != nil {
		return fmt.Errorf("mongo: %s: %w: %w: %w", append(text, cause)...)
	}
	return fmt.Errorf("mongo: %s: %w: %w", text...)
}

// reason says what of err's cause may be told.
func reason(err error) fault {
	var f fault
	var server driver.ServerError
	switch {
	case errors.As(err, &f):
		return f
	case errors.As(err, &server):
		// 0 is the driver's for a lost connection.
		codes := slices.DeleteFunc(server.ErrorCodes(), func(code int) bool { return code == 0 })
		for _, code := range codes {
			if why, ok := knownCode(code); ok {
				return fault(fmt.Sprintf("%s (server code %d)", why, code))
			}
		}
		if len(codes) > 0 {
			return fault(fmt.Sprintf("the server answered with an error (server codes %d)", codes))
		}
	}
	return errSilent
}

// ended returns why the caller's context ended, or a time limit within the
// call, or nil.
func ended(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		return context.DeadlineExceeded
	}
	return nil
}

// texts turns keys into what the driver takes.
func texts(keys []identity.Key) []string {
	out := make([]string, len(keys))
	for n, k := range keys {
		out[n] = string(k)
	}
	return out
}
