// These tests prove that neither a rule nor what a stranger sends to it can
// keep a processor or the memory, and that a login's deadline ends its rules.
package expr_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jithook/jithook/internal/expr"
)

// within is far above what the limits allow on a busy machine. Without them the
// expressions would succeed, or take until then.
const within = 30 * time.Second

func crowd() expr.Vars {
	groups := make([]any, 20_000)
	for i := range groups {
		groups[i] = fmt.Sprintf("group-%05d", i)
	}
	return expr.Vars{Claims: map[string]any{"groups": groups, "a": strings.Repeat("a", 200_000), "b": strings.Repeat("b", 200_000)}}
}

func TestRunawayExpressionsEnd(t *testing.T) {
	v := crowd()
	for _, text := range []string{
		"claims.groups.all(a, claims.groups.all(b, claims.groups.all(c, a != b || b != c || true)))",
		"claims.groups.map(a, claims.groups.map(b, a + b))",
		"claims.groups.map(a, claims.groups)",
		"claims.groups.distinct()",
		"claims.groups.map(g, claims.a).join()",
		"claims.groups.join(claims.a)",
		`claims.a.replace("a", claims.b)`,
		`claims.a.replace("a", claims.b, 100000)`,
		"claims.a.indexOf(claims.b)",
		"claims.a.lastIndexOf(claims.b)",
		"sets.contains(claims.groups, claims.groups)",
		"sets.equivalent(claims.groups, claims.groups)",
		"sets.intersects(claims.groups, claims.groups.map(g, 'x' + g))",
		"claims.groups.hasOnly(claims.groups)",
		"claims.groups.hasAll(claims.groups)",
		"claims.groups.hasAny(claims.groups.map(g, 'x' + g))",
		"claims.groups.hasExactly(claims.groups)",
		"lists.range(100000)",
	} {
		t.Run(text, func(t *testing.T) {
			p := compile(t, text)
			ctx, cancel := context.WithTimeout(t.Context(), within)
			defer cancel()
			_, err := p.Eval(ctx, v)
			var failed *expr.RuntimeError
			if !errors.As(err, &failed) {
				t.Errorf("error %v, want a *RuntimeError", err)
			}
		})
	}
}

func TestSensibleExpressionsStayBelowTheLimits(t *testing.T) {
	v := crowd()
	v.Claims["groups"] = v.Claims["groups"].([]any)[:10_000]
	v.Claims["name"] = strings.Repeat("ä", 1000)
	replace := "claims.name" + strings.Repeat(`.replace("ä", "a").replace("a", "ä")`, 12)
	for _, text := range []string{
		"claims.groups", `claims.groups.filter(g, g.startsWith("group-1"))`, `claims.groups.map(g, g.lowerAscii())`,
		`claims.groups.exists(g, g in ["a", "b"])`, `claims.groups.filter(g, g.matches("^group-0+1$"))`,
		`sets.contains(claims.groups, ["group-00001", "x"])`, `claims.groups.join(",")`, `claims.groups.sort()`,
		`claims.groups.map(g, g.replace("-", "_"))`, replace,
	} {
		if _, err := compile(t, text).Eval(t.Context(), v); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestTheEndOfTheContextEndsAnEvaluation(t *testing.T) {
	p := compile(t, "true || claims.groups.all(a, claims.groups.all(b, a != b))")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Eval(ended, crowd()); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled before: %v", err)
	}
	if _, err := p.EvalBool(ended, crowd()); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled before: %v", err)
	}

	// A loop looks at the context. The fastest of several runs is compared, so
	// that a busy machine does not count.
	v := crowd()
	loop := compile(t, "claims.groups.all(a, a != 'x')")
	whole, part := time.Hour, time.Hour
	for range 5 {
		start := time.Now()
		if _, err := loop.Eval(t.Context(), v); err != nil {
			t.Fatal(err)
		}
		whole = min(whole, time.Since(start))
		start = time.Now()
		if _, err := loop.Eval(&endsDuring{Context: t.Context()}, v); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("ended during: %v", err)
		}
		part = min(part, time.Since(start))
	}
	if part > whole/4 {
		t.Errorf("an ended loop took %v, the whole one %v", part, whole)
	}
}

// endsDuring is a context that ends as soon as an evaluation has begun.
type endsDuring struct {
	context.Context
	begun bool
}

func (c *endsDuring) Done() <-chan struct{} {
	c.begun = true
	done := make(chan struct{})
	close(done)
	return done
}

func (c *endsDuring) Err() error {
	if c.begun {
		return context.DeadlineExceeded
	}
	return nil
}

// TestSharedErrorsDoNotRace: CEL keeps some errors for the whole process, and
// writes into them where it failed. Run with -race.
func TestSharedErrorsDoNotRace(t *testing.T) {
	env, err := expr.NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	for text, claim := range map[string]any{
		"timestamp(claims.t)": "0000-01-01T00:00:00Z",
		"claims.t + 1":        "a",
	} {
		program, err := env.Compile(expr.Source{Text: text, File: "f", Line: 1, Col: 1})
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if _, err := program.Eval(t.Context(), expr.Vars{Claims: map[string]any{"t": claim}}); err == nil {
					t.Errorf("%s: no error", text)
				}
			})
		}
		wg.Wait()
	}
}
