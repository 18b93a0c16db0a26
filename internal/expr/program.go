package expr

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"
)

// nodeUnknown is the id of no node.
const nodeUnknown = -1

// CEL has one "no such overload" and one "timestamp overflow" for all programs,
// and writes the id of the node that failed first into it, unguarded. Giving
// them an id before the first evaluation keeps that write from racing and the id
// from meaning some node of another program.
var (
	_ = types.LabelErrNode(nodeUnknown, types.NoSuchOverloadErr())
	_ = types.LabelErrNode(nodeUnknown, types.String("0000-01-01T00:00:00Z").ConvertToType(types.TimestampType))
)

// Vars is what an expression sees. It is read, never changed, and holds JSON
// values: string, bool, int64, float64, []any, map[string]any, nil.
type Vars struct {
	Claims map[string]any
	Login  map[string]any
	// Identity is the current identity; nil is null.
	Identity map[string]any
	// Groups are for rules of targets, see NewTargetEnv.
	Groups []string
}

// activation is what CEL asks for variables.
type activation struct{ Vars }

// ResolveName implements interpreter.Activation.
func (a *activation) ResolveName(name string) (any, bool) {
	switch name {
	case claimsVar:
		return a.Claims, true
	case loginVar:
		return a.Login, true
	case identityVar:
		if a.Identity == nil {
			return types.NullValue, true
		}
		return a.Identity, true
	case groupsVar:
		return a.Groups, true
	}
	return nil, false
}

// Parent implements interpreter.Activation.
func (a *activation) Parent() interpreter.Activation { return nil }

// Program is a compiled expression. It is safe for concurrent use.
type Program struct {
	source Source
	*compiled
}

// Source returns what the program was compiled from.
func (p *Program) Source() Source { return p.source }

// ClaimNames returns the top-level claims that the expression may read, sorted.
// all is true where it may read any: it uses claims as a whole or with a
// computed key.
func (p *Program) ClaimNames() (names []string, all bool) {
	return slices.Clone(p.uses.names), p.uses.all
}

// ReadsLogin reports whether the expression reads login.
func (p *Program) ReadsLogin() bool {
	return has(p.tree, isLogin)
}

// has reports whether there is such an expression in the tree.
func has(tree *ast.AST, such func(ast.Expr) bool) bool {
	found := false
	ast.PreOrderVisit(tree.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		found = found || such(e)
	}))
	return found
}

func isLoop(e ast.Expr) bool { return e.Kind() == ast.ComprehensionKind }

// ClaimPath returns the path of the claim where the whole expression is one
// plain claim: claims.a.b, or claims["a"].b.
func (p *Program) ClaimPath() ([]string, bool) {
	return slices.Clone(p.chain), p.chain != nil
}

// Eval evaluates the expression to a JSON value: string, bool, int64, float64,
// []any, map[string]any or nil, which shares nothing with v. A timestamp
// becomes its RFC 3339 text; a duration, bytes and a type are no JSON values.
//
// Errors: *MissingError for a claim that is not there, *RuntimeError for
// everything else that is the expression's or the claims' fault (an *UnsetError,
// which is one, where the identity lacks what it needs), and ctx.Err()
// whenever ctx has ended, whatever the outcome.
func (p *Program) Eval(ctx context.Context, v Vars) (any, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if tell, ok := ctx.Value(explaining{}).(func(Explanation)); ok {
		return p.explained(ctx, v, tell)
	}
	if value, missing, ok := p.plain(v.Claims); ok {
		return value, missing
	}
	out, _, err := p.run(ctx, p.evaluator, v)
	if ended := ctx.Err(); ended != nil {
		return nil, ended
	}
	if err != nil {
		return nil, p.failure(err)
	}
	room := maxResultSize
	result, why := toJSON(out, maxResultDepth, &room)
	if why != "" {
		return nil, p.fail("the expression " + why)
	}
	return result, nil
}

// run evaluates with CEL. It looks at ctx in loops only, and takes a price for it:
// what has none is over before it would.
func (p *Program) run(ctx context.Context, evaluator cel.Program, v Vars) (ref.Val, *cel.EvalDetails, error) {
	if p.loops {
		return evaluator.ContextEval(ctx, &activation{v})
	}
	return evaluator.Eval(&activation{v})
}

// EvalBool is Eval for an expression that must yield true or false; a result
// that is neither, "true" and 1 among them, is a *RuntimeError.
func (p *Program) EvalBool(ctx context.Context, v Vars) (bool, error) {
	result, err := p.Eval(ctx, v)
	if err != nil {
		return false, err
	}
	b, ok := result.(bool)
	if !ok {
		return false, p.fail(fmt.Sprintf("the expression yields a %s, not a boolean", typeName(result)))
	}
	return b, nil
}

// EvalString is Eval for an expression that must yield a string; a result that
// is none is a *RuntimeError.
func (p *Program) EvalString(ctx context.Context, v Vars) (string, error) {
	result, err := p.Eval(ctx, v)
	if err != nil {
		return "", err
	}
	s, ok := result.(string)
	if !ok {
		return "", p.fail(fmt.Sprintf("the expression yields a %s, not a string", typeName(result)))
	}
	return s, nil
}

func (p *Program) fail(message string) *RuntimeError {
	return &RuntimeError{Pos: p.source.Pos(), Message: message}
}

// failure says what went wrong without the text of err, which contains values.
func (p *Program) failure(err error) error {
	if absent, ok := errors.AsType[*absentError](err); ok {
		return p.lacks(absent.chain, absent.path)
	}
	var cancelled interpreter.EvalCancelledError
	if errors.As(err, &cancelled) || errors.As(err, new(workError)) {
		return p.fail("the expression costs too much for these claims; make it simpler, or leave out nested loops")
	}
	node := int64(nodeUnknown)
	if failed, ok := errors.AsType[*types.Err](err); ok {
		node = failed.NodeID()
	}
	if _, known := p.tree.SourceInfo().GetOffsetRange(node); !known {
		return p.fail("the expression failed: a value has the wrong type or is out of range")
	}
	at := p.tree.SourceInfo().GetStartLocation(node)
	return &RuntimeError{Pos: p.source.at(at.Line(), at.Column()), Message: p.describe(node)}
}

// lacks is the failure of a chain of which a part is not there.
func (p *Program) lacks(c chain, pointer string) error {
	pos := p.source.at(c.line, c.col)
	if c.root == identityVar {
		return &UnsetError{Path: pointer, Pos: pos}
	}
	return &MissingError{Path: pointer, Pos: pos}
}

// describe says what kind of node failed.
func (p *Program) describe(id int64) string {
	message := "the expression failed here: a value has the wrong type or is out of range"
	ast.PreOrderVisit(p.tree.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		switch {
		case e.ID() != id:
		case e.Kind() == ast.CallKind:
			message = fmt.Sprintf("%s failed: a value has the wrong type or is out of range", display(e.AsCall().FunctionName()))
		case e.Kind() == ast.SelectKind:
			message = fmt.Sprintf("there is no %s here, or what it is taken from has no fields", e.AsSelect().FieldName())
		}
	}))
	return message
}

// display returns an operator as it is written: + for _+_.
func display(function string) string {
	if symbol, ok := operators.FindReverse(function); ok && symbol != "" {
		return symbol
	}
	return function
}
