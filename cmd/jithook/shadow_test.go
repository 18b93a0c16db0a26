package main

import (
	"path/filepath"
	"testing"

	"github.com/jithook/jithook/test/schemas"
)

// TestShadowForms: the folder alone says what the section says with it, and what
// is neither is refused where it stands, by the schema as well.
func TestShadowForms(t *testing.T) {
	schema := schemaOf(t, "config")
	for name, c := range map[string]struct {
		text   string
		sample float64
		wrong  string
	}{
		"the folder alone": {"./candidate", defaultSample, ""},
		"the section":      {"{providers: ./candidate}", defaultSample, ""},
		"with a sample":    {"{providers: ./candidate, sample: 0.5}", 0.5, ""},
		"nothing":          {"", 0, "there is no value"},
		"a list":           {"[./candidate]", 0, "want a string, not a list"},
		"no folder":        {"{sample: 0.5}", 0, "providers is missing"},
		"an unknown key":   {"{providers: ./candidate, every: 1}", 0, `unknown field "every"`},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "jithook.yaml")
			text := smallConfig + "shadow: " + c.text + "\n"
			write(t, path, text)
			got, problems, err := readConfig(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := schemas.Validate(t, schema, text); (err != nil) != (c.wrong != "") {
				t.Errorf("by the schema: %v", err)
			}
			expectProblem(t, configReader{problems: problems}, c.wrong)
			if want := filepath.Join(filepath.Dir(path), "candidate"); c.wrong == "" && (got.shadow.dir != want || got.shadow.sample != c.sample) {
				t.Errorf("%+v", got.shadow)
			}
		})
	}
}
