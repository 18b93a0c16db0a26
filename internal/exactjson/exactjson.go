// Package exactjson owns how trait values become JSON and come back as what
// they were: a number with a point or an exponent is a float64, any other an
// int64, so that 3.0 and 3 stay two values.
//
// It must not know what a value means or where the JSON goes. No error of it
// contains a value.
package exactjson

import (
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Errors of Encode and Decode.
var (
	// ErrValue says that a value is none of nil, bool, int64, float64 (finite),
	// string, []any and map[string]any.
	ErrValue = errors.New("a trait has a value that is no JSON value")
	// ErrText says that a string or a name is not UTF-8, which encoding/json
	// would replace silently.
	ErrText = errors.New("a trait has text that is not valid UTF-8")
)

// Encode returns a copy of a map of values that encoding/json writes exactly:
// every float64 is text that keeps it apart from an int64. It refuses what
// would come back as something else. Nil stays nil.
func Encode(m map[string]any) (map[string]any, error) {
	if m == nil {
		return nil, nil
	}
	out := make(map[string]any, len(m))
	for name, v := range m {
		if !utf8.ValidString(name) {
			return nil, ErrText
		}
		text, err := encode(v)
		if err != nil {
			return nil, err
		}
		out[name] = text
	}
	return out, nil
}

func encode(v any) (any, error) {
	switch v := v.(type) {
	case nil, bool, int64:
		return v, nil
	case string:
		if !utf8.ValidString(v) {
			return nil, ErrText
		}
		return v, nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, ErrValue
		}
		text := strconv.FormatFloat(v, 'g', -1, 64)
		if !isFloat(text) {
			text += ".0"
		}
		return json.Number(text), nil
	case []any:
		out := make([]any, len(v))
		for n, item := range v {
			text, err := encode(item)
			if err != nil {
				return nil, err
			}
			out[n] = text
		}
		return out, nil
	case map[string]any:
		return Encode(v)
	}
	return nil, ErrValue
}

func isFloat(number string) bool { return strings.ContainsAny(number, ".eE") }

// Decode undoes Encode in place, on what a json.Decoder with UseNumber read.
// It refuses numbers beyond int64 and float64.
func Decode(m map[string]any) error {
	for name, v := range m {
		value, err := decode(v)
		if err != nil {
			return err
		}
		m[name] = value
	}
	return nil
}

func decode(v any) (any, error) {
	switch v := v.(type) {
	case json.Number:
		return number(v)
	case []any:
		for n, item := range v {
			value, err := decode(item)
			if err != nil {
				return nil, err
			}
			v[n] = value
		}
	case map[string]any:
		return v, Decode(v)
	}
	return v, nil
}

func number(n json.Number) (any, error) {
	if isFloat(n.String()) {
		f, err := n.Float64()
		if err != nil { // its text has the number
			return nil, ErrValue
		}
		return f, nil
	}
	i, err := n.Int64()
	if err != nil {
		return nil, ErrValue
	}
	return i, nil
}
