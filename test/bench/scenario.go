//go:build linux

package bench

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/jithook/jithook/test/mongo/mongotest"
	"github.com/jithook/jithook/test/server"
)

// Scenario is one question about speed.
type Scenario struct {
	// Name is what ONLY takes.
	Name string
	// A and B say what is compared.
	A, B string
	// Long scenarios are run only if they are named.
	Long    bool
	measure func(testing.TB, *World) []Row
}

// What A is where B is jithook.
const (
	bareReads  = "a handler of some thirty lines that reads the person in the same store, by the same code, and nothing else: no credential, policy, mapping, record or log"
	bareWrites = "the same bare handler, which reads, and writes the same identity and record"
	theHook    = "jithook. Eight callers each, who wait for their answer"
	atMost     = "a closed loop of 64 callers, the most that the server does"
	twice      = "twice that many, answered or not"
	beginning  = "the beginning of ten minutes of logins, a tenth of which are first ones"
)

// Scenarios is the table.
func Scenarios() []Scenario {
	return []Scenario{
		{Name: "returning-mongo", A: bareReads, B: theHook, measure: func(t testing.TB, w *World) []Row { return w.returning(t, "mongo") }},
		{Name: "returning-bolt", A: bareReads, B: theHook, measure: func(t testing.TB, w *World) []Row { return w.returning(t, "bolt") }},
		{Name: "first-mongo", A: bareWrites, B: theHook, measure: func(t testing.TB, w *World) []Row { return w.first(t, "mongo") }},
		{Name: "first-bolt", A: bareWrites, B: theHook, measure: func(t testing.TB, w *World) []Row { return w.first(t, "bolt") }},
		{Name: "overload-mongo", A: atMost, B: twice, measure: func(t testing.TB, w *World) []Row { return w.overload(t, "mongo") }},
		{Name: "overload-bolt", A: atMost, B: twice, measure: func(t testing.TB, w *World) []Row { return w.overload(t, "bolt") }},
		{Name: "providers", A: "a server with one provider", B: "one with 50,000, by all of which people come", measure: func(t testing.TB, w *World) []Row { return w.providers(t) }},
		{Name: "reload", A: "a server with a hundred providers", B: "the same server, while every second all files change and are loaded anew", measure: func(t testing.TB, w *World) []Row { return w.reload(t) }},
		{Name: "memory", A: "nobody has come", B: "many have signed in for the first time", measure: func(t testing.TB, w *World) []Row { return w.memory(t) }},
		{Name: "kratos-create", A: "`POST /admin/identities` of Kratos on PostgreSQL, with the same traits", B: "a first login on MongoDB. Neither database flushes to the disk", measure: func(t testing.TB, w *World) []Row { return w.beside(t) }},
		{Name: "kratos-share", A: "a whole sign-in by a browser at a real Kratos with a real OpenID provider", B: "all calls of jithook in it, store mongo, one person after the other", measure: func(t testing.TB, w *World) []Row { return w.share(t) }},
		{Name: "crowd-bolt", A: "a store of 1000 identities", B: "one of a million, of which anybody signs in", Long: true, measure: func(t testing.TB, w *World) []Row { return w.crowd(t, "bolt") }},
		{Name: "crowd-mongo", A: "a store of 1000 identities", B: "one of a million, of which anybody signs in", Long: true, measure: func(t testing.TB, w *World) []Row { return w.crowd(t, "mongo") }},
		{Name: "soak", A: beginning, B: "their end", Long: true, measure: func(t testing.TB, w *World) []Row { return w.soak(t, "bolt") }},
		{Name: "soak-mongo", A: beginning, B: "their end", Long: true, measure: func(t testing.TB, w *World) []Row { return w.soak(t, "mongo") }},
	}
}

// World is what scenarios stand on.
type World struct {
	Size  Size
	Mongo *mongotest.Shared

	plots []Plot
}

// Measure runs a scenario.
func (w *World) Measure(t testing.TB, s Scenario) Run {
	t.Helper()
	run := newRun(s.Name)
	began := time.Now()
	run.Rows = s.measure(t, w)
	run.Took = time.Since(began).Round(time.Second).String()
	run.Size = w.Size.of(run.Rows)
	for _, row := range run.Rows {
		t.Logf("%s: %s: %s, %s, %s; %s %s", run.Scenario, row.What, row.A, row.B, row.ratio(), row.Asked, row.met())
	}
	for _, p := range w.plots {
		p.Name = s.Name
		run.Plots = append(run.Plots, p)
	}
	w.plots = nil
	return run
}

// storage is an empty place for identities.
func (w *World) storage(t testing.TB, kind string) storage {
	t.Helper()
	if kind == "bolt" {
		return storage{Bolt: filepath.Join(t.TempDir(), "jithook.db")}
	}
	m := w.Mongo.Server(t)
	return storage{URI: m.URI, Database: m.Database(t)}
}

