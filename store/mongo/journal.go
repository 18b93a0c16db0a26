package mongo

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// A decision record is written inside the identity that it is about, in the
// same write: there is one if and only if that write happened. Afterwards it is
// moved to the collection decisions: first written there, then removed here, so
// that a crash in between loses nothing and repeats at most. Several replicas
// may move the same ones at once, and one of them may be slow:
//
//   - A record in decisions lists the writes that brought it. An entry is
//     carried over only if its write is not in that list: a mover that stood
//     still does not overwrite what came later.
//   - A journal is removed only if the identity's last write is the one that
//     was read with it: what was added since stays.
//
// Whoever reads decisions moves first what concerns them, and so misses none.

const (
	moveQueue = 1024             // identities whose journals wait; the sweep finds the rest
	moveBatch = 100              // journals that are moved together
	moveEvery = 10 * time.Second // the sweep: what a crash or a full queue left
	moveLimit = 30 * time.Second // of one batch in the background
)

const opMove = "move decisions"

// moveAfter queues the identity when the write that added to its journal
// succeeded, and returns err. It never blocks.
func (s *Store) moveAfter(id string, err error) error {
	if err == nil {
		select {
		case s.move <- id:
		default:
		}
	}
	return err
}

// mover moves records off the path of requests, until the store is closed. Its
// first sweep sets the database up.
func (s *Store) mover() {
	tick := time.NewTicker(moveEvery)
	defer tick.Stop()
	s.inBackground(func(ctx context.Context, db *database) error { return db.moveAll(ctx) })
	for {
		select {
		case <-s.life.Done():
			return
		case id := <-s.move:
			ids := s.waiting(id)
			s.inBackground(func(ctx context.Context, db *database) error { return db.moveOf(ctx, ids) })
		case <-tick.C:
			s.inBackground(func(ctx context.Context, db *database) error { return db.moveAll(ctx) })
		}
	}
}

// inBackground runs one batch. What fails is found again by the sweep.
func (s *Store) inBackground(fn func(context.Context, *database) error) {
	ctx, cancel := context.WithTimeout(s.life, moveLimit)
	defer cancel()
	db, err := s.database(ctx)
	if err == nil {
		err = fn(ctx, db)
	}
	if err != nil && s.life.Err() == nil && s.opts.Failed != nil {
		s.opts.Failed(opMove)
	}
}

// waiting returns first and what else is queued.
func (s *Store) waiting(first string) []string {
	ids := []string{first}
	for len(ids) < moveBatch {
		select {
		case id := <-s.move:
			ids = append(ids, id)
		default:
			return ids
		}
	}
	return ids
}

// moveOf moves the journals of these identities.
func (db *database) moveOf(ctx context.Context, ids []string) error {
	return db.moveWhere(ctx, bson.D{{Key: fieldID, Value: bson.D{{Key: "$in", Value: ids}}}})
}

// moveRecords moves the journals that hold one of these records.
func (db *database) moveRecords(ctx context.Context, ids []string) error {
	return db.moveWhere(ctx, bson.D{{Key: fieldJournalID, Value: bson.D{{Key: "$in", Value: ids}}}})
}

func (db *database) moveWhere(ctx context.Context, filter bson.D) error {
	docs, err := all[identityDoc](ctx, db.identities, filter, journalOptions())
	if err != nil {
		return err
	}
	return db.moveJournals(ctx, docs)
}

// moveAll moves every journal that there was when it began.
func (db *database) moveAll(ctx context.Context) error {
	last := ""
	for {
		docs, err := all[identityDoc](ctx, db.identities, bson.D{
			{Key: fieldJournalID, Value: bson.D{{Key: "$gt", Value: ""}}},
			{Key: fieldID, Value: bson.D{{Key: "$gt", Value: last}}},
		}, journalOptions().SetSort(byIDs(1)).SetLimit(moveBatch).SetHint(indexJournal))
		if err != nil || len(docs) == 0 {
			return err
		}
		if err := db.moveJournals(ctx, docs); err != nil {
			return err
		}
		last = docs[len(docs)-1].ID
	}
}

