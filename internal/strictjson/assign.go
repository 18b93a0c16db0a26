package strictjson

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

var (
	timeType   = reflect.TypeFor[time.Time]()
	objectType = reflect.TypeFor[map[string]any]()
	rfc3339    = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[-+]([01]\d|2[0-3]):[0-5]\d)$`)
)

// assign puts a tree of the parser into a Go value. The Place of its error is a
// JSON Pointer from there.
func assign(tree any, v reflect.Value) *Error {
	switch {
	case v.Type() == timeType:
		return assignTime(tree, v)
	case v.Kind() == reflect.Pointer:
		fresh := reflect.New(v.Type().Elem())
		if err := assign(tree, fresh.Elem()); err != nil {
			return err
		}
		v.Set(fresh)
		return nil
	case v.Kind() == reflect.Interface && v.NumMethod() == 0:
		v.Set(reflect.ValueOf(plain(tree)))
		return nil
	}
	switch v.Kind() {
	case reflect.Struct:
		if object, ok := tree.(map[string]any); ok {
			return assignStruct(object, v)
		}
	case reflect.Map:
		if object, ok := tree.(map[string]any); ok && v.Type().Key().Kind() == reflect.String {
			return assignMap(object, v)
		}
	case reflect.Slice:
		if list, ok := tree.([]any); ok {
			return assignSlice(list, v)
		}
	default:
		return assignScalar(tree, v)
	}
	return mismatch(tree, v)
}

func assignStruct(object map[string]any, v reflect.Value) *Error {
	fields := fieldsOf(v.Type())
	// Sorted, so that the same document always has the same first error.
	for _, key := range slices.Sorted(maps.Keys(object)) {
		if object[key] == nil {
			continue
		}
		i, ok := fields[key]
		if !ok {
			return unknown(key, fields).below(token(key))
		}
		if err := assign(object[key], v.Field(i)); err != nil {
			return err.below(token(key))
		}
	}
	return nil
}

// unknown is the error about a name that no field has. encoding/json, and so
// many a reader before or after us, would take a mere difference in letter case
// for the field.
func unknown(key string, fields map[string]int) *Error {
	for name := range fields {
		if fold(name) == fold(key) {
			return &Error{Message: fmt.Sprintf("the name differs from %q only in letter case", name)}
		}
	}
	return &Error{Message: "unknown field"}
}

// known are the fieldsOf of the types that were met: those of the program, so few.
var known sync.Map // reflect.Type to map[string]int

// fieldsOf maps the JSON names of a struct's exported fields to their indexes.
func fieldsOf(t reflect.Type) map[string]int {
	if fields, ok := known.Load(t); ok {
		return fields.(map[string]int)
	}
	fields := map[string]int{}
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case !f.IsExported() || name == "-":
		case name == "":
			fields[f.Name] = i
		default:
			fields[name] = i
		}
	}
	known.Store(t, fields)
	return fields
}

func assignMap(object map[string]any, v reflect.Value) *Error {
	if v.Type() == objectType {
		v.Set(reflect.ValueOf(plain(object)))
		return nil
	}
	m := reflect.MakeMapWithSize(v.Type(), len(object))
	for _, key := range slices.Sorted(maps.Keys(object)) {
		element := reflect.New(v.Type().Elem()).Elem()
		if object[key] == nil && element.Kind() != reflect.Pointer {
			continue
		}
		if object[key] != nil {
			if err := assign(object[key], element); err != nil {
				return err.below(token(key))
			}
		}
		m.SetMapIndex(reflect.ValueOf(key).Convert(v.Type().Key()), element)
	}
	v.Set(m)
	return nil
}

func assignSlice(list []any, v reflect.Value) *Error {
	s := reflect.MakeSlice(v.Type(), len(list), len(list))
	for i, element := range list {
		if err := assign(element, s.Index(i)); err != nil {
			return err.below(strconv.Itoa(i))
		}
	}
	v.Set(s)
	return nil
}

func assignTime(tree any, v reflect.Value) *Error {
	s, ok := tree.(string)
	if !ok {
		return &Error{Message: "want a time (RFC 3339), not " + kind(tree)}
	}
	// The package time also takes a comma for the dot, one digit for the hour and
	// offsets of a hundred hours; its error would contain the value.
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || !rfc3339.MatchString(s) {
		return &Error{Message: "want a time (RFC 3339), such as 2026-01-31T12:00:00Z"}
	}
	v.Set(reflect.ValueOf(t))
	return nil
}

func assignScalar(tree any, v reflect.Value) *Error {
	switch n := tree.(type) {
	case string:
		if v.Kind() == reflect.String {
			v.SetString(n)
			return nil
		}
	case bool:
		if v.Kind() == reflect.Bool {
			v.SetBool(n)
			return nil
		}
	case float64:
		if v.CanFloat() {
			if v.OverflowFloat(n) {
				return tooLarge()
			}
			v.SetFloat(n)
			return nil
		}
	case int64:
		switch {
		case v.CanInt() && !v.OverflowInt(n):
			v.SetInt(n)
		case v.CanUint() && n >= 0 && !v.OverflowUint(uint64(n)):
			v.SetUint(uint64(n))
		case v.CanFloat():
			v.SetFloat(float64(n))
		case v.CanInt() || v.CanUint():
			return tooLarge()
		default:
			return mismatch(tree, v)
		}
		return nil
	case bigint:
		if v.CanInt() || v.CanUint() || v.CanFloat() {
			return tooLarge()
		}
	}
	return mismatch(tree, v)
}

// plain is a tree as it leaves the package. It changes the tree in place.
func plain(tree any) any {
	switch t := tree.(type) {
	case bigint:
		return string(t)
	case []any:
		for i := range t {
			t[i] = plain(t[i])
		}
	case map[string]any:
		for k := range t {
			if t[k] == nil {
				delete(t, k)
				continue
			}
			t[k] = plain(t[k])
		}
	}
	return tree
}

func tooLarge() *Error { return &Error{Message: "the number is out of range"} }

func mismatch(tree any, v reflect.Value) *Error {
	want := ""
	switch {
	case v.Kind() == reflect.Struct, v.Kind() == reflect.Map:
		want = "an object"
	case v.Kind() == reflect.Slice:
		want = "a list"
	case v.Kind() == reflect.String:
		want = "a string"
	case v.Kind() == reflect.Bool:
		want = "true or false"
	case v.CanInt(), v.CanUint():
		want = "an integer"
	case v.CanFloat():
		want = "a number"
	default:
		want = "what this version cannot decode (" + v.Kind().String() + ")"
	}
	return &Error{Message: "want " + want + ", not " + kind(tree)}
}

func kind(tree any) string {
	switch tree.(type) {
	case string:
		return "a string"
	case bool:
		return "true or false"
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	case float64:
		return "a number with a fraction or an exponent"
	default:
		return "an integer"
	}
}
