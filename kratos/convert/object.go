package convert

import (
	"slices"

	"github.com/google/go-jsonnet/ast"
)

// members are those of an object, and when making it fails.
type members struct {
	fields []field
	fails  []fail
}

// field is a member of an object: the first of values whose guard is true.
type field struct {
	name   string
	node   ast.Node
	values []guardedThunk
}

type guardedThunk struct {
	guard term
	thunk
}

// always reports whether the member is there whatever the claims are.
func (f field) always() bool { return f.values[len(f.values)-1].guard.text == yes.text }

// isObject reports whether an expression is an object, or one of two.
func (c *converter) isObject(t thunk) bool {
	leave, err := c.enter(t.node)
	if err != nil {
		return false
	}
	defer leave()
	if t, err = c.resolve(t); err != nil {
		return false
	}
	switch n := t.node.(type) {
	case *ast.Object, *ast.ApplyBrace:
		return true
	case *ast.Binary:
		return n.Op == ast.BopPlus && (c.isObject(thunk{n.Left, t.scope}) || c.isObject(thunk{n.Right, t.scope}))
	case *ast.Conditional:
		return c.isObject(thunk{n.BranchTrue, t.scope}) || n.BranchFalse != nil && c.isObject(thunk{n.BranchFalse, t.scope})
	case *ast.Assert:
		return c.isObject(thunk{n.Rest, t.scope})
	}
	return false
}

// object returns the members of an expression that is an object.
func (c *converter) object(t thunk) (members, error) {
	leave, err := c.enter(t.node)
	if err != nil {
		return members{}, err
	}
	defer leave()
	if t, err = c.resolve(t); err != nil {
		return members{}, err
	}
	switch n := t.node.(type) {
	case *ast.Object:
		return c.literal(n, t.scope)
	case *ast.LiteralNull:
		return members{}, nil
	case *ast.Error:
		return members{fails: []fail{c.failure(n, t.scope)}}, nil
	case *ast.Binary:
		if n.Op == ast.BopPlus {
			return c.sum(thunk{n.Left, t.scope}, thunk{n.Right, t.scope})
		}
	case *ast.ApplyBrace:
		return c.sum(thunk{n.Left, t.scope}, thunk{n.Right, t.scope})
	case *ast.Conditional:
		return c.either(n, t.scope)
	case *ast.Assert:
		return c.asserted(n, t.scope)
	}
	return members{}, c.refuse(t.node, "this is no object whose members can be told")
}

// failure is that of an error expression.
func (c *converter) failure(n *ast.Error, s *scope) fail {
	message, _ := c.constant(thunk{n.Expr, s})
	return fail{when: yes, message: message}
}

// literal returns the members of { … }.
func (c *converter) literal(o *ast.Object, s *scope) (members, error) {
	var out members
	inner := within(o, s)
	for _, f := range o.Fields {
		at := f.Expr2
		switch {
		case f.Kind == ast.ObjectLocal:
			continue
		case f.Kind == ast.ObjectAssert, f.SuperSugar, f.Method != nil:
			return members{}, c.refuse(at, "assert, +: and functions inside an object cannot be converted")
		case f.Hide == ast.ObjectFieldHidden:
			continue // nobody can read it: self is refused
		}
		name, guard, err := c.name(f, s)
		if err != nil {
			return members{}, err
		}
		out.fails = append(out.fails, guard.fails...)
		if name == "" {
			continue
		}
		if slices.ContainsFunc(out.fields, func(have field) bool { return have.name == name }) {
			return members{}, c.refuse(at, "%s stands twice in one object", name)
		}
		guard.fails = nil
		out.fields = append(out.fields, field{name, at, []guardedThunk{{guard, thunk{at, inner}}}})
	}
	return out, nil
}

