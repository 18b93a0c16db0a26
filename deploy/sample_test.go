// This test proves that the samples are there, each with its cases and claims, and
// that the one which explains the keys has every section. That they load, and that
// their cases pass, are tests of packages provider and rules.
package deploy_test

import (
	"io/fs"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/jithook/jithook/deploy"
)

func TestSampleProvider(t *testing.T) {
	for _, name := range []string{"google", "entra", "okta", "keycloak", "github", "oidc"} {
		for _, file := range []string{name + ".yaml", name + "_test.yaml", name + ".schema.json"} {
			if _, err := fs.Stat(deploy.FS, "providers/"+file); err != nil {
				t.Error(err)
			}
		}
	}
	raw, err := fs.ReadFile(deploy.FS, "providers/acme.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var sample map[string]any
	if err := yaml.Unmarshal(raw, &sample); err != nil {
		t.Fatal(err)
	}
	if sample["provider"] != "acme" || sample["issuer"] != "https://acme.example" {
		t.Errorf("provider %v of %v, want acme of https://acme.example", sample["provider"], sample["issuer"])
	}
	for _, section := range []string{"claims", "trust", "jit", "traits", "groups"} {
		if sample[section] == nil {
			t.Errorf("the sample shows no %s", section)
		}
	}
}
