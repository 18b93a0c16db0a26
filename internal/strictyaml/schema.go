package strictyaml

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// Schema is a JSON Schema (draft 2020-12), for editors: it says the form of a
// file, which Decode holds it to. What is right in form may still be wrong.
type Schema map[string]any

// Shaped is what a Decoder implements to say which values it takes. of returns
// the schema of a type that Decode takes.
type Shaped interface {
	Shape(of func(reflect.Type) Schema) Schema
}

// SchemaOf returns the schema of the files that Decode decodes into the type.
//
// Beside `yaml` and `missing`, of which the latter describes a field too, it
// reads these tags of a struct's field: `doc` describes it, `enum` lists the
// words that it takes, `pattern` and `keys` are regular expressions for its texts
// and for the keys of a Map.
//
// also returns words that are taken beside those of an enum; nil has none. The
// error names a type of which nobody can tell what it takes, or a field that is
// not described.
func SchemaOf(t reflect.Type, title string, also func(words []string) []string) (Schema, error) {
	s := &schemer{also: also}
	schema := s.of(t, "")
	schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	schema["title"] = title
	return schema, s.err
}

// schemer keeps the first thing that nobody can tell.
type schemer struct {
	also func([]string) []string
	err  error
}

func (s *schemer) fail(format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf(format, args...)
	}
}

// of returns the schema of a type within a field that has these tags.
func (s *schemer) of(t reflect.Type, tag reflect.StructTag) Schema {
	if t == textType {
		return s.text(tag)
	}
	if t.Kind() == reflect.Pointer {
		return s.of(t.Elem(), tag)
	}
	if shaped, ok := reflect.Zero(t).Interface().(Shaped); ok {
		return withKeys(shaped.Shape(func(t reflect.Type) Schema { return s.of(t, tag) }), tag)
	}
	if reflect.PointerTo(t).Implements(reflect.TypeFor[Decoder]()) {
		s.fail("%s decodes itself and does not say what it takes", t)
		return Schema{}
	}
	switch {
	case t == durationType:
		return Schema{"anyOf": []Schema{{"const": 0}, {"type": "string", "pattern": durations}}}
	case t.Kind() == reflect.Interface:
		return Schema{"type": []string{"string", "number", "boolean", "array", "object"}}
	case t.Kind() == reflect.Struct:
		return s.ofStruct(t)
	case t.Kind() == reflect.Slice:
		return Schema{"type": "array", "items": s.of(t.Elem(), tag)}
	case t.Kind() == reflect.String:
		return Schema{"type": "string", "minLength": 1}
	case t.Kind() == reflect.Bool:
		return Schema{"type": "boolean"}
	case t.Kind() == reflect.Int, t.Kind() == reflect.Int64:
		return Schema{"type": "integer"}
	}
	s.fail("this version does not decode into %s", t)
	return Schema{}
}

// durations are the strings that are durations; 0 is one without quotes as well.
const durations = `^(\+?(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+|(0|[1-9][0-9]*)d|[-+]?0)$`

func (s *schemer) ofStruct(t reflect.Type) Schema {
	properties, required := Schema{}, []string{}
	for i := range t.NumField() {
		f := t.Field(i)
		name := f.Tag.Get("yaml")
		if name == "" {
			continue
		}
		field := s.of(f.Type, f.Tag)
		missing, must := f.Tag.Lookup("missing")
		if must {
			required = append(required, name)
		}
		switch doc := f.Tag.Get("doc"); {
		case doc != "":
			field["description"] = doc
		case must:
			field["description"] = missing
		default:
			s.fail("%s.%s has no description", t, f.Name)
		}
		properties[name] = field
	}
	return Schema{"type": "object", "properties": properties, "required": required, "additionalProperties": false}
}

// text is the schema of a Text: any scalar, by its letters, and never blank.
func (s *schemer) text(tag reflect.StructTag) Schema {
	if enum := tag.Get("enum"); enum != "" {
		words := strings.Split(enum, ",")
		if s.also != nil {
			words = append(words, s.also(words)...)
		}
		var values []any
		for _, w := range words {
			values = append(values, w)
			if n, err := strconv.Atoi(w); err == nil {
				values = append(values, n)
			}
		}
		return Schema{"enum": values}
	}
	schema := Schema{"type": []string{"string", "number", "boolean"}, "pattern": `\S`}
	if pattern := tag.Get("pattern"); pattern != "" {
		schema["pattern"] = pattern
	}
	return schema
}

func withKeys(schema Schema, tag reflect.StructTag) Schema {
	if _, isMap := schema["additionalProperties"].(Schema); isMap && tag.Get("keys") != "" {
		schema["propertyNames"] = Schema{"pattern": tag.Get("keys")}
	}
	return schema
}

// Shape implements Shaped.
func (OneOrMany[T]) Shape(of func(reflect.Type) Schema) Schema {
	one := of(reflect.TypeFor[T]())
	return Schema{"anyOf": []Schema{one, {"type": "array", "items": one}}}
}

// Shape implements Shaped.
func (Map[T]) Shape(of func(reflect.Type) Schema) Schema {
	return Schema{"type": "object", "additionalProperties": of(reflect.TypeFor[T]())}
}
