package bolt

import (
	"context"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

// Record stores or replaces records and notes logins that changed nothing, all
// in one step; see store.Store.
func (s *Store) Record(ctx context.Context, records []identity.Record, touched []store.Touch) error {
	const op = "record decisions"
	if len(records) == 0 && len(touched) == 0 {
		return nil
	}
	// The writer may outlast this call, see update.
	records, touched = slices.Clone(records), slices.Clone(touched)
	docs := make([][]byte, len(records))
	for n, r := range records {
		doc, err := encodeRecord(r)
		if err != nil {
			return explain(op, err)
		}
		docs[n] = doc
	}
	return s.update(ctx, op, func(tx *bbolt.Tx) error {
		for n, r := range records {
			if err := putRecord(tx, r, docs[n]); err != nil {
				return err
			}
		}
		for _, t := range touched {
			if err := touch(tx, t); err != nil {
				return err
			}
		}
		return nil
	})
}

// touch notes a login and the time of its claims, unless the identity is gone
// or later ones are noted.
func touch(tx *bbolt.Tx, t store.Touch) error {
	i, err := load(tx, []byte(t.ID))
	if err != nil || i == nil {
		return err
	}
	later := t.At.After(i.LastLoginAt)
	if later {
		i.LastLoginAt = t.At
	}
	if at := i.Link(t.Issuer, t.Subject); at >= 0 && t.ClaimsTime.After(i.Links[at].ClaimsTime) {
		i.Links[at].ClaimsTime, later = t.ClaimsTime, true
	}
	if !later {
		return nil
	}
	return rewrite(tx, i)
}

// putRecord stores a record, or replaces the one with its id.
func putRecord(tx *bbolt.Tx, r identity.Record, doc []byte) error {
	var before [][]byte
	stored, err := loadRecord(tx, []byte(r.ID))
	if err != nil {
		return err
	}
	if stored != nil {
		before = recordTerms(stored)
	}
	if err := reindex(tx.Bucket(bucketDecisionsBy), r.ID, before, recordTerms(&r)); err != nil {
		return err
	}
	return tx.Bucket(bucketDecisions).Put([]byte(r.ID), doc)
}

// putRecordIfAny is putRecord for a write that may come without a record: an
// import, a mending.
func putRecordIfAny(tx *bbolt.Tx, r identity.Record, doc []byte) error {
	if r.ID == "" {
		return nil
	}
	return putRecord(tx, r, doc)
}

// loadRecord returns the record with this id, or nil.
func loadRecord(tx *bbolt.Tx, id []byte) (*identity.Record, error) {
	doc := tx.Bucket(bucketDecisions).Get(id)
	if doc == nil {
		return nil, nil
	}
	r, err := decodeRecord(id, doc)
	if err != nil {
		return nil, err
	}
	return &r, nil
}

// Decision returns the record with this id, or store.ErrNotFound.
func (s *Store) Decision(ctx context.Context, id string) (identity.Record, error) {
	var found identity.Record
	err := s.view(ctx, "get decision", func(tx *bbolt.Tx) error {
		r, err := loadRecord(tx, []byte(id))
		if err != nil {
			return err
		}
		if r == nil {
			return store.ErrNotFound
		}
		found = *r
		return nil
	})
	if err != nil {
		return identity.Record{}, err
	}
	return found, nil
}

// Decisions returns a page of records, newest first: the order of their ids,
// which begin with the time, from the end.
func (s *Store) Decisions(ctx context.Context, q store.DecisionQuery) (store.DecisionPage, error) {
	var page store.DecisionPage
	err := s.view(ctx, "list decisions", func(tx *bbolt.Tx) error {
		p, err := newPaging(store.TokenDecisions, q.PageSize, q.PageToken)
		if err != nil {
			return err
		}
		page.Records, page.NextPageToken, err = collect(ctx, recordsOf(tx, q), p, func(id []byte) (identity.Record, bool, error) {
			r, err := loadRecord(tx, id)
			if err != nil {
				return identity.Record{}, false, err
			}
			if r == nil {
				return identity.Record{}, false, errDangles
			}
			return *r, matchesRecord(q, r), nil
		})
		return err
	})
	if err != nil {
		return store.DecisionPage{}, err
	}
	return page, nil
}

// recordTerms returns what the index knows of a record.
func recordTerms(r *identity.Record) [][]byte {
	out := [][]byte{term("decision", string(r.Decision))}
	for _, f := range [...]struct{ field, value string }{
		{"identity", r.IdentityID}, {"subject", string(r.SubjectKey)}, {"flow", r.FlowID},
	} {
		if f.value != "" {
			out = append(out, term(f.field, f.value))
		}
	}
	return out
}

// recordsOf returns a walk that meets every record of q, by the field that
// selects fewest.
func recordsOf(tx *bbolt.Tx, q store.DecisionQuery) *walk {
	w := &walk{back: true}
	switch {
	case q.FlowID != "":
		w.prefix = term("flow", q.FlowID)
	case q.IdentityID != "":
		w.prefix = term("identity", q.IdentityID)
	case q.SubjectKey != "":
		w.prefix = term("subject", string(q.SubjectKey))
	case q.Decision != "":
		w.prefix = term("decision", string(q.Decision))
	default:
		w.cursor = tx.Bucket(bucketDecisions).Cursor()
		return w
	}
	w.cursor = tx.Bucket(bucketDecisionsBy).Cursor()
	return w
}

func matchesRecord(q store.DecisionQuery, r *identity.Record) bool {
	return (q.IdentityID == "" || q.IdentityID == r.IdentityID) &&
		(q.SubjectKey == "" || q.SubjectKey == r.SubjectKey) &&
		(q.FlowID == "" || q.FlowID == r.FlowID) &&
		(q.Decision == "" || q.Decision == r.Decision)
}

// maxDrop bounds the entries that one transaction removes, so that logins do
// not wait long behind it.
const maxDrop = 500

// DropDecisions removes records older than before, the oldest first; see
// store.Store. It returns how many it removed even when it fails halfway.
func (s *Store) DropDecisions(ctx context.Context, before time.Time, limit int) (int, error) {
	return s.dropInSteps(ctx, "drop decisions", limit, func(tx *bbolt.Tx, want int) (int, error) {
		return drop(tx, before, want)
	})
}

// dropInSteps removes at most limit entries, in transactions of at most maxDrop
// each. step removes at most want and returns how many.
func (s *Store) dropInSteps(ctx context.Context, op string, limit int, step func(tx *bbolt.Tx, want int) (int, error)) (int, error) {
	total := 0
	for total < limit {
		want := min(limit-total, maxDrop)
		var n int // written by the writer, read only once it has answered
		err := s.update(ctx, op, func(tx *bbolt.Tx) (err error) {
			n, err = step(tx, want)
			return err
		})
		if err != nil {
			return total, err
		}
		total += n
		if n < want {
			break
		}
	}
	return total, nil
}

// outOfOrder is how many records in a row may be too young before drop stops.
// A record's id and its time are taken one after the other: in the order of
// ids, neighbours may be a moment out of the order of times.
const outOfOrder = 100

// drop removes at most want records older than before and returns how many.
func drop(tx *bbolt.Tx, before time.Time, want int) (int, error) {
	var old []*identity.Record
	young := 0
	w := &walk{cursor: tx.Bucket(bucketDecisions).Cursor()}
	for id := w.first(""); id != nil && len(old) < want && young < outOfOrder; id = w.next() {
		r, err := loadRecord(tx, id)
		if err != nil {
			return 0, err
		}
		if r.At.Before(before) {
			old, young = append(old, r), 0
		} else {
			young++
		}
	}
	for _, r := range old { // not in the loop above: it would move the cursor
		if err := reindex(tx.Bucket(bucketDecisionsBy), r.ID, recordTerms(r), nil); err != nil {
			return 0, err
		}
		if err := tx.Bucket(bucketDecisions).Delete([]byte(r.ID)); err != nil {
			return 0, err
		}
	}
	return len(old), nil
}
