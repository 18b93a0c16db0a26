// These tests prove what an expression yields, and above all that a claim that
// is missing is told from every other failure, with no value in any message.
package expr_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jithook/jithook/internal/expr"
)

// secret stands in the claims and must not come out in an error.
const secret = "s3cret-value"

func vars() expr.Vars {
	return expr.Vars{
		Claims: map[string]any{
			"email": "ada@acme.example", "n": int64(1), "big": int64(9007199254740993), "f": 1.5, "yes": true, "no": false,
			"s": secret, "nil": nil, "a/b": map[string]any{},
			"groups": []any{"eng", "staff", map[string]any{"name": "x"}},
			"addr":   map[string]any{"country": "DE"},
			secret:   "x",
		},
		Login: map[string]any{"provider": "acme"},
	}
}

func TestEval(t *testing.T) {
	tests := map[string]struct {
		text string
		want any
	}{
		"string":                 {"claims.email", "ada@acme.example"},
		"int stays int":          {"claims.n", int64(1)},
		"int beyond a double":    {"claims.big", int64(9007199254740993)},
		"double":                 {"claims.f", 1.5},
		"null":                   {"claims.nil", nil},
		"bool":                   {"claims.yes", true},
		"list":                   {"claims.groups", []any{"eng", "staff", map[string]any{"name": "x"}}},
		"map":                    {"claims.addr", map[string]any{"country": "DE"}},
		"uint":                   {"1u", int64(1)},
		"timestamp":              {`timestamp("2026-01-02T03:04:05.5+01:00")`, "2026-01-02T02:04:05.5Z"},
		"time is UTC":            {`timestamp("2026-01-02T03:04:05+01:00").getHours()`, int64(2)},
		"int equals double":      {"claims.n == 1.0", true},
		"int below double":       {"claims.n < claims.f", true},
		"size below double":      {"size(claims.groups) < 3.5", true},
		"no string is a number":  {`claims.n == "1"`, false},
		"no string is a boolean": {`claims.yes == "true"`, false},
		"identity is null":       {"identity == null", true},
		"login":                  {"login.provider", "acme"},
		"has":                    {"has(claims.x)", false},
		"has guards":             {"has(claims.x) && claims.x.y", false},
		"in guards":              {`"x" in claims ? claims.x : "none"`, "none"},
		"or needs one side":      {"claims.x || claims.yes", true},
		"and needs one side":     {"claims.x && claims.no", false},
		"strings extension":      {`claims.email.split("@")[1].upperAscii()`, "ACME.EXAMPLE"},
		"lists extension":        {"[3, 1, 1].distinct().sort()", []any{int64(1), int64(3)}},
		"sets extension":         {`sets.intersects(claims.groups, ["staff"])`, true},
		"encoders extension":     {`base64.encode(b"hello")`, "aGVsbG8="},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := compile(t, test.text).Eval(t.Context(), vars())
			if err != nil || !reflect.DeepEqual(got, test.want) {
				t.Errorf("%s yields %#v (%v), want %#v", test.text, got, err, test.want)
			}
		})
	}
}

