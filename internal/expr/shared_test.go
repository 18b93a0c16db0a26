// These tests prove that expressions of one text are compiled once, each of which
// tells its own place nonetheless, and that nothing is kept of what nobody uses.
package expr_test

import (
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jithook/jithook/internal/expr"
)

// two are places of one text, and what stands before line and column there.
var two = map[string]expr.Source{
	"a.yaml": {File: "a.yaml", Line: 3, Col: 5},
	"b.yaml": {File: "b.yaml", Line: 400, Col: 90},
}

func place(s expr.Source, line, col int) string {
	return fmt.Sprintf("%s:%d:%d", s.File, s.Line+line-1, s.Col+col)
}

// compileTwo compiles the text at both places before anything is asked of either.
func compileTwo(t *testing.T, text string) map[string]*expr.Program {
	t.Helper()
	env := newEnv(t)
	programs := map[string]*expr.Program{}
	for file, s := range two {
		s.Text = text
		p, err := env.Compile(s)
		if err != nil {
			t.Fatal(err)
		}
		programs[file] = p
	}
	if !expr.Shares(programs["a.yaml"], programs["b.yaml"]) {
		t.Fatal("the text was compiled twice")
	}
	return programs
}

func TestSharedTextFailsInItsOwnFile(t *testing.T) {
	value := func(p *expr.Program, v expr.Vars) error { _, err := p.Eval(t.Context(), v); return err }
	boolean := func(p *expr.Program, v expr.Vars) error { _, err := p.EvalBool(t.Context(), v); return err }
	text := func(p *expr.Program, v expr.Vars) error { _, err := p.EvalString(t.Context(), v); return err }
	for name, c := range map[string]struct {
		text      string
		eval      func(*expr.Program, expr.Vars) error
		line, col int
		want      error // but for its place
	}{
		"a claim":           {"claims.addr.city", value, 1, 0, &expr.MissingError{}},
		"a claim in CEL":    {"'x' +\n  claims.addr.city", value, 2, 2, &expr.MissingError{}},
		"a trait":           {"'x' +\n  identity.traits.title", value, 2, 2, &expr.UnsetError{}},
		"a type":            {"claims.yes &&\n  size(claims.n) > 1", value, 2, 6, &expr.RuntimeError{}},
		"work":              {"true &&\n  claims.many.distinct().size() > 1", value, 1, 0, &expr.RuntimeError{}},
		"cost":              {"claims.many.all(a, claims.many.all(b, a == b || a != b))", value, 1, 0, &expr.RuntimeError{}},
		"not in JSON":       {"\n  duration('1s')", value, 1, 0, &expr.RuntimeError{}},
		"not a boolean":     {"claims.s", boolean, 1, 0, &expr.RuntimeError{}},
		"not a string":      {"claims.n", text, 1, 0, &expr.RuntimeError{}},
		"a boolean missing": {"\n  claims.x", boolean, 2, 2, &expr.MissingError{}},
	} {
		t.Run(name, func(t *testing.T) {
			v := vars()
			v.Claims["many"] = crowd().Claims["groups"]
			v.Identity = map[string]any{"traits": map[string]any{}}
			for file, p := range compileTwo(t, c.text) {
				err := c.eval(p, v)
				if reflect.TypeOf(err) != reflect.TypeOf(c.want) {
					t.Fatalf("%T (%v), want %T", err, err, c.want)
				}
				if want := place(two[file], c.line, c.col); !strings.HasPrefix(err.Error(), want+": ") || reflect.ValueOf(err).Elem().FieldByName("Pos").String() != want {
					t.Errorf("%v, want it at %s", err, want)
				}
			}
		})
	}
}

func TestSharedTextIsRefusedInItsOwnFile(t *testing.T) {
	for name, c := range map[string]struct {
		text      string
		line, col int
	}{
		"syntax":               {"claims.a &&\n  claims.b +", 2, 12},
		"two names of one":     {"claims.list.exists(claims,\n claims.x)", 1, 18},
		"another type":         {"\n  1 + 1", 1, 0},
		"nothing":              {"  ", 1, 0},
		"an unknown name":      {"true &&\n x", 2, 1},
		"a pattern of its own": {"claims.s.matches('(')", 1, 17},
	} {
		t.Run(name, func(t *testing.T) {
			env := newEnv(t)
			for _, s := range two {
				s.Text = c.text
				_, _ = env.Compile(s) // what is right but for its type
				_, err := env.CompileBool(s)
				refused, ok := errors.AsType[*expr.CompileError](err)
				if !ok {
					t.Fatalf("%v", err)
				}
				if p := refused.Problems[0]; fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col) != place(s, c.line, c.col) {
					t.Errorf("%v, want it at %s", p, place(s, c.line, c.col))
				}
			}
		})
	}
}

