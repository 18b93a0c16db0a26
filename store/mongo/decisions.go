package mongo

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

// Record stores or replaces records and notes logins that changed nothing; see
// store.Store. It may be repeated after a failure.
func (s *Store) Record(ctx context.Context, records []identity.Record, touched []store.Touch) error {
	return s.call(ctx, "record decisions", func(ctx context.Context, db *database) error {
		if err := db.record(ctx, records); err != nil {
			return err
		}
		return db.touch(ctx, touched)
	})
}

func (db *database) record(ctx context.Context, records []identity.Record) error {
	if len(records) == 0 {
		return nil
	}
	docs := make([]decisionDoc, len(records))
	ids := make([]string, len(records))
	for n, r := range records {
		doc, err := encodeRecord(r)
		if err != nil {
			return err
		}
		docs[n], ids[n] = decisionDoc{ID: r.ID, Record: doc}, r.ID
	}
	// An older version that still stands in a journal would replace this one
	// when it is moved.
	if err := db.moveRecords(ctx, ids); err != nil {
		return err
	}
	return again(ctx, func() error {
		// Nearly all are new, and a server takes many new ones at once. One that
		// is there, or twice among these, has all of them replaced, one by one.
		_, err := db.decisions.InsertMany(ctx, docs, options.InsertMany().SetOrdered(false))
		if driver.IsDuplicateKeyError(err) {
			return db.replaceRecords(ctx, docs)
		}
		return err
	})
}

// replaceRecords writes records whether or not they are there, in order: the
// last of one id counts.
func (db *database) replaceRecords(ctx context.Context, docs []decisionDoc) error {
	models := make([]driver.WriteModel, len(docs))
	for n, d := range docs {
		models[n] = driver.NewUpdateOneModel().
			SetFilter(byID(d.ID)).SetUpdate(d.Record.replaces()).SetUpsert(true)
	}
	_, err := db.decisions.BulkWrite(ctx, models)
	return err
}

func (db *database) touch(ctx context.Context, touched []store.Touch) error {
	var models []driver.WriteModel
	for _, t := range touched {
		at, err := stamp(t.At)
		if err != nil {
			return err
		}
		models = append(models, driver.NewUpdateOneModel().SetFilter(byID(t.ID)).
			SetUpdate(bson.D{{Key: "$max", Value: bson.D{{Key: fieldLastLoginAt, Value: at}}}}))
		if t.ClaimsTime.IsZero() {
			continue
		}
		seen, err := stamp(t.ClaimsTime)
		if err != nil {
			return err
		}
		models = append(models, driver.NewUpdateOneModel().
			SetFilter(append(byID(t.ID), linkWith(t.Issuer, t.Subject, "$lt", seen))).
			SetUpdate(bson.D{{Key: "$set", Value: bson.D{{Key: "links.$.claims_time", Value: seen}}}}))
	}
	if len(models) == 0 {
		return nil
	}
	return again(ctx, func() error {
		_, err := db.identities.BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false))
		return err
	})
}

// linkWith selects a link by its subject and how its claims_time compares.
func linkWith(issuer, subject, comparison, claimsTime string) bson.E {
	return bson.E{Key: "links", Value: bson.D{{Key: "$elemMatch", Value: bson.D{
		{Key: "issuer", Value: issuer}, {Key: "subject", Value: subject},
		{Key: "claims_time", Value: bson.D{{Key: comparison, Value: claimsTime}}},
	}}}}
}

// Decision returns the record with this id, or store.ErrNotFound.
func (s *Store) Decision(ctx context.Context, id string) (identity.Record, error) {
	var found identity.Record
	err := s.call(ctx, "get decision", func(ctx context.Context, db *database) error {
		if err := db.moveRecords(ctx, []string{id}); err != nil {
			return err
		}
		docs, err := all[decisionDoc](ctx, db.decisions, byID(id), decisionOptions())
		if err != nil {
			return err
		}
		if len(docs) == 0 {
			return store.ErrNotFound
		}
		found, err = decodeRecord(docs[0])
		return err
	})
	return found, err
}

func decisionOptions() *options.FindOptionsBuilder {
	return options.Find().SetProjection(bson.D{{Key: fieldWrites, Value: 0}})
}

