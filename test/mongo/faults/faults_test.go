//go:build unix

// Package faults_test breaks every command that a sign-in sends to MongoDB, in
// every way of the fault proxy, under a real `jithook serve`: the answer comes
// in time and is one of the allowed ones, the invariants hold in the database,
// and the next login heals.
package faults_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store/mongo"
	"github.com/jithook/jithook/test/mongo/faultproxy"
	"github.com/jithook/jithook/test/mongo/mongotest"
	"github.com/jithook/jithook/test/server"
)

var peer mongotest.Shared

func TestMain(m *testing.M) { os.Exit(peer.Run(m)) }

// deadline is how long an answer may take: a person waits for it.
const deadline = 1500 * time.Millisecond

// slack is what a busy machine may add to it.
const slack = 1500 * time.Millisecond

// writeError is the reply of a server that refused the one document of a write.
func writeError(code int32) bson.D {
	return bson.D{{Key: "n", Value: int32(0)}, {Key: "ok", Value: 1.0}, {Key: "writeErrors", Value: bson.A{
		bson.D{{Key: "index", Value: int32(0)}, {Key: "code", Value: code}, {Key: "errmsg", Value: "refused by the proxy"}},
	}}}
}

// faults are what happens to a command.
var faults = []struct {
	name  string
	fault faultproxy.Fault
	kind  kind
}{
	{"slow", faultproxy.Delay(200 * time.Millisecond), 0},
	{"too slow", faultproxy.DelayReply(5 * time.Second), stuck},
	{"cut", faultproxy.Cut(), 0},
	{"reply lost", faultproxy.DropReply(), 0},
	{"hangs", faultproxy.Hang(), stuck},
	{"done, then hangs", faultproxy.HangReply(), stuck},
	{"no primary", faultproxy.NotWritablePrimary(false), 0},
	{"done, then no primary", faultproxy.NotWritablePrimary(true), 0},
	{"rolled back", faultproxy.WriteConcernError(64, false), ofWrites},
	{"done, not by a majority", faultproxy.WriteConcernError(64, true), ofWrites},
	{"done, a duplicate of its own", faultproxy.Answer(writeError(11000), true), ofWrites},
	{"not done, a duplicate", faultproxy.Answer(writeError(11000), false), ofWrites},
}

type kind int

const (
	ofWrites kind = iota + 1 // makes sense for a write only
	stuck                    // holds whoever waits without a deadline of a login
)

// step is one command of a call.
type step struct {
	name  string
	match faultproxy.Match
	write bool
	// later says that it is sent after the answer.
	later bool
}

// subjectKey in a match stands for the key of the person's subject.
const subjectKey = "SUBJECT"

// A match holds what only that step's command does: the worker that delivers
// writes the same documents.
var (
	find   = step{name: "find", match: faultproxy.Match{Command: "find", Collection: "identities", Holds: subjectKey}}
	recall = step{name: "recall", match: faultproxy.Match{Command: "find", Collection: "decisions"}}
	insert = step{name: "insert", match: faultproxy.Match{Command: "insert", Collection: "identities", Holds: subjectKey}, write: true}
	swap   = step{name: "swap", match: faultproxy.Match{Command: "update", Collection: "identities", Holds: "$push"}, write: true}
	renew  = step{name: "renew", match: swap.match, write: true}
	carry  = step{name: "move: carry over", match: faultproxy.Match{Command: "update", Collection: "decisions", Holds: "$addToSet"}, write: true, later: true}
	clear  = step{name: "move: clear", match: faultproxy.Match{Command: "update", Collection: "identities", Holds: removed("journal")}, write: true, later: true}
	record = step{name: "record", match: faultproxy.Match{Command: "insert", Collection: "decisions", Holds: subjectKey}, write: true}
	note   = step{name: "record later", match: record.match, write: true, later: true}
	touch  = step{name: "touch", match: faultproxy.Match{Command: "update", Collection: "identities", Holds: "claims_time"}, write: true, later: true}
	due    = step{name: "delivery: due", match: faultproxy.Match{Command: "find", Collection: "identities", Holds: "$lte"}, later: true}
	lease  = step{name: "delivery: lease", match: faultproxy.Match{Command: "update", Collection: "identities", Holds: leased}, write: true, later: true}
	settle = step{name: "delivery: settle", match: faultproxy.Match{Command: "update", Collection: "identities", Holds: removed("outbox")}, write: true, later: true}
)

