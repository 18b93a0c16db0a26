package strictyaml

import (
	"regexp"
	"strings"
)

// indicators cannot begin a plain scalar (YAML 1.2, section 7.3.3).
const indicators = ",[]{}#&*!|>'\"%@`"

// marks within a plain scalar would begin an element, a key, a value or a
// comment.
var marks = regexp.MustCompile(`^[-?]([ \t]|$)|:([ \t]|$)|[ \t]#`)

// checkScalar refuses what the library takes for a plain scalar and YAML does
// not: other readers would read the file differently, or not at all. flow says
// whether it stands within brackets.
func (d *document) checkScalar(n Node, flow bool) {
	s, ok := n.scalar()
	if !ok {
		d.refuse(n, "not understood; write a scalar, a list or a mapping")
		return
	}
	if !n.plain() || s.text == "" {
		return
	}
	switch {
	case strings.Contains(indicators, s.text[:1]):
		d.refuse(n, "a string that begins with one of "+indicators+" needs quotes")
	case marks.MatchString(s.text):
		d.refuse(n, "a string that begins with - or ? and a space, or has a colon and a space or a space and # in it, needs quotes")
	case flow && strings.ContainsFunc(s.text, isBracket):
		d.refuse(n, "within brackets, a string with one of ,[]{} in it needs quotes")
	}
}

func isBracket(r rune) bool { return strings.ContainsRune(",[]{}", r) }

func isBlank(r rune) bool { return r == ' ' || r == '\t' }
