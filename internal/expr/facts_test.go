// These tests prove that what is called impossible of a rule is, that what is
// possible is not called so, and that the claims which a rule names are found.
package expr_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jithook/jithook/internal/expr"
)

func TestFacts(t *testing.T) {
	const never, always, either = "never true", "never false", "either"
	for name, c := range map[string]struct {
		not  string // a rule before, which was not true
		rule string
		want string
	}{
		"constant":                         {"", `1 + 1 == 2`, always},
		"constant calls":                   {"", `"a b".split(" ").size() == 3`, never},
		"true beside claims":               {"", `true || claims.a == 1`, always},
		"false beside claims":              {"", `claims.a == 1 && 1 > 2`, never},
		"a claim":                          {"", `claims.a == 1`, either},
		"a claim or not":                   {"", `claims.a || !claims.a`, always},
		"a claim and itself":               {"", `claims.a == claims["a"]`, always},
		"no number and itself":             {"", `double(claims.a) == double(claims.a)`, either},
		"equal or not":                     {"", `claims.a == 1 || 1 != claims["a"]`, always},
		"two values at once":               {"", `claims.a == "x" && claims.b && claims.a == "y"`, never},
		"two values of two claims":         {"", `claims.a == "x" && claims.b == "y"`, either},
		"two spellings of a number":        {"", `claims.a == 1 && claims.a == 1.0`, either},
		"in nothing":                       {"", `claims.a in []`, never},
		"in a list without it":             {"", `claims.a in ["x", "y"] && claims.a == "z"`, never},
		"in a list with it":                {"", `claims.a in ["x", "y"] && claims.a == "y"`, either},
		"branches alike":                   {"", `claims.a ? 1 == 1 : true`, always},
		"a branch that cannot be":          {"", `claims.a ? !claims.a : false`, never},
		"the same":                         {`claims.a == 1`, `1 == claims["a"]`, never},
		"a time and its text":              {`claims.a == timestamp("2026-01-01T00:00:00Z")`, `claims.a == "2026-01-01T00:00:00Z"`, either},
		"an index and a name":              {`claims.a[0] == 1`, `claims.a["0"] == 1`, either},
		"the same and more":                {`claims.a == 1`, `claims.b && claims.a == 1`, never},
		"less than before":                 {`claims.b && claims.a == 1`, `claims.a == 1`, either},
		"a conjunction in another order":   {`claims.a && claims.b`, `claims.b && claims.c && claims.a`, never},
		"an order within":                  {`(claims.a && claims.b) == claims.c`, `claims.c == (claims.b && claims.a)`, never},
		"one of two":                       {`claims.a || claims.b`, `claims.b`, never},
		"the contrary":                     {`claims.a != "x"`, `claims.a == "x"`, always},
		"the contrary of a list":           {`!(claims.a in ["x", "y"])`, `claims.a == "y" || claims.a == "x"`, always},
		"one of the list":                  {`!(claims.a in ["x", "y"])`, `claims.a == "x"`, either},
		"another of the list":              {`!(claims.a in ["x", "y"])`, `claims.a == "z"`, never},
		"loops by their text":              {`claims.a.exists(x, x == 1)`, `claims.a.exists(x, x == 1)`, never},
		"other loops":                      {`claims.a.exists(x, x == 1)`, `claims.a.exists(x, x == 2)`, either},
		"present":                          {`!has(claims.a)`, `claims.a == 1`, either},
		"text like a literal of another":   {`claims.a == "1"`, `claims.a == 1`, either},
		"a variable that is no constant":   {"", `login.provider == "acme"`, either},
		"an identity that may be null":     {"", `identity == null`, either},
		"a type":                           {"", `type(claims.a) == string`, either},
		"what always fails is no value":    {"", `1 / 0 == 1`, either},
		"a comparison of floats to floats": {"", `claims.a == 0.1 && claims.a == 0.2`, either},
	} {
		t.Run(name, func(t *testing.T) {
			env, err := expr.NewEnv()
			if err != nil {
				t.Fatal(err)
			}
			compile := func(text string) *expr.Program {
				p, err := env.CompileBool(expr.Source{Text: text, Line: 1, Col: 1})
				if err != nil {
					t.Fatal(err)
				}
				return p
			}
			facts := env.NewFacts()
			if c.not != "" {
				facts = facts.With(compile(c.not), false)
			}
			rule := compile(c.rule)
			got := either
			switch yes, no := facts.MayYield(rule, true), facts.MayYield(rule, false); {
			case !yes && no:
				got = never
			case yes && !no:
				got = always
			case !yes:
				got = "neither"
			}
			if got != c.want {
				t.Errorf("%s after not %s: %s, want %s", c.rule, c.not, got, c.want)
			}
		})
	}
}

// TestFactsEnd: conditions within conditions would take for ever. What was not
// looked at to the end is not called impossible.
func TestFactsEnd(t *testing.T) {
	env, err := expr.NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	nested := func(levels int) *expr.Program {
		p, err := env.CompileBool(expr.Source{Text: strings.Repeat("(", levels) + "claims.a" + strings.Repeat(" ? claims.b : claims.b)", levels)})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	b, err := env.CompileBool(expr.Source{Text: "claims.b"})
	if err != nil {
		t.Fatal(err)
	}
	facts := env.NewFacts().With(b, false)
	if facts.MayYield(nested(5), true) || !facts.MayYield(nested(60), true) {
		t.Error("five levels are seen through, sixty are not")
	}
}

func TestReads(t *testing.T) {
	env, err := expr.NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	p, err := env.Compile(expr.Source{
		Text: "has(claims.a.b) && \"c\" in claims &&\nclaims.d[0][\"e\"] == identity.x && claims.l.exists(x, x == claims.m) && claims[login.p] == claims.a",
		File: "f", Line: 3, Col: 7,
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []expr.Read{
		{[]any{"a", "b"}, 3, 11}, {[]any{"c"}, 3, 26}, {[]any{"d", int64(0), "e"}, 4, 7},
		{[]any{"l"}, 4, 41}, {[]any{"m"}, 4, 65}, {[]any{"a"}, 4, 97},
	}
	if diff := cmp.Diff(want, p.Reads()); diff != "" {
		t.Errorf("reads (-want +got):\n%s", diff)
	}
}

func TestEmptiesUnknown(t *testing.T) {
	env, err := expr.NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]int{
		`has(claims.groups) ? claims.groups : []`:            1,
		`!("groups" in claims) ? [] : claims.groups`:         1,
		`claims.groups == null ? [] : claims.groups`:         1,
		`["a"] + (has(claims.x) && claims.x.y ? ["b"] : [])`: 1,
		`claims.groups`:                                     0,
		`claims.admin ? ["admins"] : []`:                    0,
		`has(claims.groups) ? claims.groups : claims.roles`: 0,
		`identity != null && has(identity.traits) ? claims.groups : claims.roles`: 0,
		`claims.groups.exists(g, g in ["a"]) ? ["a"] : []`:                        0,
	} {
		p, err := env.Compile(expr.Source{Text: text})
		if err != nil {
			t.Fatal(err)
		}
		if got := len(p.EmptiesUnknown()); got != want {
			t.Errorf("%s: %d places, want %d", text, got, want)
		}
	}
}