// Decisions returns a page of records, newest first: the order of their ids,
// which begin with the time, from the end.
func (s *Store) Decisions(ctx context.Context, q store.DecisionQuery) (store.DecisionPage, error) {
	var page store.DecisionPage
	err := s.call(ctx, "list decisions", func(ctx context.Context, db *database) error {
		filter := selected(
			term{fieldIdentityID, q.IdentityID}, term{fieldSubjectKey, string(q.SubjectKey)},
			term{fieldFlowID, utf8Only(q.FlowID)}, term{fieldDecision, string(q.Decision)})
		if d := q.Decision; d != "" && d != identity.Unchanged {
			filter = append(filter, bson.E{Key: fieldNotable, Value: true}) // what the index is of
		}
		p, err := newPaging(store.TokenDecisions, q.PageSize, q.PageToken)
		if err != nil {
			return err
		}
		if err := db.moveAll(ctx); err != nil {
			return err
		}
		docs, next, err := pageOf(ctx, db.decisions, filter, p, decisionOptions(), func(d decisionDoc) string { return d.ID })
		if err != nil {
			return err
		}
		page.NextPageToken = next
		page.Records, err = decodeAll(docs, decodeRecord)
		return err
	})
	return page, err
}

// maxDrop bounds the documents that one command removes, so that logins do not
// wait long behind it.
const maxDrop = 500

// DropDecisions removes records older than before, the oldest first; see
// store.Store. It returns how many it removed even when it fails halfway; those
// of a command without an answer it does not count.
func (s *Store) DropDecisions(ctx context.Context, before time.Time, limit int) (int, error) {
	total := 0
	err := s.call(ctx, "drop decisions", func(ctx context.Context, db *database) error {
		cut, err := stamp(before)
		if err != nil {
			return err
		}
		if err := db.moveAll(ctx); err != nil {
			return err
		}
		total, err = inSteps(limit, func(want int) (int, error) { return db.dropRecords(ctx, cut, want) })
		return err
	})
	return total, err
}

// inSteps removes at most limit documents, at most maxDrop a step, and returns how
// many. step removes at most want and returns how many.
func inSteps(limit int, step func(want int) (int, error)) (int, error) {
	total := 0
	for total < limit {
		want := min(limit-total, maxDrop)
		n, err := step(want)
		total += n
		if err != nil || n < want {
			return total, err
		}
	}
	return total, nil
}

// outOfOrder is how many records that are too young may stand before an old one: a
// record's id and its time are taken one after the other, by clocks of several
// replicas.
const outOfOrder = 100

// indexIDs is the name of the index that every collection has. FerretDB would sort all
// records to find the first, as long as PostgreSQL has no statistics of them.
const indexIDs = "_id_"

// dropRecords goes by the ids, which begin with the time: an index of the times
// would cost every login an entry.
func (db *database) dropRecords(ctx context.Context, cut string, want int) (int, error) {
	docs, err := all[struct {
		ID string `bson:"_id"`
		At string `bson:"at"`
	}](ctx, db.decisions, bson.D{}, options.Find().
		SetProjection(bson.D{{Key: fieldAt, Value: 1}}).SetSort(byIDs(1)).SetLimit(int64(want+outOfOrder)).SetHint(indexIDs))
	if err != nil {
		return 0, err
	}
	var ids []string
	for _, d := range docs {
		if d.At < cut && len(ids) < want {
			ids = append(ids, d.ID)
		}
	}
	return removeOld(ctx, db.decisions, fieldAt, cut, ids)
}

// removeOld removes those of the documents whose field, a time, is before cut, and
// returns how many.
func removeOld(ctx context.Context, c *driver.Collection, field, cut string, ids []string) (int, error) {
	if len(ids) == 0 {
		return 0, nil
	}
	res, err := c.DeleteMany(ctx, bson.D{
		{Key: field, Value: bson.D{{Key: "$lt", Value: cut}}}, {Key: fieldID, Value: bson.D{{Key: "$in", Value: ids}}},
	})
	if err != nil {
		return 0, err
	}
	return int(res.DeletedCount), nil
}
