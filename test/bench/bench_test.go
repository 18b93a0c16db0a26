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
	result := bench.NewResult(bench.Short.Name)
	for _, s := range bench.Scenarios() {
		t.Run(s.Name, func(t *testing.T) {
			w := &bench.World{Size: bench.Short, Mongo: &peer}
			before := len(result.Rows)
			w.Measure(t, s, result)
			if len(result.Rows) == before {
				t.Error("it measured nothing")
			}
			for _, row := range result.Rows[before:] {
				if row.Scenario != s.Name || row.What == "" || row.B == "" || (row.Ratio != nil && *row.Ratio < 0) {
					t.Errorf("%+v", row)
				}
			}
		})
	}
	written(t, result)
}

// written writes the result down and reads the page.
func written(t *testing.T, result *bench.Result) {
	t.Helper()
	docs := t.TempDir()
	page := filepath.Join(docs, "benchmarks.md")
	if err := result.Write(docs); err == nil {
		t.Error("a page that is not there was written")
	}
	around := "above\n<!-- make bench writes from here -->\nold\n<!-- to here -->\nbelow\n"
	if err := os.WriteFile(page, []byte(around), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // again, over itself
		if err := result.Write(docs); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if s := string(text); !strings.HasPrefix(s, "above\n") || !strings.HasSuffix(s, "below\n") || strings.Contains(s, "\nold\n") {
		t.Errorf("around the section: %s", s)
	}
	for _, row := range result.Rows {
		if !strings.Contains(string(text), "| "+row.Scenario+" | "+row.What+" | "+row.A+" | "+row.B+" |") {
			t.Errorf("the page lacks %+v:\n%s", row, text)
		}
	}
	for _, p := range result.Plots {
		if !strings.Contains(string(text), "benchmarks/"+p.Name+".svg") {
			t.Errorf("the page lacks the plot %s", p.Name)
		}
		svg, err := os.ReadFile(filepath.Join(docs, "benchmarks", p.Name+".svg"))
		if err != nil || !strings.HasSuffix(string(svg), "</svg>\n") {
			t.Errorf("%v: %s", err, svg)
		}
	}
}

// BenchmarkService runs the scenarios that JITHOOK_BENCH_ONLY names, or all that
// are not long, and writes into the folder JITHOOK_BENCH_OUT. `make bench` does.
func BenchmarkService(b *testing.B) {
	chosen, err := bench.Named(strings.Fields(strings.ReplaceAll(os.Getenv("JITHOOK_BENCH_ONLY"), ",", " ")))
	if err != nil {
		b.Fatal(err)
	}
	result := bench.NewResult(bench.Full.Name)
	for _, s := range chosen {
		b.Run(s.Name, func(b *testing.B) {
			w := &bench.World{Size: bench.Full, Mongo: &peer}
			w.Measure(b, s, result)
		})
	}
	if out := os.Getenv("JITHOOK_BENCH_OUT"); out != "" && !b.Failed() {
		if err := result.Write(out); err != nil {
			b.Fatal(err)
		}
	}
	b.Log(result.Markdown())
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
	w.Measure(b, chosen[0], bench.NewResult(bench.Full.Name))
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

// TestNamed: a name that is not in the table is refused.
func TestNamed(t *testing.T) {
	if s, err := bench.Named([]string{"first-bolt"}); err != nil || len(s) != 1 || s[0].Name != "first-bolt" {
		t.Errorf("%v, %v", s, err)
	}
	if _, err := bench.Named([]string{"frist"}); err == nil || !strings.Contains(err.Error(), "first-bolt") {
		t.Errorf("%v", err)
	}
}
