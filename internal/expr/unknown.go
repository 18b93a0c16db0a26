package expr

import (
	"slices"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// Emptied is a place where an expression makes a list of its own because a claim
// is not there: has(claims.groups) ? claims.groups : [].
type Emptied struct {
	Problem // its place, without words
	// Missing are the claims that may be missing, as far as they have a path: one
	// within a loop has none.
	Missing [][]any
	// Within says that there are such.
	Within bool
}

// EmptiesUnknown returns the places where the expression makes a list of a claim
// that is not there, wherever in the claims that is.
func (p *Program) EmptiesUnknown() []Emptied {
	var places []Emptied
	maps := p.maps()
	ast.PreOrderVisit(p.tree.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if functionOf(e) != operators.Conditional {
			return
		}
		args := e.AsCall().Args()
		missing, within := presences(args[0], maps)
		if (len(missing) > 0 || within) && slices.ContainsFunc(args[1:], p.isOwnList) {
			places = append(places, Emptied{Problem: p.place(leftmost(e)), Missing: steps(missing), Within: within})
		}
	}))
	return places
}

// isOwnList reports whether an expression is a list, of whatever spelling, and no
// variable has a part in it.
func (p *Program) isOwnList(e ast.Expr) bool {
	return p.tree.GetType(e.ID()).Kind() == types.ListKind && len(mentions(e)) == 0
}

// Maps returns the claims that the expression takes for maps: of which it reads,
// or asks for, a part by its name.
func (p *Program) Maps() [][]any { return steps(p.maps()) }

func (p *Program) maps() []path {
	var maps []path
	add := func(e ast.Expr) {
		for _, m := range chainsIn(e) {
			if len(m) > 0 && !m.in(maps) {
				maps = append(maps, m)
			}
		}
	}
	ast.PreOrderVisit(p.tree.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		switch {
		case e.Kind() == ast.SelectKind:
			add(e.AsSelect().Operand())
		case functionOf(e) == operators.Index:
			if key, ok := literal(e.AsCall().Args()[1]); ok && isName(key) {
				add(e.AsCall().Args()[0])
			}
		}
	}))
	return maps
}

// presences returns the claims whose presence a condition asks for, and whether it
// asks for one within a loop, which has no path.
func presences(condition ast.Expr, maps []path) (asked []path, within bool) {
	of := func(e ast.Expr, more ...any) {
		chains := chainsIn(e)
		for _, c := range chains {
			if c = slices.Concat(c, more); len(c) > 0 { // that there are claims at all is no question
				asked = append(asked, c)
			}
		}
		names := mentions(e)
		// What is there of the login and of the identity is no claim.
		own := slices.Contains(names, loginVar) || slices.Contains(names, identityVar)
		within = within || len(chains) == 0 && (!own || slices.Contains(names, claimsVar))
	}
	isNull := func(e ast.Expr) bool { return e.Kind() == ast.LiteralKind && e.AsLiteral() == types.NullValue }
	ast.PreOrderVisit(condition, ast.NewExprVisitor(func(e ast.Expr) {
		switch call := functionOf(e); {
		case e.Kind() == ast.SelectKind && e.AsSelect().IsTestOnly():
			of(e.AsSelect().Operand(), e.AsSelect().FieldName())
		case call == operators.In:
			key, ok := literal(e.AsCall().Args()[0])
			for _, c := range chainsIn(e.AsCall().Args()[1]) {
				// A name in a list is another question.
				if ok && isName(key) && (len(c) == 0 || c.in(maps)) {
					asked = append(asked, append(c, key))
				}
			}
		case call == operators.Equals, call == operators.NotEquals:
			args := e.AsCall().Args()
			for i, a := range args {
				if isNull(a) {
					of(args[1-i])
				}
			}
		}
	}))
	return asked, within
}

// chainsIn returns the paths of the claims that an expression may be: one, or
// those on either side of ?:.
func chainsIn(e ast.Expr) []path {
	if of, p := chainOf(e); of == claimsVar {
		return []path{p}
	}
	if functionOf(e) != operators.Conditional {
		return nil
	}
	args := e.AsCall().Args()
	return append(chainsIn(args[1]), chainsIn(args[2])...)
}

// mentions returns the names of the variables in an expression, those of loops
// among them.
func mentions(e ast.Expr) []string {
	var names []string
	ast.PreOrderVisit(e, ast.NewExprVisitor(func(part ast.Expr) {
		if part.Kind() == ast.IdentKind {
			names = append(names, strings.TrimPrefix(part.AsIdent(), "."))
		}
	}))
	return names
}

func (p path) in(others []path) bool {
	return slices.ContainsFunc(others, func(o path) bool { return slices.Equal(o, p) })
}

func steps(paths []path) [][]any {
	all := make([][]any, len(paths))
	for i, p := range paths {
		all[i] = p
	}
	return all
}

func isName(step any) bool {
	_, ok := step.(string)
	return ok
}
