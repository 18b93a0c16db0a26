// These tests prove that a claim which a schema does not have is found out, that
// one which it may have is not, and that no schema makes a program call anybody.
package claimschema_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/jithook/jithook/internal/claimschema"
)

const schema = `{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "properties": {
    "email": {"type": "string"},
    "address": {"$ref": "#/$defs/address"},
    "groups": {"type": "array", "items": {"type": "string"}},
    "emails": {"type": "array", "items": {"properties": {"value": {}}}},
    "anything": {},
    "open": {"type": "object"},
    "more": {"properties": {"a": {}}, "additionalProperties": true},
    "typed": {"additionalProperties": {"properties": {"x": {}}}},
    "either": {"anyOf": [{"properties": {"a": {}}}, {"properties": {"b": {}}}]},
    "loop": {"$ref": "#/properties/loop"},
    "gone": false
  },
  "patternProperties": {"^ext_": {"type": "string"}},
  "$defs": {"address": {"type": "object", "properties": {"country": {"type": "string"}}}}
}`

func TestUnknown(t *testing.T) {
	s, err := claimschema.Parse([]byte(schema))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		path []any
		want int
	}{
		"a claim":                      {[]any{"email"}, 0},
		"a misspelt claim":             {[]any{"e_mail"}, 1},
		"by a reference":               {[]any{"address", "country"}, 0},
		"misspelt below a reference":   {[]any{"address", "contry"}, 2},
		"a part of a string":           {[]any{"email", "value"}, 2},
		"an element":                   {[]any{"groups", int64(0)}, 0},
		"an element of no list":        {[]any{"email", int64(0)}, 2},
		"a part of an element":         {[]any{"emails", int64(0), "value"}, 0},
		"another part of an element":   {[]any{"emails", int64(0), "values"}, 3},
		"of what is not described":     {[]any{"anything", "a", "b"}, 0},
		"of an object that is open":    {[]any{"open", "a", int64(1)}, 0},
		"of an object with more":       {[]any{"more", "z", "y"}, 0},
		"of a typed object":            {[]any{"typed", "z", "x"}, 0},
		"not of a typed object":        {[]any{"typed", "z", "y"}, 3},
		"of one of two":                {[]any{"either", "b"}, 0},
		"of none of two":               {[]any{"either", "c"}, 2},
		"by a pattern":                 {[]any{"ext_tenant"}, 0},
		"of what refers to itself":     {[]any{"loop", "a"}, 2},
		"of what there never is":       {[]any{"gone"}, 1},
		"not by a pattern's beginning": {[]any{"ext"}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			if got := s.Unknown(c.path); got != c.want {
				t.Errorf("%v: %d, want %d", c.path, got, c.want)
			}
		})
	}
}

func TestNoSchema(t *testing.T) {
	other := filepath.Join(t.TempDir(), "other.json")
	if err := os.WriteFile(other, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"no JSON":              `{`,
		"no schema":            `{"type": 7}`,
		"a list":               `[]`,
		"another file":         `{"$ref": "other.json"}`,
		"a file that is there": `{"$ref": "file://` + other + `"}`,
		"another host":         `{"$ref": "https://schemas.example/claims.json"}`,
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := claimschema.Parse([]byte(text)); err == nil {
				t.Error("no error")
			}
		})
	}
}