func journalOptions() *options.FindOptionsBuilder {
	return options.Find().SetProjection(bson.D{{Key: fieldWrite, Value: 1}, {Key: fieldJournal, Value: 1}})
}

// byIDs sorts by id, upwards (1) or downwards (-1).
func byIDs(direction int) bson.D { return bson.D{{Key: fieldID, Value: direction}} }

// moveJournals moves the journals as they were read.
func (db *database) moveJournals(ctx context.Context, docs []identityDoc) error {
	docs = slices.DeleteFunc(slices.Clone(docs), func(d identityDoc) bool { return len(d.Journal) == 0 })
	if len(docs) == 0 {
		return nil
	}
	var carried []carry
	for _, d := range docs {
		carried = append(carried, carries(d.Journal)...)
	}
	if err := db.carryOver(ctx, carried); err != nil {
		return err
	}
	var models []driver.WriteModel
	for _, d := range docs {
		models = append(models, driver.NewUpdateOneModel().
			SetFilter(bson.D{{Key: fieldID, Value: d.ID}, {Key: fieldWrite, Value: d.Content.Write}}).
			SetUpdate(bson.D{{Key: "$unset", Value: bson.D{{Key: fieldJournal, Value: ""}}}}))
	}
	return again(ctx, func() error {
		_, err := db.identities.BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false))
		return err
	})
}

// carry is one record on its way, with the writes of all entries of its
// journal that it stands for; the last of them made it what it is.
type carry struct {
	entryDoc
	writes []string
}

// carries returns one carry for each record in a journal.
func carries(journal []entryDoc) []carry {
	var out []carry
	for _, e := range journal {
		n := slices.IndexFunc(out, func(c carry) bool { return c.ID == e.ID })
		if n < 0 {
			out = append(out, carry{})
			n = len(out) - 1
		}
		out[n] = carry{entryDoc: e, writes: append(out[n].writes, e.Write)}
	}
	return out
}

// carryAttempts bounds how often records are written that another replica
// writes at the same moment.
const carryAttempts = 3

const errMoving = fault("another jithook is moving the same records: try again")

// carryOver writes records into decisions, unless their write has been there.
func (db *database) carryOver(ctx context.Context, carried []carry) error {
	for range carryAttempts {
		_, err := db.decisions.BulkWrite(ctx, carryModels(carried), options.BulkWrite().SetOrdered(false))
		if err == nil {
			return nil
		}
		if refused(err) {
			return err
		}
		// A duplicate key is one that came already, or one that another mover
		// inserts right now with less in it: only the record itself tells.
		if carried, err = db.notCarried(ctx, carried); err != nil || len(carried) == 0 {
			return err
		}
	}
	return errMoving
}

func carryModels(carried []carry) []driver.WriteModel {
	var models []driver.WriteModel
	for _, c := range carried {
		models = append(models, driver.NewUpdateOneModel().
			SetFilter(bson.D{{Key: fieldID, Value: c.ID}, {Key: fieldWrites, Value: bson.D{{Key: "$ne", Value: c.Write}}}}).
			SetUpdate(append(c.Record.replaces(),
				bson.E{Key: "$addToSet", Value: bson.D{{Key: fieldWrites, Value: bson.D{{Key: "$each", Value: c.writes}}}}})).
			SetUpsert(true))
	}
	return models
}

// notCarried returns those whose write has not been there.
func (db *database) notCarried(ctx context.Context, carried []carry) ([]carry, error) {
	ids := convert(carried, func(c carry) string { return c.ID })
	docs, err := latest[decisionDoc](ctx, db.decisions,
		bson.D{{Key: fieldID, Value: bson.D{{Key: "$in", Value: ids}}}},
		options.Find().SetProjection(bson.D{{Key: fieldWrites, Value: 1}}))
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(carried), func(c carry) bool {
		return slices.ContainsFunc(docs, func(d decisionDoc) bool { return d.ID == c.ID && slices.Contains(d.Writes, c.Write) })
	}), nil
}

// again runs a write that may be repeated, a second time if it failed in
// another way than for good.
func again(ctx context.Context, write func() error) error {
	err := write()
	if err == nil || refused(err) || ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return write()
}