// removed is an $unset of the field, as BSON writes it: the name, and a text of
// one byte, its end. Only the steps of that name hold it.
func removed(field string) string { return field + "\x00\x01" }

// leased is a lease that somebody holds: its name, and a text that is no empty one.
const leased = "lease\x00\x1b"

// scenario is a sign-in: what was before, the call that meets the fault, its
// commands, and the calls of the next login.
type scenario struct {
	name   string
	before []call
	change func(*person)
	call   call
	steps  []step
	heal   []call
}

var scenarios = []scenario{
	{"first login", nil, nil, login, []step{find, insert, carry, clear}, []call{login}},
	{"returning", []call{login}, nil, login, []step{find, note, touch}, []call{login}},
	{"updating login", []call{login}, func(p *person) { p.name = "Ann Other" }, login, []step{find, swap, carry, clear}, []call{login}},
	{"denied login", nil, func(p *person) { p.guest = true }, login, []step{find, record}, []call{login}},
	{"prepare", nil, nil, prepare, []step{find, insert, carry, clear}, []call{prepare, commit, kratosLogin}},
	{"prepare again", []call{prepare}, nil, prepare, []step{find, renew, carry, clear}, []call{commit, kratosLogin}},
	{"commit", []call{prepare}, nil, commit, []step{find, recall, swap, carry, clear}, []call{kratosLogin}},
	{"activating Kratos login", []call{prepare}, nil, kratosLogin, []step{find, swap, carry, clear}, []call{kratosLogin}},
	{"Kratos login", []call{prepare, commit}, nil, kratosLogin, []step{find, note}, []call{kratosLogin}},
	{"delivery", []call{login}, func(p *person) { p.name = "Ann Other" }, login, []step{due, lease, settle}, []call{login}},
}

// lane is a server behind a proxy of its own, with a database of its own.
type lane struct {
	proxy  *faultproxy.Proxy
	server *server.Server
	direct *mongo.Store // past the proxy
	told   *receiver
}

func newLane(t *testing.T, binary string, peer *mongotest.Server, options string) lane {
	t.Helper()
	l := openLane(t, binary, peer, options, func(*faultproxy.Proxy) {})
	l.server.AwaitReady(t)
	return l
}

// openLane starts the server after a word to the proxy, and does not wait until
// it is ready.
func openLane(t *testing.T, binary string, peer *mongotest.Server, options string, before func(*faultproxy.Proxy)) lane {
	t.Helper()
	l := lane{proxy: faultproxy.Start(t, peer.URI), told: newReceiver(t)}
	before(l.proxy)
	name := peer.Database(t)
	direct, err := mongo.Open(t.Context(), mongo.Options{URI: peer.URI, Database: name})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { direct.Close() })
	l.direct = direct
	l.server = server.Start(t, server.Config{
		Binary: binary, Providers: map[string]string{"acme.yaml": acme},
		Store:    object{"mongodb": object{"uri": l.proxy.URI + options, "database": name}},
		Outbound: l.told.section(),
	})
	return l
}

func TestFaults(t *testing.T) {
	t.Parallel()
	db, binary := peer.Server(t), server.Build(t)
	var lanes sync.WaitGroup
	for _, sc := range scenarios {
		for _, retry := range []bool{true, false} {
			lanes.Go(func() {
				t.Run(fmt.Sprintf("%s, retryWrites %v", sc.name, retry), func(t *testing.T) {
					l := newLane(t, binary, db, fmt.Sprintf("&retryWrites=%v", retry))
					until := sync.OnceValue(soon)
					t.Cleanup(func() { quiet(t, "the log", l.server.Log(t), server.Secret, subjects) })
					for _, st := range sc.steps {
						for _, f := range faults {
							if f.kind != ofWrites || st.write {
								t.Run(st.name+", "+f.name, func(t *testing.T) {
									signedIn := l.cell(t, sc, st, f.fault, f.kind)
									t.Parallel() // which waits until the lane's faults are over
									i4Told(t, l, until(), signedIn...)
								})
							}
						}
					}
				})
			})
		}
	}
	lanes.Wait()
}