func TestEvalTellsMissingClaimsFromFailures(t *testing.T) {
	const runtime = "" // no path: not a missing claim
	tests := map[string]struct {
		text string
		path string
		pos  string
	}{
		"missing":                     {"claims.x", "/x", "10:5"},
		"missing below":               {"claims.addr.zip", "/addr/zip", "10:5"},
		"parent missing":              {"claims.x.y", "/x", "10:5"},
		"in brackets":                 {`claims["x"]["y"]`, "/x", "10:5"},
		"escaped":                     {`claims["a/b"]["c~d"]`, "/a~1b/c~0d", "10:5"},
		"through a list":              {"claims.groups[2].zip", "/groups/2/zip", "10:5"},
		"on a later line":             {"true &&\n  claims.x", "/x", "11:7"},
		"parent is a string":          {"claims.email.x", runtime, "10:17"},
		"parent is a number":          {"claims.n.x", runtime, "10:13"},
		"parent is null":              {"claims.nil.x", runtime, "10:15"},
		"parent is a list":            {"claims.groups.x", runtime, "10:18"},
		"index out of range":          {"claims.groups[9]", runtime, "10:18"},
		"negative index":              {"claims.groups[-1]", runtime, "10:18"},
		"conversion":                  {"int(claims.s)", runtime, "10:8"},
		"of a missing claim":          {"size(claims.x)", "/x", "10:10"},
		"negated":                     {"!claims.x", "/x", "10:6"},
		"negated string":              {"!claims.s", runtime, "10:5"},
		"compared":                    {"claims.x == 1", "/x", "10:5"},
		"or":                          {"claims.x || claims.no", "/x", "10:5"},
		"or of a string":              {"claims.s || claims.no", runtime, "10:14"},
		"and":                         {"claims.yes && claims.x", "/x", "10:19"},
		"both missing, first counts":  {"claims.x || claims.y", "/x", "10:5"},
		"condition":                   {"claims.x ? 1 : 2", "/x", "10:5"},
		"taken branch":                {"claims.yes ? claims.x : claims.y", "/x", "10:18"},
		"other branch":                {"has(claims.x) ? claims.x : claims.y", "/y", "10:32"},
		"branch behind a guard":       {"has(claims.x) ? claims.x : claims.email.z", runtime, "10:44"},
		"taken branch, then field":    {"(true ? claims.addr : claims.x).zip", runtime, "10:36"},
		"condition is a string":       {"claims.s ? claims.x : claims.y", runtime, "10:14"},
		"has below a missing claim":   {"has(claims.x.y)", "/x", "10:9"},
		"key of a claim":              {"claims.addr[claims.x]", "/x", "10:17"},
		"computed key":                {"claims[login.provider]", runtime, "10:11"},
		"in a missing list":           {`"eng" in claims.x`, "/x", "10:14"},
		"loop over a missing list":    {"claims.x.exists(g, g == 'eng')", "/x", "10:5"},
		"missing inside a loop":       {"claims.groups.map(g, claims.x)", "/x", "10:26"},
		"field of a loop's element":   {"claims.groups.map(g, g.name)", runtime, "10:27"},
		"in a list that is built":     {"[claims.x]", "/x", "10:6"},
		"in a map that is built":      {"{'a': claims.x}.a", "/x", "10:11"},
		"argument of an extension":    {`"%s".format([claims.x])`, "/x", "10:18"},
		"field of the login":          {"login.x", runtime, "10:10"},
		"field of no identity":        {"identity.id", runtime, "10:13"},
		"division":                    {"claims.n / 0", runtime, "10:14"},
		"bytes":                       {"b'x'", runtime, "10:5"},
		"duration":                    {"duration('1s')", runtime, "10:5"},
		"type":                        {"type(1)", runtime, "10:5"},
		"not a number":                {"0.0 / 0.0", runtime, "10:5"},
		"uint beyond int64":           {"18446744073709551615u", runtime, "10:5"},
		"keys that are no strings":    {"{1: 2}", runtime, "10:5"},
		"bad pattern from the claims": {`claims.s.matches(claims.s + "(")`, runtime, "10:5"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := compile(t, test.text).Eval(t.Context(), vars())
			if err == nil {
				t.Fatalf("%s yields %#v, want an error", test.text, got)
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("the error contains a value: %v", err)
			}
			var missing *expr.MissingError
			var failed *expr.RuntimeError
			switch {
			case errors.As(err, &missing):
				if missing.Path != test.path || missing.Pos != "acme.yaml:"+test.pos {
					t.Errorf("missing %q at %s, want %q at %s", missing.Path, missing.Pos, test.path, test.pos)
				}
			case errors.As(err, &failed):
				if test.path != runtime || failed.Pos != "acme.yaml:"+test.pos {
					t.Errorf("%v, want path %q at %s", failed, test.path, test.pos)
				}
			default:
				t.Errorf("error %T %v", err, err)
			}
		})
	}
}

func TestEvalBoolTakesNothingForTrue(t *testing.T) {
	v := vars()
	v.Claims["text"] = "true"
	for text, want := range map[string]string{
		"claims.text": "string", "claims.n": "number", "claims.groups": "list", "claims.addr": "map", "claims.nil": "null",
	} {
		got, err := compile(t, text).EvalBool(t.Context(), v)
		var failed *expr.RuntimeError
		if got || !errors.As(err, &failed) || !strings.Contains(failed.Message, want) {
			t.Errorf("%s: %t, %v; want a *RuntimeError about a %s", text, got, err, want)
		}
	}
	if got, err := compile(t, "claims.yes").EvalBool(t.Context(), v); !got || err != nil {
		t.Errorf("true: %t, %v", got, err)
	}
	var missing *expr.MissingError
	if _, err := compile(t, "claims.x").EvalBool(t.Context(), v); !errors.As(err, &missing) {
		t.Errorf("missing: %v", err)
	}
}

