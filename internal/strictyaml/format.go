package strictyaml

import (
	"bytes"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// harmless is a string that no reader of YAML takes for anything else, wherever
// it stands.
var harmless = regexp.MustCompile(`^[A-Za-z/_][A-Za-z0-9_@./+-]*( [A-Za-z0-9_@./+-]+)*$`)

// unsafeWords are those that YAML 1.1 takes for a boolean.
var unsafeWords = []string{"y", "n", "yes", "no", "on", "off"}

// format writes a value on one line.
func (w *writer) format(v any) string {
	switch v := v.(type) {
	case string:
		if !w.quotes && harmless.MatchString(v) && kindOf(v) == kindString && !slices.Contains(unsafeWords, strings.ToLower(v)) {
			return v
		}
	case []any:
		parts := make([]string, len(v))
		for n, item := range v {
			parts[n] = w.format(item)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case map[string]any:
		var parts []string
		for _, key := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, w.format(key)+": "+w.format(v[key]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // JSON values only
	return strings.TrimRight(b.String(), "\n")
}
