package expr

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"weak"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/ext"
)

// Names of the variables.
const (
	claimsVar   = "claims"
	loginVar    = "login"
	identityVar = "identity"
	groupsVar   = "groups"
)

// Limits on one expression and on one evaluation. An operator's rule stays far
// below; they end what a stranger's claims could make of it.
const (
	maxDepth     = 64      // nesting of the syntax
	maxNodes     = 20_000  // after macros
	maxRegex     = 1_000   // instructions of a compiled pattern
	maxRange     = 10_000  // elements of lists.range
	maxCost      = 500_000 // CEL's cost units; the time of one depends on what it is
	checkEvery   = 1       // turns of a loop between looks at the deadline: one turn may be long
	maxRecovered = 20      // syntax errors reported of one expression
)

// Env compiles expressions. It is safe for concurrent use.
type Env struct {
	cel    *cel.Env
	shared shared
}

// NewEnv returns the environment of all expressions: the variables claims and
// login (maps), identity (a map or null), CEL's standard functions, and the
// extensions for strings, lists, sets and encoders.
func NewEnv() (*Env, error) { return newEnv() }

// NewTargetEnv returns the environment of the rules of targets: that of all, and
// groups, the names of the identity's groups.
func NewTargetEnv() (*Env, error) {
	return newEnv(cel.Variable(groupsVar, cel.ListType(cel.StringType)))
}

func newEnv(more ...cel.EnvOption) (*Env, error) {
	env, err := cel.NewEnv(append(more,
		cel.Variable(claimsVar, cel.MapType(cel.StringType, cel.DynType)),
		cel.Variable(loginVar, cel.MapType(cel.StringType, cel.DynType)),
		cel.Variable(identityVar, cel.DynType),
		cel.CrossTypeNumericComparisons(true),
		cel.EnableMacroCallTracking(), // Explain shows loops as they are written
		cel.ParserRecursionLimit(maxDepth),
		cel.ParserErrorRecoveryLimit(maxRecovered),
		cel.ParserExpressionSizeLimit(MaxTextLength),
		cel.ExpressionNodeLimit(maxNodes),
		cel.RegexProgramSizeLimit(maxRegex),
		cel.ASTValidators(cel.ValidateRegexLiterals(), cel.ValidateTimestampLiterals(), cel.ValidateDurationLiterals()),
		ext.Strings(),
		ext.Lists(ext.ListsMaxRangeSize(maxRange)),
		ext.Sets(),
		ext.Encoders(),
		guarded, // last: it bounds what the others declare
	)...)
	if err != nil {
		return nil, fmt.Errorf("set up the expression language: %w", err)
	}
	return &Env{cel: env, shared: shared{texts: map[string]weak.Pointer[compiled]{}}}, nil
}

// Compile returns the program of an expression. The error is a *CompileError
// with every problem of the text; an empty text is a problem.
func (e *Env) Compile(s Source) (*Program, error) {
	return e.compile(s, "")
}

// CompileBool is Compile for an expression that must yield a boolean. What
// depends on a claim's type is only known later; EvalBool checks it then.
func (e *Env) CompileBool(s Source) (*Program, error) {
	return e.compile(s, "boolean", cel.BoolKind, cel.DynKind)
}

// CompileString is Compile for an expression that must yield a string;
// EvalString checks what depends on a claim's type.
func (e *Env) CompileString(s Source) (*Program, error) {
	return e.compile(s, "string", cel.StringKind, cel.DynKind)
}

// compile refuses a static type that is none of kinds, if there are any; want
// is their name.
func (e *Env) compile(s Source, want string, kinds ...cel.Kind) (*Program, error) {
	switch {
	case strings.TrimSpace(s.Text) == "":
		return nil, refuse(s.problem(1, 0, "the expression is empty"))
	case len(s.Text) > MaxTextLength:
		return nil, refuse(s.problem(1, 0, fmt.Sprintf("the expression is longer than %d bytes", MaxTextLength)))
	}
	c := e.shared.of(s.Text)
	if c == nil {
		var refused *CompileError
		if c, refused = e.build(s); refused != nil {
			return nil, refused
		}
		c = e.shared.share(c)
	}
	if len(kinds) > 0 && !slices.Contains(kinds, c.yields.Kind()) {
		return nil, refuse(s.problem(1, 0, fmt.Sprintf("the expression yields a %s, not a %s", c.yields, want)))
	}
	s.Text = c.text // one for all, too
	return &Program{source: s, compiled: c}, nil
}

// build compiles a text. The place of its source is for problems alone.
func (e *Env) build(s Source) (*compiled, *CompileError) {
	s.Text = strings.Clone(s.Text) // which may be part of a file's, and outlive it
	checked, issues := e.cel.Compile(s.Text)
	if issues.Err() != nil {
		return nil, refuse(problems(s, issues)...)
	}
	tree := checked.NativeRep()
	if shadows := shadowed(s, tree); len(shadows) > 0 {
		return nil, refuse(shadows...)
	}
	uses := usesOf(tree)
	program := func(how ...cel.ProgramOption) (cel.Program, error) {
		return e.cel.Program(checked, append(how, cel.InterruptCheckFrequency(checkEvery), cel.CustomDecoratorV2(uses.decorate))...)
	}
	evaluator, err := program(cel.EvalOptions(cel.OptOptimize), cel.CostLimit(maxCost))
	if err != nil {
		return nil, refuse(s.problem(1, 0, err.Error()))
	}
	c := &compiled{text: s.Text, yields: checked.OutputType(), evaluator: evaluator, tree: tree, uses: uses, loops: has(tree, isLoop)}
	c.explainer = sync.OnceValues(func() (*explainer, error) {
		evaluator, err := program(cel.EvalOptions(cel.OptTrackState))
		if err != nil {
			return nil, err
		}
		return newExplainer(tree, evaluator), nil
	})
	c.chain = uses.claim(tree)
	uses.reads = uses.places(has(tree, isLogin))
	return c, nil
}

func refuse(p ...Problem) *CompileError { return &CompileError{Problems: p} }

// problems turns CEL's issues into problems at their places in the file.
func problems(s Source, issues *cel.Issues) []Problem {
	var found []Problem
	for _, issue := range issues.Errors() {
		line, column := max(issue.Location.Line(), 1), max(issue.Location.Column(), 0)
		found = append(found, s.problem(line, column, issue.Message))
	}
	slices.SortStableFunc(found, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col))
	})
	return found
}

// shadowed refuses a loop variable with the name of one of ours: in
// claims.groups.exists(claims, claims.admin), claims would be two things, and
// which claims an expression reads could not be told.
func shadowed(s Source, tree *ast.AST) []Problem {
	var found []Problem
	ast.PreOrderVisit(tree.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() != ast.ComprehensionKind {
			return
		}
		loop := e.AsComprehension()
		for _, name := range []string{loop.IterVar(), loop.IterVar2()} {
			if name == claimsVar || name == loginVar || name == identityVar {
				at := tree.SourceInfo().GetStartLocation(e.ID())
				found = append(found, s.problem(at.Line(), at.Column(), fmt.Sprintf("%q names a variable already; give the loop variable another name", name)))
			}
		}
	}))
	return found
}
