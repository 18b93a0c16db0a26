//go:build linux

package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/jithook/jithook/test/server"
)

// loadLimit bounds how long a server may take to load all files: about a minute, if
// the machine does nothing else.
const loadLimit = 10 * time.Minute

// fill gives a running server so many more providers. It notices by itself; told so,
// it would load them once more, beside what is measured.
func (w *World) fill(t testing.TB, s *server.Server, files int) {
	t.Helper()
	if err := write(s, files, 0); err != nil {
		t.Fatal(err)
	}
	for until := time.Now().Add(loadLimit); s.Metric(t, "jithook_providers") != float64(files+1); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("%g providers are in force", s.Metric(t, "jithook_providers"))
		}
	}
	rests(t, s.Process.Pid())
}

// write writes the files of so many providers, which differ in each edition. None is
// ever there in part.
func write(s *server.Server, files, edition int) error {
	fresh := filepath.Join(s.Folder, ".fresh")
	for n := range files {
		name := numbered(n)
		if err := os.WriteFile(fresh, fmt.Appendf(nil, "%s# %d\n", file(name), edition), 0o600); err != nil {
			return err
		}
		if err := os.Rename(fresh, filepath.Join(s.Folder, name+".yaml")); err != nil {
			return err
		}
	}
	return nil
}

// rests returns once a server does nothing: files that it came to notice while it
// loaded are loaded again.
func rests(t testing.TB, pid int) {
	t.Helper()
	const little = 5 * tick
	before := processorTime(t, pid)
	for until := time.Now().Add(loadLimit); ; {
		time.Sleep(look / 2)
		now := processorTime(t, pid)
		if now-before < little {
			return
		}
		if time.Now().After(until) {
			t.Fatal("it does not come to rest")
		}
		before = now
	}
}

func numbered(n int) string { return fmt.Sprintf("p-%05d", n) }

// again is a part of a closed loop of so many people who are known, each by the
// provider that by says.
func (w *World) again(t testing.TB, s *side, people int, by func(n int64) string) func() turn {
	number := int64(0)
	return func() turn {
		return s.run(t, func() (p Part) {
			p, number = Closed(w.Size.Callers, w.Size.Part, number, func(n int64) Answer {
				n %= int64(people)
				return s.login(by(n), n)
			})
			return p
		})
	}
}

func acme(int64) string { return "acme" }

// providers is a returning login at a server with one provider, and at one with
// many, of which people come by all.
func (w *World) providers(t testing.TB) []Row {
	a, _ := w.serve(t, w.storage(t, "bolt"))
	b, many := w.serve(t, w.storage(t, "bolt"))
	w.fill(t, many, w.Size.Files)
	// Each provider has one person, who comes after those of many others.
	people := w.Size.Files
	by := func(n int64) string { return numbered(int(n * 7919 % int64(w.Size.Files))) }
	w.invite(t, people, acme, a)
	w.invite(t, people, by, b)
	first, second := w.again(t, a, people, acme), w.again(t, b, people, by)
	_, _ = first(), second() // warm
	as, bs := takeTurns(t, w.Size.Rounds, first, second)
	w.plots = append(w.plots, latencies("", "Time of a returning login, by providers", "one", fmt.Sprint(w.Size.Files), as, bs))
	return []Row{
		compared(fmt.Sprintf("p50 of a returning login, 1 provider and %d", w.Size.Files), of(as, p50), of(bs, p50), rounded).atMost(1.1),
		compared("its p99", of(as, p99), of(bs, p99), rounded),
		compared("RssAnon of the server", []float64{rssAnon(t, a.process.Pid())}, []float64{rssAnon(t, b.process.Pid())}, mebibytes),
	}
}

// reload is a returning login at a server whose files all change every second.
func (w *World) reload(t testing.TB) []Row {
	files := min(100, w.Size.Files)
	s, run := w.serve(t, w.storage(t, "bolt"))
	w.fill(t, run, files)
	w.invite(t, w.Size.People, acme, s)
	part := w.again(t, s, w.Size.People, acme)
	part()
	loads := func() float64 { return run.Metric(t, `jithook_provider_loads_total{result="good"}`) }
	edition := 0
	as, bs := takeTurns(t, w.Size.Rounds, part, func() turn {
		before := loads()
		stop, stopped := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(stopped)
			every := time.NewTicker(time.Second)
			defer every.Stop()
			for {
				edition++
				if err := write(run, files, edition); err != nil {
					t.Error(err)
				}
				_ = run.Process.Signal(syscall.SIGHUP) // a server that is gone fails the calls
				select {
				case <-stop:
					return
				case <-every.C:
				}
			}
		}()
		one := part()
		close(stop)
		<-stopped
		rests(t, run.Process.Pid()) // or the last load would be in A
		if n, want := loads()-before, max(1, w.Size.Part.Seconds()); n < want || run.Metric(t, "jithook_provider_load_good") != 1 {
			t.Errorf("%v good loads, want %v at least, the last of them good", n, want)
		}
		return one
	})
	w.plots = append(w.plots, latencies("", "Time of a returning login, by reloads", "none", "every second", as, bs))
	return []Row{
		compared(fmt.Sprintf("p99 of a returning login, no reload and one of %d changed files every second", files), of(as, p99), of(bs, p99), rounded).atMost(1.2),
		compared("its p50", of(as, p50), of(bs, p50), rounded),
	}
}

