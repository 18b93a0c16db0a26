// Package schemas holds texts to JSON Schemas as an editor would, for the tests of
// those schemas. It knows none of them.
package schemas

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

// Compile reads a schema.
func Compile(t testing.TB, schema []byte) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", parse(t, schema)); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Validate holds a YAML text to a schema and returns what the schema has against it.
func Validate(t testing.TB, s *jsonschema.Schema, text string) error {
	t.Helper()
	var content any
	if err := yaml.Unmarshal([]byte(text), &content); err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(parse(t, data))
}

func parse(t testing.TB, text []byte) any {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// Enums returns the words of each enum of a schema, by the keys that lead to it,
// such as jit/scheme.
func Enums(t testing.TB, schema []byte) map[string][]string {
	t.Helper()
	enums := map[string][]string{}
	collect(parse(t, schema), "", enums)
	return enums
}

func collect(schema any, path string, into map[string][]string) {
	switch s := schema.(type) {
	case []any:
		for _, one := range s {
			collect(one, path, into)
		}
	case map[string]any:
		if enum, ok := s["enum"].([]any); ok {
			into[path] = nil
			for _, w := range enum {
				into[path] = append(into[path], fmt.Sprint(w))
			}
		}
		properties, _ := s["properties"].(map[string]any)
		for name, p := range properties {
			collect(p, strings.TrimPrefix(path+"/"+name, "/"), into)
		}
		for _, key := range []string{"anyOf", "items", "additionalProperties"} {
			collect(s[key], path, into)
		}
	}
}
