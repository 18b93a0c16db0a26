// These tests hold a mapping of twelve traits and fifty groups to what it may
// cost, and to what go-jsonnet makes of the same one as a mapper of Kratos: a
// comparison of two speeds is one only if both do the same.
package mapping_test

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-jsonnet"
	"github.com/google/go-jsonnet/ast"

	"github.com/jithook/jithook/internal/expr"
	"github.com/jithook/jithook/mapper"
	"github.com/jithook/jithook/provider"
)

// maxAllocations is how many a login's mapping may take: half of what was asked.
const maxAllocations = 100

// claims are those of somebody in fifty groups.
func claims() map[string]any {
	groups := make([]any, 50)
	for i := range groups {
		groups[i] = fmt.Sprintf("eng-%02d", i)
	}
	return map[string]any{
		"email": "ann@acme.example", "email_verified": true, "preferred_username": "annl", "name": "Ann Lee", "given_name": "Ann", "family_name": "Lee",
		"department": "Research", "address": map[string]any{"country": "DE"}, "phone_number": "+49123", "phone_number_verified": true, "hd": "acme.example",
		"groups": groups,
	}
}

func file(tb testing.TB, name string) []byte {
	tb.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

// set loads the provider's file.
func set(tb testing.TB) *provider.Set {
	tb.Helper()
	env, err := expr.NewEnv()
	if err != nil {
		tb.Fatal(err)
	}
	loaded, problems := provider.Loader{Env: env, Userstores: []string{"default"}, Now: time.Now}.Load(fstest.MapFS{"acme.yaml": {Data: file(tb, "acme.yaml")}})
	if len(problems) > 0 {
		tb.Fatal(problems)
	}
	return loaded
}

func mapping(tb testing.TB) *mapper.Mapping {
	tb.Helper()
	p, _ := set(tb).Get("acme")
	return p.Mapping
}

// compiled is the mapper, parsed and analysed once.
func compiled(tb testing.TB) ast.Node {
	tb.Helper()
	node, err := jsonnet.SnippetToAST("acme.jsonnet", string(file(tb, "acme.jsonnet")))
	if err != nil {
		tb.Fatal(err)
	}
	return node
}

// run evaluates the mapper as Kratos does: in a machine made for this login. (It
// also parses the mapper each time, which is left out here.)
func run(tb testing.TB, node ast.Node, claims []byte) []byte {
	vm := jsonnet.MakeVM()
	vm.ExtCode("claims", string(claims))
	out, err := vm.Evaluate(node)
	if err != nil {
		tb.Fatal(err)
	}
	return []byte(out)
}

// outcome is what both yield.
type outcome struct {
	Traits   map[string]any
	Groups   []string
	Verified []struct{ Value string } `json:"verified_addresses"`
}

func TestBothYieldTheSame(t *testing.T) {
	node, m := compiled(t), mapping(t)
	for _, without := range []string{"", "title", "preferred_username", "given_name", "address", "email_verified", "locale", "hd", "phone_number"} {
		claims := claims()
		delete(claims, without)
		data, err := json.Marshal(claims)
		if err != nil {
			t.Fatal(err)
		}
		var theirs struct{ Identity outcome }
		if err := json.Unmarshal(run(t, node, data), &theirs); err != nil {
			t.Fatal(err)
		}
		result, err := m.Map(t.Context(), expr.Vars{Claims: claims})
		if err != nil {
			t.Fatal(err)
		}
		ours := outcome{Traits: map[string]any{}, Groups: result.Groups.Names}
		for _, trait := range result.Traits {
			if trait.Action == mapper.Set {
				ours.Traits[trait.Path[1:]] = trait.Value
			}
			if trait.Verified && trait.CanonicalForm == mapper.CanonicalEmail {
				ours.Verified = append(ours.Verified, struct{ Value string }{trait.Value.(string)})
			}
		}
		if diff := cmp.Diff(theirs.Identity, ours); diff != "" {
			t.Errorf("without %q (-jsonnet +rules):\n%s", without, diff)
		}
	}
}

func TestAllocations(t *testing.T) {
	m, v := mapping(t), expr.Vars{Claims: claims()}
	got := testing.AllocsPerRun(100, func() {
		if _, err := m.Map(t.Context(), v); err != nil {
			t.Fatal(err)
		}
	})
	if got > maxAllocations {
		t.Errorf("%.0f allocations per login, and %d are allowed", got, maxAllocations)
	}
}
