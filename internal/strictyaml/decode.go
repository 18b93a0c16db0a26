package strictyaml

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
)

var (
	posType      = reflect.TypeFor[Pos]()
	textType     = reflect.TypeFor[Text]()
	durationType = reflect.TypeFor[time.Duration]()
)

// decode puts a node into a Go value.
func (n Node) decode(v reflect.Value) []Problem {
	if n.broken() {
		return nil
	}
	if v.Type() == textType {
		return n.decodeText(v)
	}
	if d, ok := v.Addr().Interface().(Decoder); ok {
		return d.DecodeYAML(n)
	}
	switch {
	case n.Kind() == Null && v.Kind() != reflect.Pointer:
		return []Problem{n.Problemf("%s", empty)}
	case v.Kind() == reflect.Pointer:
		fresh := reflect.New(v.Type().Elem())
		problems := n.decode(fresh.Elem())
		v.Set(fresh)
		return problems
	case v.Kind() == reflect.Interface && v.NumMethod() == 0:
		value, problems := n.value()
		if value != nil {
			v.Set(reflect.ValueOf(value))
		}
		return problems
	case v.Kind() == reflect.Struct:
		return n.decodeStruct(v)
	case v.Kind() == reflect.Slice:
		return n.decodeSlice(v)
	}
	return n.decodeScalar(v)
}

// want is the problem that n is of another kind.
func (n Node) want(what string) Problem {
	got := "a single value"
	switch n.Kind() {
	case Null:
		return n.Problemf("%s", empty)
	case List:
		got = "a list"
	case Mapping:
		got = "a mapping"
	}
	return n.Problemf("want %s, not %s", what, got)
}

// decodeText takes any scalar by its letters: true, 1 and null are expressions
// too. Nothing written, a tilde and blank text are not: an expression must never
// be empty by accident.
func (n Node) decodeText(v reflect.Value) []Problem {
	s, ok := n.scalar()
	switch {
	case !ok:
		return []Problem{n.want("a string")}
	case strings.TrimSpace(s.text) == "", s.kind == kindNull && s.text == "~":
		return []Problem{n.Problemf("%s", empty)}
	}
	v.Set(reflect.ValueOf(n.text(s)))
	return nil
}

func (n Node) decodeStruct(v reflect.Value) []Problem {
	if n.Kind() != Mapping {
		return []Problem{n.want("a mapping")}
	}
	fields := map[string]int{}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.Anonymous && f.Type == posType {
			v.Field(i).Set(reflect.ValueOf(n.Pos()))
		} else if name := f.Tag.Get("yaml"); name != "" && f.IsExported() {
			fields[name] = i
		}
	}
	var problems []Problem
	seen := map[string]bool{}
	for _, e := range n.Entries() {
		seen[e.Key.Value] = true
		i, ok := fields[e.Key.Value]
		if !ok {
			problems = append(problems, e.Key.unknown(slices.Sorted(maps.Keys(fields))))
			continue
		}
		problems = append(problems, e.Value.decode(v.Field(i))...)
	}
	return append(problems, n.missing(v.Type(), seen)...)
}

// missing returns a problem for every field with a `missing` tag that is not
// there; the tag says what the field is for.
func (n Node) missing(t reflect.Type, seen map[string]bool) []Problem {
	var problems []Problem
	for i := range t.NumField() {
		tag := t.Field(i).Tag
		if why, required := tag.Lookup("missing"); required && !seen[tag.Get("yaml")] {
			problems = append(problems, n.Pos().Problemf("%s is missing: %s", tag.Get("yaml"), why))
		}
	}
	return problems
}

func (t Text) unknown(names []string) Problem {
	if name := near(t.Value, names); name != "" {
		return t.Problemf("unknown field %s, did you mean %s?", quoted(t.Value), name)
	}
	return t.Problemf("unknown field %s, want one of %s", quoted(t.Value), strings.Join(names, ", "))
}

func (n Node) decodeSlice(v reflect.Value) []Problem {
	if n.Kind() != List {
		return []Problem{n.want("a list")}
	}
	var problems []Problem
	items := n.Items()
	s := reflect.MakeSlice(v.Type(), len(items), len(items))
	for i, item := range items {
		problems = append(problems, item.decode(s.Index(i))...)
	}
	v.Set(s)
	return problems
}

func (n Node) decodeScalar(v reflect.Value) []Problem {
	s, ok := n.scalar()
	wrong := ""
	switch {
	case v.Type() == durationType:
		if !ok {
			return []Problem{n.want("a duration")}
		}
		var d time.Duration
		d, wrong = s.duration()
		v.SetInt(int64(d))
	case v.Kind() == reflect.String:
		switch {
		case !ok:
			return []Problem{n.want("a string")}
		case s.kind != kindString:
			wrong = "readers of YAML do not take this for a string; quote it"
		case s.text == "":
			wrong = empty
		}
		v.SetString(s.text)
	case v.Kind() == reflect.Bool:
		if !ok {
			return []Problem{n.want("true or false")}
		}
		if s.kind != kindBool {
			wrong = "want true or false"
			if n.quoted() {
				wrong += ", without quotes"
			}
		}
		v.SetBool(s.text == "true")
	case v.Kind() == reflect.Int, v.Kind() == reflect.Int64:
		if !ok {
			return []Problem{n.want("an integer")}
		}
		var i int64
		i, wrong = s.integer(v.Type().Bits())
		v.SetInt(i)
	default:
		wrong = "this version cannot decode into " + v.Type().String()
	}
	if wrong != "" {
		v.SetZero()
		return []Problem{n.Problemf("%s", wrong)}
	}
	return nil
}

// value returns n as a JSON-like value; nil where it has none.
func (n Node) value() (any, []Problem) {
	switch {
	case n.broken():
		return nil, nil
	case n.Kind() == Scalar, n.Kind() == Null:
		s, _ := n.scalar()
		v, wrong := s.value()
		if wrong != "" {
			return nil, []Problem{n.Problemf("%s", wrong)}
		}
		return v, nil
	case n.Kind() == List:
		var problems []Problem
		list := []any{}
		for _, item := range n.Items() {
			v, more := item.value()
			list, problems = append(list, v), append(problems, more...)
		}
		return list, problems
	}
	var problems []Problem
	object := map[string]any{}
	for _, e := range n.Entries() {
		v, more := e.Value.value()
		object[e.Key.Value] = v
		problems = append(problems, more...)
	}
	return object, problems
}
