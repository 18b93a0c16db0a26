package expr

import (
	"math"
	"time"
	"unicode/utf8"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// Limits on a result: how deep its lists and maps may nest, and how many values
// it may have in all.
const (
	maxResultDepth = 64
	maxResultSize  = 100_000
)

// toJSON returns v as a JSON value, or why it is none. depth is how many more
// levels of lists and maps may follow, room how many more values.
func toJSON(v ref.Val, depth int, room *int) (result any, why string) {
	if *room--; *room < 0 {
		return nil, "yields more values than a result may have"
	}
	switch v := v.(type) {
	case types.Null:
		return nil, ""
	case types.Bool:
		return bool(v), ""
	case types.Int:
		return int64(v), ""
	case types.Uint:
		if v > math.MaxInt64 {
			return nil, "yields an unsigned number beyond int64"
		}
		return int64(v), ""
	case types.Double:
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return nil, "yields a number that JSON does not have (infinite, or none)"
		}
		return float64(v), ""
	case types.String:
		if !utf8.ValidString(string(v)) {
			return nil, "yields text that is not valid UTF-8"
		}
		return string(v), ""
	case types.Timestamp:
		return v.UTC().Format(time.RFC3339Nano), ""
	case traits.Lister:
		return toList(v, depth, room)
	case traits.Mapper:
		return toMap(v, depth, room)
	}
	return nil, "yields a value of type " + v.Type().TypeName() + ", which JSON does not have; turn it into a string"
}

const tooDeep = "yields lists or maps nested too deep"

func toList(v traits.Lister, depth int, room *int) (any, string) {
	if depth == 0 {
		return nil, tooDeep
	}
	list := []any{}
	for it := v.Iterator(); it.HasNext() == types.True; {
		item, why := toJSON(it.Next(), depth-1, room)
		if why != "" {
			return nil, why
		}
		list = append(list, item)
	}
	return list, ""
}

func toMap(v traits.Mapper, depth int, room *int) (any, string) {
	if depth == 0 {
		return nil, tooDeep
	}
	m := map[string]any{}
	for it := v.Iterator(); it.HasNext() == types.True; {
		key := it.Next()
		name, ok := key.(types.String)
		if !ok || !utf8.ValidString(string(name)) {
			return nil, "yields a map with a key that is no string"
		}
		item, why := toJSON(v.Get(key), depth-1, room)
		if why != "" {
			return nil, why
		}
		m[string(name)] = item
	}
	return m, ""
}

// typeName is JSON's name of the type of a result.
func typeName(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case int64, float64:
		return "number"
	case []any:
		return "list"
	}
	return "map"
}
