//go:build unix

// Package cases_test holds jithook to docs/policy.md, sentence by sentence: each
// case of the tables beside it is a history of logins, edits and time that
// proves one of them, through the generic contract and the admin API, on both
// stores. README.md says how to add one.
package cases_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/jithook/jithook/store/bolt"
	"github.com/jithook/jithook/store/mongo"
	"github.com/jithook/jithook/test/mongo/mongotest"
)

var peer mongotest.Shared

func TestMain(m *testing.M) { os.Exit(peer.Run(m)) }

func TestBolt(t *testing.T) {
	tally := newTally()
	t.Run("case", func(t *testing.T) {
		for _, c := range allCases(t) {
			t.Run(c.Name, func(t *testing.T) {
				t.Parallel()
				s, err := bolt.Open(filepath.Join(t.TempDir(), "jithook.db"), bolt.Options{})
				must(t, err)
				t.Cleanup(func() { s.Close() })
				play(t, c, newHouse(t, s, c), tally, nil)
			})
		}
	})
	tally.log(t)
}

func TestMongo(t *testing.T) {
	srv := peer.Server(t)
	tally := newTally()
	free := make(chan *database, 3)
	for range cap(free) {
		free <- newDatabase(t, srv)
	}
	t.Run("case", func(t *testing.T) {
		for _, c := range allCases(t) {
			t.Run(c.Name, func(t *testing.T) {
				t.Parallel()
				db := <-free
				defer func() { free <- db }()
				db.clear(t)
				play(t, c, newHouse(t, db.store, c), tally, db.commands)
			})
		}
	})
	tally.log(t)
}

// play plays a case. sent returns the commands since it was last asked; it is
// nil where the store is no MongoDB.
func play(t *testing.T, c oneCase, h *house, tally *tally, sent func() []string) {
	providers := c.Providers
	if providers == nil {
		providers = map[string]any{"acme": map[string]any{}}
	}
	if problems := h.edit(t, providers); len(problems) > 0 {
		t.Fatal(problems)
	}
	for n, s := range slices.Concat(c.Given, c.Steps) {
		h.now = h.now.Add(time.Second)
		var r reply
		h.store.reset()
		if sent != nil {
			sent()
		}
		switch s.kind() {
		case "wait":
			h.now = h.now.Add(time.Duration(s.Wait))
		case "told":
			h.told(t, s.Told)
		case "providers":
			h.holdProblems(t, s)
		case "login":
			r = h.login(t, s)
		case "admin":
			r = h.administer(t, s)
		}
		var commands []string
		if sent != nil {
			commands = sent()
		}
		reads, writes := h.store.reads, h.store.writes
		tally.add(s, r, reads, writes, commands)
		if n < len(c.Given) && (r.Decision == "denied" || r.Decision == "error" || r.status >= 400) {
			t.Fatalf("given step %d: %s %s", n+1, r.Decision, r.body)
		}
		if s.Want == nil {
			continue
		}
		t.Logf("step %d: %s%s: %s %v, read %v, wrote %v, sent %v", n+1-len(c.Given), s.Login, s.Admin, r.Decision, r.Reasons, reads, writes, commands)
		h.hold(t, s.Want, r)
		if s.Want.Reads != nil {
			differ(t, "reads", *s.Want.Reads, len(reads))
		}
		if s.Want.Writes != nil {
			differ(t, "writes", *s.Want.Writes, len(writes))
		}
		if s.Want.Sent != nil && sent != nil {
			differ(t, "sent", s.Want.Sent, commands)
		}
		if t.Failed() {
			t.Fatalf("%s: %q proves %s, and not at step %d: %s", c.file, c.Name, c.Sentence, n+1-len(c.Given), r.body)
		}
	}
}

// holdProblems edits providers' files and holds what is said of them to what is
// wanted.
func (h *house) holdProblems(t testing.TB, s step) {
	t.Helper()
	var wanted []string
	if s.Want != nil {
		wanted = s.Want.Problems
	}
	problems := h.edit(t, s.Providers)
	if len(problems) != len(wanted) {
		t.Fatalf("problems %v, want %q", problems, wanted)
	}
	for n, p := range problems {
		if !strings.Contains(p.String(), wanted[n]) {
			t.Errorf("problem %q, want %q", p, wanted[n])
		}
	}
}

// database is a database that one case after the other has for itself: making
// its indexes takes longer than a case.
type database struct {
	store  *mongo.Store
	client *driver.Database

	mu   sync.Mutex
	sent []string
}

func newDatabase(t *testing.T, srv *mongotest.Server) *database {
	t.Helper()
	name := srv.Database(t)
	db := &database{client: srv.Client(t).Database(name)}
	s, err := mongo.Open(t.Context(), mongo.Options{URI: srv.URI, Database: name, Sent: func(ctx context.Context, command string) {
		if ctx.Value(asked{}) == nil {
			return
		}
		db.mu.Lock()
		defer db.mu.Unlock()
		db.sent = append(db.sent, command)
	}})
	must(t, err)
	t.Cleanup(func() { s.Close() })
	db.store = s
	return db
}

// commands returns what was sent to the server since it was last asked.
func (d *database) commands() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	sent := d.sent
	d.sent = nil
	return sent
}

func (d *database) clear(t *testing.T) {
	t.Helper()
	must(t, d.store.Ping(t.Context()))
	// Who moves records is done first: FerretDB leaves what is written to while it
	// deletes, or ends both in a deadlock.
	for until, left := time.Now().Add(30*time.Second), int64(1); left > 0; time.Sleep(5 * time.Millisecond) {
		var err error
		left, err = d.client.Collection("identities").CountDocuments(t.Context(), bson.M{"journal": bson.M{"$exists": true}})
		must(t, err)
		if time.Now().After(until) {
			t.Fatalf("the records of %d identities are not moved", left)
		}
	}
	for _, name := range []string{"identities", "decisions", "receipts", "budgets"} {
		_, err := d.client.Collection(name).DeleteMany(t.Context(), bson.D{})
		must(t, err)
	}
}
