package mongo

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/jithook/jithook/store"
)

// budgetDoc is a document of the collection budgets: there are as many as keys,
// since a new time takes the place of the last.
type budgetDoc struct {
	ID    string `bson:"_id"` // store.Budget.Key
	From  string `bson:"from"`
	Spent int    `bson:"spent"`
}

const (
	fieldFrom  = "from"
	fieldSpent = "spent"
)

// spendAttempts bounds how often Spend begins again when others are faster.
const spendAttempts = 3

// Spend takes one of what a budget has left; see store.Store. It is one round
// trip, and up to three more when a time begins or nothing is left.
func (s *Store) Spend(ctx context.Context, b store.Budget) (left bool, err error) {
	err = s.call(ctx, "spend budget", func(ctx context.Context, db *database) error {
		from, err := stamp(b.From)
		if err != nil {
			return err
		}
		for range spendAttempts {
			var again bool
			if left, again, err = db.spend(ctx, b, from); err != nil || !again {
				return err
			}
		}
		return store.ErrConflict
	})
	return err == nil && left, err
}

// spend is one attempt; again says that somebody else began the time first.
func (db *database) spend(ctx context.Context, b store.Budget, from string) (left, again bool, err error) {
	res, err := db.budgets.UpdateOne(ctx,
		bson.D{{Key: fieldID, Value: b.Key}, {Key: fieldFrom, Value: bson.D{{Key: "$gte", Value: from}}}, {Key: fieldSpent, Value: bson.D{{Key: "$lt", Value: b.Limit}}}},
		bson.D{{Key: "$inc", Value: bson.D{{Key: fieldSpent, Value: 1}}}})
	if err != nil || res.MatchedCount > 0 {
		return err == nil, false, err
	}
	if b.Limit < 1 {
		return false, false, nil
	}
	res, err = db.budgets.UpdateOne(ctx,
		bson.D{{Key: fieldID, Value: b.Key}, {Key: fieldFrom, Value: bson.D{{Key: "$lt", Value: from}}}},
		bson.D{{Key: "$set", Value: bson.D{{Key: fieldFrom, Value: from}, {Key: fieldSpent, Value: 1}}}})
	if err != nil || res.MatchedCount > 0 {
		return err == nil, false, err
	}
	_, err = db.budgets.InsertOne(ctx, budgetDoc{b.Key, from, 1})
	if !driver.IsDuplicateKeyError(err) {
		return err == nil, false, err
	}
	found, err := all[budgetDoc](ctx, db.budgets, byID(b.Key), options.Find())
	if err != nil {
		return false, false, err
	}
	spent := len(found) == 1 && found[0].From >= from && found[0].Spent >= b.Limit
	return false, !spent, nil
}
