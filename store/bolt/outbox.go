package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"time"

	"go.etcd.io/bbolt"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

// The bucket "due" is an index like the others, but its terms end with the time
// at which a delivery is due: what a target has to learn lies together, the
// longest due first.

// dueTermLength is the length of a term with a time.
const dueTermLength = termLength + 12

func dueOf(target string) []byte { return term("due", target) }

// moment is a time whose bytes are in the order of time.
func moment(t time.Time) []byte {
	// From the year 1, so that no second of a time.Time in use is negative.
	out := binary.BigEndian.AppendUint64(nil, uint64(t.Unix()-time.Time{}.Unix()))
	return binary.BigEndian.AppendUint32(out, uint32(t.Nanosecond()))
}

func parseMoment(b []byte) time.Time {
	return time.Unix(int64(binary.BigEndian.Uint64(b))+time.Time{}.Unix(), int64(binary.BigEndian.Uint32(b[8:]))).UTC()
}

// dueTerms returns what the index of due deliveries knows of an identity.
func dueTerms(i *identity.Identity) [][]byte {
	var out [][]byte
	for _, d := range i.Outbox {
		if i.Released(d) {
			out = append(out, append(dueOf(d.Target), moment(d.Due)...))
		}
	}
	return out
}

// SetOutbox writes an identity's outbox; see store.Store.
func (s *Store) SetOutbox(ctx context.Context, i identity.Identity) error {
	i = i.Clone() // the writer may outlast this call, see update
	return s.update(ctx, "set outbox", func(tx *bbolt.Tx) error {
		stored, err := load(tx, []byte(i.ID))
		if err != nil {
			return err
		}
		if stored == nil || stored.Revision != i.Revision || stored.OutboxVersion != i.OutboxVersion-1 {
			return store.ErrConflict
		}
		after := *stored
		after.Outbox, after.OutboxVersion, after.Resources = i.Outbox, i.OutboxVersion, i.Resources
		if after.Finished() {
			return erase(tx, stored)
		}
		doc, err := encodeIdentity(after)
		if err != nil {
			return err
		}
		return put(tx, stored, &after, doc)
	})
}

// Due returns who has a delivery that is due, the longest due first; see
// store.Store.
func (s *Store) Due(ctx context.Context, target string, now time.Time, limit int) ([]identity.Identity, error) {
	found := []identity.Identity{}
	err := s.view(ctx, "find deliveries", func(tx *bbolt.Tx) error {
		prefix, until := dueOf(target), append(dueOf(target), moment(now)...)
		cursor := tx.Bucket(bucketDue).Cursor()
		for row, _ := cursor.Seek(prefix); len(found) < min(limit, store.MaxPageSize); row, _ = cursor.Next() {
			if !bytes.HasPrefix(row, prefix) || bytes.Compare(row[:min(dueTermLength, len(row))], until) > 0 {
				return nil
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			// What is damaged, or gone, an inspection reports.
			if i, err := load(tx, row[min(dueTermLength, len(row)):]); err == nil && i != nil {
				found = append(found, *i)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// Backlog returns what waits for the target, from the indexes alone; see
// store.Store.
func (s *Store) Backlog(ctx context.Context, target string) (store.Backlog, error) {
	var out store.Backlog
	err := s.view(ctx, "measure backlog", func(tx *bbolt.Tx) error {
		first, n := rows(tx.Bucket(bucketDue), dueOf(target))
		if n > 0 && len(first) > dueTermLength {
			out.Waiting, out.Due = n, parseMoment(first[termLength:])
		}
		_, out.Dead = rows(tx.Bucket(bucketIdentitiesBy), term("having", identity.HavingGivenUp(target)))
		return nil
	})
	if err != nil {
		return store.Backlog{}, err
	}
	return out, nil
}

// rows returns the first row that begins with prefix, and how many do, counted
// up to store.MaxBacklog.
func rows(b *bbolt.Bucket, prefix []byte) (first []byte, n int) {
	cursor := b.Cursor()
	first, _ = cursor.Seek(prefix)
	for row := first; bytes.HasPrefix(row, prefix) && n < store.MaxBacklog; row, _ = cursor.Next() {
		n++
	}
	return first, n
}
