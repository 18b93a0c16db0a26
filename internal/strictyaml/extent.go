package strictyaml

import (
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// start is where a value begins in the text.
func (d *document) start(n Node) int {
	p := n.Pos()
	return d.offset(p.Line, p.Col)
}

// end is where a value ends in the text, or -1 where that cannot be told: in a
// block scalar.
func (d *document) end(n Node) int {
	from := d.start(n)
	switch v := n.node.(type) {
	case *ast.LiteralNode:
		return -1
	case *ast.MappingNode, *ast.MappingValueNode, *ast.SequenceNode:
		if !n.block() {
			return d.closing(from)
		}
		children := n.Items()
		for _, e := range n.Entries() {
			children = append(children, e.Value)
		}
		if len(children) == 0 {
			return -1
		}
		return d.end(children[len(children)-1])
	case *ast.StringNode:
		if n.quoted() {
			return d.quote(from)
		}
		return d.plain(from, v.Value)
	}
	if t := n.node.GetToken(); t.Type != token.ImplicitNullType {
		return d.plain(from, t.Value)
	}
	return from
}

func (d *document) plain(from int, text string) int {
	if !strings.HasPrefix(d.text[from:], text) {
		return -1
	}
	return from + len(text)
}

// quote returns where a quoted scalar ends.
func (d *document) quote(from int) int {
	mark := d.text[from]
	for at := from + 1; at < len(d.text); at++ {
		switch c := d.text[at]; {
		case c == '\\' && mark == '"':
			at++
		case c == mark && mark == '\'' && strings.HasPrefix(d.text[at+1:], "'"):
			at++
		case c == mark:
			return at + 1
		}
	}
	return -1
}

// closing returns where a list or mapping in brackets ends.
func (d *document) closing(from int) int {
	depth := 0
	for at := from; at < len(d.text); at++ {
		switch c := d.text[at]; {
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth--; depth == 0 {
				return at + 1
			}
		case (c == '"' || c == '\'') && strings.ContainsRune(" \n[{,:", rune(d.text[at-1])):
			end := d.quote(at)
			if end < 0 {
				return -1
			}
			at = end - 1
		case d.comments(at):
			at += strings.IndexByte(d.text[at:], '\n')
		}
	}
	return -1
}

// comments reports whether a comment begins at a place that no quotes are around.
func (d *document) comments(at int) bool {
	return d.text[at] == '#' && (at == 0 || strings.ContainsRune(" \t\n", rune(d.text[at-1])))
}

// commented reports whether there is a comment between two places.
func (d *document) commented(from, to int) bool {
	for at := from; at < to; at++ {
		switch c := d.text[at]; {
		case (c == '"' || c == '\'') && (at == 0 || strings.ContainsRune(" \n[{,:", rune(d.text[at-1]))):
			if end := d.quote(at); end > 0 {
				at = end - 1
			}
		case d.comments(at):
			return true
		}
	}
	return false
}

// lineAfter is where the line after a place begins.
func (d *document) lineAfter(at int) int {
	if at < 0 {
		return at
	}
	if n := strings.IndexByte(d.text[at:], '\n'); n >= 0 {
		return at + n + 1
	}
	return len(d.text)
}
