package expr

import (
	"slices"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/interpreter"
)

// Branch is one way that an expression may go: either side of ?:, and each part
// of || and && that may decide by itself. What is within a loop is none: it goes
// many ways at once.
type Branch struct {
	Text string
	Pos  string // file:line:col
	// When is what has to become of it for the branch to be taken: "taken" of a
	// side of ?:, "true" of a part of ||, "false" of one of &&.
	When string
}

// branch is a Branch in the tree.
type branch struct {
	ast.Expr
	when string
}

// What a branch is taken by.
const (
	whenTaken = "taken"
	whenTrue  = "true"
	whenFalse = "false"
)

// Branches returns the branches of the expression, outer ones first.
func (p *Program) Branches() []Branch {
	var all []Branch
	for _, b := range branches(p.tree) {
		at := p.tree.SourceInfo().GetStartLocation(leftmost(b).ID())
		text, _ := cel.ExprToString(b, p.tree.SourceInfo())
		all = append(all, Branch{Text: text, Pos: p.source.at(at.Line(), at.Column()), When: b.when})
	}
	return all
}

func branches(tree *ast.AST) []branch {
	var all []branch
	var walk func(e ast.Expr, within string)
	walk = func(e ast.Expr, within string) {
		call := functionOf(e)
		switch {
		case call == operators.Conditional:
			for _, side := range e.AsCall().Args()[1:] {
				all = append(all, branch{side, whenTaken})
			}
		case call != within && call == operators.LogicalOr:
			all = append(all, alternatives(e, call, whenTrue)...)
		case call != within && call == operators.LogicalAnd:
			all = append(all, alternatives(e, call, whenFalse)...)
		}
		for _, part := range parts(e) {
			walk(part, call)
		}
	}
	walk(tree.Expr(), "")
	return all
}

// alternatives are the parts of a || b || c, however they are nested.
func alternatives(e ast.Expr, operator, when string) []branch {
	if functionOf(e) != operator {
		return []branch{{e, when}}
	}
	args := e.AsCall().Args()
	return append(alternatives(args[0], operator, when), alternatives(args[1], operator, when)...)
}

func functionOf(e ast.Expr) string {
	if e.Kind() != ast.CallKind {
		return ""
	}
	return e.AsCall().FunctionName()
}

// taken reports whether a branch was taken. CEL keeps no state of what is ?:
// itself, only of what it consists of.
func (b branch) taken(state interpreter.EvalState) bool {
	v, ok := state.Value(b.ID())
	switch {
	case ok && b.when != whenTaken:
		return v == types.Bool(b.when == whenTrue)
	case ok || functionOf(b) != operators.Conditional:
		return ok
	}
	return slices.ContainsFunc(b.AsCall().Args(), func(part ast.Expr) bool { return branch{part, whenTaken}.taken(state) })
}

// leftmost is the part of an expression that its text begins with, as far as
// places go: an operator's place is its own.
func leftmost(e ast.Expr) ast.Expr {
	for {
		inner := parts(e)
		if e.Kind() == ast.ListKind || e.Kind() == ast.MapKind || len(inner) == 0 {
			return e
		}
		if e.Kind() == ast.CallKind && !e.AsCall().IsMemberFunction() {
			if _, operator := operators.FindReverse(e.AsCall().FunctionName()); !operator || len(inner) < 2 {
				return e
			}
		}
		e = inner[0]
	}
}