func TestEvalSharesNothingWithTheClaims(t *testing.T) {
	v := vars()
	got, err := compile(t, "claims").Eval(t.Context(), v)
	if err != nil {
		t.Fatal(err)
	}
	got.(map[string]any)["addr"].(map[string]any)["country"] = "FR"
	got.(map[string]any)["groups"].([]any)[0] = "admins"
	if !reflect.DeepEqual(v, vars()) {
		t.Error("changing the result changed the claims")
	}
}

// A "no such overload" is one object in all of CEL, in which the first failure
// of the process leaves its node: the next one would be reported there. With
// -race this also proves that evaluations do not write to it at once.
func TestEvalOfSharedErrors(t *testing.T) {
	programs := []*expr.Program{
		compile(t, `  true && claims.n.matches("^a")`),
		compile(t, "  claims.n == 2 ||\n claims.f.matches('^b')"),
	}
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for range 100 {
				for _, p := range programs {
					var failed *expr.RuntimeError
					if _, err := p.Eval(context.Background(), vars()); !errors.As(err, &failed) || failed.Pos != p.Source().Pos() {
						t.Errorf("%s: %v, want a *RuntimeError of the whole expression", p.Source().Text, err)
						return
					}
				}
			}
		})
	}
	wait.Wait()
}

// TestUnset: what the identity lacks is told from every other failure, and is one
// for whoever does not ask.
func TestUnset(t *testing.T) {
	v := vars()
	v.Identity = map[string]any{"id": "i-1", "traits": map[string]any{"name": "Ada", "address": map[string]any{}}, "groups": []any{"eng"}}
	for text, path := range map[string]string{
		"identity.traits.title":                              "/traits/title",
		`identity.traits["title"]`:                           "/traits/title",
		"identity.traits.address.country":                    "/traits/address/country",
		`identity.traits.name + identity.traits.title`:       "/traits/title",
		`[{"value": identity.traits.mail}]`:                  "/traits/mail",
		"identity.traits.name.first":                         "", // of a string
		"identity.traits.name + 1":                           "",
		"claims.x + identity.traits.title":                   "claim",
		"has(identity.traits.title)":                         "false",
		"has(identity.traits.title) ? 1 : 2":                 "2",
		"identity.traits.name":                               "Ada",
		"size(identity.groups)":                              "1",
		`has(identity.traits.a) || "eng" in identity.groups`: "true",
	} {
		got, err := compile(t, text).Eval(t.Context(), v)
		var unset *expr.UnsetError
		var missing *expr.MissingError
		var failed *expr.RuntimeError
		switch {
		case err == nil:
			if fmt.Sprint(got) != path {
				t.Errorf("%s yields %v", text, got)
			}
		case errors.As(err, &missing):
			if path != "claim" {
				t.Errorf("%s: %v", text, err)
			}
		case errors.As(err, &unset):
			if unset.Path != path || !errors.As(err, &failed) || !strings.HasPrefix(failed.Pos, "acme.yaml:10:") || !strings.Contains(err.Error(), path) {
				t.Errorf("%s: %v", text, err)
			}
		case !errors.As(err, &failed) || path != "":
			t.Errorf("%s: %v", text, err)
		}
	}
	if names, all := compile(t, "identity.traits.title + claims.x").ClaimNames(); all || !slices.Equal(names, []string{"x"}) {
		t.Errorf("claims read: %q %v", names, all)
	}
	for text, reads := range map[string]bool{"login.hook == 'x'": true, "[1].map(x, login)": true, "identity.login": false, `"login"`: false} {
		if compile(t, text).ReadsLogin() != reads {
			t.Errorf("%s: reads login = %v", text, !reads)
		}
	}
	if _, plain := compile(t, "identity.traits.title").ClaimPath(); plain {
		t.Error("a trait is taken for a claim")
	}
}
