package expr

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/interpreter"
)

// Explanation is an evaluation step by step. Unlike an error it holds values:
// it is for who may see the claims.
type Explanation struct {
	Source Source
	// Value is what Eval yields, Err what it fails with.
	Value any
	Err   error
	// Steps are the sub-expressions that were evaluated, in the order of their
	// places in the text. What a short cut left out is not among them, nor is
	// what happens within a loop, nor a literal.
	Steps []Step
	// Taken says which of the program's Branches were taken.
	Taken []bool
	// Reads are the places that the expression may read; see Trace.
	Reads []string
}

// Step is one sub-expression and what became of it.
type Step struct {
	// Text is the sub-expression, as it would be written anew.
	Text string
	// Line is its line in the text, from 1; Col its column there, from 0, in
	// characters: of a call and of an operator, that of its name.
	Line, Col int
	// Value is what it yielded, if Failure is empty.
	Value any
	// Failure says why it yielded nothing.
	Failure string
}

// Explain is Eval with all its steps. CEL drops its own limit on cost when it
// keeps the steps; what ends an evaluation is ctx alone, beside the limits on
// single calls, so give it a deadline. The error is that of ctx; one of the
// expression is in the Explanation.
func (p *Program) Explain(ctx context.Context, v Vars) (Explanation, error) {
	x := Explanation{Source: p.source, Reads: p.uses.reads}
	e, err := p.explainer()
	if err != nil {
		return x, err
	}
	if err := ctx.Err(); err != nil {
		return x, err
	}
	out, details, err := p.run(ctx, e.evaluator, v)
	if ended := ctx.Err(); ended != nil {
		return x, ended
	}
	if err != nil {
		x.Err = p.failure(err)
	} else {
		room := maxResultSize
		var why string
		if x.Value, why = toJSON(out, maxResultDepth, &room); why != "" {
			x.Err = p.fail("the expression " + why)
		}
	}
	x.Steps = e.taken(details.State())
	x.Taken = make([]bool, len(e.branches))
	for i, b := range e.branches {
		x.Taken[i] = b.taken(details.State())
	}
	return x, nil
}

// explaining is the key of a context's value.
type explaining struct{}

// Explaining returns a context in which every evaluation is one by Explain, of
// which tell learns before its result is used: what a decision rests on, in its
// order. Evaluations come one after the other if those of the caller do.
func Explaining(ctx context.Context, tell func(Explanation)) context.Context {
	return context.WithValue(ctx, explaining{}, tell)
}

// explained evaluates within Explaining.
func (p *Program) explained(ctx context.Context, v Vars, tell func(Explanation)) (any, error) {
	x, err := p.Explain(ctx, v)
	if err != nil {
		return nil, err
	}
	tell(x)
	return x.Value, x.Err
}

// explainer evaluates an expression and keeps its steps. What does not depend on
// claims is told once.
type explainer struct {
	evaluator cel.Program
	steps     []step
	branches  []branch
}

// step is a Step before it is taken.
type step struct {
	Step
	id int64
}

// newExplainer returns the explainer of an expression by a program that keeps the
// state of its evaluations.
func newExplainer(tree *ast.AST, evaluator cel.Program) *explainer {
	e := &explainer{evaluator: evaluator, branches: branches(tree)}
	e.walk(tree, tree.Expr())
	slices.SortStableFunc(e.steps, func(a, b step) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col))
	})
	return e
}

// walk collects the steps that of and what it is made of may take.
func (e *explainer) walk(tree *ast.AST, of ast.Expr) {
	for _, part := range parts(of) {
		e.walk(tree, part)
	}
	if of.Kind() == ast.LiteralKind || of.Kind() == ast.IdentKind {
		return
	}
	at := tree.SourceInfo().GetStartLocation(of.ID())
	s := step{Step{Line: at.Line(), Col: at.Column()}, of.ID()}
	if text, err := cel.ExprToString(of, tree.SourceInfo()); err == nil {
		s.Text = text
	}
	e.steps = append(e.steps, s)
}

// taken returns the steps that an evaluation took.
func (e *explainer) taken(state interpreter.EvalState) []Step {
	var taken []Step
	for _, s := range e.steps {
		v, ok := state.Value(s.id)
		if !ok || v == nil {
			continue
		}
		if failed, ok := v.(*types.Err); ok {
			s.Failure = why(failed)
		} else {
			room := maxResultSize
			s.Value, s.Failure = toJSON(v, maxResultDepth, &room)
		}
		taken = append(taken, s.Step)
	}
	return taken
}

// why is a failure in few words; its place is the step's.
func why(failed *types.Err) string {
	if absent, ok := errors.AsType[*absentError](failed); ok && absent.chain.root == claimsVar {
		return "the claim " + absent.path + " is missing"
	}
	return "failed"
}

// parts are the expressions that e consists of. Of a loop it is what it runs
// over: what happens within has a value for each turn.
func parts(e ast.Expr) []ast.Expr {
	switch e.Kind() {
	case ast.CallKind:
		call := e.AsCall()
		if call.IsMemberFunction() {
			return append([]ast.Expr{call.Target()}, call.Args()...)
		}
		return call.Args()
	case ast.SelectKind:
		return []ast.Expr{e.AsSelect().Operand()}
	case ast.ListKind:
		return e.AsList().Elements()
	case ast.MapKind:
		var all []ast.Expr
		for _, entry := range e.AsMap().Entries() {
			all = append(all, entry.AsMapEntry().Key(), entry.AsMapEntry().Value())
		}
		return all
	case ast.ComprehensionKind:
		return []ast.Expr{e.AsComprehension().IterRange()}
	}
	return nil
}
