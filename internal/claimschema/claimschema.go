// Package claimschema tells which claims a provider sends, as a JSON Schema
// says: an operator who has one learns of a misspelt claim before a login does.
//
// It owns what such a schema says of a claim's path. It is the only importer of
// the library for JSON Schema that a program carries, fetches nothing, and must
// not know who reads which claim.
package claimschema

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// maxNesting bounds how many schemas may stand for one: a schema may refer to
// itself.
const maxNesting = 64

// Schema is a compiled JSON Schema of the claims. It is safe for concurrent use.
type Schema struct {
	root *jsonschema.Schema
}

// Parse compiles a schema. It may refer to parts of itself and to nothing else.
func Parse(data []byte) (*Schema, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	const name = "claims.schema.json"
	c := jsonschema.NewCompiler()
	c.UseLoader(closed{})
	if err := c.AddResource(name, doc); err != nil {
		return nil, fmt.Errorf("no JSON Schema: %w", err)
	}
	root, err := c.Compile(name)
	if err != nil {
		return nil, fmt.Errorf("no JSON Schema: %w", err)
	}
	return &Schema{root}, nil
}

// closed loads nothing.
type closed struct{}

// Load implements jsonschema.URLLoader.
func (closed) Load(string) (any, error) {
	return nil, errors.New("a schema of claims refers to its own parts only")
}

// Unknown returns how many steps of the path (names and int64 indexes) lead to
// something that the schema does not have; 0 where it has the whole path. What
// an object is said to have is all it has, unless its additionalProperties say
// that there may be more; of an object or a value that nothing is said about,
// all is known.
func (s *Schema) Unknown(path []any) int {
	for n := 1; n <= len(path); n++ {
		if !has(s.root, path[:n], maxNesting) {
			return n
		}
	}
	return 0
}

// has reports whether one of the schemas that stand for s has the path.
func has(s *jsonschema.Schema, path []any, left int) bool {
	if len(path) == 0 {
		return s.Bool == nil || *s.Bool
	}
	if left == 0 {
		return false
	}
	parts := append(append(append([]*jsonschema.Schema{s.Ref, s.Then, s.Else}, s.AllOf...), s.AnyOf...), s.OneOf...)
	silent := true
	for _, p := range parts {
		if p == nil {
			continue
		}
		silent = false
		if has(p, path, left-1) {
			return true
		}
	}
	if name, ok := path[0].(string); ok {
		return member(s, name, path[1:], silent, left-1)
	}
	return element(s, path[1:], silent, left-1)
}

func member(s *jsonschema.Schema, name string, rest []any, silent bool, left int) bool {
	if p, ok := s.Properties[name]; ok {
		return has(p, rest, left)
	}
	for pattern, p := range s.PatternProperties {
		if pattern.MatchString(name) {
			return has(p, rest, left)
		}
	}
	switch more := s.AdditionalProperties.(type) {
	case bool:
		return more
	case *jsonschema.Schema:
		return has(more, rest, left)
	}
	return silent && len(s.Properties)+len(s.PatternProperties) == 0 && may(s, "object")
}

func element(s *jsonschema.Schema, rest []any, silent bool, left int) bool {
	switch items := s.Items.(type) {
	case *jsonschema.Schema:
		return has(items, rest, left)
	}
	if s.Items2020 != nil {
		return has(s.Items2020, rest, left)
	}
	return silent && may(s, "array")
}

// may reports whether a value may be of the type.
func may(s *jsonschema.Schema, name string) bool {
	if s.Bool != nil {
		return *s.Bool
	}
	if s.Types == nil || s.Types.IsEmpty() {
		return true
	}
	for _, t := range s.Types.ToStrings() {
		if t == name {
			return true
		}
	}
	return false
}
