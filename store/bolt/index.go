package bolt

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/jithook/jithook/store"
)

// A term is what an index knows of a document: a field, or two, and their
// values. The index holds term+id for each, so the ids under a term lie
// together in order.

// termLength is the length of a term.
const termLength = 16

// term is a hash of fixed length, since a flow id is a stranger's text. Two
// values that collide do no harm: the page is filtered on the documents.
func term(field string, values ...string) []byte {
	h := sha256.New()
	h.Write([]byte(field))
	for _, v := range values {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(v))))
		h.Write([]byte(v))
	}
	return h.Sum(nil)[:termLength:termLength]
}

// reindex moves id from its old terms to its new ones.
func reindex(b *bbolt.Bucket, id string, before, after [][]byte) error {
	has := func(terms [][]byte, t []byte) bool {
		return slices.ContainsFunc(terms, func(x []byte) bool { return bytes.Equal(x, t) })
	}
	for _, t := range before {
		if !has(after, t) {
			if err := b.Delete(append(t, id...)); err != nil {
				return err
			}
		}
	}
	for _, t := range after {
		if !has(before, t) {
			if err := b.Put(append(t, id...), nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// walk goes through the ids of a bucket whose keys are prefix+id, in the order
// of the ids or, with back, against it.
type walk struct {
	cursor *bbolt.Cursor
	prefix []byte
	back   bool
}

// first returns the first id behind position; "" is where the walk begins. The
// id is valid within the transaction; nil is the end.
func (w *walk) first(position string) []byte {
	start := append(slices.Clip(w.prefix), position...)
	if !w.back {
		key, _ := w.cursor.Seek(start)
		if position != "" && bytes.Equal(key, start) {
			key, _ = w.cursor.Next()
		}
		return w.id(key)
	}
	if position == "" {
		// No id begins with 0xff, which UTF-8 never has.
		start = append(start, 0xff)
	}
	if key, _ := w.cursor.Seek(start); key == nil {
		key, _ = w.cursor.Last()
		return w.id(key)
	}
	return w.next()
}

// next returns the id after the one that first or next returned last.
func (w *walk) next() []byte {
	step := w.cursor.Next
	if w.back {
		step = w.cursor.Prev
	}
	key, _ := step()
	return w.id(key)
}

func (w *walk) id(key []byte) []byte {
	if key == nil || !bytes.HasPrefix(key, w.prefix) {
		return nil
	}
	return key[len(w.prefix):]
}

// maxScan bounds the documents that one page reads, so that a filter that
// nothing matches costs milliseconds and not a walk through the whole file.
const maxScan = 1000

// paging is where a page begins and how long it gets.
type paging struct {
	kind     byte // of the token: store.TokenIdentities, store.TokenDecisions
	position string
	size     int
}

func newPaging(kind byte, size int, token string) (paging, error) {
	position, err := store.ParsePageToken(kind, token)
	return paging{kind, position, store.PageSize(size)}, err
}

// collect returns a page of what load accepts along the walk, and the token
// of the next page.
func collect[T any](ctx context.Context, w *walk, p paging, load func(id []byte) (T, bool, error)) ([]T, string, error) {
	items := make([]T, 0, p.size)
	scanned, last := 0, ""
	for id := w.first(p.position); id != nil; id = w.next() {
		if len(items) == p.size || scanned == maxScan {
			return items, store.NewPageToken(p.kind, last), nil
		}
		if err := ctx.Err(); err != nil {
			return nil, "", err
		}
		item, ok, err := load(id)
		if err != nil {
			return nil, "", err
		}
		if ok {
			items = append(items, item)
		}
		scanned, last = scanned+1, string(id)
	}
	return items, "", nil
}
