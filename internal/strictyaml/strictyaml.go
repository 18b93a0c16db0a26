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
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Limits of a file.
const (
	// MaxBytes is the longest file accepted.
	MaxBytes = 1 << 20
	// MaxDepth is how deep mappings and lists may nest.
	MaxDepth = 32
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
// the file lacks keep their value: what is required is the caller's to say.
func Decode(file string, data []byte, into any) []Problem {
	d := &document{file: file}
	body, problems := d.parse(data)
	if body == nil {
		return problems
	}
	d.check(body, 1)
	n := Node{doc: d, node: body}
	problems = append(d.problems, n.Decode(into)...)
	slices.SortStableFunc(problems, func(a, b Problem) int {
		return cmp.Or(a.Line-b.Line, a.Col-b.Col)
	})
	return problems
}

// document is one file while it is decoded.
type document struct {
	file     string
	lines    []string
	problems []Problem // of check
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
	if line, col, what := unreadable(data); what != "" {
		return nil, one(line, col, what)
	}
	d.lines = strings.Split(string(data), "\n")
	tokens := lexer.Tokenize(string(data))
	if t := tooDeep(tokens); t != nil {
		return nil, one(t.Position.Line, t.Position.Column, fmt.Sprintf("mappings and lists nest deeper than %d", MaxDepth))
	}
	parsed, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		line, col, message := d.syntax(err)
		return nil, one(line, col, message)
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

// syntax turns an error of the parser into a place and a message. The error's
// own text prints the source around it, and so perhaps a secret.
func (d *document) syntax(err error) (line, col int, message string) {
	var e yaml.Error
	if !errors.As(err, &e) || e.GetToken() == nil || e.GetToken().Position == nil {
		return 1, 1, "the file is not valid YAML"
	}
	p := e.GetToken().Position
	return max(p.Line, 1), max(p.Column, 1), "not valid YAML: " + e.GetMessage()
}

// unreadable finds the first character that YAML 1.2, section 5.1, does not
// allow in a file, or that starts a new line for some readers only.
func unreadable(data []byte) (line, col int, what string) {
	line, col = 1, 1
	for len(data) > 0 {
		r, size := utf8.DecodeRune(data)
		switch {
		case r == utf8.RuneError && size == 1:
			return line, col, "the file is not valid UTF-8"
		case r == '\n':
			line, col = line+1, 0
		case r == '\t':
		case r < ' ', 0x7f <= r && r < 0xa0, r == '\u2028', r == '\u2029', r == '\ufeff':
			return line, col, fmt.Sprintf("the character %U is not allowed", r)
		}
		col++
		data = data[size:]
	}
	return 0, 0, ""
}

// tooDeep returns the token that nests too deep for the parser, which calls
// itself for every level: a megabyte of brackets, of dashes on one line or of
// tags in a row would exhaust the stack, and that cannot be recovered from.
// Levels by indentation cost their square in bytes, and are counted by check.
func tooDeep(tokens token.Tokens) *token.Token {
	flow, run, line := 0, 0, 0
	for _, t := range tokens {
		switch t.Type {
		case token.MappingStartType, token.SequenceStartType:
			flow, run = flow+1, 0
		case token.MappingEndType, token.SequenceEndType:
			flow, run = flow-1, 0
		case token.SequenceEntryType, token.MappingKeyType:
			if t.Position.Line != line {
				run, line = 0, t.Position.Line // a sibling, or deeper by indentation
			}
			run++
		case token.TagType, token.AnchorType, token.AliasType:
			run++
		default:
			// The name of an anchor or alias is a token of its own.
			if t.PreviousType() != token.AnchorType && t.PreviousType() != token.AliasType {
				run = 0
			}
		}
		if flow > MaxDepth || run > MaxDepth {
			return t
		}
	}
	return nil
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
