package bolt

import (
	"context"
	"io"

	"go.etcd.io/bbolt"

	"github.com/jithook/jithook/store"
)

// Backup copies the file as it is at one moment; see store.Backuper. The copy
// is a store of its own. Others go on writing meanwhile, but the room of what
// they replace is not used again before Backup returns: a slow writer lets the
// file grow.
func (s *Store) Backup(ctx context.Context, to func(size int64) io.Writer) error {
	const op = "back up store"
	var w *copyWriter
	// The writer is the caller's, who may not have it any more after this
	// returns: the next piece ends on ctx, not the wait for it.
	err := s.view(context.WithoutCancel(ctx), op, func(tx *bbolt.Tx) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		w = &copyWriter{ended: ctx.Err, w: to(tx.Size())}
		_, err := tx.WriteTo(w)
		if w.err != nil {
			return ctx.Err() // or nil: not the store's failure
		}
		return err
	})
	if err != nil {
		return err
	}
	return w.err
}

// copyWriter ends with its context, and keeps an error of the writer apart from
// those of the file.
type copyWriter struct {
	ended func() error
	w     io.Writer
	err   error
}

func (c *copyWriter) Write(p []byte) (int, error) {
	if c.err = c.ended(); c.err != nil {
		return 0, c.err
	}
	n, err := c.w.Write(p)
	c.err = err
	return n, err
}

// Count returns how much the file holds. It walks through its pages.
func (s *Store) Count(ctx context.Context) (store.Count, error) {
	var out store.Count
	err := s.view(ctx, "count", func(tx *bbolt.Tx) error {
		out.Identities = int64(tx.Bucket(bucketIdentities).Stats().KeyN)
		out.Decisions = int64(tx.Bucket(bucketDecisions).Stats().KeyN)
		return nil
	})
	if err != nil {
		return store.Count{}, err // out may be written still, see view
	}
	return out, nil
}
