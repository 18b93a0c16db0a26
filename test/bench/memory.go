//go:build linux

package bench

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

// idleMemory is what a server may have to itself; settle how long it is left alone
// before it is looked at.
const (
	idleMemory = 40 << 20
	settle     = 10 * time.Second
)

// memory is what a server has when nobody has come, and after many have.
func (w *World) memory(t testing.TB) []Row {
	s, _ := w.serve(t, w.storage(t, "bolt"))
	look := func() float64 {
		time.Sleep(min(settle, 10*w.Size.Part)) // the runtime gives back in its own time
		return rssAnon(t, s.process.Pid())
	}
	idle := look()
	w.invite(t, w.Size.Logins, acme, s)
	after := look()
	ratio := after / idle
	return []Row{
		Row{What: "RssAnon, nobody has come", B: mebibytes(idle)}.asks("≤ 40 MiB", idle <= idleMemory),
		Row{What: fmt.Sprintf("RssAnon, before and after %d first logins, store bolt", w.Size.Logins), A: mebibytes(idle), B: mebibytes(after), Ratio: &ratio}.asks("≤ 40 MiB", after <= idleMemory),
	}
}

// soak is a long time of logins, a tenth of them first ones: does anything grow?
func (w *World) soak(t testing.TB, kind string) []Row {
	const tenths = 10
	s, run := w.serve(t, w.storage(t, kind))
	w.invite(t, w.Size.People, acme, s)
	number := int64(0)
	var turns []turn
	var goroutines []float64
	memory := Curve{Label: "RssAnon"}
	plot := Plot{Title: "Memory under load, by tenths of the time, store " + kind, Unit: "MiB", Linear: true}
	for n := range tenths {
		turns = append(turns, s.run(t, func() (p Part) {
			p, number = Closed(w.Size.Callers, w.Size.Soak/tenths, number, func(n int64) Answer {
				if n%10 == 0 {
					return s.login("acme", int64(w.Size.People)+n)
				}
				return s.login("acme", n%int64(w.Size.People))
			})
			return p
		}))
		memory.Y = append(memory.Y, rssAnon(t, s.process.Pid())/(1<<20))
		goroutines = append(goroutines, run.Metric(t, "go_goroutines"))
		plot.X = append(plot.X, fmt.Sprint(n+1))
		if one := turns[n]; one.Bad > 0 || one.Good == 0 {
			t.Errorf("tenth %d: %d good answers, %d shed, %d bad", n+1, one.Good, one.Shed, one.Bad)
		}
	}
	if ready := run.Get(t, "/readyz").Status; ready != http.StatusOK {
		t.Errorf("in the end it is not ready: %d", ready)
	}
	plot.Curves = []Curve{memory}
	w.plots = append(w.plots, plot)
	// In the first tenth, a runtime still takes what it needs.
	grown := mean(memory.Y[tenths-3:]) / mean(memory.Y[1:4])
	const apart = 6 // tenths
	most := 1 + growth*apart*(w.Size.Soak/tenths).Minutes()
	more := goroutines[tenths-1] / goroutines[1]
	first, last := turns[1:2], turns[tenths-1:]
	count := func(n float64) string { return fmt.Sprintf("%.0f", n) }
	mib := func(mib float64) string { return mebibytes(mib * (1 << 20)) }
	return []Row{
		Row{What: "RssAnon, mean of the second to fourth tenth and of the last three", A: mib(mean(memory.Y[1:4])), B: mib(mean(memory.Y[tenths-3:])), Ratio: &grown}.
			asks("≤ 1 % more a minute", grown <= most),
		Row{What: "goroutines after the second tenth and after the last", A: count(goroutines[1]), B: count(goroutines[tenths-1]), Ratio: &more}.atMost(1.1),
		compared("p99, second and last tenth", of(first, p99), of(last, p99), rounded),
		compared("logins, the same", of(first, rate), of(last, rate), perSecond),
	}
}

// growth is which part of its memory a server may add in a minute.
const growth = 0.01

func mean(all []float64) float64 {
	sum := 0.0
	for _, one := range all {
		sum += one
	}
	return sum / float64(len(all))
}
