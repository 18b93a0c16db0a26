package rules_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/jithook/jithook/deploy"
	"github.com/jithook/jithook/rules"
)

// TestSamples plays the cases of the sample providers: each has some, they pass,
// they reach every rule, and the claims in them are those that the provider sends.
func TestSamples(t *testing.T) {
	samples, err := fs.Sub(deploy.FS, "providers")
	if err != nil {
		t.Fatal(err)
	}
	r := runnerOf(t, samples)
	files, problems := rules.Load(samples)
	if len(problems) > 0 {
		t.Fatalf("problems %v", problems)
	}
	var results []rules.Result
	tried := map[string]bool{}
	for _, f := range files {
		tried[f.Provider.Value] = true
		claims := claimsSchema(t, samples, f.Provider.Value)
		for _, c := range f.Cases {
			t.Run(f.Provider.Value+"/"+c.Name.Value, func(t *testing.T) {
				result, err := r.Run(t.Context(), c)
				if err != nil || !result.Passed() {
					t.Fatalf("%v, differences %v", err, result.Diffs)
				}
				results = append(results, result)
				if claims == nil {
					return
				}
				text, err := json.Marshal(c.Claims)
				if err != nil {
					t.Fatal(err)
				}
				doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
				if err != nil {
					t.Fatal(err)
				}
				if err := claims.Validate(doc); err != nil {
					t.Errorf("claims that the provider does not send: %v", err)
				}
			})
		}
	}
	for _, p := range r.Providers.All() {
		if !tried[p.ID] {
			t.Errorf("%s has no cases", p.File)
		}
	}
	if missed := rules.Cover(r.Providers.All(), results).Missed; len(missed) > 0 {
		t.Errorf("no case reaches %v", missed)
	}
}

// claimsSchema is the sample's schema of its claims, with none beside those in
// it; nil where the sample has none.
func claimsSchema(t *testing.T, samples fs.FS, id string) *jsonschema.Schema {
	t.Helper()
	data, err := fs.ReadFile(samples, id+".schema.json")
	if err != nil {
		return nil
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	doc.(map[string]any)["additionalProperties"] = false
	c := jsonschema.NewCompiler()
	if err := c.AddResource("claims.json", doc); err != nil {
		t.Fatal(err)
	}
	return c.MustCompile("claims.json")
}
