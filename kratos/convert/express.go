package convert

import (
	"slices"
	"strconv"
	"strings"

	"github.com/google/go-jsonnet/ast"

	"github.com/jithook/jithook/internal/expr"
)

// express converts an expression.
func (c *converter) express(t thunk) (term, error) {
	leave, err := c.enter(t.node)
	if err != nil {
		return term{}, err
	}
	defer leave()
	if at, ok, err := c.claim(t); err != nil {
		return term{}, err
	} else if ok {
		return c.read(t.node, at)
	}
	if t, err = c.resolve(t); err != nil {
		return term{}, err
	}
	out, err := c.plain(t)
	if err == nil && len(out.text) > expr.MaxTextLength {
		return term{}, c.refuse(t.node, "the expression would be longer than %d bytes", expr.MaxTextLength)
	}
	return out, err
}

func (c *converter) plain(t thunk) (term, error) {
	switch n := t.node.(type) {
	case *ast.LiteralNull:
		return null, nil
	case *ast.LiteralBoolean:
		if n.Value {
			return yes, nil
		}
		return no, nil
	case *ast.LiteralString:
		words, ok := unquoted(n)
		if !ok {
			return term{}, c.refuse(n, "this form of a string cannot be converted: write it in plain quotes")
		}
		return quoted(words), nil
	case *ast.LiteralNumber:
		return c.number(n)
	case *ast.Var:
		return *t.scope.find(n.Id).term, nil
	case *ast.Error:
		failed := null
		failed.fails, failed.null = []fail{c.failure(n, t.scope)}, false
		return failed, nil
	case *ast.Conditional:
		return c.conditional(n, t.scope)
	case *ast.Unary:
		return c.unary(n, t.scope)
	case *ast.Binary:
		return c.binary(n, t.scope)
	case *ast.Array:
		return c.list(n, t.scope)
	case *ast.ArrayComp:
		return c.loop(n, t.scope)
	case *ast.Object:
		return c.record(n, t.scope)
	case *ast.Index:
		return c.index(n, t.scope)
	case *ast.Apply:
		return c.apply(n, t.scope)
	}
	return term{}, c.refuse(t.node, "this part of Jsonnet cannot be converted")
}

// number keeps whole numbers apart, as rules do.
func (c *converter) number(n *ast.LiteralNumber) (term, error) {
	t := term{text: n.OriginalString, binds: bindsMember, kind: number, sure: true}
	if i, err := strconv.ParseInt(n.OriginalString, 10, 64); err == nil && i < 1<<53 {
		t.text = strconv.FormatInt(i, 10)
		return t, nil
	}
	if !strings.Contains(n.OriginalString, ".") {
		return t, c.refuse(n, "this number cannot be converted")
	}
	return t, nil
}

func (c *converter) conditional(n *ast.Conditional, s *scope) (term, error) {
	terms, err := c.all(s, n.Cond, n.BranchTrue)
	if err != nil {
		return term{}, err
	}
	otherwise := null
	if n.BranchFalse != nil {
		if otherwise, err = c.express(thunk{n.BranchFalse, s}); err != nil {
			return term{}, err
		}
	}
	return conditional(terms[0], terms[1], otherwise), nil
}

// all converts several expressions.
func (c *converter) all(s *scope, nodes ...ast.Node) ([]term, error) {
	terms := make([]term, len(nodes))
	for i, n := range nodes {
		var err error
		if terms[i], err = c.express(thunk{n, s}); err != nil {
			return nil, err
		}
	}
	return terms, nil
}

func (c *converter) unary(n *ast.Unary, s *scope) (term, error) {
	t, err := c.express(thunk{n.Expr, s})
	if err != nil {
		return term{}, err
	}
	if n.Op != ast.UopNot {
		return term{}, c.refuse(n, "this operator cannot be converted")
	}
	return not(t), nil
}

func (c *converter) binary(n *ast.Binary, s *scope) (term, error) {
	switch n.Op {
	case ast.BopIn:
		return c.in(n, thunk{n.Right, s}, thunk{n.Left, s})
	case ast.BopPercent:
		return c.format(n, s)
	}
	terms, err := c.all(s, n.Left, n.Right)
	if err != nil {
		return term{}, err
	}
	a, b := terms[0], terms[1]
	switch n.Op {
	case ast.BopAnd:
		return conditional(a, b, no), nil
	case ast.BopOr:
		return conditional(a, yes, b), nil
	case ast.BopManifestEqual:
		return equal(a, b), nil
	case ast.BopManifestUnequal:
		return unequal(a, b), nil
	case ast.BopPlus:
		return c.plus(n, a, b)
	}
	return term{}, c.refuse(n, "this operator cannot be converted")
}

