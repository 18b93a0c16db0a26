package strictyaml_test

// These tests prove that a file is rewritten with nothing but the edits in it:
// comments, order and spaces stay, whatever way a value is written in; and that
// what cannot be changed so is refused and left alone.

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jithook/jithook/internal/strictyaml"
)

func set(v any, path ...any) strictyaml.Edit { return strictyaml.Edit{Path: path, Value: v} }

func TestRewrite(t *testing.T) {
	for name, c := range map[string]struct {
		in    string
		edits []strictyaml.Edit
		want  string
	}{
		"a word, before a comment":  {"a: b # why\nc: d\n", []strictyaml.Edit{set("x", "a")}, "a: x # why\nc: d\n"},
		"in quotes":                 {"a: \"b # \\\" no\"   # why\n", []strictyaml.Edit{set("x y", "a")}, "a: x y   # why\n"},
		"in single quotes":          {"a: 'it''s # b' # why\n", []strictyaml.Edit{set(int64(3), "a")}, "a: 3 # why\n"},
		"what needs quotes":         {"a: b\n", []strictyaml.Edit{set("true", "a")}, "a: \"true\"\n"},
		"a colon needs quotes":      {"a: b\n", []strictyaml.Edit{set("x: y", "a")}, "a: \"x: y\"\n"},
		"what some call a boolean":  {"a: b\n", []strictyaml.Edit{set("No", "a")}, "a: \"No\"\n"},
		"no end of line":            {"a: b", []strictyaml.Edit{set("x", "a")}, "a: x"},
		"other ends of lines":       {"a: b\r\nc: d\r\n", []strictyaml.Edit{set("x", "c")}, "a: b\r\nc: x\r\n"},
		"byte order mark":           {"\ufeffa: b\n", []strictyaml.Edit{set("x", "a")}, "\ufeffa: x\n"},
		"behind other letters":      {"a: {é: ü, b: c}\n", []strictyaml.Edit{set("x", "a", "b")}, "a: {é: ü, b: x}\n"},
		"within braces":             {"a: {b: c,  d: e} # why\n", []strictyaml.Edit{set("x", "a", "d")}, "a: {b: c,  d: x} # why\n"},
		"out of braces":             {"a: {b: c,  d: 'e'}\n", []strictyaml.Edit{set(nil, "a", "b")}, "a: {d: 'e'}\n"},
		"the last out of braces":    {"a: {b: c}\n", []strictyaml.Edit{set(nil, "a", "b")}, "a: {}\n"},
		"into braces":               {"a: {b: c}\n", []strictyaml.Edit{set([]any{"x", int64(1)}, "a", "d")}, "a: {b: c, d: [x, 1]}\n"},
		"into empty braces":         {"a: {}\n", []strictyaml.Edit{set("x", "a", "b")}, "a: {b: x}\n"},
		"several at once":           {"a: {b: c, d: e}\nf: g\n", []strictyaml.Edit{set("x", "a", "b"), set(nil, "a", "d"), set("z", "f")}, "a: {b: x}\nf: z\n"},
		"into lines":                {"a:\n  b: c # why\n# below\nd: e\n", []strictyaml.Edit{set("x", "a", "z")}, "a:\n  b: c # why\n  z: x\n# below\nd: e\n"},
		"out of lines":              {"a:\n  # b\n  b: c\n  d: e # why\n", []strictyaml.Edit{set(nil, "a", "b")}, "a:\n  # b\n  d: e # why\n"},
		"the last out of lines":     {"a:\n  b: c\nd: e\n", []strictyaml.Edit{set(nil, "a", "b")}, "a: {}\nd: e\n"},
		"in a list":                 {"a:\n  - {b: c}\n  - b: c\n    d: e\n", []strictyaml.Edit{set("x", "a", 1, "d")}, "a:\n  - {b: c}\n  - b: c\n    d: x\n"},
		"lines become one value":    {"a:\n  b:\n    c: d\n    e: f\ng: h\n", []strictyaml.Edit{set("x", "a", "b")}, "a:\n  b: x\ng: h\n"},
		"a list in brackets":        {"a: [b, \"c]\"] # why\n", []strictyaml.Edit{set([]any{"b", "x"}, "a")}, "a: [b, x] # why\n"},
		"a list of lines":           {"a:\n  - b # one\n  - c\n  - d # two\ne: f\n", []strictyaml.Edit{set([]any{"b", "d", "x"}, "a")}, "a:\n  - b # one\n  - d # two\n  - x\ne: f\n"},
		"a list of other lines":     {"a:\n  - b\n  - c\ne: f\n", []strictyaml.Edit{set([]any{"x"}, "a")}, "a: [x]\ne: f\n"},
		"a list that becomes empty": {"a:\n- b\ne: f\n", []strictyaml.Edit{set([]any{}, "a")}, "a: []\ne: f\n"},
		"objects":                   {"a: b\n", []strictyaml.Edit{set(map[string]any{"y": true, "x": []any{nil, 1.5}}, "a")}, "a: {x: [null, 1.5], \"y\": true}\n"},
	} {
		t.Run(name, func(t *testing.T) {
			got, problems := strictyaml.Rewrite("f.yaml", []byte(c.in), c.edits)
			if diff := cmp.Diff(c.want, string(got)); diff != "" || problems != nil {
				t.Errorf("%v\n%s", problems, diff)
			}
		})
	}
}

