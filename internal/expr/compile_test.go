// These tests prove that an expression that cannot work is refused before a
// login meets it, with every problem at its place in the file, and that what an
// expression reads of the claims is known beforehand.
package expr_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jithook/jithook/internal/expr"
)

// at is the source of a text in the tests: it begins in line 10, column 5.
func at(text string) expr.Source {
	return expr.Source{Text: text, File: "acme.yaml", Line: 10, Col: 5}
}

func newEnv(t testing.TB) *expr.Env {
	t.Helper()
	env, err := expr.NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	return env
}

func compile(t testing.TB, text string) *expr.Program {
	t.Helper()
	p, err := newEnv(t).Compile(at(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestCompileReportsEveryProblemAtItsPlace(t *testing.T) {
	tests := map[string]struct {
		text string
		want []string // places, and a word of the message
	}{
		"empty":                 {"", []string{"10:5 empty"}},
		"white space":           {" \n ", []string{"10:5 empty"}},
		"comment only":          {"// nothing", []string{"10:15 Syntax"}},
		"two unknown names":     {"a + bb", []string{"10:5 'a'", "10:9 'bb'"}},
		"second line":           {"claims.x +\n  foo(1)", []string{"11:10 foo"}},
		"two lines":             {"a ||\n b", []string{"10:5 'a'", "11:6 'b'"}},
		"types":                 {`"a" + 1`, []string{"10:9 _+_"}},
		"claims are no list":    {"claims[1]", []string{"10:11 _[_]"}},
		"optional syntax":       {"claims.?x", []string{"10:11 .?"}},
		"bad pattern":           {`claims.x.matches("(")`, []string{"10:22 matches"}},
		"shadowed claims":       {"claims.g.exists(claims, claims.admin)", []string{"10:20 claims"}},
		"shadowed twice":        {"claims.g.map(login, 1) == claims.g.map(identity, 1)", []string{"10:17 login", "10:43 identity"}},
		"unterminated":          {`claims.x == "`, []string{"10:17 Syntax", "10:18 Syntax"}},
		"too long":              {"'" + strings.Repeat("x", expr.MaxTextLength) + "'", []string{"10:5 4096 bytes"}},
		"too deep":              {strings.Repeat("[", 200) + strings.Repeat("]", 200), []string{"10:5 recursion"}},
		"constant that fails":   {`string(b"\xff")`, []string{"10:5 UTF-8"}},
		"pattern beyond limits": {`claims.x.matches("((a{100}){100}){100}")`, []string{"10:22 matches"}},
	}
	env := newEnv(t)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := env.Compile(at(test.text))
			var failed *expr.CompileError
			if !errors.As(err, &failed) {
				t.Fatalf("error %v, want a *CompileError", err)
			}
			if len(failed.Problems) != len(test.want) {
				t.Fatalf("%d problems, want %d:\n%v", len(failed.Problems), len(test.want), err)
			}
			for i, p := range failed.Problems {
				place, word, _ := strings.Cut(test.want[i], " ")
				if got := fmt.Sprintf("%d:%d", p.Line, p.Col); got != place || p.File != "acme.yaml" || !strings.Contains(p.Message, word) {
					t.Errorf("problem %q, want acme.yaml:%s and %q", p, place, word)
				}
			}
			if lines := strings.Count(err.Error(), "acme.yaml:"); lines != len(test.want) {
				t.Errorf("the error's text has %d places, want %d", lines, len(test.want))
			}
		})
	}
}

func TestCompileBoolRefusesOtherTypes(t *testing.T) {
	env := newEnv(t)
	for text, want := range map[string]bool{
		"claims.admin": true, "true": true, "claims.a == 1": true, "identity": true,
		`"true"`: false, "1": false, "null": false, "[true]": false, "size(claims)": false, "claims": false,
	} {
		_, err := env.CompileBool(at(text))
		if got := err == nil; got != want {
			t.Errorf("%s: compiles %t, want %t (%v)", text, got, want, err)
		}
		if _, err := env.Compile(at(text)); err != nil {
			t.Errorf("Compile refuses %s: %v", text, err)
		}
	}
}

func TestClaimNamesAndPath(t *testing.T) {
	tests := map[string]struct {
		text  string
		names []string
		all   bool
		path  []string
	}{
		"plain":                   {"claims.email", []string{"email"}, false, []string{"email"}},
		"plain in brackets":       {`claims["https://x/y"].b`, []string{"https://x/y"}, false, []string{"https://x/y", "b"}},
		"in parentheses":          {"(claims.a).b", []string{"a"}, false, []string{"a", "b"}},
		"root scope":              {".claims.a", []string{"a"}, false, []string{"a"}},
		"element of a list":       {"claims.emails[0].value", []string{"emails"}, false, nil},
		"has":                     {"has(claims.a)", []string{"a"}, false, nil},
		"has below":               {"has(claims.a.b)", []string{"a"}, false, nil},
		"in":                      {`"_claim_names" in claims`, []string{"_claim_names"}, false, nil},
		"in a claim":              {`"x" in claims.groups`, []string{"groups"}, false, nil},
		"several, sorted":         {"claims.z == claims.a || has(claims.m) && claims.a > 1", []string{"a", "m", "z"}, false, nil},
		"inside a loop":           {"claims.g.map(x, x + claims.p)", []string{"g", "p"}, false, nil},
		"as an index":             {"claims.a[claims.b]", []string{"a", "b"}, false, nil},
		"none":                    {"login.provider == 'acme'", nil, false, nil},
		"not ours":                {"login.claims.x", nil, false, nil},
		"whole":                   {"claims", nil, true, nil},
		"whole to a function":     {"size(claims) > 1 && claims.a", []string{"a"}, true, nil},
		"computed key":            {"claims[login.provider]", nil, true, nil},
		"computed key in":         {"login.provider in claims", nil, true, nil},
		"loop over all":           {"claims.exists(k, k == 'a')", nil, true, nil},
		"behind dyn":              {"dyn(claims).x", nil, true, nil},
		"branches":                {"has(claims.a) ? claims.a : claims.b", []string{"a", "b"}, false, nil},
		"plain with a conversion": {"string(claims.a)", []string{"a"}, false, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := compile(t, test.text)
			names, all := p.ClaimNames()
			if !slices.Equal(names, test.names) || all != test.all {
				t.Errorf("reads %q, all %t; want %q, %t", names, all, test.names, test.all)
			}
			path, ok := p.ClaimPath()
			if !slices.Equal(path, test.path) || ok != (test.path != nil) {
				t.Errorf("path %q, %t; want %q", path, ok, test.path)
			}
			if p.Source() != at(test.text) || p.Source().Pos() != "acme.yaml:10:5" {
				t.Errorf("source %v", p.Source())
			}
		})
	}
}
