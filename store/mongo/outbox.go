package mongo

import (
	"context"
	"crypto/rand"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

func encodeOutbox(w *stampWriter, i *identity.Identity) []deliveryDoc {
	return convert(i.Outbox, func(d identity.Delivery) deliveryDoc {
		doc := deliveryDoc{
			Target: d.Target, Revision: d.Revision, Since: w.stamp(d.Since), Due: w.stamp(d.Due),
			Attempts: d.Attempts, Lease: d.Lease, Failure: d.Failure, Dead: d.Dead, Trace: d.Trace, Again: d.Again,
		}
		if i.Released(d) {
			doc.Released = doc.Due
		}
		return doc
	})
}

func decodeOutbox(r *stampReader, docs []deliveryDoc) []identity.Delivery {
	return convert(docs, func(d deliveryDoc) identity.Delivery {
		return identity.Delivery{
			Target: d.Target, Revision: d.Revision, Since: r.time(d.Since), Due: r.time(d.Due),
			Attempts: d.Attempts, Lease: d.Lease, Failure: d.Failure, Dead: d.Dead, Trace: d.Trace, Again: d.Again,
		}
	})
}

func encodeResources(resources []identity.Resource) []resourceDoc {
	return convert(resources, func(r identity.Resource) resourceDoc { return resourceDoc(r) })
}

// version selects an identity in the state of these two numbers. A document of
// before there was an outbox has no second one.
func version(id string, revision, outboxVersion int64) bson.D {
	stored := any(outboxVersion)
	if outboxVersion == 0 {
		stored = bson.D{{Key: "$in", Value: bson.A{int64(0), nil}}}
	}
	return bson.D{{Key: fieldID, Value: id}, {Key: fieldRevision, Value: revision}, {Key: fieldOutboxVer, Value: stored}}
}

// SetOutbox writes an identity's outbox; see store.Store.
func (s *Store) SetOutbox(ctx context.Context, i identity.Identity) error {
	return s.call(ctx, "set outbox", func(ctx context.Context, db *database) error {
		if i.Finished() {
			return db.finish(ctx, i)
		}
		var w stampWriter
		write := rand.Text()
		outbox := encodeOutbox(&w, &i)
		if w.err != nil {
			return w.err
		}
		set, rest := bson.D{
			{Key: fieldOutboxVer, Value: i.OutboxVersion}, {Key: fieldResources, Value: encodeResources(i.Resources)}, {Key: fieldWrite, Value: write},
		}, []string{}
		if len(outbox) > 0 {
			set = append(set, bson.E{Key: fieldOutbox, Value: outbox})
		} else {
			rest = append(rest, fieldOutbox)
		}
		if having := i.Having(); len(having) > 0 {
			set = append(set, bson.E{Key: fieldHaving, Value: having})
		} else {
			rest = append(rest, fieldHaving)
		}
		return db.update(ctx, version(i.ID, i.Revision, i.OutboxVersion-1),
			append(bson.D{{Key: "$set", Value: set}}, unset(rest...)...),
			func() error { return db.resolveUpdate(ctx, i.ID, write, i.Revision, nil) })
	})
}

// deliveryTo selects the identities with an entry for the target of which the
// rest holds.
func deliveryTo(target string, rest ...bson.E) bson.D {
	entry := append(bson.D{{Key: fieldTarget, Value: target}}, rest...)
	return bson.D{{Key: fieldOutbox, Value: bson.D{{Key: "$elemMatch", Value: entry}}}}
}

// Due returns who has a delivery that is due; see store.Store. They come as
// the index has them, the longest due first, without a promise: a sort by an
// entry of a list would go by entries for other targets too.
func (s *Store) Due(ctx context.Context, target string, now time.Time, limit int) ([]identity.Identity, error) {
	found := []identity.Identity{}
	err := s.call(ctx, "find deliveries", func(ctx context.Context, db *database) error {
		until, err := stamp(now)
		if err != nil {
			return err
		}
		limit := int64(min(limit, store.MaxPageSize))
		if limit <= 0 {
			return nil
		}
		docs, err := all[bson.Raw](ctx, db.identities, deliveryTo(target, bson.E{Key: fieldReleased, Value: bson.D{{Key: "$lte", Value: until}}}),
			identityOptions().SetLimit(limit).SetBatchSize(int32(limit)))
		if err != nil {
			return err
		}
		for _, raw := range docs {
			if i, err := decodeRaw(raw); err == nil {
				found = append(found, i)
			}
		}
		return nil
	})
	return found, err
}

// Backlog returns what waits for the target; see store.Store.
func (s *Store) Backlog(ctx context.Context, target string) (store.Backlog, error) {
	var out store.Backlog
	err := s.call(ctx, "measure backlog", func(ctx context.Context, db *database) error {
		// By the index of what was given up alone: that of outboxes has all that waits,
		// that of states everybody.
		dead, err := db.identities.CountDocuments(ctx, selected(term{fieldHaving, identity.HavingGivenUp(target)}), options.Count().SetLimit(store.MaxBacklog))
		if err != nil {
			return err
		}
		out.Dead = int(dead)
		return db.waiting(ctx, target, &out)
	})
	return out, err
}

// waiting fills in how many deliveries wait for the target, and since when.
func (db *database) waiting(ctx context.Context, target string, out *store.Backlog) error {
	stage := func(name string, value any) bson.D { return bson.D{{Key: name, Value: value}} }
	released := fieldOutbox + "." + fieldReleased
	cursor, err := db.identities.Aggregate(ctx, []bson.D{
		stage("$match", deliveryTo(target, bson.E{Key: fieldReleased, Value: bson.D{{Key: "$gt", Value: ""}}})),
		stage("$limit", store.MaxBacklog),
		stage("$unwind", "$"+fieldOutbox),
		stage("$match", bson.D{{Key: fieldOutbox + "." + fieldTarget, Value: target}, {Key: released, Value: bson.D{{Key: "$gt", Value: ""}}}}),
		stage("$group", bson.D{
			{Key: fieldID, Value: nil},
			{Key: "waiting", Value: bson.D{{Key: "$sum", Value: 1}}},
			{Key: "due", Value: bson.D{{Key: "$min", Value: "$" + released}}},
		}),
	})
	if err != nil {
		return err
	}
	var groups []struct {
		Waiting int    `bson:"waiting"`
		Due     string `bson:"due"`
	}
	if err := cursor.All(ctx, &groups); err != nil || len(groups) == 0 {
		return err
	}
	var r stampReader
	out.Waiting, out.Due = groups[0].Waiting, r.time(groups[0].Due)
	return r.err
}
