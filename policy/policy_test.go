// These tests prove the order of a policy's rules, that a rule which cannot be
// evaluated denies, whichever it is, and that the verdict names the rule.
package policy_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/expr"
	"github.com/jithook/jithook/policy"
)

func at(line int, text string) expr.Source {
	return expr.Source{Text: text, File: "acme.yaml", Line: line, Col: 9}
}

func newPolicy(t testing.TB, allow string, deny ...policy.DenyRule) *policy.Policy {
	t.Helper()
	env, err := expr.NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	s := policy.Spec{Enabled: true, Userstore: policy.Userstore{Name: "employees"}, File: "acme.yaml", Deny: deny}
	if allow != "" {
		source := at(3, allow)
		s.Allow = &source
	}
	p, err := policy.New(env, s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestDecide(t *testing.T) {
	guest := policy.DenyRule{When: at(5, `claims.acct == 1`), Code: "guest", Message: "Guests have no account here."}
	bare := policy.DenyRule{When: at(6, `claims.acct == 2`), Code: "robot"}
	guarded := policy.DenyRule{When: at(7, `has(claims.acct) && claims.acct == 1`), Code: "guest"}

	allowed := identity.Because(identity.CodeAllowed)
	notAllowed := identity.Because(identity.CodeNotAllowed)
	ruleError := identity.Because(identity.CodeRuleError)
	missing := func(path string) identity.Reason { return identity.BecauseOf(identity.CodeRuleError, path) }

	tests := map[string]struct {
		allow  string
		deny   []policy.DenyRule
		claims map[string]any
		want   identity.Verdict
	}{
		"no rules":                  {"", nil, nil, identity.Verdict{Allow: true, Reason: allowed, Rule: "acme.yaml"}},
		"allow is true":             {`claims.hd == "acme"`, nil, map[string]any{"hd": "acme"}, identity.Verdict{Allow: true, Reason: allowed, Rule: "acme.yaml:3:9"}},
		"allow is false":            {`claims.hd == "acme"`, nil, map[string]any{"hd": "else"}, identity.Verdict{Reason: notAllowed, Rule: "acme.yaml:3:9"}},
		"allow lacks a claim":       {`claims.org.hd == "acme"`, nil, nil, identity.Verdict{Reason: missing("/claims/org"), Rule: "acme.yaml:3:9"}},
		"allow fails":               {`claims.hd.x == "acme"`, nil, map[string]any{"hd": "acme"}, identity.Verdict{Reason: ruleError, Rule: "acme.yaml:3:9"}},
		"allow is the string true":  {"claims.ok", nil, map[string]any{"ok": "true"}, identity.Verdict{Reason: ruleError, Rule: "acme.yaml:3:9"}},
		"allow is one":              {"claims.ok", nil, map[string]any{"ok": int64(1)}, identity.Verdict{Reason: ruleError, Rule: "acme.yaml:3:9"}},
		"allow is null":             {"claims.ok", nil, map[string]any{"ok": nil}, identity.Verdict{Reason: ruleError, Rule: "acme.yaml:3:9"}},
		"deny matches":              {"true", []policy.DenyRule{guest}, map[string]any{"acct": int64(1)}, identity.Verdict{Reason: identity.Reason{Code: identity.CodeDenyRule, Text: "Guests have no account here.", Rule: "guest"}, Rule: "acme.yaml:5:9"}},
		"deny without a message":    {"true", []policy.DenyRule{bare}, map[string]any{"acct": int64(2)}, identity.Verdict{Reason: identity.Reason{Code: identity.CodeDenyRule, Text: identity.CodeDenyRule.Text(), Rule: "robot"}, Rule: "acme.yaml:6:9"}},
		"the first that matches":    {"true", []policy.DenyRule{bare, guarded, guest}, map[string]any{"acct": int64(1)}, identity.Verdict{Reason: identity.Reason{Code: identity.CodeDenyRule, Text: identity.CodeDenyRule.Text(), Rule: "guest"}, Rule: "acme.yaml:7:9"}},
		"deny does not match":       {"", []policy.DenyRule{guest, bare}, map[string]any{"acct": int64(0)}, identity.Verdict{Allow: true, Reason: allowed, Rule: "acme.yaml"}},
		"S59 deny lacks a claim":    {"true", []policy.DenyRule{guest}, nil, identity.Verdict{Reason: missing("/claims/acct"), Rule: "acme.yaml:5:9"}},
		"deny fails":                {"true", []policy.DenyRule{{When: at(5, "claims.acct")}}, map[string]any{"acct": "true"}, identity.Verdict{Reason: ruleError, Rule: "acme.yaml:5:9"}},
		"deny guards":               {"true", []policy.DenyRule{guarded}, nil, identity.Verdict{Allow: true, Reason: allowed, Rule: "acme.yaml:3:9"}},
		"a failed deny ends it":     {"true", []policy.DenyRule{guest, {When: at(8, "true"), Code: "all"}}, nil, identity.Verdict{Reason: missing("/claims/acct"), Rule: "acme.yaml:5:9"}},
		"deny goes before allow":    {"false", []policy.DenyRule{guest}, map[string]any{"acct": int64(1)}, identity.Verdict{Reason: identity.Reason{Code: identity.CodeDenyRule, Text: "Guests have no account here.", Rule: "guest"}, Rule: "acme.yaml:5:9"}},
		"costs are a failure":       {"claims.g.all(a, claims.g.all(b, claims.g.all(c, true)))", nil, map[string]any{"g": make([]any, 1000)}, identity.Verdict{Reason: ruleError, Rule: "acme.yaml:3:9"}},
		"a name with a slash":       {`claims["a/b"] == 1`, nil, nil, identity.Verdict{Reason: missing("/claims/a~1b"), Rule: "acme.yaml:3:9"}},
		"the other branch's claim":  {"has(claims.a) ? claims.a : claims.b", nil, nil, identity.Verdict{Reason: missing("/claims/b"), Rule: "acme.yaml:3:9"}},
		"one side of or is there":   {"claims.a || claims.b", nil, map[string]any{"b": true}, identity.Verdict{Allow: true, Reason: allowed, Rule: "acme.yaml:3:9"}},
		"one side of or is missing": {"claims.a || claims.b", nil, map[string]any{"b": false}, identity.Verdict{Reason: missing("/claims/a"), Rule: "acme.yaml:3:9"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := newPolicy(t, test.allow, test.deny...).Decide(t.Context(), policy.Input{Vars: expr.Vars{Claims: test.claims}})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("verdict (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecideSeesLoginAndIdentity(t *testing.T) {
	p := newPolicy(t, `login.provider == "acme" && (identity == null || !("admins" in identity.groups))`)
	for name, test := range map[string]struct {
		identity map[string]any
		want     bool
	}{
		"nobody yet": {nil, true},
		"somebody":   {map[string]any{"groups": []any{"eng"}}, true},
		"protected":  {map[string]any{"groups": []any{"admins"}}, false},
	} {
		v, err := p.Decide(t.Context(), policy.Input{Vars: expr.Vars{Login: map[string]any{"provider": "acme"}, Identity: test.identity}})
		if err != nil || v.Allow != test.want {
			t.Errorf("%s: allowed %t (%v), want %t", name, v.Allow, err, test.want)
		}
	}
}

func TestDecideReturnsTheContextsError(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, p := range map[string]*policy.Policy{
		"allow": newPolicy(t, "true"),
		"deny":  newPolicy(t, "", policy.DenyRule{When: at(5, "false")}),
	} {
		v, err := p.Decide(ctx, policy.Input{})
		if !errors.Is(err, context.Canceled) || v.Allow {
			t.Errorf("%s: %v, %v", name, v, err)
		}
	}
}

func TestNewReportsAllProblems(t *testing.T) {
	env, err := expr.NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	allow := at(3, "a && b")
	_, err = policy.New(env, policy.Spec{Allow: &allow, Deny: []policy.DenyRule{{When: at(5, "1")}, {When: at(6, "true")}, {When: at(7, "")}}})
	if err == nil {
		t.Fatal("no error")
	}
	for _, place := range []string{"acme.yaml:3:9: ", "acme.yaml:3:14: ", "acme.yaml:5:9: ", "acme.yaml:7:9: "} {
		if !strings.Contains(err.Error(), place) {
			t.Errorf("no problem at %s:\n%v", place, err)
		}
	}
	var one *expr.CompileError
	if !errors.As(err, &one) {
		t.Errorf("%T is no *CompileError", err)
	}
}

func TestPolicyDescribesItself(t *testing.T) {
	p := newPolicy(t, "claims.a", policy.DenyRule{When: at(5, "claims.b")})
	if name, from := p.Userstore(); !p.Enabled() || name != "employees" || from != "" {
		t.Errorf("enabled %t, userstore %q, from %q", p.Enabled(), name, from)
	}
	var texts []string
	for _, program := range p.Programs() {
		texts = append(texts, program.Source().Text)
	}
	if diff := cmp.Diff([]string{"claims.b", "claims.a"}, texts); diff != "" {
		t.Error(diff)
	}
}

func TestPlace(t *testing.T) {
	for name, c := range map[string]struct {
		from   string
		claims map[string]any
		want   string
		code   identity.Code
		rule   string
	}{
		"a name":          {"", nil, "employees", identity.CodeAllowed, "acme.yaml"},
		"an expression":   {`claims.org == "x" ? "a" : "b"`, map[string]any{"org": "x"}, "a", identity.CodeAllowed, "acme.yaml:4:9"},
		"without a claim": {"claims.org", nil, "", identity.CodeRuleError, "acme.yaml:4:9"},
		"no string":       {"claims.org", map[string]any{"org": []any{"a"}}, "", identity.CodeRuleError, "acme.yaml:4:9"},
	} {
		t.Run(name, func(t *testing.T) {
			env, err := expr.NewEnv()
			if err != nil {
				t.Fatal(err)
			}
			s := policy.Spec{Userstore: policy.Userstore{Name: "employees"}, File: "acme.yaml"}
			if c.from != "" {
				source := at(4, c.from)
				s.Userstore.From = &source
			}
			p, err := policy.New(env, s)
			if err != nil {
				t.Fatal(err)
			}
			got, v, err := p.Place(t.Context(), policy.Input{Vars: expr.Vars{Claims: c.claims}})
			if err != nil || got != c.want || v.Reason.Code != c.code || v.Rule != c.rule || v.Allow != (c.code == identity.CodeAllowed) {
				t.Errorf("%q %+v %v, want %q, %s at %s", got, v, err, c.want, c.code, c.rule)
			}
			// What an identity server's mapper must send along.
			if n := len(p.Programs()); (n == 1) != (c.from != "") {
				t.Errorf("%d expressions", n)
			}
			if name, from := p.Userstore(); (name == "employees") != (c.from == "") || from != c.from {
				t.Errorf("userstore %q from %q", name, from)
			}
		})
	}
}
