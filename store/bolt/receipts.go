package bolt

import (
	"bytes"
	"context"
	"encoding/json"
	"time"

	"go.etcd.io/bbolt"

	"github.com/jithook/jithook/store"
)

// receiptDoc is a row of the bucket of receipts.
type receiptDoc struct {
	Digest     string    `json:"digest"`
	DecisionID string    `json:"decision_id"`
	Expires    time.Time `json:"expires"`
}

// The bucket "receipts_by" has the receipts in the order in which they expire.
func expiryRow(key string, d receiptDoc) []byte { return append(moment(d.Expires), key...) }

// Receive notes a message, or returns what is noted; see store.Store.
func (s *Store) Receive(ctx context.Context, r store.Receipt) (store.Receipt, error) {
	var noted receiptDoc // written by the writer, read only once it has answered
	err := s.update(ctx, "receive message", func(tx *bbolt.Tx) (err error) {
		noted, err = receive(tx, r)
		return err
	})
	if err != nil {
		return store.Receipt{}, err
	}
	return store.Receipt{Key: r.Key, Digest: noted.Digest, DecisionID: noted.DecisionID, Expires: noted.Expires}, nil
}

func receive(tx *bbolt.Tx, r store.Receipt) (receiptDoc, error) {
	rows, by := tx.Bucket(bucketReceipts), tx.Bucket(bucketReceiptsBy)
	noted := receiptDoc{r.Digest, r.DecisionID, r.Expires.UTC()}
	if row := rows.Get([]byte(r.Key)); row != nil {
		var first receiptDoc
		if json.Unmarshal(row, &first) != nil {
			return receiptDoc{}, errReceipt
		}
		if !r.Expires.After(first.Expires) {
			return first, nil
		}
		if err := by.Delete(expiryRow(r.Key, first)); err != nil {
			return receiptDoc{}, err
		}
		noted.Digest, noted.DecisionID = first.Digest, first.DecisionID
	}
	doc, err := encode(noted)
	if err != nil {
		return receiptDoc{}, err
	}
	if err := by.Put(expiryRow(r.Key, noted), nil); err != nil {
		return receiptDoc{}, err
	}
	return noted, rows.Put([]byte(r.Key), doc)
}

const errReceipt = fault("the receipt of a message is damaged in the file: restore a backup")

// DropReceipts removes expired receipts, the oldest first; see store.Store. It
// returns how many it removed even when it fails halfway.
func (s *Store) DropReceipts(ctx context.Context, before time.Time, limit int) (int, error) {
	return s.dropInSteps(ctx, "drop receipts", limit, func(tx *bbolt.Tx, want int) (int, error) {
		var expired [][]byte
		cursor, until := tx.Bucket(bucketReceiptsBy).Cursor(), moment(before)
		for row, _ := cursor.First(); row != nil && len(expired) < want && bytes.Compare(row[:len(until)], until) < 0; row, _ = cursor.Next() {
			expired = append(expired, bytes.Clone(row))
		}
		for _, row := range expired { // not in the loop above: it would move the cursor
			if err := tx.Bucket(bucketReceipts).Delete(row[len(until):]); err != nil {
				return 0, err
			}
			if err := tx.Bucket(bucketReceiptsBy).Delete(row); err != nil {
				return 0, err
			}
		}
		return len(expired), nil
	})
}
