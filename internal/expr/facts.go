package expr

import (
	"maps"
	"slices"
)

// Facts are expressions that were evaluated and yielded true or false: what is
// known where the next rule is asked. It is an answer about all claims there
// could be, and errs to one side only: what it calls impossible is.
//
// Facts of one NewFacts share what they have read of programs, and are not for
// several goroutines.
type Facts struct {
	env   *Env
	terms map[*Program]*term
	known known
}

type fact struct {
	term *term
	is   bool
}

// NewFacts returns facts that say nothing.
func (e *Env) NewFacts() Facts {
	return Facts{env: e, terms: map[*Program]*term{}, known: known{facts: map[string]fact{}}}
}

// With returns the facts, and that the program has yielded a value.
func (f Facts) With(p *Program, is bool) Facts {
	f.known = f.known.clone()
	f.known.assume(f.term(p), is)
	return f
}

// MayYield reports whether the program could yield the value where the facts
// hold. What it fails with is no value.
func (f Facts) MayYield(p *Program, value bool) bool {
	s := search{known: f.known.clone(), steps: maxSteps}
	return s.together([]*term{f.term(p)}, value)
}

func (f Facts) term(p *Program) *term {
	t, ok := f.terms[p]
	if !ok {
		t = f.env.term(p.tree, p.tree.Expr())
		f.terms[p] = t
	}
	return t
}

// known is what is known of terms, by their keys. It is one map, whatever is
// assumed on the way: assumptions are taken back, not made in a copy.
type known struct {
	facts map[string]fact
	// trail are the assumptions in their order, and what they took the place of.
	trail []assumption
	// equals are those assumed comparisons that hold.
	equals []*term
}

type assumption struct {
	key    string
	before fact
	had    bool
}

func (k known) clone() known {
	return known{maps.Clone(k.facts), slices.Clone(k.trail), slices.Clone(k.equals)}
}

func (k *known) assume(t *term, is bool) {
	before, had := k.facts[t.key]
	if had && before.is == is {
		return
	}
	k.facts[t.key] = fact{t, is}
	k.trail = append(k.trail, assumption{t.key, before, had})
	switch {
	case t.op == opNot:
		k.assume(t.args[0], !is)
	case t.op == opAnd && is, t.op == opOr && !is:
		for _, a := range t.args {
			k.assume(a, is)
		}
	case t.op == opEqual && is:
		k.equals = append(k.equals, t)
	}
}

// mark returns what takes back every assumption made after it.
func (k *known) mark() (undo func()) {
	trail, equals := len(k.trail), len(k.equals)
	return func() {
		for _, a := range slices.Backward(k.trail[trail:]) {
			if a.had {
				k.facts[a.key] = a.before
			} else {
				delete(k.facts, a.key)
			}
		}
		k.trail, k.equals = k.trail[:trail], k.equals[:equals]
	}
}
