//go:build linux

package mapping_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jithook/jithook/internal/expr"
	"github.com/jithook/jithook/rules"
)

const (
	rounds = 7
	// turns is how often each is done in a round.
	turns = 2_000
	cases = 500
)

// BenchmarkMapping measures, by turns, what a login's mapping costs in rules, in
// rules that explain themselves and in go-jsonnet, and then how long the cases of
// a file take; medians over the rounds, as a Markdown table. b.N does not matter:
// run it with -benchtime 1x.
//
// A login is mapped on one processor, the collector's share included: with a second
// one the collector would take what is idle there, and its time would count. Time of
// the processor does not grow with what else runs on the machine; that on the clock,
// which is testing.B's, does.
func BenchmarkMapping(b *testing.B) {
	m, node, v := mapping(b), compiled(b), expr.Vars{Claims: claims()}
	data, err := json.Marshal(v.Claims)
	if err != nil {
		b.Fatal(err)
	}
	ctx := b.Context()
	explain := expr.Explaining(ctx, func(expr.Explanation) {})
	contenders := []struct {
		name string
		turn func()
	}{
		{"rules", func() {
			if _, err := m.Map(ctx, v); err != nil {
				b.Fatal(err)
			}
		}},
		{"rules, explained", func() {
			if _, err := m.Map(explain, v); err != nil {
				b.Fatal(err)
			}
		}},
		{"go-jsonnet", func() { run(b, node, data) }},
	}
	clock, spent := make([][]time.Duration, len(contenders)), make([][]time.Duration, len(contenders))
	processors := runtime.GOMAXPROCS(1)
	for round := range rounds + 1 {
		for i, c := range contenders {
			wall, took := measured(b, func() {
				for range turns {
					c.turn()
				}
			})
			if round > 0 { // the first one warms up
				clock[i], spent[i] = append(clock[i], wall/turns), append(spent[i], took/turns)
			}
		}
	}
	runtime.GOMAXPROCS(processors)
	var table strings.Builder
	fmt.Fprintf(&table, "\n%s, %s, %s, load %s\n\n| 12 traits, 50 groups | processor time a login | on the clock | allocations | against rules |\n|---|---|---|---|---|\n",
		time.Now().UTC().Format(time.DateOnly), runtime.Version(), model(b), load(b))
	for i, c := range contenders {
		fmt.Fprintf(&table, "| %s | %s | %s | %.0f | %.1f |\n", c.name, median(spent[i]), median(clock[i]), testing.AllocsPerRun(100, c.turn), float64(median(spent[i]))/float64(median(spent[0])))
	}
	wall, took := played(b)
	fmt.Fprintf(&table, "\n%d cases of `map test`: %s of processor time, %s on the clock\n", cases, took, wall)
	fmt.Println(table.String())
}

// played plays a file of cases, as `jithook map test` does, and returns the
// medians of what it takes, the loading of all files included.
func played(b *testing.B) (wall, took time.Duration) {
	text := []byte("version: 1\nprovider: acme\nclaims: " + string(must(b, claims())) + "\ncases:\n")
	for i := range cases {
		text = fmt.Appendf(text, "  - name: case %d\n    claims: {title: t-%d}\n    want: {decision: created, groups: [engineering, platform]}\n", i, i)
	}
	var walls, all []time.Duration
	for range rounds {
		wall, took := measured(b, func() {
			files, problems := rules.Load(fstest.MapFS{"acme_test.yaml": {Data: text}})
			if len(problems) > 0 {
				b.Fatal(problems)
			}
			runner := rules.Runner{Providers: set(b), Userstores: []string{"default"}, Now: time.Now}
			for _, c := range rules.Find(files, "") {
				if result, err := runner.Run(b.Context(), c); err != nil || !result.Passed() {
					b.Fatal(result.Diffs, err)
				}
			}
		})
		walls, all = append(walls, wall), append(all, took)
	}
	return median(walls).Round(time.Millisecond), median(all).Round(time.Millisecond)
}

func must(b *testing.B, v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		b.Fatal(err)
	}
	return data
}

// measured returns how long f takes, on the clock and of the processors.
func measured(b *testing.B, f func()) (wall, took time.Duration) {
	b.Helper()
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	start, before := time.Now(), used()
	f()
	return time.Since(start), used() - before
}

func median(d []time.Duration) time.Duration {
	d = slices.Sorted(slices.Values(d))
	return d[len(d)/2]
}

// model is the processor's name.
func model(b *testing.B) string {
	for line := range bytes.Lines(read(b, "/proc/cpuinfo")) {
		if name, value, _ := bytes.Cut(line, []byte(":")); strings.TrimSpace(string(name)) == "model name" {
			return fmt.Sprintf("%d × %s", runtime.NumCPU(), bytes.TrimSpace(value))
		}
	}
	return runtime.GOARCH
}

// load is how many processes wanted a processor in the last minute.
func load(b *testing.B) string {
	first, _, _ := strings.Cut(string(read(b, "/proc/loadavg")), " ")
	return first
}

func read(b *testing.B, name string) []byte {
	data, err := os.ReadFile(name)
	if err != nil {
		b.Fatal(err)
	}
	return data
}
