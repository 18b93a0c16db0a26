package strictyaml_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jithook/jithook/internal/strictyaml"
)

type sample struct {
	strictyaml.Pos
	Text  strictyaml.Text                       `yaml:"text" missing:"what it says" enum:"1,b"`
	Many  strictyaml.OneOrMany[strictyaml.Text] `yaml:"many" doc:"Several." pattern:"^x"`
	Names strictyaml.Map[*struct {
		A int `yaml:"a" doc:"An A."`
	}] `yaml:"names" doc:"Named." keys:"^n"`
	Wait *time.Duration `yaml:"wait" doc:"How long."`
	Any  any            `yaml:"any" doc:"Anything."`
	Own  int
}

// TestSchema: tags and types as they come out for an editor.
func TestSchema(t *testing.T) {
	schema, err := strictyaml.SchemaOf(reflect.TypeFor[sample](), "Sample", func(words []string) []string { return []string{strings.ToUpper(words[1])} })
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.MarshalIndent(schema, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	const text = `{"type": ["string", "number", "boolean"], "pattern": "^x"}`
	const want = `{
		"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Sample", "type": "object", "additionalProperties": false, "required": ["text"],
		"properties": {
			"text": {"description": "what it says", "enum": ["1", 1, "b", "B"]},
			"many": {"description": "Several.", "anyOf": [` + text + `, {"type": "array", "items": ` + text + `}]},
			"names": {"description": "Named.", "type": "object", "propertyNames": {"pattern": "^n"}, "additionalProperties":
				{"type": "object", "additionalProperties": false, "required": [], "properties": {"a": {"description": "An A.", "type": "integer"}}}},
			"any": {"description": "Anything.", "type": ["string", "number", "boolean", "array", "object"]},
			"wait": {"description": "How long.", "anyOf": [{"const": 0}, {"type": "string", "pattern": "PATTERN"}]}
		}}`
	var a, b map[string]any
	if err := json.Unmarshal(got, &a); err != nil {
		t.Fatal(err)
	}
	a["properties"].(map[string]any)["wait"].(map[string]any)["anyOf"].([]any)[1].(map[string]any)["pattern"] = "PATTERN"
	if err := json.Unmarshal([]byte(want), &b); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(b, a); diff != "" {
		t.Errorf("schema (-want +got):\n%s", diff)
	}
}

type mute struct{}

func (*mute) DecodeYAML(strictyaml.Node) []strictyaml.Problem { return nil }

// TestNoSchema: what nobody can tell, or describes, is an error and not a gap.
func TestNoSchema(t *testing.T) {
	for name, c := range map[string]struct {
		t    reflect.Type
		want string
	}{
		"decodes itself": {reflect.TypeFor[struct {
			A mute `yaml:"a" doc:"A."`
		}](), "does not say what it takes"},
		"not described": {reflect.TypeFor[struct {
			A string `yaml:"a"`
		}](), ".A has no description"},
		"not decoded": {reflect.TypeFor[struct {
			A chan int `yaml:"a" doc:"A."`
		}](), "does not decode into chan int"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := strictyaml.SchemaOf(c.t, "", nil); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}
