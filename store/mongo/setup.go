package mongo

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// database is a database that is set up.
type database struct {
	identities *driver.Collection
	decisions  *driver.Collection
	receipts   *driver.Collection
	budgets    *driver.Collection
	meta       *driver.Collection
}

// Names of the collections.
const (
	nameIdentities = "identities"
	nameDecisions  = "decisions"
	nameReceipts   = "receipts"
	nameBudgets    = "budgets"
	nameMeta       = "meta"
	nameProbe      = "probe"
)

// schema is the layout of the database that this package reads and writes.
const schema = 1

const (
	setUpTimeout = 5 * time.Minute // an index over many documents takes its time
	disconnectIn = 5 * time.Second
)

const (
	errNewer  = fault("the database is of a newer jithook: update this one")
	errTwice  = fault("cannot make the indexes of identities: two identities hold one key; tell them apart first, see docs/mongodb.md")
	errUnique = fault("the server does not enforce a unique index over a list (FerretDB 1 does not): two people could get one account; use MongoDB, or FerretDB 2")
)

// setUp makes a database usable: one attempt at a time, which all wait for.
type setUp struct {
	mu      sync.Mutex
	client  *driver.Client
	current *attempt
}

type attempt struct {
	done chan struct{}
	err  error // valid once done is closed
}

// database returns the database when it is set up. If it is not, it waits for
// the attempt under way, or begins one.
func (s *Store) database(ctx context.Context) (*database, error) {
	if db := s.usable.Load(); db != nil {
		return db, nil
	}
	a := s.attempt()
	select {
	case <-a.done:
		if a.err != nil {
			return nil, a.err
		}
		return s.usable.Load(), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// attempt returns the attempt under way or begins a new one, in the life of
// the store and not of the caller: building an index may outlast a login.
func (s *Store) attempt() *attempt {
	s.setUp.mu.Lock()
	defer s.setUp.mu.Unlock()
	if s.setUp.current != nil {
		return s.setUp.current
	}
	a := &attempt{done: make(chan struct{})}
	s.setUp.current = a
	s.own.Go(func() {
		a.err = s.prepare()
		s.setUp.mu.Lock()
		s.setUp.current = nil
		s.setUp.mu.Unlock()
		close(a.done)
	})
	return a
}

// prepare is one attempt.
func (s *Store) prepare() error {
	client, err := s.setUp.connect(s.opts)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(s.life, setUpTimeout)
	defer cancel()
	d := client.Database(s.opts.Database)
	db := &database{
		identities: d.Collection(nameIdentities),
		decisions:  d.Collection(nameDecisions),
		receipts:   d.Collection(nameReceipts),
		budgets:    d.Collection(nameBudgets),
		meta:       d.Collection(nameMeta),
	}
	for _, step := range []func(context.Context) error{
		db.checkSchema,
		func(ctx context.Context) error { return probe(ctx, d.Collection(nameProbe)) },
		func(ctx context.Context) error { return index(ctx, db.identities, identityIndexes()) },
		func(ctx context.Context) error { return index(ctx, db.decisions, decisionIndexes()) },
		func(ctx context.Context) error {
			return index(ctx, db.receipts, []driver.IndexModel{indexOn(fieldExpires, fieldExpires)})
		},
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	s.usable.Store(db)
	return nil
}

// connect returns the client and makes it if there is none. Only an attempt
// calls it, one at a time. It may wait for the DNS, so not while holding mu.
func (u *setUp) connect(opts Options) (*driver.Client, error) {
	u.mu.Lock()
	client := u.client
	u.mu.Unlock()
	if client != nil {
		return client, nil
	}
	client, err := connect(opts)
	if err != nil {
		return nil, err
	}
	u.mu.Lock()
	u.client = client
	u.mu.Unlock()
	return client, nil
}

func (u *setUp) disconnect() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.client == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), disconnectIn)
	defer cancel()
	return u.client.Disconnect(ctx)
}

// schemaID is the document in meta that names the layout.
const schemaID = "schema"

