package expr_test

// These tests prove that an explanation comes to what the evaluation comes to,
// and shows what was evaluated, where, and what was not.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jithook/jithook/internal/expr"
)

func TestExplain(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string // line:col text = value
	}{
		"a comparison":    {`claims.n == 1`, []string{"1:6 claims.n = 1", "1:9 claims.n == 1 = true"}},
		"a short cut":     {`claims.no && claims.x`, []string{"1:6 claims.no = false", "1:10 claims.no && claims.x = false"}},
		"a missing claim": {`claims.x == 1`, []string{"1:6 claims.x ! the claim /x is missing", "1:9 claims.x == 1 ! the claim /x is missing"}},
		"a loop":          {`claims.groups.exists(g, g == "eng")`, []string{`1:6 claims.groups = ["eng","staff",{"name":"x"}]`, `1:20 claims.groups.exists(g, g == "eng") = true`}},
		"a branch":        {`claims.yes ? claims.addr.country : claims.x`, []string{"1:6 claims.yes = true", `1:11 claims.yes ? claims.addr.country : claims.x = "DE"`, `1:19 claims.addr = {"country":"DE"}`, `1:24 claims.addr.country = "DE"`}},
		"two lines":       {"claims.yes\n  && claims.n > 3", []string{"1:6 claims.yes = true", "2:2 claims.yes && claims.n > 3 = false", "2:11 claims.n = 1", "2:14 claims.n > 3 = false"}},
		"presence":        {"has(claims.x)", []string{"1:3 has(claims.x) = false"}},
		"a failure":       {"size(claims.n)", []string{"1:4 size(claims.n) ! failed", "1:11 claims.n = 1"}},
		"a list, a map":   {`[claims.n, {"a": claims.f}]`, []string{`1:0 [claims.n, {"a": claims.f}] = [1,{"a":1.5}]`, "1:7 claims.n = 1", `1:11 {"a": claims.f} = {"a":1.5}`, "1:23 claims.f = 1.5"}},
	} {
		t.Run(name, func(t *testing.T) {
			x, err := compile(t, c.text).Explain(t.Context(), vars())
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, s := range x.Steps {
				value, _ := json.Marshal(s.Value)
				line := fmt.Sprintf("%d:%d %s = %s", s.Line, s.Col, s.Text, value)
				if s.Failure != "" {
					line = fmt.Sprintf("%d:%d %s ! %s", s.Line, s.Col, s.Text, s.Failure)
				}
				got = append(got, line)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("steps\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}

func TestBranches(t *testing.T) {
	p := compile(t, `claims.yes ? (claims.no ? "a" : string(claims.n)) : claims.groups.exists(g, g == "x") ? size(claims.s) : claims.x`)
	x, err := p.Explain(t.Context(), vars())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for n, b := range p.Branches() {
		got = append(got, fmt.Sprintf("%s %s %t", b.Pos, b.Text, x.Taken[n]))
	}
	want := []string{
		`acme.yaml:10:19 claims.no ? "a" : string(claims.n) true`,
		`acme.yaml:10:57 claims.groups.exists(g, g == "x") ? size(claims.s) : claims.x false`,
		`acme.yaml:10:31 "a" false`,
		`acme.yaml:10:43 string(claims.n) true`,
		`acme.yaml:10:97 size(claims.s) false`,
		`acme.yaml:10:110 claims.x false`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("branches\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestBranchesOfLogic: a part of || or && is taken where it decides; what is
// within a loop goes many ways at once and is left out.
func TestBranchesOfLogic(t *testing.T) {
	for text, want := range map[string]string{
		`claims.yes || claims.no || claims.x`:                          "claims.yes true, claims.no false, claims.x false",
		`claims.no || claims.yes`:                                      "claims.no false, claims.yes true",
		`claims.yes && !claims.no && claims.n == 2`:                    "claims.yes false, !claims.no false, claims.n == 2 true",
		`claims.yes && (claims.no || claims.n == 1)`:                   "claims.yes false, claims.no || claims.n == 1 false, claims.no false, claims.n == 1 true",
		`claims.groups.exists(g, g == "x" || g == "eng")`:              "",
		`claims.groups.filter(g, g == "x" ? true : false).size() == 0`: "",
		`(claims.yes ? claims.no : claims.x) || claims.yes`:            "claims.yes ? claims.no : claims.x false, claims.yes true, claims.no true, claims.x false",
	} {
		p := compile(t, text)
		x, err := p.Explain(t.Context(), vars())
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for n, b := range p.Branches() {
			got = append(got, fmt.Sprintf("%s %t", b.Text, x.Taken[n]))
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%s: %s, want %s", text, strings.Join(got, ", "), want)
		}
	}
}

// What is explained is what was decided.
func FuzzExplain(f *testing.F) {
	for _, text := range []string{"claims.a || claims.b", "claims.g.map(x, x.y)", "has(claims.a.b) ? claims.a.b : claims.c", "[claims.a, {'b': claims.b}]", "claims.g[0] / 0"} {
		f.Add(text, `{"a":true,"g":["x",{"y":1}]}`)
		f.Add(text, `{"b":false,"a":{"b":null}}`)
	}
	env := newEnv(f)
	f.Fuzz(func(t *testing.T, text, claims string) {
		var v expr.Vars
		if json.Unmarshal([]byte(claims), &v.Claims) != nil {
			return
		}
		p, err := env.Compile(at(text))
		if err != nil {
			return
		}
		value, failure := p.Eval(t.Context(), v)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		x, err := p.Explain(ctx, v)
		var failed *expr.RuntimeError
		if errors.As(failure, &failed) && strings.Contains(failed.Message, "costs too much") {
			return // what ends an explanation is its deadline
		}
		if err != nil || (x.Err == nil) != (failure == nil) || failure == nil && !reflect.DeepEqual(value, x.Value) {
			t.Errorf("explained: %v, %v, %v; evaluated: %v, %v", x.Value, x.Err, err, value, failure)
		}
	})
}

func BenchmarkExplain(b *testing.B) {
	p := compile(b, `claims.yes && claims.groups.exists(g, g == "staff") && claims.addr.country == "DE"`)
	v := vars()
	b.Run("plain", func(b *testing.B) {
		for b.Loop() {
			_, _ = p.Eval(b.Context(), v)
		}
	})
	b.Run("explained", func(b *testing.B) {
		for b.Loop() {
			_, _ = p.Explain(b.Context(), v)
		}
	})
}
