package expr_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/jithook/jithook/internal/expr"
)

// boolean draws an expression that yields a boolean, or fails.
func boolean(t *rapid.T, depth int) string {
	parts := []string{
		`claims.a`, `claims["a"]`, `claims.b`, `true`, `1 > 2`, `has(claims.a)`, `"b" in claims`,
		`claims.a == true`, `claims.c == "x"`, `"y" == claims.c`, `claims.c != "x"`, `claims.c in ["x", "y"]`, `claims.c in []`,
		`claims.n == 1`, `claims.n == 1.0`, `claims.n == 2`, `claims.n in [1, 2]`, `claims.n < 2`, `claims.c == claims.n`, `claims.l.exists(e, e == "x")`,
	}
	if depth == 0 {
		return rapid.SampledFrom(parts).Draw(t, "part")
	}
	inner := func() string { return boolean(t, depth-1) }
	switch rapid.IntRange(0, 5).Draw(t, "form") {
	case 0:
		return fmt.Sprintf("(%s && %s)", inner(), inner())
	case 1:
		return fmt.Sprintf("(%s || %s)", inner(), inner())
	case 2:
		return "!(" + inner() + ")"
	case 3:
		return fmt.Sprintf("(%s ? %s : %s)", inner(), inner(), inner())
	case 4:
		return fmt.Sprintf("(%s == %s)", inner(), inner())
	}
	return rapid.SampledFrom(parts).Draw(t, "part")
}

// worlds are claims, each there with several values and types, or not at all.
func worlds() []map[string]any {
	values := []struct {
		name string
		of   []any
	}{
		{"a", []any{nil, true, false, "yes"}}, {"b", []any{nil, true, false}}, {"c", []any{nil, "x", "y", "z", int64(1)}},
		{"n", []any{nil, int64(1), int64(2), 1.0, "1"}}, {"l", []any{nil, []any{}, []any{"x"}}},
	}
	all := []map[string]any{{}}
	for _, v := range values {
		var more []map[string]any
		for _, w := range all {
			for _, value := range v.of {
				next := map[string]any{}
				for name, old := range w {
					next[name] = old
				}
				if value != nil {
					next[v.name] = value
				}
				more = append(more, next)
			}
		}
		all = more
	}
	return all
}

// TestFactsAreSound: whatever a rule yields where those before it were not true,
// was called possible.
func TestFactsAreSound(t *testing.T) {
	env, err := expr.NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	all := worlds()
	rapid.Check(t, func(t *rapid.T) {
		compile := func() *expr.Program {
			text := boolean(t, rapid.IntRange(0, 3).Draw(t, "depth"))
			p, err := env.CompileBool(expr.Source{Text: text})
			if err != nil {
				t.Skip(err)
			}
			return p
		}
		before, rule := []*expr.Program{compile(), compile()}, compile()
		facts := env.NewFacts()
		for _, b := range before {
			facts = facts.With(b, false)
		}
		possible := map[bool]bool{true: facts.MayYield(rule, true), false: facts.MayYield(rule, false)}
		if possible[true] && possible[false] {
			return
		}
	world:
		for _, claims := range all {
			v := expr.Vars{Claims: claims}
			for _, b := range before {
				if is, err := b.EvalBool(t.Context(), v); err != nil || is {
					continue world
				}
			}
			if got, err := rule.EvalBool(t.Context(), v); err == nil && !possible[got] {
				t.Fatalf("%s\nbehind %s\nand %s\nyields %v of %v", rule.Source().Text, before[0].Source().Text, before[1].Source().Text, got, claims)
			}
		}
	})
}
