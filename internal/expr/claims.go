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

// path is a chain of constant steps under claims or identity, string keys and
// int64 indexes: claims.emails[0].value is {"emails", 0, "value"}.
type path []any

// uses is what an expression reads of the claims and of the identity.
type uses struct {
	// chains are the longest chains, by the id of their outermost node.
	chains map[int64]chain
	names  []string // of claims, sorted
	all    bool
	reads  []string // see Trace
}

// chain is one place in the text that reads a path under a variable.
type chain struct {
	root string
	path path
	// pointers are the JSON Pointers to its steps, one each: what is missing is no
	// rare question, and the answers are not written anew each time.
	pointers  []string
	line, col int // in the text
}

func usesOf(tree *ast.AST) *uses {
	u := &uses{chains: map[int64]chain{}}
	u.collect(tree, ast.NavigateAST(tree))
	slices.Sort(u.names)
	u.names = slices.Compact(u.names)
	return u
}

// collect walks down to the longest chains and no further. Claims that are
// read otherwise, as a whole or by a computed key, may be any.
func (u *uses) collect(tree *ast.AST, e ast.NavigableExpr) {
	of, p := chainOf(e)
	if of != "" && len(p) > 0 {
		at := tree.SourceInfo().GetStartLocation(root(e).ID())
		c := chain{root: of, path: p, pointers: make([]string, len(p)), line: at.Line(), col: at.Column()}
		for i := range p {
			c.pointers[i] = p[:i+1].pointer()
		}
		u.chains[e.ID()] = c
	}
	switch {
	case of == claimsVar && len(p) > 0:
		u.name(p[0])
		return
	case of == claimsVar:
		u.all = true
		return
	case of != "":
		return
	}
	if key, ok := presenceOf(e); ok {
		u.name(key)
		return
	}
	for _, child := range e.Children() {
		u.collect(tree, child)
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

// claim returns the names that lead to the claim which the whole expression is, if
// it is one.
func (u *uses) claim(tree *ast.AST) []string {
	c, ok := u.chains[tree.Expr().ID()]
	if !ok || c.root != claimsVar {
		return nil
	}
	names := make([]string, len(c.path))
	for i, step := range c.path {
		if names[i], ok = step.(string); !ok {
			return nil
		}
	}
	return names
}

// chainOf returns the variable and the path that e reads, where e is claims,
// identity or a chain of constant steps under one of them; else "".
func chainOf(e ast.Expr) (of string, p path) {
	switch e.Kind() {
	case ast.IdentKind:
		if name := strings.TrimPrefix(e.AsIdent(), "."); name == claimsVar || name == identityVar {
			return name, nil
		}
	case ast.SelectKind:
		sel := e.AsSelect()
		if of, p = chainOf(sel.Operand()); of != "" && !sel.IsTestOnly() {
			return of, append(p, sel.FieldName())
		}
	case ast.CallKind:
		call := e.AsCall()
		if call.FunctionName() != operators.Index {
			return "", nil
		}
		of, p = chainOf(call.Args()[0])
		if step, constant := literal(call.Args()[1]); of != "" && constant {
			return of, append(p, step)
		}
	}
	return "", nil
}

// presenceOf returns the claim's name where e only asks whether a top-level
// claim is there: has(claims.name) or "name" in claims.
func presenceOf(e ast.Expr) (any, bool) {
	isClaims := func(e ast.Expr) bool {
		of, p := chainOf(e)
		return of == claimsVar && len(p) == 0
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

// missing returns the JSON Pointer of the first part of the chain that is not in
// what the variable holds. Only a key that its map lacks is missing: a step into what is no map
// and an index out of range are errors of another kind.
func (c chain) missing(in any) (string, bool) {
	at := in
	for i, step := range c.path {
		switch step := step.(type) {
		case string:
			m, ok := at.(map[string]any)
			if !ok {
				return "", false
			}
			if at, ok = m[step]; !ok {
				return c.pointers[i], true
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

// escapes are those of a name in a JSON Pointer.
var escapes = strings.NewReplacer("~", "~0", "/", "~1")

// pointer writes p as a JSON Pointer (RFC 6901).
func (p path) pointer() string {
	var b strings.Builder
	for _, step := range p {
		b.WriteByte('/')
		switch step := step.(type) {
		case string:
			b.WriteString(escapes.Replace(step))
		case int64:
			b.WriteString(strconv.FormatInt(step, 10))
		}
	}
	return b.String()
}

// decorate makes every longest chain tell what is missing from other failures.
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
	in, _ := frame.ResolveName(c.chain.root)
	pointer, ok := c.chain.missing(in)
	if !ok {
		return v
	}
	return types.LabelErrNode(c.ID(), types.WrapErr(&absentError{chain: c.chain, path: pointer}))
}

// absentError says that a part of a chain is not there, by its place in the text.
// It becomes a MissingError or an UnsetError where the file is known; see lacks.
type absentError struct {
	chain chain
	path  string
}

func (e *absentError) Error() string { return e.chain.root + " has no " + e.path }

// Eval implements interpreter.Interpretable.
func (c *claimRead) Eval(vars interpreter.Activation) ref.Val {
	return interpreter.EvalActivation(vars, c.Exec)
}
