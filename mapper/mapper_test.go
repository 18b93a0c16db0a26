// These tests prove what fixtures cannot show: the limits, the problems of a
// mapping that cannot work, what a mapping says of itself, and that no error
// contains a value.
package mapper_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/expr"
	"github.com/jithook/jithook/mapper"
)

// nested returns a value in depth lists.
func nested(depth int) any {
	var v any = "x"
	for range depth {
		v = []any{v}
	}
	return v
}

func TestLimitsOfATrait(t *testing.T) {
	long := strings.Repeat("x", mapper.MaxString)
	quotes := strings.Repeat(`"`, mapper.MaxString-1) // two bytes each in JSON
	tests := map[string]struct {
		value any
		want  identity.Code // "" is none
	}{
		"string at the limit":      {long, ""},
		"string beyond":            {long + "x", identity.CodeTraitInvalid},
		"string beyond in a list":  {[]any{long + "x"}, identity.CodeTraitInvalid},
		"key beyond":               {map[string]any{long + "x": true}, identity.CodeTraitInvalid},
		"depth at the limit":       {nested(mapper.MaxDepth), ""},
		"depth beyond":             {nested(mapper.MaxDepth + 1), identity.CodeTraitInvalid},
		"depth beyond in a map":    {map[string]any{"a": nested(mapper.MaxDepth)}, identity.CodeTraitInvalid},
		"trait at the limit":       {[]any{long, long, long, long[:mapper.MaxTrait-3*mapper.MaxString-13]}, ""},
		"trait beyond":             {[]any{long, long, long, long[:mapper.MaxTrait-3*mapper.MaxString-12]}, identity.CodeTraitInvalid},
		"trait beyond when quoted": {[]any{quotes, quotes, quotes}, identity.CodeTraitInvalid},
		"trait of many numbers":    {make([]any, mapper.MaxTrait), identity.CodeTraitInvalid},
		"HTML is not escaped":      {[]any{strings.Repeat("<", mapper.MaxString)}, ""},
	}
	m := newMapping(t, []byte(`{"traits": [{"name": "a", "value": ["claims.a"]}]}`))
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			result, err := m.Map(t.Context(), expr.Vars{Claims: map[string]any{"a": test.value}})
			var rejected *mapper.Rejection
			switch {
			case test.want == "" && (err != nil || result.Traits[0].Action != mapper.Set):
				t.Errorf("error %v", err)
			case test.want != "" && (!errors.As(err, &rejected) || rejected.Reason.Code != test.want || rejected.Reason.Path != "/traits/a"):
				t.Errorf("error %v, want %s at /traits/a", err, test.want)
			}
		})
	}
}

func TestLimitOfGroups(t *testing.T) {
	list := make([]any, mapper.MaxGroups+1)
	for i := range list {
		list[i] = "eng"
	}
	for _, absent := range []string{"keep", "clear", "reject"} {
		m := newMapping(t, fmt.Appendf(nil, `{"groups": {"from": "claims.groups", "allow": ["eng"], "absent": %q}}`, absent))
		result, err := m.Map(t.Context(), expr.Vars{Claims: map[string]any{"groups": list[:mapper.MaxGroups]}})
		if err != nil || len(result.Groups.Names) != 1 {
			t.Errorf("%s: at the limit: %v, %v", absent, result.Groups, err)
		}
		_, err = m.Map(t.Context(), expr.Vars{Claims: map[string]any{"groups": list}})
		var rejected *mapper.Rejection
		if !errors.As(err, &rejected) || rejected.Reason.Code != identity.CodeGroupsUnknown || rejected.Reason.Path != "/groups" {
			t.Errorf("%s: beyond: %v", absent, err)
		}
	}
}