// crush is how many callers find out what a server can at most.
const crush = 64

// overload is twice what the server can, whether or not it answers.
func (w *World) overload(t testing.TB, kind string) []Row {
	binary := server.Build(t)
	if kind == "bolt" { // elsewhere the database is what has too much to do
		binary = apart(t, binary)
	}
	s, run := w.serveBy(t, binary, w.storage(t, kind))
	w.invite(t, w.Size.People, acme, s)
	number := int64(0)
	by := newWire(t, run.Hooks+"/hooks/login")
	call := func(n int64) Answer { return by.login("acme", n%int64(w.Size.People)) }
	latest := 0.0
	as, bs := takeTurns(t, w.Size.Rounds, func() turn {
		one := s.run(t, func() (p Part) {
			p, number = Closed(crush, w.Size.Part, number, call)
			return p
		})
		latest = one.Rate()
		return one
	}, func() turn {
		return s.run(t, func() (p Part) {
			p, number = Open(2*max(latest, 1), w.Size.Part, number, call)
			return p
		})
	})
	w.plots = append(w.plots, latencies("", "Time of a good answer, store "+kind, "at its peak", "twice as many", as, bs))
	all := func(one turn) float64 { return max(1, float64(one.Shed+one.Good+one.Lost)) }
	part := func(one turn) float64 { return float64(one.Shed) / all(one) }
	lost := func(one turn) float64 { return float64(one.Lost) / all(one) }
	return []Row{
		compared("good answers, closed loop and twice its rate in an open one", of(as, rate), of(bs, rate), perSecond).atLeast(0.8),
		{What: "part of the open loop that heard 503", B: fmt.Sprintf("%.0f %%", 100*middle(of(bs, part)))},
		{What: fmt.Sprintf("part not sent, since %d others had no answer yet", mostWaiting), B: fmt.Sprintf("%.1f %%", 100*middle(of(bs, lost)))},
		{What: "p50 and p99 of being told so", A: rounded(middle(of(bs, func(one turn) time.Duration { return one.ShedTook(50) }))),
			B: rounded(middle(of(bs, func(one turn) time.Duration { return one.ShedTook(99) })))},
	}
}

// crowd is a returning login among few people and among many.
func (w *World) crowd(t testing.TB, kind string) []Row {
	few := min(1000, w.Size.Crowd/2)
	places := [2]storage{w.storage(t, kind), w.storage(t, kind)}
	for n, people := range [2]int{few, w.Size.Crowd} {
		if err := populate(places[n], people); err != nil {
			t.Fatal(err)
		}
	}
	a, _ := w.serve(t, places[0])
	b, _ := w.serve(t, places[1])
	again := func(s *side, people int64) func() turn {
		number := int64(0)
		return func() turn {
			return s.run(t, func() (p Part) {
				p, number = Closed(w.Size.Callers, w.Size.Part, number, func(n int64) Answer { return s.login("acme", n*7919%people) })
				return p
			})
		}
	}
	a.knows(t, 0)
	b.knows(t, int64(w.Size.Crowd-1))
	first, second := again(a, int64(few)), again(b, int64(w.Size.Crowd))
	_, _ = first(), second() // warm
	as, bs := takeTurns(t, w.Size.Rounds, first, second)
	w.plots = append(w.plots, latencies("", "Time of a returning login, by identities, store "+kind, fmt.Sprint(few), fmt.Sprint(w.Size.Crowd), as, bs))
	return []Row{
		compared(fmt.Sprintf("p50 of a returning login, %d identities and %d, store %s", few, w.Size.Crowd, kind), of(as, p50), of(bs, p50), rounded).atMost(1.2),
		compared("its p99", of(as, p99), of(bs, p99), rounded),
	}
}
