package expr_test

// These tests prove what a trace says that an expression reads, and that it is
// bounded whatever the claims hold.

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/jithook/jithook/internal/expr"
)

func TestTraceReads(t *testing.T) {
	for text, want := range map[string][]string{
		`claims.a.b == 1 || claims["c/d"] == 2`:             {"/claims/a/b", "/claims/c~1d"},
		`has(claims.a) && claims.a == identity.traits.name`: {"/claims/a", "/identity/traits/name"},
		`has(claims.a) && claims.a.b == login.provider`:     {"/claims/a/b", "/login"},
		`claims.g.exists(k, claims[k] == 1)`:                {"/claims", "/claims/g"},
		`"x"`:                                               nil,
		`"_claim_names" in claims && !has(claims.ab)`:       {"/claims/_claim_names", "/claims/ab"},
	} {
		if got := compile(t, text).Trace().Reads; !slices.Equal(got, want) {
			t.Errorf("%s reads %q, want %q", text, got, want)
		}
	}
}

func TestTraceIsBounded(t *testing.T) {
	long := strings.Repeat("ü", 100_000)
	v := expr.Vars{Claims: map[string]any{"a": long, "b": []any{long, long}}}
	x, err := compile(t, `[claims.a, claims.b[0] + claims.a, claims.b]`).Explain(t.Context(), v)
	if err != nil {
		t.Fatal(err)
	}
	trace := x.Trace()
	text, err := json.Marshal(trace)
	if err != nil || len(text) > 32<<10 || !trace.Cut || !trace.Steps[0].Cut {
		t.Errorf("%d bytes, cut %t: %v", len(text), trace.Cut, err)
	}
	if begin, _ := trace.Value.(string); !strings.HasPrefix(begin, `["üüü`) {
		t.Errorf("it begins with %.20q", begin)
	}
	x, err = compile(t, "claims.none.a").Explain(t.Context(), v)
	if err != nil || x.Trace().Missing != "/none" || x.Trace().Error == "" {
		t.Errorf("missing %q, %q, %v", x.Trace().Missing, x.Trace().Error, err)
	}
}
