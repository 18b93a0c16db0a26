// These targets prove that no text of a rule and no claims make the package
// panic, and that an evaluation ends in a JSON value or one of the two errors.
package expr_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/jithook/jithook/internal/expr"
)

func FuzzEval(f *testing.F) {
	for _, text := range []string{
		"claims.email", `claims["a"].b[0]`, "has(claims.a.b) ? claims.a.b : claims.c", "claims.groups.filter(g, g.startsWith('x'))",
		"claims.x || !claims.y && claims.z == 1.0", "claims.groups.map(g, g.name).distinct().join(',')", "timestamp(claims.t) + duration('1h')",
		"sets.contains(claims.groups, ['a'])", "base64.decode(claims.b)", "identity.groups.exists(g, g == 'admins')", "claims[claims.k]", "'%s'.format([claims])", "-claims.n / 0", "\xff", "claims.",
	} {
		f.Add(text, `{"email":"a@b.example","groups":["x","y",{"name":1}],"a":{"b":[1]},"n":-9223372036854775808,"k":"a"}`)
		f.Add(text, `{}`)
	}
	env := newEnv(f)
	f.Fuzz(func(t *testing.T, text, claims string) {
		var v expr.Vars
		if json.Unmarshal([]byte(claims), &v.Claims) != nil {
			return
		}
		p, err := env.Compile(at(text))
		if err != nil {
			var refused *expr.CompileError
			if !errors.As(err, &refused) || len(refused.Problems) == 0 {
				t.Fatalf("%T %v, want a *CompileError with problems", err, err)
			}
			return
		}
		p.ClaimNames()
		p.ClaimPath()
		got, err := p.Eval(t.Context(), v)
		var missing *expr.MissingError
		var failed *expr.RuntimeError
		if err != nil && !errors.As(err, &missing) && !errors.As(err, &failed) {
			t.Fatalf("%T %v, want one of the two errors", err, err)
		}
		if _, notJSON := json.Marshal(got); notJSON != nil {
			t.Fatalf("yields no JSON value: %v", notJSON)
		}
	})
}