func TestErrorsContainNoValue(t *testing.T) {
	const secret = "s3cret"
	for name, mapping := range map[string]string{
		"canonical": `{"traits": [{"name": "a", "value": ["claims.a"], "canonical": "email"}]}`,
		"failure":   `{"traits": [{"name": "a", "value": ["int(claims.a)"]}]}`,
		"verified":  `{"traits": [{"name": "a", "value": ["claims.a"], "verified": "bool(claims.a)"}]}`,
		"groups":    `{"groups": {"from": "claims.a", "allow": ["x"], "absent": "reject"}}`,
	} {
		_, err := newMapping(t, []byte(mapping)).Map(t.Context(), expr.Vars{Claims: map[string]any{"a": secret}})
		var rejected *mapper.Rejection
		if !errors.As(err, &rejected) {
			t.Errorf("%s: %v, want a *Rejection", name, err)
			continue
		}
		if text := fmt.Sprint(err, rejected.Reason); strings.Contains(text, secret) || !strings.Contains(err.Error(), "mapping:") {
			t.Errorf("%s: %s", name, text)
		}
	}
}

func TestMapReturnsTheContextsError(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, mapping := range map[string]string{
		"trait":  `{"traits": [{"name": "a", "value": ["claims.a"]}]}`,
		"groups": `{"groups": {"from": "claims.a", "absent": "clear"}}`,
	} {
		var rejected *mapper.Rejection
		_, err := newMapping(t, []byte(mapping)).Map(ctx, expr.Vars{})
		if !errors.Is(err, context.Canceled) || errors.As(err, &rejected) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMapSeesLoginAndIdentity(t *testing.T) {
	m := newMapping(t, []byte(`{"traits": [{"name": "a", "value": ["identity.traits.a + login.provider"]}]}`))
	known := map[string]any{"traits": map[string]any{"a": "by "}}
	result, err := m.Map(t.Context(), expr.Vars{Login: map[string]any{"provider": "acme"}, Identity: known})
	if err != nil || result.Traits[0].Value != "by acme" {
		t.Errorf("%v, %v", result, err)
	}
}

func TestNewReportsAllProblems(t *testing.T) {
	tests := map[string]struct {
		mapping string
		want    []string
	}{
		"expressions": {`{"traits": [{"name": "a", "value": ["x", "claims.a", "y"], "verified": "z"}, {"name": "b", "value": [""]}], "groups": {"from": "g"}}`,
			[]string{"mapping:1:1: ", "mapping:3:1: ", "mapping:4:1: ", "mapping:5:1: ", "mapping:6:1: "}},
		"no value":               {`{"traits": [{"name": "a"}]}`, []string{`"a" has no value`}},
		"name with a gap":        {`{"traits": [{"name": "a//b", "value": ["claims.a"]}]}`, []string{`mapping:1:1: trait "a//b"`}},
		"too many names":         {`{"traits": [{"name": "a/b/c/d/e", "value": ["claims.a"]}]}`, []string{`mapping:1:1: trait "a/b/c/d/e"`}},
		"a part and its whole":   {`{"traits": [{"name": "a/b/c", "value": ["claims.b"]}, {"name": "a", "value": ["claims.a"]}]}`, []string{`mapping:1:1: trait "a/b/c" is a part of "a"`}},
		"name with a tilde":      {`{"traits": [{"name": "a~b", "value": ["claims.a"]}]}`, []string{`mapping:1:1: trait "a~b"`}},
		"no name":                {`{"traits": [{"value": ["claims.a"]}]}`, []string{`mapping:1:1: trait ""`}},
		"twice":                  {`{"traits": [{"name": "a", "value": ["claims.a"]}, {"name": "a", "value": ["claims.b"]}]}`, []string{"mapping:2:1: ", "twice"}},
		"canonical":              {`{"traits": [{"name": "a", "value": ["claims.a"], "canonical": "phone"}]}`, []string{"mapping:1:1: ", `"phone"`}},
		"absent":                 {`{"traits": [{"name": "a", "value": ["claims.a"], "absent": "drop"}]}`, []string{"mapping:1:1: ", `"drop"`}},
		"unique":                 {`{"traits": [{"name": "a", "value": ["claims.a"], "unique": true}]}`, []string{"mapping:1:1: ", "canonical form"}},
		"unique default":         {`{"traits": [{"name": "a", "value": ["claims.a"], "canonical": "username", "unique": true, "absent": "default", "default": "x"}]}`, []string{"unique"}},
		"no default":             {`{"traits": [{"name": "a", "value": ["claims.a"], "absent": "default"}]}`, []string{"mapping:1:1: ", "default"}},
		"empty required default": {`{"traits": [{"name": "a", "value": ["claims.a"], "required": true, "absent": "default", "default": ""}]}`, []string{"default"}},
		"default without a form": {`{"traits": [{"name": "a", "value": ["claims.a"], "canonical": "email", "absent": "default", "default": "x"}]}`, []string{"canonical form"}},
		"groups absent default":  {`{"groups": {"from": "claims.g", "absent": "default"}}`, []string{"mapping:1:1: ", `"default"`}},
		"group names":            {`{"groups": {"from": "claims.g", "allow": ["a\u0001"], "map": {"": "b", "c": ""}}}`, []string{`"a\x01"`, `""`}},
		"group in two spellings": {`{"groups": {"from": "claims.g", "map": {"caf\u00e9": "a", "cafe\u0301": "b"}}}`, []string{"twice"}},
		"domain":                 {`{"traits": [{"name": "a", "value": ["claims.a"]}], "trust": {"authoritativeDomains": ["a b", "ok.example"]}}`, []string{`"a b"`}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m, err := mapper.New(newEnv(t), specOf(t, []byte(test.mapping)))
			if err == nil || m != nil {
				t.Fatalf("mapping %v, error %v", m, err)
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error lacks %q:\n%v", want, err)
				}
			}
		})
	}
}

