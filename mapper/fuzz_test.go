// This target proves that no claims make a mapping panic, grant a group that
// it does not name, verify a stranger's domain, or yield what JSON cannot hold.
package mapper_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/jithook/jithook/internal/expr"
	"github.com/jithook/jithook/mapper"
)

const fuzzed = `{
	"traits": [
		{"name": "email", "value": ["claims.email", "claims.mail"], "canonical": "email", "verified": "claims.email_verified", "unique": true},
		{"name": "username", "value": ["claims.username"], "canonical": "username", "absent": "clear"},
		{"name": "address", "value": ["claims.address"], "absent": "default", "default": {"country": "none"}}
	],
	"groups": {"from": "claims.groups", "allow": ["staff"], "map": {"eng": "engineering"}},
	"trust": {"authoritativeDomains": ["acme.example"]}}`

func FuzzMap(f *testing.F) {
	for _, claims := range []string{
		`{}`, `{"email":"ada@acme.example","email_verified":true,"groups":["staff","eng","x"]}`,
		`{"email":"a@b@acme.example","email_verified":true}`, `{"mail":"ada@acme.example\u0000","email_verified":true}`,
		`{"email":"ada@acme.example.","email_verified":true}`, `{"groups":"staff"}`, `{"groups":[["staff"]]}`, `{"groups":{"staff":true}}`,
		`{"username":"\u212a","address":{"a":[[[[[[1e400]]]]]]}}`, `{"email":null,"username":1,"address":[]}`,
	} {
		f.Add(claims)
	}
	m := newMapping(f, []byte(fuzzed))
	f.Fuzz(func(t *testing.T, text string) {
		var claims map[string]any
		if json.Unmarshal([]byte(text), &claims) != nil {
			return
		}
		result, err := m.Map(t.Context(), expr.Vars{Claims: claims})
		var rejected *mapper.Rejection
		if err != nil && !errors.As(err, &rejected) {
			t.Fatalf("%T %v, want a *Rejection", err, err)
		}
		if _, err := json.Marshal(result); err != nil {
			t.Fatal(err)
		}
		for _, g := range result.Groups.Names {
			if !slices.Contains([]string{"staff", "engineering"}, g) {
				t.Errorf("granted %q", g)
			}
		}
		for _, trait := range result.Traits {
			if trait.Verified && (trait.Path != "/email" || !strings.HasSuffix(trait.Canonical, "@acme.example") || claims["email_verified"] != true) {
				t.Errorf("verified %+v", trait)
			}
		}
	})
}
