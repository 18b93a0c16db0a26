// These tests prove that converted rules give the traits that the mapper gives:
// each mapper of the table is run by go-jsonnet, as Kratos runs it, over many
// variants of a provider's claims, and its rules are asked about the same ones.
// What cannot be shown equal is left out, by name and place.
package convert_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-jsonnet"

	"github.com/jithook/jithook/claims/idtoken"
	"github.com/jithook/jithook/internal/expr"
	"github.com/jithook/jithook/internal/safedial"
	"github.com/jithook/jithook/kratos/convert"
	"github.com/jithook/jithook/mapper"
	"github.com/jithook/jithook/policy"
	"github.com/jithook/jithook/provider"
)

var update = flag.Bool("update", false, "rewrite the rules and problems in testdata")

// claims are what a provider says of somebody, of everything something.
const claims = `{
	"iss": "https://acme.example", "sub": "s-1", "email": "Ann@Acme.Example", "email_verified": true,
	"name": "Ann Lee", "given_name": "Ann", "family_name": "Lee", "nickname": "al", "preferred_username": "annl", "hd": "acme.example",
	"phone_number": "+49123", "phone_number_verified": true, "locale": "de", "picture": "https://acme.example/ann.png", "website": "https://ann.example",
	"groups": ["Eng", "staff", "x"], "roles": [{"name": "admin"}, {"name": "dev"}], "address": {"country": "DE", "locality": "Ulm"},
	"tid": "t-1", "oid": "o-1", "level": 3, "department": "R&D", "login": "annl"}`

// instead are values that a claim may have for another one.
var instead = []string{`true`, `false`, `"true"`, `"false"`, `3`, `1.5`, `"other"`, `"a@b@c"`, `[]`, `["Eng"]`, `["a", null]`, `[3]`, `{}`, `{"country": "FR"}`, `""`}

// texts are claims that Kratos itself wants to be strings, and reads no other.
var texts = []string{"iss", "sub", "email", "name", "given_name", "family_name", "nickname", "preferred_username", "hd", "phone_number", "locale", "picture", "website"}

// variants yields claims with one or two missing, or one of another kind.
func variants(t *testing.T, each func(raw map[string]any, odd bool)) {
	t.Helper()
	var base map[string]any
	if err := json.Unmarshal([]byte(claims), &base); err != nil {
		t.Fatal(err)
	}
	each(base, false)
	names := slices.Sorted(maps.Keys(base))
	for i, name := range names {
		one := maps.Clone(base)
		delete(one, name)
		each(one, false)
		for _, other := range names[i+1:] {
			two := maps.Clone(one)
			delete(two, other)
			each(two, false)
		}
		for _, text := range instead {
			var v any
			if err := json.Unmarshal([]byte(text), &v); err != nil {
				t.Fatal(err)
			}
			changed := maps.Clone(base)
			changed[name] = v
			_, isText := v.(string)
			_, wasText := base[name].(string)
			switch {
			case slices.Contains(texts, name) && (!isText || v == ""):
				continue // Kratos refuses the first, and leaves out the second, as the output says
			case strings.HasSuffix(name, "_verified") && v != true && v != false && v != "true" && v != "false":
				continue // Kratos refuses it
			}
			each(changed, isText != wasText || v == "")
		}
	}
	each(map[string]any{"iss": base["iss"], "sub": base["sub"]}, false)
	each(map[string]any{"iss": base["iss"], "sub": base["sub"], "email": base["email"], "email_verified": false}, false)
}

// kratosClaims are what Kratos makes of them for std.extVar('claims').
func kratosClaims(raw map[string]any) map[string]any {
	out := map[string]any{"raw_claims": raw}
	for _, name := range texts {
		if v, ok := raw[name]; ok && v != "" {
			out[name] = v
		}
	}
	for _, name := range []string{"email_verified", "phone_number_verified"} {
		if v := raw[name]; v == true || v == "true" {
			out[name] = true
		}
	}
	return out
}

// said is what comes of a login: its traits, and those that are verified.
type said struct {
	Refused  bool
	Traits   map[string]any
	Verified []string
}

