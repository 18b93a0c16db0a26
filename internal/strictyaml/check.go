package strictyaml

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// level is where a value stands: how deep, and whether within brackets.
type level struct {
	depth int
	flow  bool
}

func (l level) within(flow bool) level { return level{depth: l.depth + 1, flow: l.flow || flow} }

// check collects what is wrong with a value whatever it is decoded into.
func (d *document) check(node ast.Node, l level) {
	n := Node{doc: d, node: node}
	if n.Kind() != Scalar && n.Kind() != Null && l.depth > MaxDepth {
		d.refuse(n, fmt.Sprintf("mappings and lists nest deeper than %d", MaxDepth))
		return
	}
	if l.flow && n.block() {
		d.refuse(n, "within brackets, a mapping needs braces and a list brackets")
	}
	switch v := node.(type) {
	case *ast.SequenceNode:
		d.checkList(n, v, l.within(v.IsFlowStyle))
	case *ast.MappingNode:
		d.checkMapping(v.Values, l.within(v.IsFlowStyle))
	case *ast.MappingValueNode:
		d.checkMapping(pairs(v), l.within(v.IsFlowStyle))
	default:
		d.checkScalar(n, l.flow)
	}
}

func (d *document) checkList(list Node, v *ast.SequenceNode, l level) {
	dash := list.Pos().Col
	for _, item := range v.Values {
		if i := (Node{doc: d, node: item}); !l.flow && i.Pos().Col <= dash {
			d.refuse(i, "the element must be indented deeper than its dash")
		}
		d.check(item, l)
	}
}

func (d *document) checkMapping(members []*ast.MappingValueNode, l level) {
	lines := map[string]int{}
	for _, m := range members {
		key, value := Node{doc: d, node: m.Key}, Node{doc: d, node: m.Value}
		switch m.Key.(type) {
		case *ast.MergeKeyNode:
			continue // reported with the tags
		case *ast.MappingKeyNode, *ast.LiteralNode:
			d.refuse(key, "a key is a string on one line; write key: value")
			continue
		}
		d.checkKey(key, lines, l.flow)
		d.checkColon(key, m.Start.Position)
		if !l.flow {
			d.checkIndent(key, value)
		}
		d.check(m.Value, l)
	}
}

// maxKey is the longest key (YAML 1.2, section 7.4.3, counts characters), in
// bytes.
const maxKey = 1024

// checkKey refuses what is no key or has been one before; lines holds the lines
// of those.
func (d *document) checkKey(key Node, lines map[string]int, flow bool) {
	d.checkScalar(key, flow)
	s, ok := key.scalar()
	switch {
	case !ok: // refused
	case key.Kind() == Null:
		d.refuse(key, "a key is missing")
	case s.text == "":
		d.refuse(key, "a key is empty")
	case len(s.text) > maxKey:
		d.refuse(key, "a key is longer than 1024 bytes")
	case lines[s.text] > 0:
		d.refuse(key, fmt.Sprintf("duplicate key %s, first on line %d", quoted(s.text), lines[s.text]))
	default:
		lines[s.text] = key.Pos().Line
	}
}

// checkColon refuses a colon that does not follow its key on its line, and one
// that touches the value: after a plain key others take {a:b} for the key "a:b"
// without a value.
func (d *document) checkColon(key Node, colon *token.Position) {
	if colon.Line != key.Pos().Line {
		d.refuse(key, "a key and its colon stand on one line")
		return
	}
	next, ok := strings.CutPrefix(d.from(colon.Line, colon.Column), ":")
	if !ok || next == "" {
		return // the last of its line, or a key without a colon
	}
	if !key.quoted() && !isBlank(rune(next[0])) {
		d.refuse(key, "a space is missing after the key's colon")
	}
}

// checkIndent refuses a value below its key that is not to the right of it: the
// library takes it for the key's, a person may not. A list may begin under the
// key's first letter.
func (d *document) checkIndent(key, value Node) {
	k, v := key.Pos(), value.Pos()
	if value.Kind() == List && value.block() {
		k.Col--
	}
	if v.Line > k.Line && v.Col <= k.Col {
		d.refuse(value, "the value must be indented deeper than its key")
	}
}

// block says whether n is a mapping or list by indentation.
func (n Node) block() bool {
	switch v := n.node.(type) {
	case *ast.SequenceNode:
		return !v.IsFlowStyle
	case *ast.MappingNode:
		return !v.IsFlowStyle
	case *ast.MappingValueNode:
		return !v.IsFlowStyle
	}
	return false
}

func (d *document) refuse(n Node, message string) {
	d.problems = append(d.problems, n.Problemf("%s", message))
}

// broken says whether check refused the value itself, so that decoding need
// not complain about it again.
func (n Node) broken() bool {
	if n.Kind() != Scalar {
		return false
	}
	_, ok := n.scalar()
	return !ok
}
