// Package strictyaml owns the reading of YAML that people write: providers'
// files and the server's configuration. It reports every problem of a file at
// once, each with its place, and refuses the parts of YAML that surprise: tags
// (allow: !claims.disabled would silently be nothing), anchors, aliases, merge
// keys, duplicate keys, nulls where a value is meant, plain scalars that readers
// of YAML take for different things. JSON is YAML, and works.
//
// It must not know what any field means. It is the only importer of the YAML
// library. Problems name keys and kinds, never values: some are secrets.
package strictyaml

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
)

// Limits of a file.
const (
	// MaxBytes is the longest file accepted.
	MaxBytes = 1 << 20
	// MaxDepth is how deep mappings and lists may nest.
	MaxDepth = 32
	// MaxTokens bounds the keys, values and marks in a file. The parser's work
	// grows with the square of the members of a mapping; this many take it
	// less than a second.
	MaxTokens = 30_000
)

// Decode decodes the one document of a file into what into points to, and
// returns all its problems in the order of their places; file is its name in
// them. With any problem, into holds only what could be decoded.
//
// A struct takes a mapping; its fields are named by yaml tags, and fields
// without a tag are left alone. Field types are string (not empty), Text, bool,
// int, int64, time.Duration ("60s", "24h", "90d", "0"; never negative), any
// (string, bool, int64, float64, []any, map[string]any), structs, slices,
// pointers (nil where the field is absent), OneOrMany, Map and what implements
// Decoder. A struct that embeds Pos learns the place of its mapping. Fields that
// the file lacks keep their value, or are a problem if they have a `missing` tag,
// which says what they are for.
func Decode(file string, data []byte, into any) []Problem {
	d := &document{file: file}
	body, problems := d.parse(data)
	if body != nil {
		d.check(body, level{depth: 1})
		problems = append(d.problems, Node{doc: d, node: body}.Decode(into)...)
	}
	// What is left of a line with a refused token is not what was written there.
	problems = slices.DeleteFunc(problems, func(p Problem) bool {
		return slices.ContainsFunc(d.refused, func(q Problem) bool { return p.Line == q.Line })
	})
	problems = append(problems, d.refused...)
	slices.SortStableFunc(problems, func(a, b Problem) int {
		return cmp.Or(a.Line-b.Line, a.Col-b.Col)
	})
	return problems
}

// document is one file while it is decoded.
type document struct {
	file   string
	text   string
	lines  []string      // of text
	starts []int         // where in text each line begins, in bytes
	wide   map[int][]int // by line, for those that are not all ASCII: where in it each character begins
	// refused is what checkTokens finds, problems what check does.
	refused, problems []Problem
}

// parse returns the document's one value, or the problem that there is none.
func (d *document) parse(data []byte) (ast.Node, []Problem) {
	one := func(line, col int, message string) []Problem {
		return []Problem{{File: d.file, Line: line, Col: col, Message: message}}
	}
	if len(data) > MaxBytes {
		return nil, one(1, 1, fmt.Sprintf("the file is longer than %d bytes", MaxBytes))
	}
	// Editors of some systems leave a byte order mark and CRLF line ends.
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
	if !bytes.HasSuffix(data, []byte("\n")) {
		// At the very end of a file the library drops a tag: allow: !claims.x
		data = append(data, '\n')
	}
	if line, col, what := unreadable(data); what != "" {
		return nil, one(line, col, what)
	}
	d.text = string(data)
	d.lines = strings.Split(d.text, "\n")
	d.split()
	tokens := lexer.Tokenize(string(data))
	if t := tooDeep(tokens); t != nil {
		return nil, one(t.Position.Line, t.Position.Column, fmt.Sprintf("mappings and lists nest deeper than %d", MaxDepth))
	}
	if len(tokens) > MaxTokens {
		p := tokens[MaxTokens].Position
		return nil, one(p.Line, p.Column, fmt.Sprintf("the file has more than %d keys, values and marks", MaxTokens))
	}
	parsed, err := parser.Parse(d.checkTokens(tokens), 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, []Problem{d.syntax(err)}
	}
	for i, doc := range parsed.Docs {
		if _, ok := doc.Body.(*ast.DirectiveNode); ok {
			p := doc.Body.GetToken().Position
			return nil, one(p.Line, p.Column, "directives are not allowed")
		}
		if i > 0 {
			line, col := len(d.lines), 1
			if doc.Start != nil {
				line, col = doc.Start.Position.Line, doc.Start.Position.Column
			}
			return nil, one(line, col, "a second document begins; the file has one")
		}
	}
	if len(parsed.Docs) == 0 || parsed.Docs[0].Body == nil {
		return nil, one(1, 1, "the file is empty")
	}
	return parsed.Docs[0].Body, nil
}

// syntax turns an error of the parser into a problem. The error's own text
// prints the source around it, and so perhaps a secret.
func (d *document) syntax(err error) Problem {
	place := Pos{File: d.file, Line: 1, Col: 1}
	var e yaml.Error
	if !errors.As(err, &e) || e.GetToken() == nil || e.GetToken().Position == nil {
		return place.Problemf("not valid YAML")
	}
	p := e.GetToken().Position
	place.Line, place.Col = max(p.Line, 1), max(p.Column, 1)
	return place.Problemf("not valid YAML: %s", e.GetMessage())
}

// Decode decodes the node like the package's Decode. A type that implements
// Decoder must not decode into itself.
func (n Node) Decode(into any) []Problem {
	v := reflect.ValueOf(into)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		return []Problem{n.Problemf("this version cannot decode into %T", into)}
	}
	return n.decode(v.Elem())
}
