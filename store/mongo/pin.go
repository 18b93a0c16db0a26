package mongo

import (
	"context"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/jithook/jithook/identity"
)

// A pin is a document of identities under the same unique index: it holds one
// key, and the name of the userstore in the place of everything else. Its _id is
// the mark and the key. Every identity's id sorts before the mark, so that a
// range of _id leaves the pins out, however many there are.
const pinMark = "~"

const errMark = fault("an identity's id must sort before a tilde")

// pinDoc is a pin as it is written; identityDoc reads it.
type pinDoc struct {
	ID     string   `bson:"_id"`
	Keys   []string `bson:"keys"`
	Pinned string   `bson:"pinned"`
}

// Pin notes that the key belongs to another userstore; see store.Store. Of a
// key that is pinned or held it costs one read more.
func (s *Store) Pin(ctx context.Context, key identity.Key, userstore string) error {
	return s.call(ctx, "pin key", func(ctx context.Context, db *database) error {
		writing, cancel := early(ctx)
		defer cancel()
		_, err := db.identities.InsertOne(writing, pinDoc{ID: pinMark + string(key), Keys: []string{string(key)}, Pinned: userstore})
		if err == nil || refused(err) {
			return err
		}
		found, err := db.readBack(ctx, "", []string{string(key)})
		if err != nil {
			return err
		}
		for _, d := range found {
			if d.Pinned != nil && *d.Pinned == userstore {
				return nil
			}
		}
		return taken(found, "", []identity.Key{key})
	})
}

// apart returns what of the documents are identities, and what the others pin.
func apart(docs []identityDoc) ([]identityDoc, map[identity.Key]string) {
	pins := map[identity.Key]string{}
	identities := slices.DeleteFunc(slices.Clone(docs), func(d identityDoc) bool {
		if d.Pinned == nil {
			return false
		}
		for _, k := range d.Content.Keys {
			pins[identity.Key(k)] = *d.Pinned
		}
		return true
	})
	return identities, pins
}

// identityByID selects the identity with the id, and no pin.
func identityByID(id string) bson.D {
	return append(byID(id), bson.E{Key: fieldPinned, Value: bson.D{{Key: "$exists", Value: false}}})
}
