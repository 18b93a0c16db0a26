//go:build linux

package bench

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jithook/jithook/test/process"
)

// Size is how much a run measures.
type Size struct {
	// Name says so for people, beside the rounds; empty for what is published.
	Name string
	// Rounds have a part of A and a part of B each, which take turns in being
	// first; Part is how long one is.
	Rounds int
	Part   time.Duration
	// Near is how many rounds there are where what is asked is near: the ratio of
	// one round strays by a tenth on a machine that others use, too.
	Near int
	// Callers is how many call at the same time in a closed loop.
	Callers int
	// People sign in again and again; Files, Crowd and Logins are the many of
	// "many providers", "many identities" and "many first logins".
	People, Files, Crowd, Logins int
	// Soak is how long the server is under load to see whether it grows.
	Soak time.Duration
}

// Full is what is published, Short what proves in seconds that the harness works:
// its numbers mean nothing.
var (
	Full  = Size{"", 5, 4 * time.Second, 21, 8, 2000, 50_000, 1_000_000, 100_000, 10 * time.Minute}
	Short = Size{"a trial of the harness: the numbers mean nothing", 2, 150 * time.Millisecond, 3, 4, 20, 20, 200, 100, time.Second}
)

// of is how much was measured for these rows.
func (s Size) of(rows []Row) string {
	rounds := 1
	for _, row := range rows {
		rounds = max(rounds, len(row.Rounds))
	}
	text := "once"
	if rounds > 1 {
		text = fmt.Sprintf("%d rounds, medians", rounds)
	}
	if s.Name != "" {
		text += ": " + s.Name
	}
	return text
}

// side is a server and who calls it.
type side struct {
	*client
	process *process.Process
}

// turn is one part of one side, with the processor time that the server took.
type turn struct {
	Part
	cpu time.Duration
}

// each is the processor time of one good answer.
func (t turn) each() time.Duration { return t.cpu / time.Duration(max(1, t.Good)) }

// run has a load made on the side and reads the server's processor time.
func (s *side) run(t testing.TB, load func() Part) turn {
	t.Helper()
	before := processorTime(t, s.process.Pid())
	p := load()
	return turn{p, processorTime(t, s.process.Pid()) - before}
}

// takeTurns has A and B run by turns, and fails where an answer was bad: what is
// wrong may be fast.
func takeTurns(t testing.TB, rounds int, a, b func() turn) (as, bs []turn) {
	t.Helper()
	for n := range rounds {
		if n%2 == 0 {
			as, bs = append(as, a()), append(bs, b())
		} else {
			bs, as = append(bs, b()), append(as, a())
		}
	}
	for _, one := range slices.Concat(as, bs) {
		if one.Bad > 0 || one.Good == 0 {
			t.Errorf("%d good answers, %d bad ones", one.Good, one.Bad)
		}
	}
	return as, bs
}

// middle is the median.
func middle[T int64 | float64 | time.Duration](all []T) T {
	return slices.Sorted(slices.Values(all))[len(all)/2]
}

// of is what f says of each turn.
func of[T any](turns []turn, f func(turn) T) []T {
	out := make([]T, len(turns))
	for n, one := range turns {
		out[n] = f(one)
	}
	return out
}

// ratios is B to A, round by round.
func ratios[T int64 | float64 | time.Duration](as, bs []T) []float64 {
	out := make([]float64, len(as))
	for n := range as {
		out[n] = float64(bs[n]) / max(float64(as[n]), 1e-9)
	}
	return out
}

// compared is a row of a median of each side and the median of the rounds' ratios.
func compared[T int64 | float64 | time.Duration](what string, as, bs []T, show func(T) string) Row {
	rounds := ratios(as, bs)
	ratio := middle(rounds)
	return Row{What: what, A: show(middle(as)), B: show(middle(bs)), Ratio: &ratio, Rounds: rounds}
}

// atLeast and atMost say what is asked of a row, and whether it is so.
func (r Row) atLeast(least float64) Row {
	return r.asks(fmt.Sprintf("≥ %g", least), *r.Ratio >= least)
}
func (r Row) atMost(most float64) Row { return r.asks(fmt.Sprintf("≤ %g", most), *r.Ratio <= most) }

func (r Row) asks(what string, met bool) Row {
	r.Asked, r.Met = what, &met
	return r
}

func perSecond(rate float64) string  { return fmt.Sprintf("%.0f/s", rate) }
func rounded(d time.Duration) string { return fmt.Sprintf("%.2f ms", float64(d.Microseconds())/1000) }
func micros(d time.Duration) string  { return fmt.Sprintf("%d µs", d.Microseconds()) }
func mebibytes(bytes float64) string { return fmt.Sprintf("%.1f MiB", bytes/(1<<20)) }
func rate(t turn) float64            { return t.Rate() }
func p50(t turn) time.Duration       { return t.Took(50) }
func p99(t turn) time.Duration       { return t.Took(99) }
func cpuOfEach(t turn) time.Duration { return t.each() }

// places are the percentiles of a plot.
var places = []struct {
	name  string
	value float64
}{{"p10", 10}, {"p50", 50}, {"p90", 90}, {"p99", 99}, {"p99.9", 99.9}}

// latencies is the plot of all rounds together.
func latencies(name, title, aName, bName string, as, bs []turn) Plot {
	p := Plot{Name: name, Title: title, Unit: "ms"}
	for _, at := range places {
		p.X = append(p.X, at.name)
	}
	for _, c := range []struct {
		label string
		turns []turn
	}{{aName, as}, {bName, bs}} {
		whole := newPart()
		for _, one := range c.turns {
			whole.add(one.Part)
		}
		curve := Curve{Label: c.label}
		for _, at := range places {
			curve.Y = append(curve.Y, float64(whole.Took(at.value).Microseconds())/1000)
		}
		p.Curves = append(p.Curves, curve)
	}
	return p
}

// tick is a clock tick of /proc, of which Linux has a hundred a second for all
// programs, whatever its own are.
const tick = 10 * time.Millisecond

// processorTime is what a process has used so far.
func processorTime(t testing.TB, pid int) time.Duration {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	// The second field is a name in brackets, which may hold anything.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	var ticks int64
	for _, n := range []int{11, 12} { // utime and stime
		v, err := strconv.ParseInt(string(fields[n]), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		ticks += v
	}
	return time.Duration(ticks) * tick
}

// rssAnon is how much memory of its own a process has, in bytes: without the
// program and without the store's file, which the kernel takes back when it likes.
func rssAnon(t testing.TB, pid int) float64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "RssAnon:")
	var kib float64
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		t.Fatalf("RssAnon: %v", err)
	}
	return kib * 1024
}
