//go:build linux

// These tests prove that the harness works: that each scenario of the table
// measures something and fails on wrong answers, that load is what it says, and that
// what is written down is what was measured. None of them asserts a time.
package bench_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jithook/jithook/test/bench"
	"github.com/jithook/jithook/test/mongo/mongotest"
)

var peer mongotest.Shared

func TestMain(m *testing.M) { os.Exit(bench.Main(func() int { return peer.Run(m) })) }

// TestScenarios runs every scenario for an instant.
func TestScenarios(t *testing.T) {
	var runs []bench.Run
	for _, s := range bench.Scenarios() {
		t.Run(s.Name, func(t *testing.T) {
			w := &bench.World{Size: bench.Short, Mongo: &peer}
			run := w.Measure(t, s)
			if len(run.Rows) == 0 {
				t.Error("it measured nothing")
			}
			for _, row := range run.Rows {
				if row.What == "" || row.B == "" || (row.Ratio != nil && *row.Ratio < 0) {
					t.Errorf("%+v", row)
				}
			}
			runs = append(runs, run)
		})
	}
	docs := page(t)
	for _, run := range runs {
		if err := bench.Add(docs, run); err != nil {
			t.Fatal(err)
		}
	}
	written(t, docs, runs...)
}

// page is a folder with a page that has a section for runs.
func page(t *testing.T) (docs string) {
	t.Helper()
	docs = t.TempDir()
	around := "above\n<!-- make bench writes from here -->\nold\n<!-- to here -->\nbelow\n"
	if err := os.WriteFile(filepath.Join(docs, "benchmarks.md"), []byte(around), 0o600); err != nil {
		t.Fatal(err)
	}
	return docs
}

// written reads what was made of these runs, and returns the page.
func written(t *testing.T, docs string, runs ...bench.Run) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(docs, "benchmarks.md"))
	if err != nil {
		t.Fatal(err)
	}
	if s := string(text); !strings.HasPrefix(s, "above\n") || !strings.HasSuffix(s, "below\n") || strings.Contains(s, "\nold\n") {
		t.Errorf("around the section: %s", s)
	}
	for _, run := range runs {
		for _, row := range run.Rows {
			if !strings.Contains(string(text), "\n| "+row.What+" | "+row.A+" | "+row.B+" |") {
				t.Errorf("the page lacks %+v:\n%s", row, text)
			}
		}
		for _, p := range run.Plots {
			if !strings.Contains(string(text), "benchmarks/"+p.Name+".svg") {
				t.Errorf("the page lacks the plot %s", p.Name)
			}
			svg, err := os.ReadFile(filepath.Join(docs, "benchmarks", p.Name+".svg"))
			if err != nil || !strings.HasSuffix(string(svg), "</svg>\n") {
				t.Errorf("%v: %s", err, svg)
			}
		}
	}
	return string(text)
}