// overdue is when an answer is late for want of processors: what a fault has left
// behind is answered sooner.
const overdue = time.Second

// must makes a call that nothing disturbs. Who is told late that it did not work, on
// a machine that has too much to do, asks again.
func (l lane) must(t *testing.T, c call, p *person) result {
	t.Helper()
	r := c.make(t, l.server, p)
	for again := 0; !r.passed() && r.Took > overdue && again < 3; again++ {
		r = c.make(t, l.server, p)
	}
	if !r.passed() {
		t.Fatalf("undisturbed: %v", r)
	}
	return r
}

// cell is one fault of one step. Somebody else's sweep may have moved a record
// already, so a command that does not come gets another chance. It returns who
// has signed in.
func (l lane) cell(t *testing.T, sc scenario, st step, f faultproxy.Fault, k kind) (all []*person) {
	for range 3 {
		p := newPerson()
		all = append(all, p)
		for _, c := range sc.before {
			l.must(t, c, p)
		}
		if sc.change != nil {
			sc.change(p)
		}
		came := l.fault(t, sc.call, st, f, p)
		if k == stuck && st.later {
			l.proxy.Cut() // or it holds the cells that follow
			l.server.AwaitReady(t)
		}
		p.guest = false
		l.heals(t, sc.heal, p)
		if came {
			return all
		}
	}
	t.Error("the step's command never came")
	return all
}

// fault makes the call whose step meets the fault, once, and reports whether it
// did.
func (l lane) fault(t *testing.T, c call, st step, f faultproxy.Fault, p *person) (came bool) {
	t.Helper()
	match := st.match
	match.Nth = 1
	if match.Holds == subjectKey {
		match.Holds = string(p.fedKey())
	}
	rule := l.proxy.On(match, f)
	defer l.proxy.Heal()
	r := c.make(t, l.server, p)
	allowed(t, r, p)
	select {
	case <-rule.Arrived():
		came = true
	case <-time.After(st.patience()):
	}
	all := people(t, l.direct)
	i1OnePerSubject(t, all)
	i2SuccessIsDurable(t, l, r, p)
	i5NeverOpen(t, all, r, p)
	i8NobodySharesAName(t, all)
	return came
}

// patience is how long after the answer the step's command may come: what is
// recorded later waits for a second.
func (st step) patience() time.Duration {
	if st.later {
		return 5 * time.Second
	}
	return time.Millisecond
}

// heals makes the calls of the next login, then one that is late.
func (l lane) heals(t *testing.T, calls []call, p *person) {
	t.Helper()
	for _, c := range calls {
		r := l.must(t, c, p)
		i2SuccessIsDurable(t, l, r, p)
	}
	all := people(t, l.direct)
	i1OnePerSubject(t, all)
	i6Healed(t, all, p)
	i8NobodySharesAName(t, all)
	i3NothingIsLeft(t, l.direct)

	late := *p
	late.name = "Older"
	r := call{login.path, func(testing.TB, *person) object { return late.at(time.Now().Add(-time.Hour)) }}.make(t, l.server, &late)
	i7OlderClaimsLose(t, r, all, people(t, l.direct), p)
}

// ownFaults are the reasons that a fault of the store may have.
var ownFaults = []identity.Code{identity.CodeStoreUnavailable, identity.CodeDeadlineExceeded, identity.CodeConflict}

var reference = regexp.MustCompile(`^[0-9a-f-]{36}$`)

// allowed: the answer came in time, and is one that the contract knows.
func allowed(t testing.TB, r result, p *person) {
	t.Helper()
	if r.Took > deadline+slack {
		t.Errorf("%v after %v", r, r.Took)
	}
	quiet(t, "the answer", string(r.Body), server.Secret, string(p.fedKey()))
	code, decision := r.why()
	failed := map[string]int{login.path: 503, prepare.path: 424, kratosLogin.path: 424}[r.path]
	switch {
	case p.guest && r.Status == 403 && code == identity.CodeDenyRule:
	case !p.guest && r.passed():
	case r.Status == failed && slices.Contains(ownFaults, code) && reference.MatchString(decision):
	default:
		t.Errorf("not allowed: %v", r)
	}
}
