// These tests prove that every problem of a file is reported at once and at its
// place (testdata: a file above the line "-- problems --", what is wrong with it
// below; -update rewrites that), that what people write is decoded to exactly
// what another YAML library reads, that places point at the content, and that no
// file makes the decoder panic or stall.
package strictyaml_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jithook/jithook/internal/strictyaml"
)

var update = flag.Bool("update", false, "rewrite the expected problems in testdata")

// schema has a field of every type that Decode documents.
type schema struct {
	strictyaml.Pos

	Name    string                                `yaml:"name"`
	Allow   strictyaml.Text                       `yaml:"allow"`
	Deny    *strictyaml.Text                      `yaml:"deny"`
	Enabled bool                                  `yaml:"enabled"`
	Strict  *bool                                 `yaml:"strict"`
	Limit   int                                   `yaml:"limit"`
	Big     int64                                 `yaml:"big"`
	After   time.Duration                         `yaml:"after"`
	Default any                                   `yaml:"default"`
	Names   []string                              `yaml:"names"`
	Issuer  strictyaml.OneOrMany[strictyaml.Text] `yaml:"issuer"`
	Rules   []rule                                `yaml:"rules"`
	Inner   *rule                                 `yaml:"inner"`
	Traits  strictyaml.Map[rule]                  `yaml:"traits"`
	Groups  strictyaml.Map[strictyaml.Text]       `yaml:"groups"`
	Nested  struct {
		Level string `yaml:"level"`
	} `yaml:"nested"`
	Short    shorthand `yaml:"short"`
	Untagged string
}

type rule struct {
	strictyaml.Pos
	When strictyaml.Text `yaml:"when"`
	Code string          `yaml:"code"`
}

// shorthand is a Decoder: a string is a rule with only a condition.
type shorthand struct{ rule rule }

func (s *shorthand) DecodeYAML(n strictyaml.Node) []strictyaml.Problem {
	if n.Kind() == strictyaml.Mapping {
		return n.Decode(&s.rule)
	}
	return n.Decode(&s.rule.When)
}

