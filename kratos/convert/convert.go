// Package convert turns the simple kind of Jsonnet mapper that Ory Kratos runs
// into rules of a provider's file.
//
// It owns what of Jsonnet can be said in rules, and never guesses: rules that
// it writes yield the traits that the mapper does, or refuse the login, for all
// claims but those that are empty or null (see Differs); what it
// cannot show to be so it leaves out, and says where and why. It must not run
// a mapper, nor know a login.
package convert

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/google/go-jsonnet/ast"
	"github.com/google/go-jsonnet/formatter"

	"github.com/jithook/jithook/internal/expr"
)

// Problem is something to know about the mapper, at file:line:col.
type Problem = expr.Problem

// Rules are what a mapper says, as rules.
type Rules struct {
	Deny   []Deny
	Traits []Trait
	// Left is what could not be converted, and why: the rules lack it.
	Left []Problem
	// Notes say where the rules do something else, and what to look at.
	Notes []Problem
}

// Deny is a login that the mapper refuses.
type Deny struct {
	When    string
	Message string // "" is the default one
}

// Trait is one trait of the rules.
type Trait struct {
	Name     string // with / where it is inside an object
	Values   []string
	Verified string // "" is never
	Email    bool   // it has the canonical form of an address
	Reject   bool   // without a value there is no login

	inner string // what the value is wherever there is one
}

// Bounds of a mapper. The parser of Jsonnet knows none, and ends the program where
// brackets are nested too deeply for its stack.
const (
	maxText    = 64 << 10
	maxOpeners = 2000 // brackets and signs, each of which may hold the next one
)

// Jsonnet converts a mapper. The error is that of a text that is no Jsonnet, or
// too much of it.
func Jsonnet(file, text string) (Rules, error) {
	if len(text) > maxText {
		return Rules{}, fmt.Errorf("%s: longer than %d bytes, and so no simple mapper", file, maxText)
	}
	openers := func(c rune) rune {
		if strings.ContainsRune("([{!~+-", c) {
			return c
		}
		return -1
	}
	if len(strings.Map(openers, text)) > maxOpeners {
		return Rules{}, fmt.Errorf("%s: more than %d brackets and signs, and so no simple mapper", file, maxOpeners)
	}
	root, _, err := formatter.SnippetToRawAST(file, text)
	if err != nil {
		return Rules{}, errors.New(strings.TrimSpace(err.Error()))
	}
	env, err := expr.NewEnv()
	if err != nil {
		return Rules{}, err
	}
	c := &converter{file: file, env: env, given: yes}
	c.root(thunk{node: root})
	for _, t := range c.rules.Traits {
		if t.Verified == "" && strings.Contains(strings.Join(t.Values, " "), "email_verified") {
			c.note(root, "%s is there only if it is verified, and does not count as verified: for that, give it verified, canonical and unique", t.Name)
		}
	}
	order := func(a, b Problem) int { return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col)) }
	for _, list := range []*[]Problem{&c.rules.Left, &c.rules.Notes} {
		slices.SortStableFunc(*list, order)
		*list = slices.Compact(*list)
	}
	return c.rules, nil
}

// converter collects the rules of one mapper.
type converter struct {
	file               string
	env                *expr.Env
	rules              Rules
	depth, work, loops int
	raw                bool // raw_claims were read
	// given is the condition around a verified address.
	given term
}

// refusal is the error of what cannot be converted.
type refusal struct{ Problem }

func (r refusal) Error() string { return r.String() }

func (c *converter) at(n ast.Node, format string, args ...any) Problem {
	p := Problem{File: c.file, Line: 1, Col: 1, Message: fmt.Sprintf(format, args...)}
	if l := n.Loc(); l != nil {
		p.Line, p.Col = l.Begin.Line, l.Begin.Column
	}
	return p
}

func (c *converter) refuse(n ast.Node, format string, args ...any) error {
	return refusal{c.at(n, format, args...)}
}

// readsRaw notes once that the mapper reads the provider's own claims.
func (c *converter) readsRaw(n ast.Node) {
	if !c.raw {
		c.note(n, "%s are called claims in rules, and taken to be there; where Kratos has none of this provider, rules read Kratos's own", rawClaims)
	}
	c.raw = true
}

// leave notes what could not be converted; a nil error is nothing.
func (c *converter) leave(err error) {
	if r, ok := errors.AsType[refusal](err); ok {
		c.rules.Left = append(c.rules.Left, r.Problem)
	}
}

func (c *converter) note(n ast.Node, format string, args ...any) {
	c.rules.Notes = append(c.rules.Notes, c.at(n, format, args...))
}

// root converts the whole mapper: an object with identity alone.
func (c *converter) root(t thunk) {
	for _, f := range c.members(t) {
		if f.name != "identity" {
			c.leave(c.refuse(f.node, "%s: Kratos reads identity alone", f.name))
			continue
		}
		for _, part := range c.parts(f) {
			switch part.name {
			case "traits":
				for _, v := range part.values {
					c.traits("", v, part.node)
				}
			case "verified_addresses":
				defer c.verified(part)
			default:
				c.leave(c.refuse(part.node, "%s: rules make traits and groups; jithook has no such thing", part.name))
			}
		}
	}
}

// members returns those of an object whose failures are the login's.
func (c *converter) members(t thunk) []field {
	o, err := c.object(t)
	c.leave(err)
	c.deny(t.node, o.fails)
	return o.fields
}

// parts returns the members of a field that is always there.
func (c *converter) parts(f field) []field {
	if len(f.values) != 1 || f.values[0].guard.text != yes.text {
		c.leave(c.refuse(f.node, "%s depends on a condition: make its traits depend on it one by one", f.name))
		return nil
	}
	return c.members(f.values[0].thunk)
}

// deny adds a rule for each failure that no trait shows by itself.
func (c *converter) deny(n ast.Node, fails []fail) {
	for _, f := range fails {
		when := f.text()
		if when == no.text || slices.ContainsFunc(c.rules.Deny, func(d Deny) bool { return d.When == when }) {
			continue
		}
		if _, err := c.env.CompileBool(expr.Source{Text: when, File: c.file, Line: 1, Col: 1}); err != nil {
			c.leave(c.refuse(n, "when this fails cannot be said in an expression"))
			continue
		}
		c.rules.Deny = append(c.rules.Deny, Deny{When: when, Message: readable(f.message)})
	}
}

// readable returns a message that a page can show, or "".
func readable(message string) string {
	if len(message) > 500 || strings.ContainsFunc(message, unicode.IsControl) {
		return ""
	}
	return message
}
