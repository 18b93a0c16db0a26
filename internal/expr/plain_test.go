// These tests prove that an expression which is one claim, evaluated without
// CEL, yields what CEL yields, and says the same where it yields nothing.
package expr_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jithook/jithook/internal/expr"
)

func TestPlainClaimAsInCEL(t *testing.T) {
	deep := any("x")
	for range 70 {
		deep = []any{deep}
	}
	long := make([]any, 100_001)
	values := map[string]any{
		"text": "a", "empty": "", "true": true, "false": false, "whole": int64(1 << 60), "broken": 1.5, "null": nil,
		"list": []any{"a", nil, int64(1)}, "no list": []any{}, "map": map[string]any{"b": map[string]any{"c": "d"}}, "no map": map[string]any{},
		"not a number": math.NaN(), "infinite": math.Inf(1), "no text": "\xff", "no key": map[string]any{"\xff": 1.5}, "inside": []any{map[string]any{"a": math.NaN()}},
		"Go's int": 3, "strings": []string{"a"}, "unsigned": uint64(3), "bytes": []byte("a"), "deep": deep, "long": long, "a struct": struct{}{},
	}
	for _, path := range []string{"claims.v", "claims.v.b", "claims.v.b.c", `claims["v"]["b"]`, "claims.missing", "claims.v.b.c.d"} {
		plain, other := compile(t, path), compile(t, "dyn("+path+")")
		for name, v := range values {
			t.Run(path+" of "+name, func(t *testing.T) {
				vars := expr.Vars{Claims: map[string]any{"v": v}}
				got, err := plain.Eval(t.Context(), vars)
				want, wantErr := other.Eval(t.Context(), vars)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Error(diff)
				}
				if said, wanted := message(err), message(wantErr); said != wanted {
					t.Errorf("%s\nCEL: %s", said, wanted)
				}
				var missing, wantMissing *expr.MissingError
				if errors.As(err, &missing) != errors.As(wantErr, &wantMissing) {
					t.Errorf("%v\nCEL: %v", err, wantErr)
				}
			})
		}
	}
	if _, err := compile(t, "claims.v").Eval(t.Context(), expr.Vars{}); message(err) != "the claim /v is missing; guard it with has() if it may be" {
		t.Errorf("no claims at all: %v", err)
	}
}

// message is an error without its place.
func message(err error) string {
	if err == nil {
		return ""
	}
	_, said, _ := strings.Cut(err.Error(), ": ")
	return said
}

// TestPlainClaimIsACopy: what comes out is the caller's own.
func TestPlainClaimIsACopy(t *testing.T) {
	claims := map[string]any{"v": map[string]any{"list": []any{"a"}}}
	out, err := compile(t, "claims.v").Eval(t.Context(), expr.Vars{Claims: claims})
	if err != nil {
		t.Fatal(err)
	}
	out.(map[string]any)["list"].([]any)[0] = "b"
	if diff := cmp.Diff(map[string]any{"v": map[string]any{"list": []any{"a"}}}, claims); diff != "" {
		t.Error(diff)
	}
}