// original runs the mapper.
func original(t *testing.T, source string, raw map[string]any) said {
	t.Helper()
	text, err := json.Marshal(kratosClaims(raw))
	if err != nil {
		t.Fatal(err)
	}
	vm := jsonnet.MakeVM()
	vm.ExtCode("claims", string(text))
	out, err := vm.EvaluateAnonymousSnippet("mapper.jsonnet", source)
	if err != nil {
		return said{Refused: true}
	}
	var result struct {
		Identity struct {
			Traits   map[string]any
			Verified []struct{ Value string } `json:"verified_addresses"`
		}
	}
	if err := json.Unmarshal([]byte(out), &result); err != nil {
		t.Fatal(err)
	}
	s := said{Traits: map[string]any{}}
	if kept, ok := withoutNothing(result.Identity.Traits).(map[string]any); ok {
		s.Traits = kept
	}
	for _, a := range result.Identity.Verified {
		s.Verified = append(s.Verified, a.Value)
	}
	return s
}

// withoutNothing drops members that are null, and objects of nothing else: to
// rules these are no values.
func withoutNothing(v any) any {
	m, ok := v.(map[string]any)
	if !ok {
		return v
	}
	out := map[string]any{}
	for key, item := range m {
		if item = withoutNothing(item); item != nil {
			out[key] = item
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// load makes a provider of converted rules.
func load(t *testing.T, rules convert.Rules) *provider.Provider {
	t.Helper()
	env, err := expr.NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	keys := idtoken.NewKeys(safedial.Guard{}, time.Now, slog.New(slog.DiscardHandler))
	file := "version: 1\nprovider: acme\nissuer: https://acme.example\ntrust: {email_verified: true}\n" + rules.YAML()
	set, problems := provider.Loader{Env: env, Userstores: []string{"default"}, Keys: keys, Now: time.Now}.Load(fstest.MapFS{"acme.yaml": {Data: []byte(file)}})
	if len(problems) > 0 {
		t.Fatalf("%v\n%s", problems, file)
	}
	p, _ := set.Get("acme")
	return p
}

// converted asks the rules.
func converted(t *testing.T, p *provider.Provider, raw map[string]any) said {
	t.Helper()
	v := expr.Vars{Claims: raw}
	verdict, err := p.Policy.Decide(t.Context(), policy.Input{Vars: v})
	if err != nil {
		t.Fatal(err)
	}
	result, err := p.Mapping.Map(t.Context(), v)
	if !verdict.Allow || err != nil {
		return said{Refused: true}
	}
	s := said{Traits: map[string]any{}}
	for _, trait := range result.Traits {
		if trait.Action != mapper.Set {
			continue
		}
		at := s.Traits
		names := strings.Split(strings.TrimPrefix(trait.Path, "/"), "/")
		for _, name := range names[:len(names)-1] {
			if at[name] == nil {
				at[name] = map[string]any{}
			}
			at = at[name].(map[string]any)
		}
		at[names[len(names)-1]] = trait.Value
		if trait.Verified {
			s.Verified = append(s.Verified, trait.Value.(string))
		}
	}
	var plain map[string]any // numbers as they are in JSON
	if err := json.Unmarshal([]byte(jsonText(s.Traits)), &plain); err != nil {
		t.Fatal(err)
	}
	s.Traits = map[string]any{}
	if kept, ok := withoutNothing(plain).(map[string]any); ok {
		s.Traits = kept
	}
	return s
}

// TestEqual holds the rules of each mapper in testdata/equal to it. Where a
// claim is of another kind than it should be, rules may refuse what the mapper
// made something of; they may never make something else.
func TestEqual(t *testing.T) {
	files, err := filepath.Glob("testdata/equal/*.jsonnet")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d mappers, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".jsonnet"), func(t *testing.T) {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			rules, err := convert.Jsonnet(filepath.Base(file), string(source))
			if err != nil {
				t.Fatal(err)
			}
			if len(rules.Left) > 0 {
				t.Fatalf("left: %v", rules.Left)
			}
			if name := strings.TrimSuffix(file, ".jsonnet") + ".yaml"; *update {
				if err := os.WriteFile(name, []byte(rules.YAML()), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if want, err := os.ReadFile(name); err != nil || string(want) != rules.YAML() {
				t.Errorf("%v, rules (-want +got):\n%s", err, cmp.Diff(string(want), rules.YAML()))
			}
			p := load(t, rules)
			passed, stricter := 0, 0
			variants(t, func(raw map[string]any, odd bool) {
				want, got := original(t, string(source), raw), converted(t, p, raw)
				switch {
				case cmp.Equal(want, got):
					if !got.Refused {
						passed++
					}
				case got.Refused && (odd || slices.ContainsFunc(want.Verified, noAddress)):
					stricter++
				default:
					t.Errorf("claims %s (-mapper +rules):\n%s\n%s", jsonText(raw), cmp.Diff(want, got), rules.YAML())
				}
			})
			if passed == 0 {
				t.Error("no claims passed: nothing was compared")
			}
			t.Logf("%d gave the same traits, %d of the wrong kind were refused", passed, stricter)
		})
	}
}

// noAddress reports whether a verified address is none: the output says that
// these are refused.
func noAddress(s string) bool {
	_, why := mapper.Check(s, mapper.CanonicalEmail)
	return why != ""
}

func jsonText(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(err)
	}
	return string(data)
}

// TestLeft: what cannot be shown equal is left out, with its place and why.
func TestLeft(t *testing.T) {
	const with = "local claims = std.extVar('claims');\n{identity: {traits: {name: claims.name, x:\n%s}}}"
	tests := map[string]struct{ value, want string }{
		"a claim that Kratos never has":     {"claims.groups", "3:1: Kratos's claims never have groups"},
		"the provider's own subject":        {"claims.raw_claims.sub", "3:1: rules see Kratos's sub alone"},
		"all claims":                        {"claims", "3:1: all claims at once"},
		"all raw claims":                    {"claims.raw_claims", "3:1: all claims at once"},
		"a sum of two claims":               {"claims.name + claims.email", "3:1: what + does here depends on the claims"},
		"self":                              {"self.name", "3:1: this part of Jsonnet"},
		"an import":                         {"import 'x.libsonnet'", "3:1: this part of Jsonnet"},
		"a comparison":                      {"claims.updated_at > 3", "3:1: this operator"},
		"an unknown function":               {"std.trim(claims.name)", "3:1: std.trim cannot be converted"},
		"a native function":                 {"std.native('f')(claims.name)", "3:1: this call cannot be converted"},
		"another variable":                  {"std.extVar('identity').id", "3:1: rules know no external variable but claims"},
		"a name that means nothing":         {"nobody", "3:1: nobody means nothing here"},
		"a computed claim":                  {"claims[claims.name]", "3:1: all claims at once"},
		"a computed question":               {"claims.name in claims", "3:1: which claim this asks for"},
		"a member that is computed":         {"{[claims.name]: 1}", "3:3: the name of a member must be a constant"},
		"a condition inside a list":         {"[{[if 'name' in claims then 'n']: 1}]", "3:35: n depends on a condition"},
		"a field twice":                     {"{a: 1, [if 'name' in claims then 'a']: 2}", "a stands twice"},
		"deep sum":                          {"{a+: {b: 1}}", "3:6: assert, +:"},
		"a loop that needs a claim":         {"[g + claims.name for g in ['a']]", "3:2: what + does here"},
		"a loop that needs one, as a value": {"[claims.name for g in ['a']]", "3:1: a loop whose turns need claims"},
		"two loops":                         {"[a for a in [1] for b in [2]]", "3:1: a loop within a loop"},
		"a number format":                   {"'%d' % [claims.updated_at]", "3:1: of formats"},
		"a recursion":                       {"local f(x) = f(x); f(1)", "3:14: definitions lead too deep"},
		"a recursion that grows":            {"local f(x) = 'a' + f(x); f(1)", "definitions lead too deep"},
		"a recursion that doubles":          {"local f(x, n) = if n == 'a' then x else f(f(x, n), n); f('x', claims.name)", "definitions lead too deep"},
		"an expression that is too long":    {"local a = [claims.name, claims.name]; local b = [a, a, a, a, a, a]; local c = [b, b, b, b, b, b]; [c, c, c, c, c, c]", "longer than 4096 bytes"},
		"an object or another":              {"if 'name' in claims then {a: 1} else 'b'", "3:38: this is no object"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			rules, err := convert.Jsonnet("m.jsonnet", fmt.Sprintf(with, test.value))
			if err != nil {
				t.Fatal(err)
			}
			if len(rules.Left) != 1 || !strings.Contains(rules.Left[0].String(), test.want) || !strings.HasPrefix(rules.Left[0].String(), "m.jsonnet:3:") {
				t.Errorf("left %v, want one: %s", rules.Left, test.want)
			}
			if len(rules.Traits) != 1 || rules.Traits[0].Name != "name" {
				t.Errorf("the rest: %+v", rules.Traits)
			}
		})
	}
}

