package convert

import (
	"encoding/json"
	"strings"

	"github.com/google/go-jsonnet/ast"
)

// Limits on a mapper, whose definitions may lead into one another.
const (
	maxSteps = 200
	maxWork  = 100_000
)

const tooDeep = "definitions lead too deep into one another"

// enter counts a step, until leave.
func (c *converter) enter(n ast.Node) (leave func(), err error) {
	c.depth++
	c.work++
	if c.depth > maxSteps || c.work > maxWork {
		c.depth--
		return nil, c.refuse(n, tooDeep)
	}
	return func() { c.depth-- }, nil
}

// thunk is an expression of Jsonnet with what its names mean. Jsonnet evaluates
// lazily and has no effects, so a name may be replaced by what it stands for.
type thunk struct {
	node  ast.Node
	scope *scope
}

// scope is one definition, and those around it.
type scope struct {
	name  ast.Identifier
	value thunk
	// term is the variable of a loop, which is one in CEL, too.
	term  *term
	outer *scope
}

func (s *scope) find(name ast.Identifier) *scope {
	for ; s != nil; s = s.outer {
		if s.name == name {
			return s
		}
	}
	return nil
}

// bound returns the scope inside of a local.
func bound(l *ast.Local, outer *scope) *scope {
	defined := make([]definition, len(l.Binds))
	for i, b := range l.Binds {
		defined[i] = definition{b.Variable, b.Body, b.Fun}
	}
	return define(defined, outer)
}

// within returns the scope inside of an object with locals of its own.
func within(o *ast.Object, outer *scope) *scope {
	var defined []definition
	for _, f := range o.Fields {
		if f.Kind == ast.ObjectLocal {
			defined = append(defined, definition{*f.Id, f.Expr2, f.Method})
		}
	}
	return define(defined, outer)
}

type definition struct {
	name     ast.Identifier
	body     ast.Node
	function *ast.Function
}

// define adds definitions of which each sees all.
func define(defined []definition, outer *scope) *scope {
	inner := outer
	var made []*scope
	for _, d := range defined {
		node := d.body
		if d.function != nil {
			node = d.function
		}
		inner = &scope{name: d.name, value: thunk{node: node}, outer: inner}
		made = append(made, inner)
	}
	for _, s := range made {
		s.value.scope = inner
	}
	return inner
}

// resolve goes through brackets, definitions, names and calls of functions that
// the mapper defines, to an expression that is something by itself.
func (c *converter) resolve(t thunk) (thunk, error) {
	for range maxSteps {
		switch n := t.node.(type) {
		case *ast.Parens:
			t.node = n.Inner
		case *ast.Local:
			t = thunk{n.Body, bound(n, t.scope)}
		case *ast.Var:
			at := t.scope.find(n.Id)
			if at == nil {
				return t, c.refuse(n, "%s means nothing here", n.Id)
			}
			if at.term != nil {
				return t, nil
			}
			t = at.value
		case *ast.Apply:
			next, called, err := c.call(n, t.scope)
			if err != nil || !called {
				return t, err
			}
			t = next
		case *ast.Index:
			next, found, err := c.member(n, t.scope)
			if err != nil || !found {
				return t, err
			}
			t = next
		default:
			return t, nil
		}
	}
	return t, c.refuse(t.node, tooDeep)
}

// call returns the body of a function of the mapper's own with its arguments.
func (c *converter) call(n *ast.Apply, s *scope) (thunk, bool, error) {
	if _, ok := standard(n.Target, s); ok {
		return thunk{}, false, nil
	}
	of, err := c.resolve(thunk{n.Target, s})
	if err != nil {
		return thunk{}, false, err
	}
	f, ok := of.node.(*ast.Function)
	if !ok {
		return thunk{}, false, c.refuse(n, "this call cannot be converted")
	}
	if len(n.Arguments.Named) > 0 || len(n.Arguments.Positional) > len(f.Parameters) {
		return thunk{}, false, c.refuse(n, "a call needs its arguments in order")
	}
	inner := of.scope
	var defaults []*scope
	for i, p := range f.Parameters {
		inner = &scope{name: p.Name, outer: inner}
		switch {
		case i < len(n.Arguments.Positional):
			inner.value = thunk{n.Arguments.Positional[i].Expr, s}
		case p.DefaultArg != nil:
			inner.value = thunk{node: p.DefaultArg}
			defaults = append(defaults, inner)
		default:
			return thunk{}, false, c.refuse(n, "the call lacks %s", p.Name)
		}
	}
	for _, d := range defaults {
		d.value.scope = inner
	}
	return thunk{f.Body, inner}, true, nil
}

// member returns the member of an object that the mapper itself defines.
func (c *converter) member(n *ast.Index, s *scope) (thunk, bool, error) {
	key, ok := c.key(n, s)
	if !ok {
		return thunk{}, false, nil
	}
	if v, ok := n.Target.(*ast.Var); ok && v.Id == "std" && s.find("std") == nil {
		return thunk{}, false, nil
	}
	of, err := c.resolve(thunk{n.Target, s})
	if err != nil {
		return thunk{}, false, err
	}
	o, ok := of.node.(*ast.Object)
	if !ok {
		return thunk{}, false, nil
	}
	fields, err := c.literal(o, of.scope)
	if err != nil {
		return thunk{}, false, err
	}
	for _, f := range fields.fields {
		if f.name == key && f.values[0].guard.text == yes.text {
			return f.values[0].thunk, true, nil
		}
	}
	return thunk{}, false, c.refuse(n, "there may be no %s in this object", key)
}

// key returns the constant key of an index.
func (c *converter) key(n *ast.Index, s *scope) (string, bool) {
	if n.Id != nil {
		return string(*n.Id), true
	}
	return c.constant(thunk{n.Index, s})
}

// constant returns the words of a literal string.
func (c *converter) constant(t thunk) (string, bool) {
	t, err := c.resolve(t)
	if err != nil {
		return "", false
	}
	s, ok := t.node.(*ast.LiteralString)
	if !ok {
		return "", false
	}
	return unquoted(s)
}

// standard returns the name of a function of the standard library.
func standard(target ast.Node, s *scope) (string, bool) {
	index, ok := target.(*ast.Index)
	if !ok || index.Id == nil {
		return "", false
	}
	v, ok := index.Target.(*ast.Var)
	return string(*index.Id), ok && v.Id == "std" && s.find("std") == nil
}

// unquoted returns what a literal string says; ok is false for the forms that
// mappers do without.
func unquoted(s *ast.LiteralString) (words string, ok bool) {
	text := s.Value
	switch s.Kind {
	case ast.StringDouble:
	case ast.StringSingle:
		text = strings.NewReplacer(`\\`, `\\`, `\'`, `'`, `"`, `\"`).Replace(text)
	default:
		return "", false
	}
	err := json.Unmarshal([]byte(`"`+text+`"`), &words)
	return words, err == nil
}
