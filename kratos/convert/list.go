package convert

import (
	"slices"
	"strconv"
	"strings"

	"github.com/google/go-jsonnet/ast"
)

// list converts [a, b].
func (c *converter) list(n *ast.Array, s *scope) (term, error) {
	nodes := make([]ast.Node, len(n.Elements))
	for i, e := range n.Elements {
		nodes[i] = e.Expr
	}
	terms, err := c.all(s, nodes...)
	if err != nil {
		return term{}, err
	}
	texts := make([]string, len(terms))
	holdsNull := false
	for i, t := range terms {
		texts[i] = t.text
		holdsNull = holdsNull || t.null
	}
	t := raw("["+strings.Join(texts, ", ")+"]", bindsMember, list, terms...)
	t.holdsNull = holdsNull
	t.sure = !slices.ContainsFunc(terms, func(t term) bool { return !t.sure })
	return t, nil
}

// record converts an object inside a value: all its members must be there.
func (c *converter) record(n *ast.Object, s *scope) (term, error) {
	o, err := c.literal(n, s)
	if err != nil {
		return term{}, err
	}
	var parts []string
	var values []term
	for _, f := range o.fields {
		if !f.always() {
			return term{}, c.refuse(f.node, "%s depends on a condition, which an object inside a value cannot", f.name)
		}
		v, err := c.express(f.values[0].thunk)
		if err != nil {
			return term{}, err
		}
		parts = append(parts, quoted(f.name).text+": "+v.text)
		values = append(values, v)
	}
	t := raw("{"+strings.Join(parts, ", ")+"}", bindsMember, object, values...)
	t.fails = append(t.fails, o.fails...)
	return t, nil
}

// loop converts [body for x in list if cond].
func (c *converter) loop(n *ast.ArrayComp, s *scope) (term, error) {
	if n.Spec.Outer != nil {
		return term{}, c.refuse(n, "a loop within a loop cannot be converted")
	}
	of, err := c.express(thunk{n.Spec.Expr, s})
	if err != nil {
		return term{}, err
	}
	v, inner := c.variable(n.Spec.VarName, s)
	out := of
	for _, cond := range n.Spec.Conditions {
		if out, err = c.over(n, out, "filter", v, thunk{cond.Expr, inner}); err != nil {
			return term{}, err
		}
	}
	if body, err := c.resolve(thunk{n.Body, inner}); err == nil {
		if name, ok := body.node.(*ast.Var); ok && body.scope.find(name.Id) == inner {
			return out, nil
		}
	}
	return c.over(n, out, "map", v, thunk{n.Body, inner})
}

// variable makes a loop's variable, with a name that nothing else has.
func (c *converter) variable(name ast.Identifier, s *scope) (string, *scope) {
	c.loops++
	v := "v" + strconv.Itoa(c.loops)
	return v, &scope{name: name, term: &term{text: v, binds: bindsMember, null: true}, outer: s}
}

func (c *converter) over(n ast.Node, of term, macro, v string, body thunk) (term, error) {
	t, err := c.express(body)
	if err != nil {
		return term{}, err
	}
	if len(t.fails) > 0 {
		return term{}, c.refuse(n, "a loop whose turns need claims of their own cannot be converted")
	}
	if of.kind != list && of.kind != anything {
		return term{}, c.refuse(n, "this is no list")
	}
	out := raw(of.in(bindsMember)+"."+macro+"("+v+", "+t.text+")", bindsMember, list, listed(of))
	out.holdsNull = true
	return out, nil
}

// mapped converts std.map(function(x) …, list), and std.filter.
func (c *converter) mapped(n *ast.Apply, macro string, s *scope) (term, error) {
	f, err := c.resolve(thunk{n.Arguments.Positional[0].Expr, s})
	if err != nil {
		return term{}, err
	}
	function, ok := f.node.(*ast.Function)
	if !ok || len(function.Parameters) != 1 {
		return term{}, c.refuse(n, "the function must be one of one argument, of the mapper's own")
	}
	of, err := c.express(thunk{n.Arguments.Positional[1].Expr, s})
	if err != nil {
		return term{}, err
	}
	v, inner := c.variable(function.Parameters[0].Name, f.scope)
	return c.over(n, of, macro, v, thunk{function.Body, inner})
}

// listed adds that it fails where a term is no list: CEL goes over the keys of
// an object as well, and finds them with in.
func listed(t term) term {
	if t.kind != list {
		t.fails = append(slices.Clone(t.fails), lacking(raw("type("+t.text+") == list", bindsRelation, boolean)))
	}
	return t
}
