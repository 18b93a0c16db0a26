package expr

import (
	"slices"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
)

// LoginNames returns the fields of login that the expression may read, sorted. all
// is true where it may read any: it uses login as a whole or with a computed key.
func (p *Program) LoginNames() (names []string, all bool) {
	var walk func(ast.NavigableExpr)
	walk = func(e ast.NavigableExpr) {
		switch {
		case isLogin(e):
			all = true
			return
		case e.Kind() == ast.SelectKind && isLogin(e.AsSelect().Operand()):
			names = append(names, e.AsSelect().FieldName())
			return
		case e.Kind() == ast.CallKind && e.AsCall().FunctionName() == operators.Index && isLogin(e.AsCall().Args()[0]):
			if key, ok := literal(e.AsCall().Args()[1]); ok {
				if name, ok := key.(string); ok {
					names = append(names, name)
					return
				}
			}
		}
		for _, part := range e.Children() {
			walk(part)
		}
	}
	walk(ast.NavigateAST(p.tree))
	slices.Sort(names)
	return slices.Compact(names), all
}

func isLogin(e ast.Expr) bool {
	return e.Kind() == ast.IdentKind && strings.TrimPrefix(e.AsIdent(), ".") == loginVar
}
