//go:build unix

// Package crash_test kills a process at every command that an operation sends to
// MongoDB: before the server has it, and when the server has done it and nobody
// was told. Whatever it was in the middle of, either all of it is there or
// nothing; the next login does the right thing, and store verify finds nothing.
package crash_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/store/mongo"
	"github.com/jithook/jithook/store/verify"
	"github.com/jithook/jithook/test/mongo/faultproxy"
	"github.com/jithook/jithook/test/mongo/mongotest"
)

var peer mongotest.Shared

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// world is one database: through a proxy for who is to die, past it for who looks
// afterwards.
type world struct {
	house
	server   *mongotest.Server
	proxy    *faultproxy.Proxy
	database string
}

func newWorld(t *testing.T, server *mongotest.Server) world {
	t.Helper()
	w := world{server: server, proxy: faultproxy.Start(t, server.URI), database: server.Database(t)}
	w.house = w.open(t)
	return w
}

// open opens the database past the proxy.
func (w world) open(t *testing.T) house {
	t.Helper()
	s, err := mongo.Open(context.Background(), mongo.Options{URI: w.server.URI, Database: w.database})
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	must(t, s.Ping(t.Context()))
	h, err := newHouse(s)
	must(t, err)
	return h
}

// moments are the two at which a process dies over one command.
var moments = []struct {
	name  string
	fault faultproxy.Fault
	when  func(*faultproxy.Rule) <-chan struct{}
	done  bool
}{
	{"before the server has", faultproxy.Hang(), (*faultproxy.Rule).Arrived, false},
	{"when the server has done", faultproxy.HangReply(), (*faultproxy.Rule).Served, true},
}

// match selects the command of a step among those of its operation.
func match(commands []string, n int) faultproxy.Match {
	name, collection, _ := strings.Cut(commands[n], " ")
	nth := 0
	for _, c := range commands[:n+1] {
		if c == commands[n] {
			nth++
		}
	}
	return faultproxy.Match{Command: name, Collection: collection, Nth: nth}
}

func commands(steps []step) []string {
	var out []string
	for _, s := range steps {
		out = append(out, s.command)
	}
	return out
}

func TestKilled(t *testing.T) {
	server := peer.Server(t)
	for name, op := range operations {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, server)
			var people atomic.Int64
			t.Run("not", func(t *testing.T) { w.unharmed(t, name, op, fmt.Sprint("s-", people.Add(1))) })
			for n, s := range op.steps {
				before := op.from
				if n > 0 {
					before = op.steps[n-1].leaves
				}
				for _, m := range moments {
					leaves := before
					if m.done {
						leaves = s.leaves
					}
					t.Run(fmt.Sprintf("%s %s (%d)", m.name, s.command, n+1), func(t *testing.T) {
						subject := fmt.Sprint("s-", people.Add(1))
						w.arrange(t, op, subject)
						v := w.start(t, name, subject)
						rule := w.proxy.On(match(commands(op.steps), n), m.fault)
						v.begin()
						v.kill(m.name+" "+s.command, m.when(rule))
						w.proxy.Heal()
						w.want(t, subject, leaves)
						w.heals(t, op, subject, leaves)
					})
				}
			}
		})
	}
}

// arrange makes what the operation finds.
func (w world) arrange(t *testing.T, op operation, subject string) {
	t.Helper()
	for _, do := range op.given {
		_, err := do(t.Context(), w.house, subject)
		must(t, err)
	}
	w.want(t, subject, op.from) // which moves the records, too
}

// start starts a process and returns when it has nothing to do until it is given
// the word: the first sweep of its mover has gone by.
func (w world) start(t *testing.T, name, subject string) victim {
	t.Helper()
	swept := w.proxy.On(faultproxy.Match{Command: "find", Collection: "identities"}, faultproxy.Delay(0))
	v := start(t, w.proxy.URI, w.database, name, subject)
	v.wait(ready)
	v.await("its first sweep", swept.Served())
	w.proxy.Heal()
	return v
}

// unharmed runs the operation to its end: it sends the commands of the table,
// each in its turn, and no other.
func (w world) unharmed(t *testing.T, name string, op operation, subject string) {
	w.arrange(t, op, subject)
	v := w.start(t, name, subject)
	want := commands(op.steps)
	stop := w.proxy.Watch()
	last := w.proxy.On(match(want, len(want)-1), faultproxy.Delay(0))
	v.begin()
	v.wait(done)
	v.await("its last command", last.Served())
	v.end()
	if got := stop(); !slices.Equal(got, want) {
		t.Errorf("it sent\n%q, the table has\n%q", got, want)
	}
	w.proxy.Heal()
	w.want(t, subject, op.steps[len(op.steps)-1].leaves)
}

