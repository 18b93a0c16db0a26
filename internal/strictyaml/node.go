package strictyaml

import (
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// Decoder is what a type implements that decodes itself. DecodeYAML is called
// on a pointer; a node of kind Null is among what it may get.
type Decoder interface {
	DecodeYAML(n Node) []Problem
}

// Kind is the kind of a Node.
type Kind int

// Kinds of nodes.
const (
	Scalar Kind = iota + 1
	List
	Mapping
	Null // nothing, a tilde or null; a Text takes the word null for its letters
)

// Node is one value in a file.
type Node struct {
	doc  *document
	node ast.Node
}

// Kind returns what kind of value n is.
func (n Node) Kind() Kind {
	switch n.node.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return Mapping
	case *ast.SequenceNode:
		return List
	case *ast.NullNode:
		return Null
	}
	return Scalar
}

// Pos returns where n begins: a mapping at its first key or brace.
func (n Node) Pos() Pos {
	node := n.node
	switch m := node.(type) {
	case *ast.MappingNode:
		if !m.IsFlowStyle && len(m.Values) > 0 {
			node = m.Values[0].Key
		}
	case *ast.MappingValueNode:
		node = m.Key
	}
	t := node.GetToken()
	p := Pos{File: n.doc.file, Line: t.Position.Line, Col: t.Position.Column}
	switch start := (Node{doc: n.doc, node: node}); {
	case t.Type == token.ImplicitNullType:
		p.Col = min(p.Col, n.doc.width(p.Line)+1) // in the last line it is beyond
	case start.quoted():
		// Behind tabs the library's column may be too small.
		for rest := n.doc.from(p.Line, p.Col); len(rest) > 1 && isBlank(rune(rest[0])); rest = rest[1:] {
			p.Col++
		}
	case start.plain():
		p.Col = n.doc.column(p.Line, p.Col, t.Value)
	}
	return p
}

// Problemf returns a problem at the place of n.
func (n Node) Problemf(format string, args ...any) Problem {
	return n.Pos().Problemf(format, args...)
}

// Items returns the elements of a list, and nothing for other kinds.
func (n Node) Items() []Node {
	s, ok := n.node.(*ast.SequenceNode)
	if !ok {
		return nil
	}
	items := make([]Node, len(s.Values))
	for i, v := range s.Values {
		items[i] = Node{doc: n.doc, node: v}
	}
	return items
}

// Entries returns the members of a mapping in the order of the file, and
// nothing for other kinds. Keys that are no scalars are left out; they are
// reported already.
func (n Node) Entries() []Entry[Node] {
	var entries []Entry[Node]
	for _, pair := range pairs(n.node) {
		key := Node{doc: n.doc, node: pair.Key}
		if s, ok := key.scalar(); ok && s.text != "" && key.Kind() != Null {
			entries = append(entries, Entry[Node]{Key: key.text(s), Value: Node{doc: n.doc, node: pair.Value}})
		}
	}
	return entries
}

func pairs(node ast.Node) []*ast.MappingValueNode {
	switch m := node.(type) {
	case *ast.MappingNode:
		return m.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{m}
	}
	return nil
}

// quoted says whether n is a scalar in quotes, plain whether it is one with
// neither quotes nor the header of a block.
func (n Node) quoted() bool {
	s, ok := n.node.(*ast.StringNode)
	return ok && (s.Token.Type == token.SingleQuoteType || s.Token.Type == token.DoubleQuoteType)
}

func (n Node) plain() bool {
	_, block := n.node.(*ast.LiteralNode)
	_, ok := n.node.(ast.ScalarNode)
	return ok && !block && !n.quoted()
}

// scalar returns what a scalar says; ok is false for lists and mappings, and
// for what check refused.
func (n Node) scalar() (s scalar, ok bool) {
	switch v := n.node.(type) {
	case *ast.LiteralNode:
		return scalar{text: v.Value.Value, kind: kindString}, true
	case *ast.StringNode:
		if n.plain() {
			return scalar{text: v.Value, kind: kindOf(v.Value)}, true
		}
		return scalar{text: v.Value, kind: kindString}, true
	case *ast.NullNode:
		if v.Token.Type == token.ImplicitNullType {
			return scalar{kind: kindNull}, true
		}
		return scalar{text: v.Token.Value, kind: kindNull}, true
	case *ast.BoolNode, *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		text := v.GetToken().Value
		kind := kindOf(text)
		if kind == kindString {
			// The library takes for a number what the core schema does not.
			kind = kindUnclear
		}
		return scalar{text: text, kind: kind}, true
	}
	return scalar{}, false
}

// text returns the scalar with the place of its content.
func (n Node) text(s scalar) Text {
	p := n.Pos()
	t := Text{Value: s.text, File: p.File, Line: p.Line, Col: p.Col}
	switch n.node.(type) {
	case *ast.LiteralNode:
		t.Line++
		t.Col = n.doc.indent(t.Line, s.text) + 1
	case *ast.StringNode:
		if n.quoted() {
			t.Col++
		}
	}
	return t
}

// column returns where in its line a plain scalar begins. The library counts
// spaces after it into the column that it gives, and tabs before it not at all.
func (d *document) column(line, col int, text string) int {
	width := d.width(line)
	begins := func(c int) bool { return strings.HasPrefix(d.from(line, c), text) }
	for c := min(col, width); c >= 1; c-- {
		if begins(c) {
			return c
		}
	}
	for c := col + 1; c <= width; c++ {
		if begins(c) {
			return c
		}
	}
	return col
}

// indent returns the indentation of the block scalar whose content begins on
// the line: that of its first line with text, less the spaces that are content.
func (d *document) indent(line int, content string) int {
	spaces := func(s string) int { return len(s) - len(strings.TrimLeft(s, " ")) }
	content = strings.TrimLeft(content, "\n")
	for _, l := range d.lines[min(line-1, len(d.lines)):] {
		if strings.TrimLeft(l, " ") != "" {
			return max(spaces(l)-spaces(content), 0)
		}
	}
	return 0
}
