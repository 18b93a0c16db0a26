package strictyaml

import (
	"regexp"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// indicators cannot begin a plain scalar (YAML 1.2, section 7.3.3).
const indicators = ",[]{}#&*!|>'\"%@`"

// marks within a plain scalar would begin an element, a key, a value or a
// comment.
var marks = regexp.MustCompile(`^[-?]([ \t]|$)|^:|:([ \t]|$)|[ \t]#`)

// checkScalar refuses what the library takes for a plain scalar and YAML does
// not: other readers would read the file differently, or not at all. flow says
// whether it stands within brackets.
func (d *document) checkScalar(n Node, flow bool) {
	s, ok := n.scalar()
	if !ok {
		d.refuse(n, "not understood; write a scalar, a list or a mapping")
		return
	}
	if b, ok := n.node.(*ast.LiteralNode); ok {
		d.checkBlock(n, b)
	}
	if n.quoted() && n.node.GetToken().Type == token.DoubleQuoteType && !d.wellEscaped(n.Pos()) {
		d.refuse(n, "an escape in double quotes is malformed; \\x takes 2 hexadecimal digits, \\u 4 and \\U 8")
	}
	if !n.plain() || s.text == "" {
		return
	}
	switch {
	case strings.Contains(s.text, "\n"), strings.Contains(strings.TrimSpace(n.node.GetToken().Origin), "\n"):
		d.refuse(n, "a string of several lines needs quotes or a block, such as |")
	case strings.Contains(indicators, s.text[:1]):
		d.refuse(n, "a string that begins with one of "+indicators+" needs quotes")
	case marks.MatchString(s.text):
		d.refuse(n, "a string that begins with a colon, or with - or ? and a space, or has a colon and a space or a space and # in it, needs quotes")
	case flow && strings.ContainsAny(s.text, ",[]{}?"):
		d.refuse(n, "within brackets, a string with one of ,[]{}? in it needs quotes")
	}
}

// escaped is a string in double quotes with whole escapes (YAML 1.2, section
// 5.7). Which letters there are, the library checks.
var escaped = regexp.MustCompile(`^"([^"\\]|\\x[0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\U[0-9a-fA-F]{8}|\\[^xuU])*"`)

// wellEscaped says whether the string in double quotes at p has whole escapes:
// the library takes any letter for a hexadecimal digit.
func (d *document) wellEscaped(p Pos) bool {
	return escaped.MatchString(d.text[d.offset(p.Line, p.Col):])
}

// blockHeader begins a block scalar, followed by a space or the line's end (YAML
// 1.2, section 8.1.1).
var blockHeader = regexp.MustCompile(`^[|>]([1-9]?[-+]?|[-+][1-9])( |$)`)

// checkBlock refuses a block with a header that the library only half looks at,
// or that begins with a line of more spaces than its indentation.
func (d *document) checkBlock(n Node, b *ast.LiteralNode) {
	start := b.Start.Position
	if !blockHeader.MatchString(d.from(start.Line, start.Column)) {
		d.refuse(n, "a block begins with | or >, then at most one of + and - and an indentation of 1 to 9")
		return
	}
	indent := d.indent(start.Line+1, b.Value.Value)
	for _, l := range d.lines[start.Line:] {
		if strings.Trim(l, " ") != "" {
			return
		}
		if len(l) > indent {
			d.refuse(n, "a blank line at the beginning of a block is indented deeper than the block")
			return
		}
	}
}

func isBlank(r rune) bool { return r == ' ' || r == '\t' }
