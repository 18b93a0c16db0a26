package expr

import (
	"slices"
	"strconv"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"
)

// path is a chain of constant steps under claims, string keys and int64
// indexes: claims.emails[0].value is {"emails", 0, "value"}.
type path []any

// uses is what an expression reads of the claims.
type uses struct {
	// chains are the longest chains, by the id of their outermost node.
	chains map[int64]chain
	names  []string // sorted
	all    bool
}

// chain is one place in the text that reads a path of the claims.
type chain struct {
	path path
	pos  string
}

func usesOf(s Source, tree *ast.AST) *uses {
	u := &uses{chains: map[int64]chain{}}
	u.collect(s, tree, ast.NavigateAST(tree))
	slices.Sort(u.names)
	u.names = slices.Compact(u.names)
	return u
}

// collect walks down to the longest chains and no further. Claims that are
// read otherwise, as a whole or by a computed key, may be any.
func (u *uses) collect(s Source, tree *ast.AST, e ast.NavigableExpr) {
	p, isChain := chainOf(e)
	switch {
	case isChain && len(p) > 0:
		at := tree.SourceInfo().GetStartLocation(root(e).ID())
		u.chains[e.ID()] = chain{path: p, pos: s.at(at.Line(), at.Column())}
		u.name(p[0])
		return
	case isChain:
		u.all = true
		return
	}
	if key, ok := presenceOf(e); ok {
		u.name(key)
		return
	}
	for _, child := range e.Children() {
		u.collect(s, tree, child)
	}
}

func (u *uses) name(step any) {
	name, ok := step.(string)
	if !ok {
		u.all = true
		return
	}
	u.names = append(u.names, name)
}

// chainOf returns the path that e reads, and whether e is claims or a chain of
// constant steps under it.
func chainOf(e ast.Expr) (path, bool) {
	switch e.Kind() {
	case ast.IdentKind:
		return nil, strings.TrimPrefix(e.AsIdent(), ".") == claimsVar
	case ast.SelectKind:
		sel := e.AsSelect()
		p, ok := chainOf(sel.Operand())
		return append(p, sel.FieldName()), ok && !sel.IsTestOnly()
	case ast.CallKind:
		call := e.AsCall()
		if call.FunctionName() != operators.Index {
			return nil, false
		}
		p, ok := chainOf(call.Args()[0])
		step, constant := literal(call.Args()[1])
		return append(p, step), ok && constant
	}
	return nil, false
}

// presenceOf returns the claim's name where e only asks whether a top-level
// claim is there: has(claims.name) or "name" in claims.
func presenceOf(e ast.Expr) (any, bool) {
	isClaims := func(e ast.Expr) bool {
		p, ok := chainOf(e)
		return ok && len(p) == 0
	}
	switch e.Kind() {
	case ast.SelectKind:
		sel := e.AsSelect()
		return sel.FieldName(), sel.IsTestOnly() && isClaims(sel.Operand())
	case ast.CallKind:
		call := e.AsCall()
		if call.FunctionName() != operators.In || !isClaims(call.Args()[1]) {
			return nil, false
		}
		return literal(call.Args()[0])
	}
	return nil, false
}

func literal(e ast.Expr) (any, bool) {
	if e.Kind() != ast.LiteralKind {
		return nil, false
	}
	switch v := e.AsLiteral().(type) {
	case types.String:
		return string(v), true
	case types.Int:
		return int64(v), true
	}
	return nil, false
}

// root returns the identifier that a chain starts at.
func root(e ast.Expr) ast.Expr {
	for {
		switch e.Kind() {
		case ast.SelectKind:
			e = e.AsSelect().Operand()
		case ast.CallKind:
			e = e.AsCall().Args()[0]
		default:
			return e
		}
	}
}

// missing returns the JSON Pointer of the first part of p that is not in
// claims. Only a key that its map lacks is missing: a step into what is no map
// and an index out of range are errors of another kind.
func (p path) missing(claims any) (string, bool) {
	at := claims
	for i, step := range p {
		switch step := step.(type) {
		case string:
			m, ok := at.(map[string]any)
			if !ok {
				return "", false
			}
			if at, ok = m[step]; !ok {
				return p[:i+1].pointer(), true
			}
		case int64:
			list, ok := at.([]any)
			if !ok || step < 0 || step >= int64(len(list)) {
				return "", false
			}
			at = list[step]
		}
	}
	return "", false
}

// pointer writes p as a JSON Pointer (RFC 6901).
func (p path) pointer() string {
	escape := strings.NewReplacer("~", "~0", "/", "~1")
	var b strings.Builder
	for _, step := range p {
		b.WriteByte('/')
		switch step := step.(type) {
		case string:
			b.WriteString(escape.Replace(step))
		case int64:
			b.WriteString(strconv.FormatInt(step, 10))
		}
	}
	return b.String()
}

// decorate makes every longest chain tell a missing claim from other failures.
//
// It is done where the claim is read, because nothing that comes out of the
// evaluation says it: CEL's error for a missing key has no type of its own, and
// types.Err.NodeID names the whole conditional when the claim that failed is a
// branch of ?:, and another program's node for errors that CEL shares.
func (u *uses) decorate(i interpreter.InterpretableV2) (interpreter.InterpretableV2, error) {
	// What continues a claimRead, such as has(claims.a.b) after claims.a, comes
	// by with the same id and must stay an attribute: only what reads a variable
	// is wrapped.
	attribute, ok := i.(interpreter.InterpretableAttribute)
	if !ok {
		return i, nil
	}
	if _, ok = attribute.Attr().(interpreter.NamespacedAttribute); !ok {
		return i, nil
	}
	c, ok := u.chains[i.ID()]
	if !ok {
		return i, nil
	}
	return &claimRead{InterpretableV2: i, chain: c}, nil
}

// claimRead evaluates a chain.
type claimRead struct {
	interpreter.InterpretableV2
	chain chain
}

// Exec implements interpreter.InterpretableV2.
func (c *claimRead) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	v := c.InterpretableV2.Exec(frame)
	if !types.IsError(v) {
		return v
	}
	claims, _ := frame.ResolveName(claimsVar)
	if pointer, ok := c.chain.path.missing(claims); ok {
		return types.LabelErrNode(c.ID(), types.WrapErr(&MissingError{Path: pointer, Pos: c.chain.pos}))
	}
	return v
}

// Eval implements interpreter.Interpretable.
func (c *claimRead) Eval(vars interpreter.Activation) ref.Val {
	return interpreter.EvalActivation(vars, c.Exec)
}