// heals runs the login that comes next, and wants one account as it should be and
// a database without a fault.
func (w world) heals(t *testing.T, op operation, subject string, found state) {
	t.Helper()
	decision, ok := op.decides[found.name]
	if !ok {
		t.Fatalf("the table does not say what the next login decides after %q", found.name)
	}
	got, err := op.next(t.Context(), w.house, subject)
	must(t, err)
	if got != decision {
		t.Errorf("the next login: %s, want %s", got, decision)
	}
	want := op.finally
	want.renewed, want.touched, want.committed, want.armed = found.renewed, found.touched, found.committed, found.armed
	if decision == identity.Denied {
		want.state = found.state // a login lifts no bar
	}
	want.records = found.records
	if decision != identity.Unchanged { // those are noted later
		want.records = append(slices.Clone(want.records), decision)
	}
	w.want(t, subject, want)
	w.verified(t)
}

// want compares what is in the database about a subject.
func (w world) want(t *testing.T, subject string, want state) {
	t.Helper()
	key := identity.FedKey(issuer, subject)
	records := w.records(t, key)
	got := state{name: want.name}
	for _, r := range records {
		got.records = append(got.records, r.Decision)
	}
	got.committed = len(records) > 0 && !records[0].CommittedAt.IsZero()

	mail := identity.MailKey("default", subject+"@acme.example")
	found, err := w.store.Find(t.Context(), key, mail, identity.ExtKey(kratosID(subject)))
	var elsewhere *store.ElsewhereError
	if errors.As(err, &elsewhere) {
		got.pinned = elsewhere.Pins[key] == "employees"
	} else {
		must(t, err)
	}
	if len(found) > 1 {
		t.Fatalf("%d identities of one subject", len(found))
	}
	for _, i := range found {
		got.state = i.State
		got.fullName, _ = i.Traits["name"].(string)
		_, got.kratos = i.External(identity.SystemKratos, "main")
		got.renewed = i.RenewedAt.After(i.CreatedAt)
		got.touched = i.LastLoginAt.Equal(touchedAt)
		got.armed = len(i.Outbox) > 0
		if !slices.Contains(i.Keys, key) || !slices.Contains(i.Keys, mail) || slices.Contains(i.Keys, identity.ExtKey(kratosID(subject))) != got.kratos {
			t.Error("it does not hold the keys of its subject, its e-mail and its Kratos id")
		}
		// The record that made it what it is tells of it.
		if !slices.ContainsFunc(records, func(r identity.Record) bool { return r.ID == i.DecisionID && r.IdentityID == i.ID }) {
			t.Errorf("its decision is not among its %d records", len(records))
		}
	}
	other, err := w.store.Find(t.Context(), identity.FedKey(globexIssuer, "g-"+subject))
	must(t, err)
	for _, i := range other {
		if got.other = string(i.State); i.Link(issuer, subject) >= 0 {
			got.other = "mine"
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("in the database\n%+v, want\n%+v", got, want)
	}
}

// records are those of a subject, and of an administrator about its identities,
// which name no subject; the oldest first.
func (w world) records(t *testing.T, subject identity.Key) []identity.Record {
	t.Helper()
	page, err := w.store.Decisions(t.Context(), store.DecisionQuery{SubjectKey: subject})
	must(t, err)
	all := map[string]identity.Record{}
	for _, r := range page.Records {
		all[r.ID] = r
		if r.IdentityID == "" {
			continue
		}
		about, err := w.store.Decisions(t.Context(), store.DecisionQuery{IdentityID: r.IdentityID})
		must(t, err)
		for _, r := range about.Records {
			all[r.ID] = r
		}
	}
	return slices.SortedFunc(maps.Values(all), func(a, b identity.Record) int { return strings.Compare(a.ID, b.ID) })
}

// verified wants store verify to find nothing, and every record moved.
func (w world) verified(t *testing.T) {
	t.Helper()
	checker := verify.Checker{Store: w.store, Now: time.Now}
	for token := ""; ; {
		page, err := checker.Page(t.Context(), token, false)
		must(t, err)
		for _, f := range page.Findings {
			t.Errorf("store verify: %+v", f)
		}
		if token = page.NextPageToken; token == "" {
			break
		}
	}
	people := w.server.Client(t).Database(w.database).Collection("identities")
	left, err := people.CountDocuments(t.Context(), bson.M{"journal": bson.M{"$exists": true}})
	must(t, err)
	if left != 0 {
		t.Errorf("%d identities hold records that were not moved", left)
	}
}
