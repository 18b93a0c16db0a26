package mongo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/jithook/jithook/store"
)

// receiptDoc is a document of the collection receipts.
type receiptDoc struct {
	ID         string `bson:"_id"` // store.Receipt.Key
	Digest     string `bson:"digest"`
	DecisionID string `bson:"decision_id"`
	Expires    string `bson:"expires"`
}

const fieldExpires = "expires"

// Receive notes a message, or returns what is noted; see store.Store. It is one
// insert, and for one that comes again or is unclear one look more. (An upsert
// would be one command for both, but FerretDB lets two of them be first.)
func (s *Store) Receive(ctx context.Context, r store.Receipt) (store.Receipt, error) {
	noted := r
	err := s.call(ctx, "receive message", func(ctx context.Context, db *database) error {
		expires, err := stamp(r.Expires)
		if err != nil {
			return err
		}
		writing, cancel := early(ctx)
		defer cancel()
		_, err = db.receipts.InsertOne(writing, receiptDoc{r.Key, r.Digest, r.DecisionID, expires})
		if err == nil || refused(err) {
			return err
		}
		noted, err = db.noted(ctx, r.Key, expires)
		return err
	})
	return noted, err
}

// noted returns the receipt with this key, which expires no earlier than said.
// Errors: store.ErrConflict if there is none.
func (db *database) noted(ctx context.Context, key, expires string) (store.Receipt, error) {
	var doc receiptDoc
	err := db.receipts.FindOneAndUpdate(ctx, byID(key), bson.D{{Key: "$max", Value: bson.D{{Key: fieldExpires, Value: expires}}}},
		options.FindOneAndUpdate().SetReturnDocument(options.After)).Decode(&doc)
	switch {
	case errors.Is(err, driver.ErrNoDocuments):
		return store.Receipt{}, store.ErrConflict
	case err != nil:
		return store.Receipt{}, fmt.Errorf("%w: %w", errUnclear, err)
	}
	var t stampReader
	r := store.Receipt{Key: doc.ID, Digest: doc.Digest, DecisionID: doc.DecisionID, Expires: t.time(doc.Expires)}
	if t.err != nil {
		return store.Receipt{}, damaged("receipt", doc.ID)
	}
	return r, nil
}

// DropReceipts removes expired receipts, the oldest first; see store.Store. It
// returns how many it removed even when it fails halfway; those of a command
// without an answer it does not count.
func (s *Store) DropReceipts(ctx context.Context, before time.Time, limit int) (int, error) {
	total := 0
	err := s.call(ctx, "drop receipts", func(ctx context.Context, db *database) error {
		cut, err := stamp(before)
		if err != nil {
			return err
		}
		total, err = inSteps(limit, func(want int) (int, error) { return db.dropExpired(ctx, cut, want) })
		return err
	})
	return total, err
}

func (db *database) dropExpired(ctx context.Context, cut string, want int) (int, error) {
	docs, err := all[receiptDoc](ctx, db.receipts, bson.D{{Key: fieldExpires, Value: bson.D{{Key: "$lt", Value: cut}}}}, options.Find().
		SetProjection(byIDs(1)).SetSort(bson.D{{Key: fieldExpires, Value: 1}}).SetLimit(int64(want)))
	if err != nil {
		return 0, err
	}
	return removeOld(ctx, db.receipts, fieldExpires, cut, convert(docs, func(d receiptDoc) string { return d.ID }))
}
