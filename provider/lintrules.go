package provider

import (
	"slices"
	"strings"

	"github.com/jithook/jithook/internal/expr"
	"github.com/jithook/jithook/internal/strictyaml"
	"github.com/jithook/jithook/policy"
)

// rules follows a login through deny and allow: whatever is asked, was not
// denied by the rules before.
func (l *linter) rules() {
	rules := l.provider.Policy.Rules()
	deny := rules[:len(l.file.JIT.Deny)]
	facts := l.nothing
	for n, rule := range deny {
		if l.ctx.Err() != nil {
			return
		}
		at := l.file.JIT.Deny[n].When.Problemf("")
		if !facts.MayYield(rule, true) {
			l.found(LintDenyUnreachable, at, "this rule can never deny: %s", l.why(deny[:n], rule))
			continue
		}
		if !facts.MayYield(rule, false) {
			l.found(LintNobodyAllowed, at, "this rule denies every login that reaches it")
			return
		}
		facts = facts.With(rule, false)
	}
	if len(rules) == len(deny) {
		return
	}
	allow, at := rules[len(deny)], l.file.JIT.Allow.Problemf("")
	switch {
	case !facts.MayYield(allow, true):
		l.found(LintNobodyAllowed, at, "allow is true of no login that reaches it: nobody gets in")
	case !facts.MayYield(allow, false):
		l.found(LintAllowAlways, at, "allow is true of every login that reaches it: it keeps nobody out")
	}
}

// why says why a rule can never be true behind others.
func (l *linter) why(before []*expr.Program, rule *expr.Program) string {
	if !l.nothing.MayYield(rule, true) {
		return "it is true of nothing"
	}
	for _, b := range before {
		if l.ctx.Err() != nil {
			break
		}
		if !l.nothing.With(b, false).MayYield(rule, true) {
			return "whatever it is true of, the rule at " + b.Source().Pos() + " denies first"
		}
	}
	return "whatever it is true of, the rules above deny first"
}

// traits finds names that people take for one.
func (l *linter) traits() {
	plain := func(name string) string {
		return strings.ToLower(strings.NewReplacer("_", "", "-", "", ".", "").Replace(name))
	}
	first := map[string]strictyaml.Text{}
	for _, t := range l.file.Traits {
		other, twice := first[plain(t.Key.Value)]
		if twice {
			l.found(LintTraitTwice, t.Key.Problemf(""), "%q and %q (line %d) are two traits", t.Key.Value, other.Value, other.Line)
			continue
		}
		first[plain(t.Key.Value)] = t.Key
	}
}

// groups finds what revokes groups that nobody meant to revoke.
func (l *linter) groups() {
	if l.file.Groups == nil {
		if mode := l.file.JIT.GroupSync; mode != nil && mode.Value == string(policy.GroupsMirror) {
			l.found(LintMirrorNothing, mode.Problemf(""), "the file has no groups to grant: every login revokes whatever this provider granted before")
		}
		return
	}
	l.unknown()
}

// claims finds claims that the schema does not have.
func (l *linter) claims() {
	if l.provider.schema == nil {
		return
	}
	programs := slices.Concat(l.provider.Policy.Programs(), l.provider.Mapping.Programs())
	if t := l.file.Subject; t != nil {
		if p, err := l.env.Compile(source(*t)); err == nil {
			programs = append(programs, p)
		}
	}
	for _, p := range programs {
		for _, r := range p.Reads() {
			if n := l.provider.schema.Unknown(r.Path); n > 0 {
				at := Problem{File: p.Source().File, Line: r.Line, Col: r.Col}
				l.found(LintClaimUnknown, at, "%s has no %s", l.file.Claims.Schema.Value, r.Upto(n))
			}
		}
	}
}
