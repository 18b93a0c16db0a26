package bolt

import (
	"context"
	"encoding/json"
	"time"

	"go.etcd.io/bbolt"

	"github.com/jithook/jithook/store"
)

// budgetDoc is a row of the bucket of budgets: there are as many as keys, since
// a new time takes the place of the last.
type budgetDoc struct {
	From  time.Time `json:"from"`
	Spent int       `json:"spent"`
}

const errBudget = fault("a budget is damaged in the file: restore a backup")

// Spend takes one of what a budget has left; see store.Store.
func (s *Store) Spend(ctx context.Context, b store.Budget) (left bool, err error) {
	spent := false // written by the writer, read only once it has answered
	err = s.update(ctx, "spend budget", func(tx *bbolt.Tx) (err error) {
		spent, err = spend(tx, b)
		return err
	})
	return err == nil && spent, err
}

func spend(tx *bbolt.Tx, b store.Budget) (left bool, err error) {
	rows, now := tx.Bucket(bucketBudgets), budgetDoc{From: b.From.UTC()}
	if row := rows.Get([]byte(b.Key)); row != nil {
		var last budgetDoc
		if json.Unmarshal(row, &last) != nil {
			return false, errBudget
		}
		if !now.From.After(last.From) {
			now = last
		}
	}
	if now.Spent >= b.Limit {
		return false, nil
	}
	now.Spent++
	doc, err := encode(now)
	if err != nil {
		return false, err
	}
	return true, rows.Put([]byte(b.Key), doc)
}
