package mongo

import (
	"cmp"
	"context"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

// deleteAttempts bounds how often Delete begins again when records or changes
// come in between.
const deleteAttempts = 3

// Delete removes an identity and its keys; see store.Store. Its records are
// moved first: why she was let in outlives her. So does why she is gone: that
// record cannot travel with what is removed, is written ahead, and is taken
// back where somebody else came first.
func (s *Store) Delete(ctx context.Context, id string, revision int64, renewedAt time.Time, r identity.Record) error {
	return s.call(ctx, "delete identity", func(ctx context.Context, db *database) error {
		renewed, err := stamp(renewedAt)
		if err != nil {
			return err
		}
		for attempt := range deleteAttempts {
			docs, err := all[identityDoc](ctx, db.identities, identityByID(id), options.Find())
			if err != nil {
				return err
			}
			if len(docs) == 0 || docs[0].Content.Revision != revision || docs[0].Content.RenewedAt != renewed {
				return cmp.Or(db.takeBack(ctx, r, attempt > 0), store.ErrConflict)
			}
			if err := db.moveJournals(ctx, docs); err != nil {
				return err
			}
			if err := db.writeAhead(ctx, r); err != nil {
				return err
			}
			gone, err := db.remove(ctx, docs[0])
			switch {
			case err != nil && !errors.Is(err, errUnclear) && refused(err):
				return cmp.Or(db.takeBack(ctx, r, true), err)
			case gone || err != nil:
				return err
			}
		}
		return cmp.Or(db.takeBack(ctx, r, true), store.ErrConflict)
	})
}

// finish removes a deleted identity whose outbox the write would empty; its
// records are moved first. Any other write in between is a conflict, but for what
// moves records itself.
func (db *database) finish(ctx context.Context, i identity.Identity) error {
	as := append(version(i.ID, i.Revision, i.OutboxVersion-1), bson.E{Key: fieldState, Value: string(identity.StateDeleted)})
	for range deleteAttempts {
		docs, err := all[identityDoc](ctx, db.identities, as, options.Find())
		if err != nil {
			return err
		}
		if len(docs) == 0 {
			return store.ErrConflict
		}
		if err := db.moveJournals(ctx, docs); err != nil {
			return err
		}
		if gone, err := db.remove(ctx, docs[0]); gone || err != nil {
			return err
		}
	}
	return store.ErrConflict
}

// writeAhead writes the record of a deletion, if it is one. No journal holds an
// older version of it.
func (db *database) writeAhead(ctx context.Context, r identity.Record) error {
	if r.ID == "" {
		return nil
	}
	doc, err := encodeRecord(r)
	if err != nil {
		return err
	}
	return again(ctx, func() error {
		_, err := db.decisions.UpdateOne(ctx, byID(r.ID), doc.replaces(), options.UpdateOne().SetUpsert(true))
		return err
	})
}

// takeBack removes the record of a deletion that was not, if it was written.
func (db *database) takeBack(ctx context.Context, r identity.Record, written bool) error {
	if r.ID == "" || !written {
		return nil
	}
	return again(ctx, func() error {
		_, err := db.decisions.DeleteOne(ctx, byID(r.ID))
		return err
	})
}

// remove deletes the very state that was read, and reports whether it was
// still there. What is unclear is, as after any other change, done or a conflict.
func (db *database) remove(ctx context.Context, d identityDoc) (gone bool, err error) {
	writing, cancel := early(ctx)
	defer cancel()
	res, err := db.identities.DeleteOne(writing, bson.D{
		{Key: fieldID, Value: d.ID}, {Key: fieldRevision, Value: d.Content.Revision},
		{Key: fieldRenewedAt, Value: d.Content.RenewedAt}, {Key: fieldWrite, Value: d.Content.Write},
	})
	if err == nil || refused(err) {
		return err == nil && res.DeletedCount == 1, err
	}
	found, err := db.readBack(ctx, d.ID, nil)
	if err == nil && len(found) > 0 {
		err = store.ErrConflict
	}
	return err == nil, err
}