func TestProblems(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			const line = "-- problems --\n"
			input, want, ok := strings.Cut(string(data), line)
			if !ok && !*update {
				t.Fatalf("%s has no line %q", file, line)
			}
			var got strings.Builder
			var s schema
			for _, p := range strictyaml.Decode("f.yaml", []byte(input), &s) {
				got.WriteString(p.String() + "\n")
			}
			if *update {
				if err := os.WriteFile(file, []byte(input+line+got.String()), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(want, got.String()); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

// A field that must be there is missed at the mapping that lacks it; one that is
// there without a value, or with a wrong one, is not missed as well.
func TestMissing(t *testing.T) {
	type item struct {
		When strictyaml.Text `yaml:"when" missing:"a condition"`
	}
	type file struct {
		Version int    `yaml:"version" missing:"write version: 1"`
		Name    string `yaml:"name"`
		Items   []item `yaml:"items"`
	}
	for in, want := range map[string][]string{
		"version: 1":             nil,
		"name: x\nversion:":      {"f:2:9: there is no value; give it one, or leave the key out"},
		"name: x\nversion: soon": {"f:2:10: want an integer, in decimal digits without quotes"},
		"\nname: x\nitems:\n- {}\n- when: a\n": {
			"f:2:1: version is missing: write version: 1",
			"f:4:3: when is missing: a condition",
		},
	} {
		var f file
		var got []string
		for _, p := range strictyaml.Decode("f", []byte(in), &f) {
			got = append(got, p.String())
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: problems (-want +got):\n%s", in, diff)
		}
	}
}

// A file whose last line has no end is read no worse.
func TestNoLineEnd(t *testing.T) {
	for in, want := range map[string]string{
		"allow: !claims.x":   "f:1:8: tags are not allowed; an expression that begins with ! needs quotes",
		"rules: []!x":        "f:1:10: tags are not allowed; an expression that begins with ! needs quotes",
		"allow: |0":          `f:1:8: not valid YAML: invalid header option: "0"`,
		"name: x\nallow: *a": "f:2:8: aliases are not allowed; a string that begins with * needs quotes",
	} {
		var s schema
		got := strictyaml.Decode("f", []byte(in), &s)
		if len(got) != 1 || got[0].String() != want {
			t.Errorf("%q: problems %v, want %s", in, got, want)
		}
	}
}

func text(value string, line, col int) strictyaml.Text {
	return strictyaml.Text{Value: value, File: "f.yaml", Line: line, Col: col}
}

func pos(line, col int) strictyaml.Pos { return strictyaml.Pos{File: "f.yaml", Line: line, Col: col} }

func TestDecode(t *testing.T) {
	const input = `# comment
name: "0123"
allow: |
  claims.a == 1 &&
    claims.b
deny: 'claims.c'
enabled: true
strict: false
limit: -5
big: 9223372036854775807
after: 90d
default: {s: x, b: true, i: 1, f: 1.5, e: 1e3, l: [a, ""], m: {}}
names: [a, no, "true"]
issuer: https://é.example
rules:
- when: true
  code: guest
- {when: 1}
inner:

  code: x
traits:
  b: {when: "é \"q\""}
  a: {}
groups: {12345: null, "010": x}
nested: {level: info}
short: claims.d
`
	no, deny := false, text("claims.c", 6, 8)
	want := schema{
		Pos: pos(2, 1), Name: "0123", Allow: text("claims.a == 1 &&\n  claims.b\n", 4, 3), Deny: &deny,
		Enabled: true, Strict: &no, Limit: -5, Big: 1<<63 - 1, After: 90 * 24 * time.Hour,
		Default: map[string]any{"s": "x", "b": true, "i": int64(1), "f": 1.5, "e": 1000.0, "l": []any{"a", ""}, "m": map[string]any{}},
		Names:   []string{"a", "no", "true"},
		Issuer:  strictyaml.OneOrMany[strictyaml.Text]{text("https://é.example", 14, 9)},
		Rules: []rule{
			{Pos: pos(16, 3), When: text("true", 16, 9), Code: "guest"},
			{Pos: pos(18, 3), When: text("1", 18, 10)},
		},
		Inner: &rule{Pos: pos(21, 3), Code: "x"},
		Traits: strictyaml.Map[rule]{
			{Key: text("b", 23, 3), Value: rule{Pos: pos(23, 6), When: text(`é "q"`, 23, 14)}},
			{Key: text("a", 24, 3), Value: rule{Pos: pos(24, 6)}},
		},
		Groups: strictyaml.Map[strictyaml.Text]{
			{Key: text("12345", 25, 10), Value: text("null", 25, 17)},
			{Key: text("010", 25, 24), Value: text("x", 25, 30)},
		},
		Short:    shorthand{rule{When: text("claims.d", 27, 8)}},
		Untagged: "kept",
	}
	want.Nested.Level = "info"
	for name, in := range map[string]string{
		"as written": input,
		"CRLF":       strings.ReplaceAll(input, "\n", "\r\n"),
		"BOM":        "\ufeff" + input,
	} {
		t.Run(name, func(t *testing.T) {
			got := schema{Untagged: "kept"}
			if p := strictyaml.Decode("f.yaml", []byte(in), &got); len(p) > 0 {
				t.Fatalf("problems: %v", p)
			}
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(shorthand{})); diff != "" {
				t.Errorf("decoded (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDocumentMarker(t *testing.T) {
	var got schema
	if p := strictyaml.Decode("f.yaml", []byte("# why\n--- # here\nname: x\n"), &got); len(p) > 0 || got.Name != "x" {
		t.Errorf("decoded %q, problems %v", got.Name, p)
	}
}

func TestDecodeJSON(t *testing.T) {
	var got schema
	in := "{\n\t\"name\": \"a\\u00e9\\ud83d\\ude00\",\n\t\"default\": [1, -2.5, 1e3, true, {\"k\": \"\\/\"}],\n\t\"allow\": \"x\"\n}\n"
	if p := strictyaml.Decode("f.yaml", []byte(in), &got); len(p) > 0 {
		t.Fatalf("problems: %v", p)
	}
	want := schema{Pos: pos(1, 1), Name: "aé😀", Allow: text("x", 4, 12), Default: []any{int64(1), -2.5, 1000.0, true, map[string]any{"k": "/"}}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(shorthand{})); diff != "" {
		t.Errorf("decoded (-want +got):\n%s", diff)
	}
}

// A compiler of expressions reports places relative to the text: the place of
// the text must be that of its first character.
func TestTextPlace(t *testing.T) {
	for name, c := range map[string]struct {
		in        string
		value     string
		line, col int
	}{
		"plain":                   {"allow: é x", "é x", 1, 8},
		"double quoted":           {"allow: \"x\"", "x", 1, 9},
		"single quoted":           {"allow:   'x'", "x", 1, 11},
		"spaces at the end":       {"allow: x x  \nname: x", "x x", 1, 8},
		"on the next line":        {"allow:\n    x", "x", 2, 5},
		"after a wide key":        {"{\"ключ\": 1, \"allow\": \"x\"}", "x", 1, 23},
		"literal":                 {"allow: |\n   a\n   b\n", "a\nb\n", 2, 4},
		"literal, comment":        {"allow: |- # why\n   a", "a", 2, 4},
		"literal, blank first":    {"allow: |\n\n   a\n", "\na\n", 2, 4},
		"literal, own indent":     {"allow: |1\n   a\n", "  a\n", 2, 2},
		"folded":                  {"allow: >\n  a\n  b\n\n", "a b\n", 2, 3},
		"literal in the middle":   {"allow: |\n  a\nname: x\n", "a\n", 2, 3},
		"literal after wide text": {"name: \"日本\"\nallow: |\n  é\n", "é\n", 3, 3},
	} {
		t.Run(name, func(t *testing.T) {
			var got schema
			strictyaml.Decode("f.yaml", []byte(c.in), &got)
			if diff := cmp.Diff(text(c.value, c.line, c.col), got.Allow); diff != "" {
				t.Errorf("text (-want +got):\n%s", diff)
			}
		})
	}
}

func TestProblemsAtTheirOwnPlaces(t *testing.T) {
	got := []string{
		text("x", 3, 4).Problemf("no %s", "such").Error(),
		pos(1, 2).Problemf("bad").String(),
	}
	if diff := cmp.Diff([]string{"f.yaml:3:4: no such", "f.yaml:1:2: bad"}, got); diff != "" {
		t.Error(diff)
	}
}

// Bombs: every one must be refused. A stack that overflows cannot be
// recovered from, so this test would take the process with it.
func TestBounds(t *testing.T) {
	const size = strictyaml.MaxBytes
	for name, c := range map[string]struct{ unit, want string }{
		"lists in brackets":    {"[", "nest deeper"},
		"mappings in braces":   {"{a: ", "nest deeper"},
		"dashes on a line":     {"- ", "nest deeper"},
		"question marks":       {"? ", "nest deeper"},
		"tags":                 {"!a ", "nest deeper"},
		"tags on lines":        {"!a\n", "nest deeper"},
		"anchors":              {"&a\n", "nest deeper"},
		"tags in a list":       {"[!a ", "nest deeper"},
		"many keys":            {"a:\n", "more than 30000"},
		"many elements":        {"- a\n", "more than 30000"},
		"more than a megabyte": {"# comment, or so it says\n", "longer than"},
	} {
		t.Run(name, func(t *testing.T) {
			in := strings.Repeat(c.unit, size/len(c.unit))
			if c.want == "longer than" {
				in += in
			}
			var v any
			p := strictyaml.Decode("f", []byte(in), &v)
			if len(p) == 0 || !strings.Contains(p[0].Message, c.want) {
				t.Errorf("problems %.200v, want one with %q", p, c.want)
			}
		})
	}
	// The widest file that is accepted by its tokens, and the deepest.
	for name, in := range map[string]string{
		"many members": strings.Repeat("a: b\n", strictyaml.MaxTokens/3),
		"indentation":  indented(1000),
	} {
		t.Run(name, func(t *testing.T) {
			var v any
			if p := strictyaml.Decode("f", []byte(in), &v); len(p) == 0 {
				t.Error("no problem")
			}
		})
	}
}

func indented(levels int) string {
	var b strings.Builder
	for i := range levels {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()
}

func TestDepth(t *testing.T) {
	for name, c := range map[string]struct {
		in string
		ok bool
	}{
		"32 lists":              {strings.Repeat("[", 32) + strings.Repeat("]", 32), true},
		"33 lists":              {strings.Repeat("[", 33) + strings.Repeat("]", 33), false},
		"32 by indentation":     {indented(31) + strings.Repeat(" ", 31) + "a: b", true},
		"33 by indentation":     {indented(32) + strings.Repeat(" ", 32) + "a: b", false},
		"many short lists":      {strings.Repeat("- - a\n", 100), true},
		"many mappings a line":  {"[" + strings.Repeat("{a: 1},", 100) + "]", true},
		"many empty list items": {strings.Repeat("- {}\n", 100), true},
	} {
		t.Run(name, func(t *testing.T) {
			var v any
			p := strictyaml.Decode("f", []byte(c.in), &v)
			if ok := len(p) == 0; ok != c.ok {
				t.Errorf("problems %v, want none: %v", p, c.ok)
			}
		})
	}
}