// name returns the name of a member and when it is there: [if c then 'name'
// else null].
func (c *converter) name(f ast.ObjectField, s *scope) (string, term, error) {
	switch f.Kind {
	case ast.ObjectFieldID:
		return string(*f.Id), yes, nil
	case ast.ObjectFieldStr, ast.ObjectFieldExpr:
	}
	t, err := c.resolve(thunk{f.Expr1, s})
	if err != nil {
		return "", term{}, err
	}
	if name, ok := c.constant(t); ok {
		return name, yes, nil
	}
	n, ok := t.node.(*ast.Conditional)
	if !ok {
		return "", term{}, c.refuse(f.Expr1, "the name of a member must be a constant, or [if … then 'name']")
	}
	cond, err := c.express(thunk{n.Cond, t.scope})
	if err != nil {
		return "", term{}, err
	}
	name, ok := c.constant(thunk{n.BranchTrue, t.scope})
	if !ok || n.BranchFalse != nil && !c.isNull(thunk{n.BranchFalse, t.scope}) {
		return "", term{}, c.refuse(f.Expr1, "the name of a member must be a constant, or [if … then 'name' else null]")
	}
	return name, cond, nil
}

func (c *converter) isNull(t thunk) bool {
	t, err := c.resolve(t)
	_, ok := t.node.(*ast.LiteralNull)
	return err == nil && ok
}

// sum is left + right: the members of the right one win.
func (c *converter) sum(left, right thunk) (members, error) {
	l, err := c.object(left)
	if err != nil {
		return members{}, err
	}
	r, err := c.object(right)
	if err != nil {
		return members{}, err
	}
	out := members{fields: slices.Clone(l.fields), fails: slices.Concat(l.fails, r.fails)}
	for _, f := range r.fields {
		i := slices.IndexFunc(out.fields, func(have field) bool { return have.name == f.name })
		switch {
		case i < 0:
			out.fields = append(out.fields, f)
		case f.always():
			out.fields[i] = f
		default:
			out.fields[i] = field{f.name, f.node, slices.Concat(f.values, out.fields[i].values)}
		}
	}
	return out, nil
}

// either is if c then {…} else {…}: each member depends on c as well.
func (c *converter) either(n *ast.Conditional, s *scope) (members, error) {
	cond, err := c.express(thunk{n.Cond, s})
	if err != nil {
		return members{}, err
	}
	out := members{fails: cond.fails}
	cond.fails = nil
	var sides [2]members
	conds := [2]term{cond, not(cond)}
	for i, node := range []ast.Node{n.BranchTrue, n.BranchFalse} {
		if node == nil {
			continue
		}
		if sides[i], err = c.object(thunk{node, s}); err != nil {
			return members{}, err
		}
	}
	if doomed(sides[1].fails) { // the failure first: its message is the better one
		sides[0], sides[1] = sides[1], sides[0]
		conds[0], conds[1] = conds[1], conds[0]
	}
	for i, side := range sides {
		out.fails = append(out.fails, guarded(conds[i], side.fails)...)
		if doomed(side.fails) {
			continue
		}
		for _, f := range side.fields {
			for j := range f.values {
				if !doomed(sides[1-i].fails) {
					f.values[j].guard = conditional(conds[i], f.values[j].guard, no)
				}
			}
			if at := slices.IndexFunc(out.fields, func(have field) bool { return have.name == f.name }); at >= 0 {
				out.fields[at].values = append(out.fields[at].values, f.values...)
				continue
			}
			out.fields = append(out.fields, f)
		}
	}
	return out, nil
}

// asserted is assert c : message; rest.
func (c *converter) asserted(n *ast.Assert, s *scope) (members, error) {
	cond, err := c.express(thunk{n.Cond, s})
	if err != nil {
		return members{}, err
	}
	message := ""
	if n.Message != nil {
		message, _ = c.constant(thunk{n.Message, s})
	}
	out, err := c.object(thunk{n.Rest, s})
	out.fails = slices.Concat(cond.fails, []fail{{when: not(cond), unless: cond.conditions(), message: message}}, guarded(cond, out.fails))
	return out, err
}
