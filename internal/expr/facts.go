package expr

import (
	"maps"
	"slices"
)

// Facts are expressions that were evaluated and yielded true or false: what is
// known where the next rule is asked. It is an answer about all claims there
// could be, and errs to one side only: what it calls impossible is.
type Facts struct {
	env   *Env
	known map[string]fact
	// steps bounds the search; what is left when it is used up is possible.
	steps *int
}

type fact struct {
	term *term
	is   bool
}

// maxSteps bounds one question, which could otherwise take for ever about
// conditions within conditions.
const maxSteps = 100_000

// NewFacts returns facts that say nothing.
func (e *Env) NewFacts() Facts { return Facts{env: e, known: map[string]fact{}} }

// With returns the facts, and that the program has yielded a value.
func (f Facts) With(p *Program, is bool) Facts {
	more := f.copy()
	more.assume(f.env.term(p.tree, p.tree.Expr()), is)
	return more
}

// MayYield reports whether the program could yield the value where the facts
// hold. What it fails with is no value.
func (f Facts) MayYield(p *Program, value bool) bool {
	steps := maxSteps
	ask := f.copy()
	ask.steps = &steps
	return ask.together([]*term{f.env.term(p.tree, p.tree.Expr())}, value)
}

func (f Facts) copy() Facts {
	f.known = maps.Clone(f.known)
	return f
}

func (f Facts) assume(t *term, is bool) {
	f.known[t.key] = fact{t, is}
	switch {
	case t.op == opNot:
		f.assume(t.args[0], !is)
	case t.op == opAnd && is, t.op == opOr && !is:
		for _, a := range t.args {
			f.assume(a, is)
		}
	}
}

// may reports whether a term could yield the value.
func (f Facts) may(t *term, value bool) bool {
	if *f.steps--; *f.steps < 0 {
		return true
	}
	if known, ok := f.known[t.key]; ok {
		return known.is == value
	}
	one := func(a *term) bool { return f.may(a, value) }
	switch t.op {
	case opConst:
		return t.value == value
	case opNot:
		return f.may(t.args[0], !value)
	case opAnd:
		// CEL's false wins over an error beside it.
		if !value {
			return slices.ContainsFunc(t.args, one)
		}
		return f.together(t.args, true)
	case opOr:
		if value {
			return slices.ContainsFunc(t.args, one)
		}
		return f.together(t.args, false)
	case opIf:
		branch := func(is bool, then *term) bool {
			if !f.may(t.args[0], is) {
				return false
			}
			more := f.copy()
			more.assume(t.args[0], is)
			return more.may(then, value)
		}
		return branch(true, t.args[1]) || branch(false, t.args[2])
	case opEqual:
		return !value || !f.contradicted(t)
	}
	return true
}

// contradicted reports whether the two sides cannot be equal because one of
// them equals something else.
func (f Facts) contradicted(t *term) bool {
	side, literal, ok := t.comparison()
	if !ok {
		return false
	}
	for _, k := range f.known {
		other, is, ok := k.term.comparison()
		if ok && k.is && other.key == side.key && is.key != literal.key {
			return true
		}
	}
	return false
}

// together reports whether all terms could yield the value at once.
func (f Facts) together(terms []*term, value bool) bool {
	all := f.copy()
	for _, t := range terms {
		if !all.may(t, value) {
			return false
		}
		all.assume(t, value)
	}
	for key, k := range all.known {
		rest := all.copy()
		delete(rest.known, key)
		if !rest.may(k.term, k.is) {
			return false
		}
	}
	return true
}
