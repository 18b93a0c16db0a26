package convert

import (
	"slices"
	"strconv"
	"strings"
)

// kind is what a term is known to be.
type kind int

const (
	anything kind = iota
	text
	number
	boolean
	list
	object
	nothing // null
)

// How tightly an operator of CEL binds.
const (
	bindsIf = iota
	bindsOr
	bindsAnd
	bindsRelation
	bindsSum
	bindsUnary
	bindsMember
)

// fail is a condition under which the mapper fails, and with it the sign-in.
type fail struct {
	// under are conditions without which nobody asks, tried first.
	under   []string
	when    term
	message string
	// natural says that the expression misses a claim then, all by itself.
	natural bool
	// unless are the conditions of which when says that one is false, if it does.
	unless []string
}

// lacking is the failure of what needs a condition.
func lacking(cond term) fail { return fail{when: not(cond), unless: cond.conditions()} }

func (f fail) always() bool { return len(f.under) == 0 && f.when.text == yes.text }

// text is the whole condition.
func (f fail) text() string {
	all := f.under
	if f.when.text != yes.text || len(all) == 0 {
		all = append(slices.Clone(all), f.when.in(bindsAnd))
	}
	return strings.Join(all, " && ")
}

// term is an expression of CEL that yields what one of Jsonnet does, unless one
// of fails is true.
type term struct {
	text  string
	binds int
	kind  kind
	fails []fail
	// null says that it may yield null though no claim is.
	null bool
	// sure says that its evaluation fails in no other way than fails says.
	sure bool
	// all are conditions that are true wherever this one is.
	all []string
	// presence is the condition that a claim is there, where the term is a
	// plain claim.
	presence string
	// inverse is what the term is the negation of.
	inverse *term
	// choice is what a conditional consists of.
	choice *choice
	// words are those of a literal string, constant says that it is one.
	words    string
	constant bool
	// Of a list: whether an element may be null, and whether all are strings.
	holdsNull, texts bool
}

type choice struct{ cond, then, otherwise term }

var (
	yes  = term{text: "true", binds: bindsMember, kind: boolean, sure: true}
	no   = term{text: "false", binds: bindsMember, kind: boolean, sure: true}
	null = term{text: "null", binds: bindsMember, kind: nothing, null: true, sure: true}
)

// in returns the text where something binds as tightly as that around it.
func (t term) in(binds int) string {
	if t.binds < binds {
		return "(" + t.text + ")"
	}
	return t.text
}

func quoted(s string) term {
	return term{text: strconv.Quote(s), binds: bindsMember, kind: text, sure: true, words: s, constant: true}
}

// raw is an expression of others, and fails where one of them does.
func raw(text string, binds int, k kind, parts ...term) term {
	t := term{text: text, binds: binds, kind: k}
	for _, p := range parts {
		t.fails = slices.Concat(t.fails, p.fails)
	}
	return t
}

func not(t term) term {
	n := raw("!"+t.in(bindsUnary), bindsUnary, boolean, t)
	switch t.text {
	case yes.text:
		n.text = no.text
	case no.text:
		n.text = yes.text
	}
	if t.inverse != nil && t.inverse.kind == boolean {
		fails := n.fails
		n = *t.inverse
		n.fails = fails
		return n
	}
	n.sure, n.inverse = t.sure && t.kind == boolean, &t
	return n
}

// conditions are those that are true wherever the term is.
func (t term) conditions() []string {
	if t.all == nil && t.text != yes.text {
		return []string{t.in(bindsRelation)}
	}
	return t.all
}

// all is true where each condition is.
func all(conditions []string) term {
	t := term{text: strings.Join(conditions, " && "), binds: bindsAnd, kind: boolean, all: conditions}
	if len(conditions) == 1 {
		t.binds = bindsRelation
		if strings.HasPrefix(t.text, "has(") {
			t.binds = bindsMember
		}
	}
	return t
}

// doomed reports whether one of failures happens in any case.
func doomed(fails []fail) bool { return slices.ContainsFunc(fails, fail.always) }

// guarded are failures that happen only where a condition is true.
func guarded(cond term, fails []fail) []fail {
	var out []fail
	for _, f := range fails {
		if len(f.unless) > 0 {
			f.unless = slices.DeleteFunc(slices.Clone(f.unless), func(c string) bool { return slices.Contains(cond.conditions(), c) })
			if len(f.unless) == 0 {
				continue
			}
			f.when = not(all(f.unless))
		}
		if cond.text != yes.text {
			f.under = union([]string{cond.in(bindsAnd)}, f.under)
		}
		out = append(out, f)
	}
	return out
}

// conditional is if cond then a else b. CEL decides as Jsonnet does: the
// condition first, a branch only if it is asked.
func conditional(cond, a, b term) term {
	fails := slices.Concat(cond.fails, guarded(cond, a.fails), guarded(not(cond), b.fails))
	plainly := cond.kind == boolean
	switch {
	case cond.text == yes.text:
		a.fails = fails
		return a
	case cond.text == no.text:
		b.fails = fails
		return b
	case a.text == yes.text && b.text == no.text && plainly:
		cond.fails = fails
		return cond
	case doomed(a.fails): // refused before anybody asks
		b.fails = fails
		return b
	case doomed(b.fails):
		a.fails = fails
		return a
	}
	t := term{null: a.null || b.null, fails: fails, sure: cond.sure && plainly && a.sure && b.sure, choice: &choice{cond, a, b}}
	if a.kind == b.kind {
		t.kind = a.kind
	}
	// && and || of CEL forgive one side that fails: the first must not.
	known := plainly && cond.sure && len(cond.fails) == 0
	switch {
	case b.text == no.text && a.kind == boolean && known:
		t.all = union(cond.conditions(), a.conditions())
		t.text, t.binds, t.kind, t.sure = strings.Join(t.all, " && "), bindsAnd, boolean, a.sure
	case a.text == yes.text && b.kind == boolean && known:
		t.text, t.binds, t.kind, t.sure = cond.in(bindsOr)+" || "+b.in(bindsOr), bindsOr, boolean, b.sure
	default:
		t.text, t.binds = cond.in(bindsOr)+" ? "+a.branch(b)+" : "+b.branch(a), bindsIf
		if b.text == no.text {
			t.all = union(cond.conditions(), a.conditions())
		}
	}
	return t
}

func union(a, b []string) []string {
	out := slices.Clone(a)
	for _, s := range b {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// branch returns the text beside another branch: CEL wants both to be of one
// type, or of none.
func (t term) branch(other term) string {
	if t.kind == anything || t.kind == other.kind && t.kind != list && t.kind != object || t.kind == nothing && other.kind == anything {
		return t.in(bindsOr)
	}
	return "dyn(" + t.text + ")"
}

// there is the condition that a term is not null; ok is false where only its
// evaluation can tell.
func (t term) there() (cond term, ok bool) {
	if t.choice == nil || t.choice.otherwise.kind != nothing || t.choice.then.null {
		return term{}, false
	}
	cond = t.choice.cond
	cond.fails = nil
	for _, f := range t.fails {
		f.natural = false // the branches are not asked
		cond.fails = append(cond.fails, f)
	}
	return cond, true
}
