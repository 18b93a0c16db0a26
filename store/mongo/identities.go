package mongo

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

// Find returns the identities that hold any of the keys, sorted by id, and
// which keys are pinned: one round trip, to the primary. See store.Store.
func (s *Store) Find(ctx context.Context, keys ...identity.Key) ([]identity.Identity, error) {
	found := []identity.Identity{}
	err := s.call(ctx, "find identities", func(ctx context.Context, db *database) error {
		if len(keys) == 0 {
			return nil
		}
		docs, err := all[identityDoc](ctx, db.identities, holding(texts(keys)), identityOptions())
		if err != nil {
			return err
		}
		docs, pins := apart(docs)
		found, err = decodeAll(docs, decodeIdentity)
		if err == nil && len(pins) > 0 {
			err = &store.ElsewhereError{Pins: pins}
		}
		return err
	})
	var elsewhere *store.ElsewhereError
	if err != nil && !errors.As(err, &elsewhere) {
		return nil, err
	}
	slices.SortFunc(found, func(a, b identity.Identity) int { return cmp.Compare(a.ID, b.ID) })
	return slices.CompactFunc(found, func(a, b identity.Identity) bool { return a.ID == b.ID }), err
}

// Get returns the identity with this id, or store.ErrNotFound.
func (s *Store) Get(ctx context.Context, id string) (identity.Identity, error) {
	var found identity.Identity
	err := s.call(ctx, "get identity", func(ctx context.Context, db *database) error {
		docs, err := all[identityDoc](ctx, db.identities, identityByID(id), identityOptions())
		if err != nil {
			return err
		}
		if len(docs) == 0 {
			return store.ErrNotFound
		}
		found, err = decodeIdentity(docs[0])
		return err
	})
	return found, err
}

// Insert writes a new identity and its record; see store.Store.
func (s *Store) Insert(ctx context.Context, i identity.Identity, r identity.Record) error {
	return s.call(ctx, "insert identity", func(ctx context.Context, db *database) error {
		entry, err := newEntry(r)
		if err != nil {
			return err
		}
		doc, err := encodeIdentity(i, entry.Write)
		if err != nil {
			return err
		}
		doc.Journal = entry.journal()
		writing, cancel := early(ctx)
		defer cancel()
		_, err = db.identities.InsertOne(writing, doc)
		if err != nil && !refused(err) {
			err = db.resolveInsert(ctx, i)
		}
		return s.moveAfter(i.ID, err)
	})
}

// Swap replaces an identity and its keys; see store.Store.
func (s *Store) Swap(ctx context.Context, i identity.Identity, r identity.Record) error {
	return s.call(ctx, "swap identity", func(ctx context.Context, db *database) error {
		entry, err := newEntry(r)
		if err != nil {
			return err
		}
		doc, err := encodeIdentity(i, entry.Write)
		if err != nil {
			return err
		}
		from := i.Revision - 1
		err = db.update(ctx,
			append(version(i.ID, from, i.OutboxVersion), notSeenLater(doc.Content)...),
			slices.Concat(bson.D{
				{Key: "$set", Value: doc.Content},
				{Key: "$max", Value: bson.D{{Key: fieldLastLoginAt, Value: doc.LastLoginAt}}},
			}, unset(absent(doc.Content)...), entry.push()),
			func() error { return db.resolveUpdate(ctx, i.ID, entry.Write, from, i.Keys) })
		return s.moveAfter(i.ID, err)
	})
}

// notSeenLater selects the state in which no later claims than these were noted
// for a link.
func notSeenLater(d contentDoc) bson.D {
	if len(d.Links) == 0 {
		return nil
	}
	later := bson.A{}
	for _, l := range d.Links {
		later = append(later, bson.D{linkWith(l.Issuer, l.Subject, "$gt", l.ClaimsTime)})
	}
	return bson.D{{Key: "$nor", Value: later}}
}

// Renew sets renewed_at of a pending identity; see store.Store.
func (s *Store) Renew(ctx context.Context, id string, revision int64, at time.Time, r identity.Record) error {
	return s.call(ctx, "renew identity", func(ctx context.Context, db *database) error {
		entry, err := newEntry(r)
		if err != nil {
			return err
		}
		renewed, err := stamp(at)
		if err != nil {
			return err
		}
		err = db.update(ctx,
			bson.D{
				{Key: fieldID, Value: id}, {Key: fieldRevision, Value: revision},
				{Key: fieldState, Value: string(identity.StatePending)},
			},
			bson.D{
				{Key: "$set", Value: bson.D{{Key: fieldRenewedAt, Value: renewed}, {Key: fieldWrite, Value: entry.Write}}},
				{Key: "$push", Value: bson.D{{Key: fieldJournal, Value: entry}}},
			},
			func() error { return db.resolveUpdate(ctx, id, entry.Write, revision, nil) })
		return s.moveAfter(id, err)
	})
}

// update is one compare-and-swap. Whoever it does not find has changed.
func (db *database) update(ctx context.Context, filter, change bson.D, resolve func() error) error {
	writing, cancel := early(ctx)
	defer cancel()
	res, err := db.identities.UpdateOne(writing, filter, change)
	switch {
	case err != nil && !refused(err):
		return resolve()
	case err == nil && res.MatchedCount == 0:
		return store.ErrConflict
	}
	return err
}

// newEntry returns the journal's entry for a record, with a new name for the
// write that it travels with. A record without an id is none: the entry has the
// name only.
func newEntry(r identity.Record) (entryDoc, error) {
	if r.ID == "" {
		return entryDoc{Write: rand.Text()}, nil
	}
	record, err := encodeRecord(r)
	return entryDoc{Write: rand.Text(), ID: r.ID, Record: record}, err
}

// journal is the journal that begins with the entry.
func (e entryDoc) journal() []entryDoc {
	if e.ID == "" {
		return nil
	}
	return []entryDoc{e}
}

// push adds the entry to a journal.
func (e entryDoc) push() bson.D {
	if e.ID == "" {
		return nil
	}
	return bson.D{{Key: "$push", Value: bson.D{{Key: fieldJournal, Value: e}}}}
}

// holding selects the identities that hold any of the keys.
func holding(keys []string) bson.D {
	return bson.D{{Key: fieldKeys, Value: bson.D{{Key: "$in", Value: keys}}}}
}

// identityOptions leaves out what is not the identity's.
func identityOptions() *options.FindOptionsBuilder {
	return options.Find().SetProjection(bson.D{{Key: fieldJournal, Value: 0}})
}

// all returns every document that the filter selects.
func all[T any](ctx context.Context, c *driver.Collection, filter bson.D, opts *options.FindOptionsBuilder) ([]T, error) {
	cursor, err := c.Find(ctx, filter, opts)
	if err != nil {
		return nil, err
	}
	// Closing a cursor that was read to its end sends nothing; one that was
	// not is of a call that fails anyway, and the server drops it by itself.
	defer func() { _ = cursor.Close(ctx) }()
	var out []T
	for cursor.Next(ctx) {
		var doc T
		if err := cursor.Decode(&doc); err != nil {
			id, _ := cursor.Current.Lookup(fieldID).StringValueOK()
			return nil, damaged("document", id)
		}
		out = append(out, doc)
	}
	return out, cursor.Err()
}

// decodeAll decodes every document.
func decodeAll[Doc, T any](docs []Doc, decode func(Doc) (T, error)) ([]T, error) {
	out := make([]T, len(docs))
	for n, d := range docs {
		var err error
		if out[n], err = decode(d); err != nil {
			return nil, err
		}
	}
	return out, nil
}
