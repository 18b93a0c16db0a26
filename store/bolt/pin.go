package bolt

import (
	"bytes"
	"context"

	"go.etcd.io/bbolt"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

// A pin is a row of the bucket of keys, where an identity's id would stand, and
// so a key has one of the two: pinMark and the userstore's name. No id begins
// with the mark; a jithook from before there were pins takes such a row for
// that of a lost identity, and lets nobody in by it.
const pinMark = '~'

const errMark = fault("an id must not begin with a tilde")

// pinOf returns the userstore that a row of the bucket of keys names, if it is
// a pin.
func pinOf(row []byte) (userstore string, pinned bool) {
	name, pinned := bytes.CutPrefix(row, []byte{pinMark})
	return string(name), pinned
}

// Pin notes that the key belongs to another userstore; see store.Store.
func (s *Store) Pin(ctx context.Context, key identity.Key, userstore string) error {
	return s.update(ctx, "pin key", func(tx *bbolt.Tx) error {
		keys := tx.Bucket(bucketKeys)
		row := keys.Get([]byte(key))
		pinned, isPin := pinOf(row)
		switch {
		case row == nil:
			return keys.Put([]byte(key), append([]byte{pinMark}, userstore...))
		case !isPin:
			return &store.TakenError{Key: key}
		case pinned != userstore:
			return &store.ElsewhereError{Pins: map[identity.Key]string{key: pinned}}
		}
		return nil
	})
}