func TestRewriteJSON(t *testing.T) {
	got, problems := strictyaml.Rewrite("f.json", []byte(`{"a": {"b": 1}, "c": "d"}`), []strictyaml.Edit{set("x", "a", "z"), set("y", "c")})
	if want := `{"a": {"b": 1, "z": "x"}, "c": "y"}`; string(got) != want || problems != nil {
		t.Errorf("%s, %v; want %s", got, problems, want)
	}
}

func TestRewriteRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		in    string
		edits []strictyaml.Edit
		want  string
	}{
		"a block":                     {"a: |\n  b\nc: d\n", []strictyaml.Edit{set("x", "a")}, "f.yaml:1:4: this is written as a block"},
		"a comment in a list":         {"a: [b, # why\n  c]\n", []strictyaml.Edit{set([]any{"x"}, "a")}, "f.yaml:1:4: there is a comment in it"},
		"a comment in braces":         {"a: {b: c, # why\n  d: e}\n", []strictyaml.Edit{set(nil, "a", "b")}, "f.yaml:1:4: there is a comment in it"},
		"a comment in lines":          {"a:\n  b: c # why\n  d: e\n", []strictyaml.Edit{set("x", "a")}, "f.yaml:2:3: there is a comment in it"},
		"a comment above lines":       {"a: # why\n  b: c\n", []strictyaml.Edit{set("x", "a")}, "f.yaml:2:3: there is a comment above it"},
		"something before it":         {"a:\n  - b: c\n    d: e\n", []strictyaml.Edit{set(nil, "a", 0, "b")}, "f.yaml:2:5: something stands before it"},
		"nothing there":               {"a: b\n", []strictyaml.Edit{set("x", "c", "d")}, "f.yaml:1:1: there is no c here"},
		"no mapping":                  {"a: b\n", []strictyaml.Edit{set("x", "a", "d")}, "f.yaml:1:4: this is no mapping"},
		"no YAML":                     {"a: [b\n", []strictyaml.Edit{set("x", "a")}, "f.yaml:1:4: not valid YAML"},
		"one change within the other": {"a: {b: {c: d}, e: f}\n", []strictyaml.Edit{set("x", "a", "b", "c"), set(nil, "a", "e")}, "the changes are in each other's way"},
	} {
		t.Run(name, func(t *testing.T) {
			got, problems := strictyaml.Rewrite("f.yaml", []byte(c.in), c.edits)
			if got != nil || !strings.Contains(fmt.Sprint(problems), c.want) {
				t.Errorf("%q, %v; want %s", got, problems, c.want)
			}
		})
	}
}

// FuzzRewrite: whatever the file, a value is set in it or not, and what comes out
// is a file in which it stands.
func FuzzRewrite(f *testing.F) {
	for _, seed := range []string{"a: b # c\n", "a: {b: c}\nd: [1, 'x']\n", "a:\n  - b\n  - c\n", "a: |\n  b\n", `{"a": "\u00e9"}`, "a:\n\tb"} {
		f.Add(seed, "b")
	}
	f.Fuzz(func(t *testing.T, text, key string) {
		for _, e := range []strictyaml.Edit{set("x", "a"), set("x", "a", key), set(nil, key), set([]any{"b", "x"}, "a"), set("x", "a", 1)} {
			if _, last := e.Path[len(e.Path)-1].(string); !last {
				continue
			}
			got, problems := strictyaml.Rewrite("f.yaml", []byte(text), []strictyaml.Edit{e})
			if (got == nil) == (len(problems) == 0) {
				t.Fatalf("%q, %v", got, problems)
			}
		}
	})
}
