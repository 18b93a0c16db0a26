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
	// Long scenarios are run only if they are named.
	Long    bool
	measure func(testing.TB, *World) []Row
}

// Scenarios is the table.
func Scenarios() []Scenario {
	return []Scenario{
		{Name: "returning-mongo", measure: func(t testing.TB, w *World) []Row { return w.returning(t, "mongo") }},
		{Name: "returning-bolt", measure: func(t testing.TB, w *World) []Row { return w.returning(t, "bolt") }},
		{Name: "first-mongo", measure: func(t testing.TB, w *World) []Row { return w.first(t, "mongo") }},
		{Name: "first-bolt", measure: func(t testing.TB, w *World) []Row { return w.first(t, "bolt") }},
		{Name: "overload-mongo", measure: func(t testing.TB, w *World) []Row { return w.overload(t, "mongo") }},
		{Name: "overload-bolt", measure: func(t testing.TB, w *World) []Row { return w.overload(t, "bolt") }},
		{Name: "providers", measure: func(t testing.TB, w *World) []Row { return w.providers(t) }},
		{Name: "reload", measure: func(t testing.TB, w *World) []Row { return w.reload(t) }},
		{Name: "memory", measure: func(t testing.TB, w *World) []Row { return w.memory(t) }},
		{Name: "kratos-create", measure: func(t testing.TB, w *World) []Row { return w.beside(t) }},
		{Name: "kratos-share", measure: func(t testing.TB, w *World) []Row { return w.share(t) }},
		{Name: "crowd-bolt", Long: true, measure: func(t testing.TB, w *World) []Row { return w.crowd(t, "bolt") }},
		{Name: "crowd-mongo", Long: true, measure: func(t testing.TB, w *World) []Row { return w.crowd(t, "mongo") }},
		{Name: "soak", Long: true, measure: func(t testing.TB, w *World) []Row { return w.soak(t) }},
	}
}

// World is what scenarios stand on.
type World struct {
	Size  Size
	Mongo *mongotest.Shared

	plots []Plot
}

// Measure runs a scenario and adds what came out to the result.
func (w *World) Measure(t testing.TB, s Scenario, r *Result) {
	t.Helper()
	rows := s.measure(t, w)
	for _, row := range rows {
		row.Scenario = s.Name
		r.Rows = append(r.Rows, row)
		t.Logf("%s: %s: %s, %s, %s", row.Scenario, row.What, row.A, row.B, row.Asked)
	}
	for _, p := range w.plots {
		p.Name = s.Name
		r.Plots = append(r.Plots, p)
	}
	w.plots = nil
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

// serve starts jithook with a provider acme, and these others.
func (w *World) serve(t testing.TB, s storage, others ...string) (*side, *server.Server) {
	t.Helper()
	files := map[string]string{"acme.yaml": file("acme")}
	for _, name := range others {
		files[name+".yaml"] = file(name)
	}
	run := server.Start(t, server.Config{Binary: server.Build(t), Store: s.section(), Providers: files})
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
	first, second := w.again(t, a, acme), w.again(t, b, acme)
	_, _ = first(), second() // warm
	as, bs := takeTurns(t, w.Size.Rounds, first, second)
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
	tail := compared("its p99", of(as, p99), of(bs, p99), rounded)
	met := make([]float64, 0, len(as)) // above 0 where a round is too slow
	for n, a := range of(as, p99) {
		met = append(met, float64(bs[n].Took(99))-(1.3*float64(a)+float64(allowance)))
	}
	return []Row{
		compared(what+", bare handler and jithook", of(as, rate), of(bs, rate), perSecond).atLeast(least),
		tail.asks("≤ 1.3 and 2 ms", middle(met) <= 0),
		compared("processor time of the server for one", of(as, cpuOfEach), of(bs, cpuOfEach), micros),
	}
}

// Named returns the scenarios with these names, or those of the table that are not
// long. An unknown name is an error that lists the known ones.
func Named(names []string) ([]Scenario, error) {
	all := Scenarios()
	if len(names) == 0 {
		return slices.DeleteFunc(all, func(s Scenario) bool { return s.Long }), nil
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
