package expr

import "slices"

// search looks for what contradicts an answer.
type search struct {
	known
	// steps bounds the search; what is left when it is used up is possible.
	steps int
	// again says that what was known before is being looked at again.
	again bool
}

// maxSteps bounds one question, which could otherwise take for ever about
// conditions within conditions.
const maxSteps = 100_000

// may reports whether a term could yield the value.
func (s *search) may(t *term, value bool) bool {
	if s.steps--; s.steps < 0 {
		return true
	}
	if known, ok := s.facts[t.key]; ok {
		return known.is == value
	}
	one := func(a *term) bool { return s.may(a, value) }
	switch t.op {
	case opConst:
		return t.value == value
	case opNot:
		return s.may(t.args[0], !value)
	case opAnd:
		// CEL's false wins over an error beside it.
		if !value {
			return slices.ContainsFunc(t.args, one)
		}
		return s.together(t.args, true)
	case opOr:
		if value {
			return slices.ContainsFunc(t.args, one)
		}
		return s.together(t.args, false)
	case opIf:
		return s.branch(t.args[0], true, t.args[1], value) || s.branch(t.args[0], false, t.args[2], value)
	case opEqual:
		return !value || !s.contradicted(t)
	}
	return true
}

// branch reports whether a condition may be so, and the term behind it yield
// the value then.
func (s *search) branch(condition *term, is bool, then *term, value bool) bool {
	if !s.may(condition, is) {
		return false
	}
	defer s.mark()()
	s.assume(condition, is)
	return s.may(then, value)
}

// contradicted reports whether the two sides cannot be equal because one of
// them equals something else.
func (s *search) contradicted(t *term) bool {
	side, literal, ok := t.comparison()
	if !ok {
		return false
	}
	for _, equal := range s.equals {
		other, is, ok := equal.comparison()
		if ok && s.facts[equal.key].is && other.key == side.key && is.key != literal.key {
			return true
		}
	}
	return false
}

// together reports whether all terms could yield the value at once, and what
// was known still holds beside them.
func (s *search) together(terms []*term, value bool) bool {
	defer s.mark()()
	before := len(s.trail)
	for _, t := range terms {
		if !s.may(t, value) {
			return false
		}
		s.assume(t, value)
	}
	if s.again || len(s.trail) == before {
		return true
	}
	s.again = true
	defer func() { s.again = false }()
	return !slices.ContainsFunc(slices.Clone(s.trail), func(a assumption) bool {
		k, ok := s.facts[a.key]
		if !ok {
			return false
		}
		delete(s.facts, a.key)
		defer func() { s.facts[a.key] = k }()
		return !s.may(k.term, k.is)
	})
}