func TestDefaultsFromYAMLDecoders(t *testing.T) {
	spec := specOf(t, []byte(`{"traits": [{"name": "a", "value": ["claims.a"], "absent": "default"}]}`))
	for name, test := range map[string]struct{ written, want any }{
		"unsigned": {uint64(7), int64(7)},
		"int":      {7, int64(7)},
		"nested":   {map[string]any{"l": []any{uint64(7)}}, map[string]any{"l": []any{int64(7)}}},
		"too big":  {uint64(1) << 63, nil},
		"no JSON":  {struct{}{}, nil},
	} {
		spec.Traits[0].Default = test.written
		m, err := mapper.New(newEnv(t), spec)
		if test.want == nil {
			if err == nil {
				t.Errorf("%s: no error", name)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		result, err := m.Map(t.Context(), expr.Vars{})
		if err != nil || !cmp.Equal(test.want, result.Traits[0].Value) {
			t.Errorf("%s: %#v (%v), want %#v", name, result, err, test.want)
		}
	}
}

func TestMappingDescribesItself(t *testing.T) {
	m := newMapping(t, []byte(`{
		"traits": [
			{"name": "email", "value": ["claims.email"], "canonical": "email", "unique": true, "required": true, "verified": "claims.ok"},
			{"name": "name", "value": ["claims.name", "claims.first + claims.last", "claims.a[\"b\"]"]}
		],
		"groups": {"from": "claims.groups"}}`))
	want := []mapper.TraitInfo{
		{Path: "/email", Required: true, Unique: true, Canonical: mapper.CanonicalEmail, Absent: mapper.AbsentKeep, Sync: mapper.SyncInherit, ClaimPaths: [][]string{{"email"}}, Plain: true},
		{Path: "/name", Absent: mapper.AbsentKeep, Sync: mapper.SyncInherit, ClaimPaths: [][]string{{"name"}, {"a", "b"}}},
	}
	programs := cmp.FilterPath(func(p cmp.Path) bool { // see below
		return p.Last().String() == ".Values" || p.Last().String() == ".Verified"
	}, cmp.Ignore())
	if diff := cmp.Diff(want, m.Traits(), programs); diff != "" {
		t.Errorf("traits (-want +got):\n%s", diff)
	}
	if info := m.Traits()[0]; info.Verified.Source().Text != "claims.ok" || m.Traits()[1].Verified != nil {
		t.Errorf("verified by %v", info.Verified)
	}
	if info, ok := m.Groups(); !ok || info.From.Source().Text != "claims.groups" || info.Unknown != nil || info.Absent != mapper.AbsentKeep {
		t.Errorf("groups %+v", info)
	}
	var texts []string
	for _, p := range m.Programs() {
		texts = append(texts, p.Source().Text)
	}
	if diff := cmp.Diff([]string{"claims.email", "claims.ok", "claims.name", "claims.first + claims.last", `claims.a["b"]`, "claims.groups"}, texts); diff != "" {
		t.Errorf("programs (-want +got):\n%s", diff)
	}
}
