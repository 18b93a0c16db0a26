package expr

import (
	"fmt"
	"regexp"
	"slices"

	"cel.dev/cel-go/common/ast"
)

// Read is one place where an expression reads a claim, or asks whether it is
// there.
type Read struct {
	// Path are the steps below claims: names (string) and indexes (int64).
	Path []any
	// Line and Col are its place in the file.
	Line, Col int
}

// Upto returns the first n steps of the path, as one writes them.
func (r Read) Upto(n int) string {
	text := claimsVar
	for _, step := range r.Path[:n] {
		switch name, ok := step.(string); {
		case ok && plainName.MatchString(name):
			text += "." + name
		default:
			text += fmt.Sprintf("[%#v]", step)
		}
	}
	return text
}

var plainName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// Reads returns the claims that the expression names, in the order of its text.
// One that is read by a computed name is named as far as it is known.
func (p *Program) Reads() []Read {
	var reads []Read
	p.reads(p.tree.Expr(), &reads)
	return reads
}

func (p *Program) reads(e ast.Expr, reads *[]Read) {
	add := func(at ast.Expr, steps path) {
		place := p.place(at)
		*reads = append(*reads, Read{Path: slices.Clone(steps), Line: place.Line, Col: place.Col})
	}
	if of, steps := chainOf(e); of == claimsVar && len(steps) > 0 {
		add(root(e), steps)
		return
	}
	switch e.Kind() {
	case ast.SelectKind: // has(claims.a.b)
		if of, steps := chainOf(e.AsSelect().Operand()); of == claimsVar {
			add(root(e), append(slices.Clone(steps), e.AsSelect().FieldName()))
			return
		}
	case ast.CallKind:
		if key, ok := presenceOf(e); ok {
			add(e.AsCall().Args()[0], path{key})
			return
		}
	case ast.ComprehensionKind:
		loop := e.AsComprehension()
		for _, part := range []ast.Expr{loop.IterRange(), loop.AccuInit(), loop.LoopCondition(), loop.LoopStep(), loop.Result()} {
			p.reads(part, reads)
		}
		return
	}
	for _, part := range parts(e) {
		p.reads(part, reads)
	}
}

// place is where a part of the expression stands, as a problem without words.
func (p *Program) place(e ast.Expr) Problem {
	at := p.tree.SourceInfo().GetStartLocation(e.ID())
	return p.source.problem(at.Line(), at.Column(), "")
}