// equal compares as both languages do; whether there is something is often
// known without that.
func equal(a, b term) term {
	for _, pair := range [][2]term{{a, b}, {b, a}} {
		if pair[0].kind != nothing {
			continue
		}
		if there, ok := pair[1].there(); ok {
			return not(there)
		}
	}
	t := raw(a.in(bindsSum)+" == "+b.in(bindsSum), bindsRelation, boolean, a, b)
	t.sure = a.sure && b.sure
	return t
}

func unequal(a, b term) term {
	t := equal(a, b)
	if t.binds != bindsRelation {
		return not(t)
	}
	t.text = a.in(bindsSum) + " != " + b.in(bindsSum)
	return t
}

// plus joins strings, of which one must be known to be one: + of two claims
// depends on what they are.
func (c *converter) plus(n ast.Node, a, b term) (term, error) {
	for _, k := range []kind{text, list} {
		if a.kind == k && (b.kind == k || b.kind == anything) || b.kind == k && a.kind == anything {
			return raw(a.in(bindsSum)+" + "+b.in(bindsUnary), bindsSum, k, a, b), nil
		}
	}
	return term{}, c.refuse(n, "what + does here depends on the claims: one side must be a string")
}

// format converts '%s %s' % [a, b].
func (c *converter) format(n *ast.Binary, s *scope) (term, error) {
	layout, ok := c.constant(thunk{n.Left, s})
	right, err := c.resolve(thunk{n.Right, s})
	if err != nil {
		return term{}, err
	}
	parts := strings.Split(layout, "%s")
	values, isList := right.node.(*ast.Array)
	if !ok || !isList || len(parts) != len(values.Elements)+1 || strings.Contains(strings.Join(parts, ""), "%") {
		return term{}, c.refuse(n, "of formats, %%s for each element of a list can be converted")
	}
	var terms []term
	for i, part := range parts {
		if part != "" {
			terms = append(terms, quoted(part))
		}
		if i == len(values.Elements) {
			break
		}
		v, err := c.express(thunk{values.Elements[i].Expr, right.scope})
		if err != nil {
			return term{}, err
		}
		terms = append(terms, v)
	}
	if len(terms) < 2 || terms[0].kind != text && terms[1].kind != text {
		terms = slices.Insert(terms, 0, quoted(""))
	}
	out := terms[0]
	for _, t := range terms[1:] {
		if out, err = c.plus(n, out, t); err != nil {
			return term{}, err
		}
	}
	return out, nil
}

// in asks whether an object has a member.
func (c *converter) in(n ast.Node, of, key thunk) (term, error) {
	name, ok := c.constant(key)
	at, isClaim, err := c.claim(of)
	switch {
	case err != nil:
		return term{}, err
	case isClaim && ok && name == rawClaims && !at.raw && len(at.keys) == 0:
		c.readsRaw(n)
		return yes, nil
	case isClaim && ok:
		return c.inClaims(n, at, name)
	case isClaim:
		return term{}, c.refuse(n, "which claim this asks for is not known here")
	}
	terms := make([]term, 2)
	for i, t := range []thunk{key, of} {
		if terms[i], err = c.express(t); err != nil {
			return term{}, err
		}
	}
	if terms[1].kind != object {
		return term{}, c.refuse(n, "what this looks into is not known to be an object")
	}
	return raw(terms[0].in(bindsSum)+" in "+terms[1].in(bindsSum), bindsRelation, boolean, terms...), nil
}

func (c *converter) inClaims(n ast.Node, at claim, name string) (term, error) {
	if slices.ContainsFunc(at.defaults, func(f field) bool { return f.name == name }) {
		return yes, nil
	}
	inner, err := c.below(n, at, name)
	if err != nil {
		return term{}, err
	}
	there := inner.there()
	if len(at.keys) == 0 {
		return there, nil
	}
	// Kratos's mapper fails where the claim around it is missing.
	outer := at.there()
	there.fails = []fail{lacking(outer)}
	return there, nil
}
