package mapper

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/jithook/jithook/internal/canon"
)

// value is a trait's value within the limits, with its canonical form if the
// trait has one.
type value struct {
	plain     any
	canonical string
}

// newValue checks a JSON value, or says why it cannot be used. What it says
// does not contain the value.
func newValue(v any, form string) (value, string) {
	if why := bounded(v); why != "" {
		return value{}, why
	}
	if form == "" {
		return value{plain: v}, ""
	}
	s, ok := v.(string)
	if !ok {
		return value{}, "is not a string, which its canonical form needs"
	}
	canonical, err := canonicalForm(form, s)
	if err != nil {
		return value{}, "has no canonical form: " + err.Error()
	}
	return value{plain: v, canonical: canonical}, ""
}

// Check holds a value that no claim made, such as an administrator's, to the
// rules for mapped ones. It returns the value as it is stored, in the canonical
// form that form names ("" names none), or the rest of a sentence that says why
// it cannot be, without the value in it.
func Check(v any, form string) (stored any, why string) {
	checked, why := newValue(v, form)
	if form != "" {
		return checked.canonical, why
	}
	return checked.plain, why
}

// CheckName reports whether a trait may have this name: a few tokens of a JSON
// Pointer that stand for themselves, with "/" between them.
func CheckName(name string) bool {
	names := strings.Split(name, "/")
	return !slices.Contains(names, "") && len(names) <= MaxNames && !strings.Contains(name, "~")
}

func canonicalForm(form, s string) (string, error) {
	if form == CanonicalEmail {
		return canon.Email(s)
	}
	return canon.Username(s)
}

// bounded says which limit v is beyond, if any.
func bounded(v any) string {
	room := MaxTrait
	if why := checkLimits(v, MaxDepth, &room); why != "" {
		return why
	}
	if small(v) {
		return ""
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return "is not a JSON value"
	}
	if b.Len()-len("\n") > MaxTrait {
		return tooLarge
	}
	return ""
}

// small reports whether a value within checkLimits fits for sure: JSON writes a
// byte in six at most.
func small(v any) bool {
	switch v := v.(type) {
	case nil, bool, int64:
		return true
	case string:
		return 6*len(v)+len(`""`) <= MaxTrait
	}
	return false
}

const (
	tooDeep  = "is nested too deep"
	tooLarge = "is larger than a trait may be"
)

// checkLimits looks at strings, nesting and the least size that the JSON can
// have, so that what is much too large is not encoded first. depth is how many
// more levels of lists and maps may follow, room how many more bytes.
func checkLimits(v any, depth int, room *int) string {
	if *room--; *room < 0 {
		return tooLarge
	}
	switch v := v.(type) {
	case string:
		return checkString(v, room)
	case []any:
		if depth == 0 {
			return tooDeep
		}
		for _, item := range v {
			if why := checkLimits(item, depth-1, room); why != "" {
				return why
			}
		}
	case map[string]any:
		if depth == 0 {
			return tooDeep
		}
		for key, item := range v {
			if why := checkString(key, room); why != "" {
				return why
			}
			if why := checkLimits(item, depth-1, room); why != "" {
				return why
			}
		}
	}
	return ""
}

func checkString(s string, room *int) string {
	*room -= len(s)
	switch {
	case *room < 0:
		return tooLarge
	case len(s) > MaxString:
		return fmt.Sprintf("has a string longer than %d bytes", MaxString)
	case !utf8.ValidString(s):
		return "has a string that is not valid UTF-8"
	}
	return ""
}

// jsonValue returns a copy of a default with the number types that traits
// have: a YAML decoder yields others.
func jsonValue(v any) (any, string) {
	switch v := v.(type) {
	case nil, bool, string, int64, float64:
		return v, ""
	case int:
		return int64(v), ""
	case uint64:
		if v > math.MaxInt64 {
			return nil, "is a number beyond int64"
		}
		return int64(v), ""
	case []any:
		list := make([]any, len(v))
		for i, item := range v {
			var why string
			if list[i], why = jsonValue(item); why != "" {
				return nil, why
			}
		}
		return list, ""
	case map[string]any:
		m := make(map[string]any, len(v))
		for key, item := range v {
			var why string
			if m[key], why = jsonValue(item); why != "" {
				return nil, why
			}
		}
		return m, ""
	}
	return nil, fmt.Sprintf("is a %T, not a JSON value", v)
}
