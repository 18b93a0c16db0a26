package expr

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
)

// Kinds of terms.
const (
	opAtom  = ""  // anything that is not looked into
	opConst = "=" // a value
	opAnd   = "&&"
	opOr    = "||"
	opNot   = "!"
	opIf    = "?:"
	opEqual = "=="
)

// term is an expression as far as what is true of it can be told without
// claims. Terms with one key yield the same, whatever the claims.
type term struct {
	op    string
	key   string
	args  []*term
	value any
	// claim says that it is a chain, and so a JSON value: equal to itself, as
	// what is not a number is not.
	claim bool
}

// term returns the term of an expression of the tree.
func (e *Env) term(tree *ast.AST, x ast.Expr) *term {
	if value, ok := e.constant(tree, x); ok {
		return constant(value)
	}
	if x.Kind() != ast.CallKind {
		return atom(tree, x)
	}
	call := x.AsCall()
	args := func() []*term {
		terms := make([]*term, len(call.Args()))
		for i, a := range call.Args() {
			terms[i] = e.term(tree, a)
		}
		return terms
	}
	switch call.FunctionName() {
	case operators.LogicalAnd:
		return junction(opAnd, args())
	case operators.LogicalOr:
		return junction(opOr, args())
	case operators.LogicalNot:
		return not(args()[0])
	case operators.Equals:
		return equal(args())
	case operators.NotEquals:
		return not(equal(args()))
	case operators.Conditional:
		return node(opIf, args())
	case operators.In:
		return e.member(tree, x)
	}
	return atom(tree, x)
}

// constant returns a literal's value, or the truth of an expression that reads no
// variable. (Other values may look alike in JSON, as a time and its text do.)
func (e *Env) constant(tree *ast.AST, x ast.Expr) (any, bool) {
	if x.Kind() == ast.LiteralKind {
		room := 1
		value, why := toJSON(x.AsLiteral(), 0, &room)
		return value, why == ""
	}
	reads := false
	ast.PreOrderVisit(x, ast.NewExprVisitor(func(part ast.Expr) {
		reads = reads || part.Kind() == ast.IdentKind &&
			slices.Contains([]string{claimsVar, loginVar, identityVar}, strings.TrimPrefix(part.AsIdent(), "."))
	}))
	if reads {
		return nil, false
	}
	text, err := cel.ExprToString(x, tree.SourceInfo())
	if err != nil {
		return nil, false
	}
	p, err := e.Compile(Source{Text: text})
	if err != nil {
		return nil, false
	}
	value, err := p.EvalBool(context.Background(), Vars{})
	return value, err == nil
}

func constant(value any) *term {
	return &term{op: opConst, value: value, key: fmt.Sprintf("%T(%#v)", value, value)}
}

func node(op string, args []*term) *term {
	keys := make([]string, len(args))
	for i, a := range args {
		keys[i] = a.key
	}
	return &term{op: op, args: args, key: op + "(" + strings.Join(keys, ", ") + ")"}
}

// junction is a conjunction or disjunction: flat, and in an order of its own.
func junction(op string, args []*term) *term {
	var flat []*term
	for _, a := range args {
		if a.op == op {
			flat = append(flat, a.args...)
			continue
		}
		flat = append(flat, a)
	}
	byKey := func(a, b *term) int { return strings.Compare(a.key, b.key) }
	slices.SortFunc(flat, byKey)
	flat = slices.CompactFunc(flat, func(a, b *term) bool { return a.key == b.key })
	if len(flat) == 1 {
		return flat[0]
	}
	return node(op, flat)
}

func not(t *term) *term {
	if t.op == opNot {
		return t.args[0]
	}
	return node(opNot, []*term{t})
}

func equal(args []*term) *term {
	if args[0].key == args[1].key && args[0].claim {
		return constant(true)
	}
	if args[0].key > args[1].key {
		args[0], args[1] = args[1], args[0]
	}
	return node(opEqual, args)
}

// member is x in [a, b], which says x == a || x == b.
func (e *Env) member(tree *ast.AST, x ast.Expr) *term {
	of, list := x.AsCall().Args()[0], x.AsCall().Args()[1]
	if list.Kind() != ast.ListKind || len(list.AsList().OptionalIndices()) > 0 {
		return atom(tree, x)
	}
	var either []*term
	for _, item := range list.AsList().Elements() {
		either = append(either, equal([]*term{e.term(tree, of), e.term(tree, item)}))
	}
	if len(either) == 0 {
		return constant(false)
	}
	return junction(opOr, either)
}

// atom is an expression by its text; a chain of claims by its path, however it
// is spelt.
func atom(tree *ast.AST, x ast.Expr) *term {
	if of, p := chainOf(x); of != "" {
		return &term{key: fmt.Sprintf("%s%#v", of, p), claim: true}
	}
	text, err := cel.ExprToString(x, tree.SourceInfo())
	if err != nil {
		text = fmt.Sprintf("node %d of %p", x.ID(), tree) // like no other
	}
	return &term{key: "`" + text + "`"}
}

// comparison returns the parts of x == literal, for literals of which two that
// differ are never both equal to x.
func (t *term) comparison() (side, literal *term, ok bool) {
	if t.op != opEqual {
		return nil, nil, false
	}
	for i, a := range t.args {
		other := t.args[1-i]
		if a.op != opConst || other.op == opConst {
			continue
		}
		switch a.value.(type) {
		case string, bool, int64:
			return other, a, true
		}
	}
	return nil, nil, false
}
