// This test proves that the sample provider is there under its id and has every
// section that a newcomer should see. That it loads is package provider's test.
package deploy_test

import (
	"io/fs"
	"slices"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/jithook/jithook/deploy"
)

func TestSampleProvider(t *testing.T) {
	files, err := fs.Glob(deploy.FS, "providers/*")
	if err != nil || !slices.Equal(files, []string{"providers/acme.yaml"}) {
		t.Fatalf("samples: %v (%v), want acme.yaml alone", files, err)
	}
	raw, err := fs.ReadFile(deploy.FS, files[0])
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
