package provider

import (
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/jithook/jithook/internal/strictyaml"
)

// Schema returns the JSON Schema of a provider's file, for editors. It says the
// form of a file; Load says the rest.
func Schema() (map[string]any, error) {
	return strictyaml.SchemaOf(reflect.TypeFor[file](), "A provider's file of jithook", aliases)
}

// aliases are WSO2's words for some of ours, as oneOf takes them.
func aliases(words []string) []string {
	var names []string
	for _, alias := range slices.Sorted(maps.Keys(wso2)) {
		if slices.ContainsFunc(wso2[alias], func(ours string) bool { return slices.Contains(words, ours) }) {
			names = append(names, alias)
		}
	}
	return names
}

// Shape implements strictyaml.Shaped.
func (userstoreSection) Shape(of func(reflect.Type) strictyaml.Schema) strictyaml.Schema {
	return strictyaml.Schema{"anyOf": []strictyaml.Schema{of(reflect.TypeFor[strictyaml.Text]()), of(reflect.TypeFor[userstoreForm]())}}
}

// Shape implements strictyaml.Shaped.
func (issuers) Shape(of func(reflect.Type) strictyaml.Schema) strictyaml.Schema {
	one := of(reflect.TypeFor[strictyaml.Text]())
	return strictyaml.Schema{"anyOf": []strictyaml.Schema{one, {"type": "array", "items": one, "minItems": 1}}}
}

// Shape implements strictyaml.Shaped.
func (attempt[T]) Shape(of func(reflect.Type) strictyaml.Schema) strictyaml.Schema {
	return of(reflect.TypeFor[T]())
}

// Shape implements strictyaml.Shaped.
func (placed[T]) Shape(of func(reflect.Type) strictyaml.Schema) strictyaml.Schema {
	return of(reflect.TypeFor[T]())
}

// Shape implements strictyaml.Shaped.
func (lease) Shape(of func(reflect.Type) strictyaml.Schema) strictyaml.Schema {
	return of(reflect.TypeFor[time.Duration]())
}

// Shape implements strictyaml.Shaped.
func (limit) Shape(func(reflect.Type) strictyaml.Schema) strictyaml.Schema {
	return strictyaml.Schema{"type": "integer", "minimum": 1}
}
