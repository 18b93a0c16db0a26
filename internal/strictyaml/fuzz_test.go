package strictyaml_test

import (
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	other "sigs.k8s.io/yaml/goyaml.v3"

	"github.com/jithook/jithook/internal/strictyaml"
)

// FuzzDecode holds what is accepted against another parser of YAML: a reading
// that differs, or a rule that silently vanishes, is a hole in a policy.
func FuzzDecode(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.txt")
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		input, _, _ := strings.Cut(string(data), "-- problems --\n")
		f.Add([]byte(input))
	}
	for _, s := range []string{
		"0: ?", "... a: b", "...\na: b", "a: b\n...#c", "a: b\n...\nc: d", "a: b\n... c: d", "\t{\n\t\"a\": \t\"b\"}", "{a: \"\\xX000\"}", "{a:[b]}", "a: |\n\n: b", "a: [b?]", "a: b\n -", "a: [:0]", "a: {,}", "a: []!x", "a: |00", "a: [\nb: {}\nc: d] ", "a: b\nc\n: d", "a: >\n   \n b", "b: x x  \n  y\n", "0:0000 \n\n000", "a\tb", "a: [b}]", "a: {b: c: d}", " |0", "-\n0", "0 ", "a: b  \n\nc:\n  d \n", ",", "0:\n0", "{0:0}",
		"a: |\n\n  x\n", "a: >-\n  x\n  y\n\n  z\n", "a: 'it''s'", `{"a": "\ud83d\ude00", "b": [1, 1e3]}`,
		"- a\n- b: c\n  d: [e, {f: g}]\n", "? a\n: b", "a: b\r\nc: d\r\n", "\"a\\\n  b\": c", "a: b #c\n", "---\na: 1\n...\n",
		strings.Repeat("k", 2000) + ": v",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var s schema
		for _, p := range strictyaml.Decode("f", data, &s) {
			if p.Line < 1 || p.Col < 1 || p.Message == "" || strings.ContainsAny(p.Message, "\n\r") {
				t.Errorf("problem %q without a place or a line of its own", p)
			}
		}
		var p places
		if problems := strictyaml.Decode("f", data, &p); len(problems) == 0 {
			p.check(t, string(data))
		}
		var got, want any
		if p := strictyaml.Decode("f", data, &got); len(p) > 0 {
			return
		}
		if _, ok := got.(map[string]any); !ok {
			return // no file of ours; the other parser reads lone blocks its own way
		}
		err := other.Unmarshal(data, &want)
		if err != nil && (strings.Contains(err.Error(), "Unicode character escape") || strings.Contains(err.Error(), "cannot start any token") || strings.Contains(err.Error(), "tab character")) || foreign(want) {
			return // it knows no surrogate pairs, and no lines of tabs
		}
		if err != nil {
			t.Fatalf("accepted as %#v, but: %v", got, err)
		}
		if diff := cmp.Diff(norm(want), norm(got)); diff != "" {
			t.Errorf("another parser reads it differently (-it +we):\n%s", diff)
		}
	})
}

// places collects every scalar of a file.
type places []strictyaml.Text

func (p *places) DecodeYAML(n strictyaml.Node) (problems []strictyaml.Problem) {
	for _, item := range n.Items() {
		problems = append(problems, p.DecodeYAML(item)...)
	}
	for _, e := range n.Entries() {
		*p = append(*p, e.Key)
		problems = append(problems, p.DecodeYAML(e.Value)...)
	}
	if n.Kind() == strictyaml.Scalar {
		var text strictyaml.Text
		problems = append(problems, n.Decode(&text)...)
		*p = append(*p, text)
	}
	return problems
}

// check holds that every place is that of its content's first letters.
func (p places) check(t *testing.T, file string) {
	lines := strings.Split(strings.ReplaceAll(strings.TrimPrefix(file, "\ufeff"), "\r\n", "\n"), "\n")
	for _, text := range p {
		if text.Line > len(lines) {
			t.Errorf("%q is beyond the last line, at %d:%d", text.Value, text.Line, text.Col)
			continue
		}
		line := []rune(lines[text.Line-1])
		at := string(line[min(text.Col-1, len(line)):])
		first, _, _ := strings.Cut(text.Value, "\n")
		first, _, _ = strings.Cut(first, " ")
		escaped := strings.ContainsAny(at, "\\'\t") // then the file spells it differently
		if !escaped && !strings.HasPrefix(at, first) {
			t.Errorf("%q is said to be at %d:%d, where the file has %q", text.Value, text.Line, text.Col, at)
		}
	}
}

// foreign says whether the other parser has values that are strings here: dates,
// and keys that are numbers or the like.
func foreign(v any) bool {
	switch v := v.(type) {
	case time.Time, map[any]any:
		return true
	case []any:
		return slices.ContainsFunc(v, foreign)
	case map[string]any:
		return slices.ContainsFunc(slices.Collect(maps.Values(v)), foreign)
	}
	return false
}

// norm makes the values of both parsers comparable.
func norm(v any) any {
	switch v := v.(type) {
	case int:
		return float64(v)
	case int64:
		return float64(v)
	case string:
		// Parsers differ in how many blank lines folding leaves, and no rule of
		// ours depends on it.
		return strings.Join(strings.Fields(v), " ")
	case uint64:
		return float64(v)
	case float64:
		if math.IsNaN(v) {
			return "NaN"
		}
		return v
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = norm(v[i])
		}
		return list
	case map[string]any:
		object := map[string]any{}
		for k := range v {
			object[k] = norm(v[k])
		}
		return object
	}
	return v
}