// TestLeftOutside is TestLeft for what is around the traits.
func TestLeftOutside(t *testing.T) {
	tests := map[string]struct {
		mapper string
		want   []string
	}{
		"a function":      {"function(x) {identity: {}}", []string{"m.jsonnet:1:1: this is no object whose members can be told"}},
		"something else":  {"{identity: {traits: {a: 'x'}}, other: 1}", []string{"m.jsonnet:1:39: other: Kratos reads identity alone"}},
		"metadata":        {"{identity: {traits: {a: 'x'}, metadata_public: {}}}", []string{"m.jsonnet:1:48: metadata_public: rules make traits and groups; jithook has no such thing"}},
		"a phone":         {"{identity: {traits: {a: 'x'}, verified_addresses: [{via: 'sms', value: 'x'}]}}", []string{"m.jsonnet:1:52: a verified address must be {via: 'email', value: …}"}},
		"another address": {"{identity: {traits: {a: 'x'}, verified_addresses: [{via: 'email', value: 'y'}]}}", []string{"m.jsonnet:1:52: no trait has this very value: rules verify traits"}},
		"a conditional identity": {"{[if 'email' in std.extVar('claims') then 'identity']: {traits: {a: 'x'}}}",
			[]string{"m.jsonnet:1:56: identity depends on a condition: make its traits depend on it one by one"}},
		"a trait inside another one": {"{identity: {traits: {a: {b: 'x'}} + {'a/b': 'y'}}}", []string{"m.jsonnet:1:45: a/b: it stands twice"}},
		"names too deep":             {"{identity: {traits: {a: {b: {c: {d: {e: 1}}}}}}}", []string{"m.jsonnet:1:41: a/b/c/d/e: no trait can have this name"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			rules, err := convert.Jsonnet("m.jsonnet", test.mapper)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range rules.Left {
				got = append(got, p.String())
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	if _, err := convert.Jsonnet("m.jsonnet", "{"); err == nil || !strings.HasPrefix(err.Error(), "m.jsonnet:1:2") {
		t.Errorf("no Jsonnet at all: %v", err)
	}
}

// TestNotes: where rules do something else, it is said.
func TestNotes(t *testing.T) {
	const mapper = `local claims = { email_verified: false } + std.extVar('claims');
{ identity: { traits: {
  [if claims.email_verified then 'email']: claims.name,
  home: { [if 'locale' in claims then 'locale']: claims.locale, [if 'x' in claims.raw_claims then 'x']: claims.raw_claims.x },
} } }`
	rules, err := convert.Jsonnet("m.jsonnet", mapper)
	if err != nil || len(rules.Left) > 0 {
		t.Fatal(err, rules.Left)
	}
	want := []string{"1:1: email is there only if it is verified", "4:9: without a value for any of its members, the mapper makes home an empty object", "4:76: raw_claims are called claims"}
	if len(rules.Notes) != len(want) {
		t.Fatalf("%v", rules.Notes)
	}
	for i, note := range rules.Notes {
		if !strings.HasPrefix(note.String(), "m.jsonnet:"+want[i]) {
			t.Errorf("%s, want %s", note, want[i])
		}
	}
}

// FuzzJsonnet proves that no mapper makes the conversion panic or go on for
// long, and that what it yields loads as a provider's file.
func FuzzJsonnet(f *testing.F) {
	files, err := filepath.Glob("testdata/equal/*.jsonnet")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(source))
	}
	f.Fuzz(func(t *testing.T, source string) {
		if len(source) > 4096 {
			return
		}
		rules, err := convert.Jsonnet("m.jsonnet", source)
		if err != nil || len(rules.Traits) == 0 {
			return
		}
		load(t, rules)
	})
}
