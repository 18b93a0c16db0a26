package expr_test

import (
	"slices"
	"testing"

	"github.com/jithook/jithook/internal/expr"
)

// What a rule may read of a login is known without evaluating it, wherever in the
// text it stands.
func TestLoginNames(t *testing.T) {
	env, err := expr.NewTargetEnv()
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]struct {
		names []string
		all   bool
	}{
		`identity.userstore == "x"`:                         {},
		`login.provider == "acme" || login["issuer"] != ""`: {[]string{"issuer", "provider"}, false},
		`groups.exists(g, g == login.subject)`:              {[]string{"subject"}, false},
		`has(login.caller)`:                                 {[]string{"caller"}, false},
		`size(login) > 1`:                                   {nil, true},
		`login[identity.id] == "x"`:                         {nil, true},
		`"subject" in login`:                                {nil, true},
		`groups.exists(g, [login].size() > 0)`:              {nil, true},
		`identity.login == "x"`:                             {},
	} {
		p, err := env.CompileBool(expr.Source{Text: text})
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if names, all := p.LoginNames(); !slices.Equal(names, want.names) || all != want.all {
			t.Errorf("%s reads %q, %v, want %q, %v", text, names, all, want.names, want.all)
		}
	}
}

// Groups are a variable of targets' rules alone: elsewhere nobody would set them.
func TestTargetEnv(t *testing.T) {
	env, err := expr.NewTargetEnv()
	if err != nil {
		t.Fatal(err)
	}
	source := expr.Source{Text: `"eng" in groups && login.provider == "acme"`}
	p, err := env.CompileBool(source)
	if err != nil {
		t.Fatal(err)
	}
	login := map[string]any{"provider": "acme"}
	for name, c := range map[string]struct {
		vars expr.Vars
		want bool
	}{
		"in it":   {expr.Vars{Login: login, Groups: []string{"eng", "staff"}}, true},
		"another": {expr.Vars{Login: login, Groups: []string{"staff"}}, false},
		"none":    {expr.Vars{Login: login}, false},
	} {
		if got, err := p.EvalBool(t.Context(), c.vars); err != nil || got != c.want {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if _, err := p.EvalBool(t.Context(), expr.Vars{Groups: []string{"eng"}}); err == nil {
		t.Error("a login of which nothing is kept counts as one")
	}
	all, err := expr.NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := all.CompileBool(source); err == nil {
		t.Error("groups are there where nobody sets them")
	}
}
