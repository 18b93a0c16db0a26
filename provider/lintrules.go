package provider

import (
	"slices"
	"strings"

	"github.com/jithook/jithook/internal/expr"
	"github.com/jithook/jithook/internal/strictyaml"
	"github.com/jithook/jithook/mapper"
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

// linking finds lookups by an e-mail that rest on no word or on too weak a one.
func (l *linter) linking() {
	trusted := l.file.Trust.EmailVerified || len(l.file.Trust.AuthoritativeDomains) > 0
	mode := l.provider.Policy.Linking()
	for _, rule := range l.file.JIT.Lookup {
		path := strings.TrimPrefix(rule.Local.Value, traitsPath)
		at := slices.IndexFunc(l.provider.Mapping.Traits(), func(t mapper.TraitInfo) bool { return t.Path == path })
		trait := l.provider.Mapping.Traits()[at]
		if l.isMadeOfOthers(trait, rule.Federated) {
			l.found(LintLookupOther, rule.Federated.Problemf(""), "%s is made of another claim, and only that one is verified: where the two differ, this rule finds nobody", rule.Local.Value)
		}
		if trait.Canonical != mapper.CanonicalEmail {
			continue
		}
		switch {
		case !trusted:
			l.found(LintLinkUntrusted, rule.Local.Problemf(""), "trust covers no domain: no address of this provider counts as verified, and this rule finds nobody")
		case mode != policy.LinkingDisabled && l.file.Trust.EmailVerified && l.claimsNothing(path):
			l.found(LintLinkUntrusted, rule.Local.Problemf(""), "verified is true of every address, and trust.email_verified believes it for every domain: whoever types an address there has the account behind it")
		}
	}
}

// isMadeOfOthers reports whether a claim is none of those that a trait is made
// of. Of expressions nobody can tell.
func (l *linter) isMadeOfOthers(t mapper.TraitInfo, federated strictyaml.Text) bool {
	p, err := l.env.Compile(source(federated))
	if err != nil {
		return false
	}
	path, plain := p.ClaimPath()
	return plain && t.Plain && !slices.ContainsFunc(t.ClaimPaths, func(of []string) bool { return slices.Equal(of, path) })
}

// claimsNothing reports whether a trait's verified asks no claim.
func (l *linter) claimsNothing(path string) bool {
	for _, t := range l.file.Traits {
		if "/"+t.Key.Value != path || t.Value.Verified == nil {
			continue
		}
		p, err := l.env.Compile(source(*t.Value.Verified))
		return err == nil && !l.nothing.MayYield(p, false)
	}
	return false
}

// groups finds what revokes groups that nobody meant to revoke.
func (l *linter) groups() {
	if l.file.Groups == nil {
		if mode := l.file.JIT.GroupSync; mode != nil && mode.Value == string(policy.GroupsMirror) {
			l.found(LintMirrorNothing, mode.Problemf(""), "the file has no groups to grant: every login revokes whatever this provider granted before")
		}
		return
	}
	for _, p := range l.provider.Mapping.ProgramsOf("") {
		if p.Source() != source(l.file.Groups.From) {
			continue
		}
		for _, at := range p.EmptiesUnknown() {
			l.found(LintUnknownEmpty, Problem(at), "where the claim is missing, nobody knows the groups; an empty list says that there are none, and they are revoked")
		}
	}
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
