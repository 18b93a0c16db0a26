package strictyaml

import (
	"fmt"

	"github.com/goccy/go-yaml/ast"
)

// check collects what is wrong with a value whatever it is decoded into.
func (d *document) check(node ast.Node, depth int) {
	n := Node{doc: d, node: node}
	switch v := node.(type) {
	case *ast.TagNode:
		d.refuse(n, "tags are not allowed; an expression that begins with ! needs quotes")
	case *ast.AnchorNode:
		d.refuse(n, "anchors are not allowed; a string that begins with & needs quotes")
	case *ast.AliasNode:
		d.refuse(n, "aliases are not allowed; a string that begins with * needs quotes")
	case *ast.SequenceNode:
		if depth > MaxDepth {
			d.refuse(n, fmt.Sprintf("mappings and lists nest deeper than %d", MaxDepth))
			return
		}
		for _, item := range v.Values {
			d.check(item, depth+1)
		}
	case *ast.MappingNode, *ast.MappingValueNode:
		if depth > MaxDepth {
			d.refuse(n, fmt.Sprintf("mappings and lists nest deeper than %d", MaxDepth))
			return
		}
		d.checkMapping(pairs(node), depth)
	default:
		if _, ok := n.scalar(); !ok {
			d.refuse(n, "not understood; write a scalar, a list or a mapping")
		}
	}
}

func (d *document) checkMapping(members []*ast.MappingValueNode, depth int) {
	lines := map[string]int{}
	for _, m := range members {
		key := Node{doc: d, node: m.Key}
		switch k := m.Key.(type) {
		case *ast.MergeKeyNode:
			d.refuse(key, "merge keys are not allowed")
			continue
		case *ast.MappingKeyNode:
			d.refuse(key, "keys after ? are not allowed; write key: value")
			continue
		case *ast.NullNode:
			d.refuse(key, "a key is missing")
		default:
			s, ok := key.scalar()
			switch {
			case !ok:
				d.refuse(key, "a key is a plain or quoted string, without tag, anchor or alias")
			case s.text == "":
				d.refuse(key, "a key is empty")
			case lines[s.text] > 0:
				d.refuse(key, fmt.Sprintf("duplicate key %s, first on line %d", quoted(s.text), lines[s.text]))
			default:
				lines[s.text] = k.GetToken().Position.Line
			}
		}
		d.check(m.Value, depth+1)
	}
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