// TestAdd: a run takes the place of an earlier one of its scenario and leaves all
// others as they were, with their dates; the page says what was not measured; results
// that cannot be read are not written over.
func TestAdd(t *testing.T) {
	run := func(scenario, what, load string) bench.Run {
		met := what != "slow"
		return bench.Run{
			Scenario: scenario, Load: load, Rows: []bench.Row{{What: what, A: "1", B: "2", Asked: "≤ 9", Met: &met}},
			Plots: []bench.Plot{{Name: scenario, Title: what, X: []string{"p50"}, Curves: []bench.Curve{{Label: "A", Y: []float64{1}}}}},
		}
	}
	if err := bench.Add(t.TempDir(), run("soak", "lost", "1")); err == nil {
		t.Error("a page that is not there was written")
	}
	docs := page(t)
	for _, r := range []bench.Run{run("soak", "long", "1.11"), run("first-bolt", "slow", "2.22"), run("gone", "no scenario", "3.33"), run("first-bolt", "fast", "4.44")} {
		if err := bench.Add(docs, r); err != nil {
			t.Fatal(err)
		}
	}
	text := written(t, docs, run("soak", "long", ""), run("first-bolt", "fast", ""))
	for part, want := range map[string]bool{
		"load 1.11": true, "load 2.22": false, "load 4.44": true, "slow": false, "missed": false, "no scenario": false,
		"Not measured yet: returning-mongo,": true, " soak.": false,
	} {
		if strings.Contains(text, part) != want {
			t.Errorf("%q: want %t of the page:\n%s", part, want, text)
		}
	}
	if strings.Index(text, "### first-bolt") > strings.Index(text, "### soak") {
		t.Errorf("not in the order of the table:\n%s", text)
	}
	data := filepath.Join(docs, "benchmarks", "results.json")
	if err := os.WriteFile(data, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := bench.Add(docs, run("soak", "long", "5.55")); err == nil {
		t.Error("unreadable results were written over")
	}
}

// BenchmarkService runs the scenarios that JITHOOK_BENCH_ONLY names (see Named),
// and writes each into the folder JITHOOK_BENCH_OUT as soon as it is
// done; one that failed leaves what was there. `make bench` does.
func BenchmarkService(b *testing.B) {
	chosen, err := bench.Named(strings.Fields(strings.ReplaceAll(os.Getenv("JITHOOK_BENCH_ONLY"), ",", " ")))
	if err != nil {
		b.Fatal(err)
	}
	out := os.Getenv("JITHOOK_BENCH_OUT")
	for _, s := range chosen {
		b.Run(s.Name, func(b *testing.B) {
			w := &bench.World{Size: bench.Full, Mongo: &peer}
			run := w.Measure(b, s)
			if out == "" || b.Failed() {
				return
			}
			if err := bench.Add(out, run); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// The measures of test/house/threats.txt, each of its scenario. They print the rows.
func BenchmarkL1_ReturningLogin(b *testing.B) { measured(b, "returning-mongo") }
func BenchmarkL2_FirstLogin(b *testing.B)     { measured(b, "first-mongo") }
func BenchmarkL5_BesideKratos(b *testing.B)   { measured(b, "kratos-create") }
func BenchmarkL9_TenMinutes(b *testing.B)     { measured(b, "soak") }

func measured(b *testing.B, name string) {
	chosen, err := bench.Named([]string{name})
	if err != nil {
		b.Fatal(err)
	}
	w := &bench.World{Size: bench.Full, Mongo: &peer}
	w.Measure(b, chosen[0])
}

// TestLoad: a closed loop never has more calls under way than callers, an open one
// keeps its rate although nothing is answered, and waiting for a turn counts.
func TestLoad(t *testing.T) {
	t.Run("closed", func(t *testing.T) {
		busy := make(chan struct{}, 3)
		p, next := bench.Closed(3, 100*time.Millisecond, 5, func(int64) bench.Answer {
			select {
			case busy <- struct{}{}:
			default:
				return bench.Bad
			}
			defer func() { <-busy }()
			time.Sleep(time.Millisecond)
			return bench.Good
		})
		if p.Bad > 0 || p.Good == 0 || next != 5+p.Good || p.Took(50) < time.Millisecond {
			t.Errorf("%d good, %d bad, next %d, p50 %s", p.Good, p.Bad, next, p.Took(50))
		}
	})
	t.Run("open", func(t *testing.T) {
		arrived := make(chan struct{}, 100)
		p, next := bench.Open(500, 200*time.Millisecond, 0, func(n int64) bench.Answer {
			arrived <- struct{}{}
			for len(arrived) < cap(arrived) { // nobody is answered until the last has called
				time.Sleep(time.Millisecond)
			}
			if n%2 == 0 {
				return bench.Shed
			}
			return bench.Good
		})
		if p.Good != 50 || p.Shed != 50 || p.Bad != 0 || next != 100 {
			t.Errorf("%d good, %d shed, %d bad, next %d", p.Good, p.Shed, p.Bad, next)
		}
		if p.Took(99) < 150*time.Millisecond || p.Took(1) > p.Took(99) {
			t.Errorf("the first waited %s", p.Took(99))
		}
	})
}

// TestNamed: a name that is not in the table is refused, and the whole table is more
// than what is measured by default.
func TestNamed(t *testing.T) {
	table := len(bench.Scenarios())
	if all, err := bench.Named([]string{"all"}); err != nil || len(all) != table {
		t.Errorf("%d of %d, %v", len(all), table, err)
	}
	if short, err := bench.Named(nil); err != nil || len(short) == 0 || len(short) == table {
		t.Errorf("%d of %d, %v", len(short), table, err)
	}
	if s, err := bench.Named([]string{"first-bolt"}); err != nil || len(s) != 1 || s[0].Name != "first-bolt" {
		t.Errorf("%v, %v", s, err)
	}
	if _, err := bench.Named([]string{"frist"}); err == nil || !strings.Contains(err.Error(), "first-bolt") {
		t.Errorf("%v", err)
	}
}