func TestSharedTextIsExplainedInItsOwnFile(t *testing.T) {
	for file, p := range compileTwo(t, "has(claims.groups) ? [claims.n > 1 ||\n  claims.x] : []") {
		x, err := p.Explain(t.Context(), vars())
		if err != nil {
			t.Fatal(err)
		}
		s := two[file]
		missing, ok := errors.AsType[*expr.MissingError](x.Err)
		if !ok || missing.Pos != place(s, 2, 2) || x.Source.Pos() != place(s, 1, 0) {
			t.Errorf("%s: %v in %s", file, x.Err, x.Source.Pos())
		}
		if trace := x.Trace(); trace.Pos != place(s, 1, 0) || trace.Error != missing.Error() || p.Trace().Pos != trace.Pos {
			t.Errorf("%s: trace %+v", file, trace)
		}
		if b := p.Branches(); b[len(b)-1].Pos != place(s, 2, 2) {
			t.Errorf("%s: branches %+v", file, b)
		}
		if r := p.Reads(); r[len(r)-1].Line != s.Line+1 || r[len(r)-1].Col != s.Col+2 {
			t.Errorf("%s: reads %+v", file, r)
		}
		if e := p.EmptiesUnknown(); len(e) != 1 || e[0].File != file || e[0].Line != s.Line {
			t.Errorf("%s: empties %+v", file, e)
		}
		if got := p.Source(); got.File != file || got.Line != s.Line || got.Col != s.Col {
			t.Errorf("source %+v", got)
		}
	}
}

// What is wanted of a value is the program's own, as its place is.
func TestSharedTextIsAskedForDifferentTypes(t *testing.T) {
	env := newEnv(t)
	s := expr.Source{Text: "claims.n == 1", File: "a.yaml", Line: 1, Col: 1}
	p, err := env.Compile(s)
	if err != nil {
		t.Fatal(err)
	}
	b, err := env.CompileBool(s)
	if err != nil || !expr.Shares(p, b) {
		t.Errorf("as a boolean: %v, or compiled anew", err)
	}
	if _, err := env.CompileString(s); err == nil {
		t.Error("a boolean is taken for a string")
	}
	other, err := newEnv(t).Compile(s)
	if err != nil || expr.Shares(p, other) {
		t.Errorf("another environment: %v, or one with this", err)
	}
}

func TestUnusedTextsAreForgotten(t *testing.T) {
	env := newEnv(t)
	text := func(i int) expr.Source { return expr.Source{Text: fmt.Sprintf("claims.n == %d && claims.yes", i)} }
	var used []*expr.Program
	for i := range 300 {
		p, err := env.Compile(text(i))
		if err != nil {
			t.Fatal(err)
		}
		if i%100 != 0 {
			continue
		}
		// One that has an explainer, which knows what it is of.
		if _, err := p.Explain(t.Context(), vars()); err != nil {
			t.Fatal(err)
		}
		used = append(used, p)
	}
	forgets(t, env, len(used))
	for i, p := range used {
		again, err := env.Compile(text(i * 100))
		if err != nil || !expr.Shares(p, again) {
			t.Errorf("%q in use: %v, or compiled anew", text(i*100).Text, err)
		}
	}
	runtime.KeepAlive(used)
	used = nil
	forgets(t, env, 0)
	if p, err := env.Compile(text(1)); err != nil {
		t.Error(err)
	} else if got, err := p.EvalBool(t.Context(), vars()); err != nil || !got {
		t.Errorf("forgotten and compiled again: %v, %v", got, err)
	}
}

// forgets waits until so many texts are left.
func forgets(t *testing.T, env *expr.Env, left int) {
	t.Helper()
	for end := time.Now().Add(within); env.Texts() != left; runtime.GC() {
		if time.Now().After(end) {
			t.Fatalf("%d texts are left, want %d", env.Texts(), left)
		}
	}
}

// A text that is compiled again before it is forgotten is not forgotten then.
func TestForgettingComesLate(t *testing.T) {
	env := newEnv(t)
	s := expr.Source{Text: "claims.n == 1"}
	p, err := env.Compile(s)
	if err != nil {
		t.Fatal(err)
	}
	env.Forget(s.Text)
	if again, err := env.Compile(s); err != nil || !expr.Shares(p, again) {
		t.Errorf("%v, or compiled anew", err)
	}
}

// TestManyCompileOneText has many compile a text at once, which nobody uses but
// they, while what was used before is collected.
func TestManyCompileOneText(t *testing.T) {
	env := newEnv(t)
	ended := make(chan struct{})
	var collector sync.WaitGroup
	collector.Go(func() {
		for {
			select {
			case <-ended:
				return
			default:
				runtime.GC()
			}
		}
	})
	defer collector.Wait()
	defer close(ended)
	for turn := range 100 {
		text := fmt.Sprintf("claims.a%d + 'x'", turn%3)
		programs := make([]*expr.Program, 8)
		start := make(chan struct{})
		var wg sync.WaitGroup
		for i := range programs {
			wg.Go(func() {
				<-start
				p, err := env.Compile(expr.Source{Text: text, File: fmt.Sprintf("%d.yaml", i), Line: i, Col: 1})
				if err != nil {
					t.Error(err)
					return
				}
				_, err = p.Eval(t.Context(), expr.Vars{Claims: map[string]any{}})
				if missing, ok := errors.AsType[*expr.MissingError](err); !ok || missing.Pos != fmt.Sprintf("%d.yaml:%d:1", i, i) {
					t.Errorf("%v in file %d", err, i)
				}
				programs[i] = p
			})
		}
		close(start)
		wg.Wait()
		for _, p := range programs {
			if p == nil || !expr.Shares(p, programs[0]) {
				t.Fatalf("turn %d: one text, two programs", turn)
			}
		}
	}
}