// serve starts jithook with a provider acme.
func (w *World) serve(t testing.TB, s storage) (*side, *server.Server) {
	t.Helper()
	return w.serveBy(t, server.Build(t), s)
}

// serveBy is serve with a program of the caller's.
func (w *World) serveBy(t testing.TB, binary string, s storage) (*side, *server.Server) {
	t.Helper()
	run := server.Start(t, server.Config{Binary: binary, Store: s.section(), Providers: map[string]string{"acme.yaml": file("acme")}})
	run.AwaitReady(t)
	return &side{newClient(run.Hooks + "/hooks/login"), run.Process}, run
}

// patient is how often somebody who is invited tries again.
const patient = 5

// invite signs so many people in once, each by the provider that by says.
func (w *World) invite(t testing.TB, people int, by func(n int64) string, sides ...*side) {
	t.Helper()
	for _, s := range sides {
		todo := make(chan int64)
		go func() {
			defer close(todo)
			for n := range people {
				todo <- int64(n)
			}
		}()
		p := drain(w.Size.Callers, todo, func(n int64) Answer {
			a := s.login(by(n), n)
			for again := 0; a == Shed && again < patient; again++ { // a machine that stands still for a moment
				a = s.login(by(n), n)
			}
			return a
		})
		if p.Good != int64(people) {
			t.Fatalf("of %d people %d could sign in", people, p.Good)
		}
	}
}

// returning is somebody who signs in again and of whom nothing has changed, beside
// a handler that reads them.
func (w *World) returning(t testing.TB, kind string) []Row {
	a := startBare(t, w.storage(t, kind))
	b, _ := w.serve(t, w.storage(t, kind))
	w.invite(t, w.Size.People, acme, a, b)
	first, second := w.again(t, a, w.Size.People, acme), w.again(t, b, w.Size.People, acme)
	_, _ = first(), second() // warm
	as, bs := takeTurns(t, w.Size.Near, first, second)
	return w.besideBare("a returning login", kind, 0.85, as, bs)
}

// first is somebody who has never been there, beside a handler that reads and
// writes the same.
func (w *World) first(t testing.TB, kind string) []Row {
	a := startBare(t, w.storage(t, kind))
	b, _ := w.serve(t, w.storage(t, kind))
	number := int64(0)
	fresh := func(s *side) func() turn {
		return func() turn {
			return s.run(t, func() (p Part) {
				p, number = Closed(w.Size.Callers, w.Size.Part, number, func(n int64) Answer { return s.login("acme", n) })
				return p
			})
		}
	}
	_, _ = fresh(a)(), fresh(b)() // warm
	as, bs := takeTurns(t, w.Size.Rounds, fresh(a), fresh(b))
	return w.besideBare("a first login", kind, 0.80, as, bs)
}

// allowance is what a p99 may be above its ratio: below it, a scheduler decides.
const allowance = 2 * time.Millisecond

func (w *World) besideBare(what, kind string, least float64, as, bs []turn) []Row {
	w.plots = append(w.plots, latencies("", fmt.Sprintf("Time of %s, store %s", what, kind), "bare handler", "jithook", as, bs))
	speed := compared(what+", bare handler and jithook", of(as, rate), of(bs, rate), perSecond)
	tail := compared("its p99", of(as, p99), of(bs, p99), rounded)
	if kind != "bolt" { // which is reported beside
		met := make([]float64, 0, len(as)) // above 0 where a round is too slow
		for n, a := range of(as, p99) {
			met = append(met, float64(bs[n].Took(99))-(1.3*float64(a)+float64(allowance)))
		}
		speed, tail = speed.atLeast(least), tail.asks("≤ 1.3 and 2 ms", middle(met) <= 0)
	}
	return []Row{speed, tail, compared("processor time of the server for one", of(as, cpuOfEach), of(bs, cpuOfEach), micros)}
}

// Named returns the scenarios with these names, those of the table that are not
// long if there is no name, or the whole table for the name all. An unknown name is an
// error that lists the known ones.
func Named(names []string) ([]Scenario, error) {
	all := Scenarios()
	switch {
	case len(names) == 0:
		return slices.DeleteFunc(all, func(s Scenario) bool { return s.Long }), nil
	case slices.Equal(names, []string{"all"}):
		return all, nil
	}
	var chosen []Scenario
	for _, name := range names {
		n := slices.IndexFunc(all, func(s Scenario) bool { return s.Name == name })
		if n < 0 {
			known := make([]string, len(all))
			for i, s := range all {
				known[i] = s.Name
			}
			return nil, fmt.Errorf("no scenario %q; there are %q", name, known)
		}
		chosen = append(chosen, all[n])
	}
	return chosen, nil
}