// checkSchema writes the layout's number into a new database and refuses one
// of a newer jithook. Several replicas may do so at once: one of them inserts.
func (db *database) checkSchema(ctx context.Context) error {
	_, err := db.meta.InsertOne(ctx, bson.D{{Key: "_id", Value: schemaID}, {Key: "version", Value: schema}})
	if err != nil && !driver.IsDuplicateKeyError(err) {
		return err
	}
	var found struct {
		Version int64 `bson:"version"`
	}
	if err := db.meta.FindOne(ctx, byID(schemaID)).Decode(&found); err != nil {
		return err
	}
	if found.Version != schema {
		return errNewer
	}
	return nil
}

// read is the cheapest read that proves that reading works.
func (db *database) read(ctx context.Context) error {
	return db.meta.FindOne(ctx, byID(schemaID)).Err()
}

// probe proves that the server enforces what everything rests on: a unique
// index over a list. The second of two documents that share one entry must be
// refused. (Its id is new each time, or its own earlier self would refuse it.)
func probe(ctx context.Context, c *driver.Collection) error {
	if err := index(ctx, c, []driver.IndexModel{keysIndex()}); err != nil {
		return err
	}
	doc := func(id string, keys ...string) bson.D {
		return bson.D{{Key: "_id", Value: id}, {Key: fieldKeys, Value: keys}}
	}
	if _, err := c.InsertOne(ctx, doc("one", "a", "b")); err != nil && !driver.IsDuplicateKeyError(err) {
		return err
	}
	_, err := c.InsertOne(ctx, doc(rand.Text(), "c", "b"))
	switch {
	case err == nil:
		return errUnique
	case driver.IsDuplicateKeyError(err):
		return nil
	}
	return err
}

// index makes the indexes that are missing. It is safe to repeat, and to run
// from several replicas.
func index(ctx context.Context, c *driver.Collection, models []driver.IndexModel) error {
	_, err := c.Indexes().CreateMany(ctx, models)
	var command driver.CommandError
	switch {
	case driver.IsDuplicateKeyError(err):
		return errTwice
	case errors.As(err, &command) && command.Code != 0: // 0 is a lost connection
		if _, ok := knownCode(int(command.Code)); !ok {
			return fault(fmt.Sprintf("cannot make the indexes of %s (server code %d); if it stays so, see docs/mongodb.md", c.Name(), command.Code))
		}
	}
	return err
}

// indexOn is an ascending index whose name says what it holds.
func indexOn(name string, fields ...string) driver.IndexModel {
	keys := bson.D{}
	for _, f := range fields {
		keys = append(keys, bson.E{Key: f, Value: 1})
	}
	return driver.IndexModel{Keys: keys, Options: options.Index().SetName(name)}
}

// keysIndex is the one index that keeps two people from sharing an account. It
// serves the look-ups of logins as well.
func keysIndex() driver.IndexModel {
	m := indexOn("keys", fieldKeys)
	m.Options.SetUnique(true)
	return m
}

// indexJournal is the name of the index that finds what is to be moved.
const indexJournal = "journal"

func identityIndexes() []driver.IndexModel {
	journal := indexOn(indexJournal, fieldJournalID)
	journal.Options.SetSparse(true) // of almost no document, and so tiny
	outbox := indexOn("outbox", fieldOutbox+"."+fieldTarget, fieldOutbox+"."+fieldReleased)
	outbox.Options.SetSparse(true)
	having := indexOn(fieldHaving, fieldHaving)
	having.Options.SetSparse(true)
	return []driver.IndexModel{
		keysIndex(),
		indexOn("userstore", fieldUserstore, fieldID),
		indexOn("state", fieldState, fieldID),
		journal,
		outbox,
		having,
	}
}

// decisionIndexes cost every login: each entry takes the server a tenth of what the
// login's look-up does. So there are no more of them than questions that a person
// asks, and none of what nearly all records have in common.
func decisionIndexes() []driver.IndexModel {
	flow := indexOn("flows", fieldFlowID, fieldID)
	flow.Options.SetPartialFilterExpression(bson.D{{Key: fieldFlowID, Value: bson.D{{Key: "$exists", Value: true}}}})
	decision := indexOn("notable", fieldDecision, fieldID)
	decision.Options.SetPartialFilterExpression(bson.D{{Key: fieldNotable, Value: true}})
	return []driver.IndexModel{
		indexOn("identity", fieldIdentityID, fieldID),
		indexOn("subject", fieldSubjectKey, fieldID),
		flow,
		decision,
	}
}
