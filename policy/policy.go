// Package policy decides whether a login may create or sync an identity, and
// in which userstore: a provider's `enabled`, `deny`, `allow` and `userstore`;
// and whether a subject may be linked to somebody who is there (linking.go).
//
// It owns the order of the rules and what a rule that cannot be evaluated means:
// no. It must not know how claims came, what traits are made of them, or what
// the store holds.
package policy

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/expr"
)

// Spec is a policy as it is written.
type Spec struct {
	// Enabled says whether logins may create and sync at all.
	Enabled bool
	// Allow must be true of a login; nil allows everybody of the provider.
	Allow *expr.Source
	// Deny are asked before Allow, in order; the first that is true denies.
	Deny []DenyRule
	// Userstore says where identities are created.
	Userstore Userstore
	// Groups says what becomes of groups.
	Groups GroupPolicy
	// Linking says whose identity a subject may be linked to.
	Linking Linking
	// Scheme is one of the Scheme constants; empty is SchemeSilent, which asks
	// for no Consent either.
	Scheme  string
	Consent *Consent // nil asks for none
	// Lifecycle is carried along: Decide does not ask it.
	Lifecycle Lifecycle
	// AttributeSync says what a returning login does to stored traits.
	AttributeSync AttributeSync
	// RetryStoreErrors has an identity server that repeats failed calls repeat
	// one that the store has failed, rather than tell the person.
	RetryStoreErrors bool
	// File is where the policy stands. It is the rule that a verdict names
	// where Allow is nil.
	File string
}

// Userstore is a name, or an expression that yields one.
type Userstore struct {
	Name string
	From *expr.Source // Name is not asked where there is one
}

// DenyRule denies the logins of which When is true.
type DenyRule struct {
	When expr.Source
	// Code is the operator's own name of the rule, Message what the person who
	// signs in reads; empty, they read the sentence of identity.CodeDenyRule.
	Code, Message string
}

// Policy is a compiled Spec. It is safe for concurrent use.
type Policy struct {
	enabled   bool
	userstore string
	from      *expr.Program // nil: userstore
	file      string
	groups    GroupPolicy
	deny      []denial
	allow     *expr.Program // nil allows
	linking   linking
	scheme    string
	consent   *Consent
	lifecycle Lifecycle

	attributeSync    AttributeSync
	retryStoreErrors bool
}

type denial struct {
	when          *expr.Program
	code, message string
}

// New compiles a policy. The error joins one *expr.CompileError for each
// expression that does not compile.
func New(env *expr.Env, s Spec) (*Policy, error) {
	p := &Policy{
		enabled: s.Enabled, userstore: s.Userstore.Name, file: s.File, retryStoreErrors: s.RetryStoreErrors, groups: s.Groups,
		scheme: s.Scheme, consent: s.Consent, lifecycle: s.Lifecycle, attributeSync: cmp.Or(s.AttributeSync, PreserveLocal),
	}
	var errs []error
	if s.Userstore.From != nil {
		from, err := env.CompileString(*s.Userstore.From)
		errs = append(errs, err)
		p.from = from
	}
	for _, rule := range s.Deny {
		when, err := env.CompileBool(rule.When)
		errs = append(errs, err)
		p.deny = append(p.deny, denial{when: when, code: rule.Code, message: rule.Message})
	}
	if s.Allow != nil {
		allow, err := env.CompileBool(*s.Allow)
		errs = append(errs, err)
		p.allow = allow
	}
	linking, err := newLinking(env, s.Linking)
	p.linking = linking
	if err := errors.Join(append(errs, err)...); err != nil {
		return nil, err
	}
	return p, nil
}

// Enabled reports whether logins may create and sync at all. Decide does not
// ask it: what else a disabled policy means is the caller's business.
func (p *Policy) Enabled() bool { return p.enabled }

// RetriesStoreErrors reports whether the identity server is to repeat a call that
// the store has failed.
func (p *Policy) RetriesStoreErrors() bool { return p.retryStoreErrors }

// Userstore returns the name of the userstore for new identities; where an
// expression yields it, from is its text and name is empty.
func (p *Policy) Userstore() (name, from string) {
	if p.from != nil {
		return "", p.from.Source().Text
	}
	return p.userstore, ""
}

// Place returns the name of the userstore in which a login's identity is
// created, unless the verdict refuses: the expression that yields it could not
// be evaluated. Whether there is such a userstore it does not know. The error is
// ctx's.
func (p *Policy) Place(ctx context.Context, in Input) (name string, v identity.Verdict, err error) {
	if p.from == nil {
		return p.userstore, identity.Verdict{Allow: true, Reason: identity.Because(identity.CodeAllowed), Rule: p.file}, nil
	}
	name, err = p.from.EvalString(ctx, in.Vars)
	if err != nil {
		v, err = refused(p.from, err)
		return "", v, err
	}
	return name, identity.Verdict{Allow: true, Reason: identity.Because(identity.CodeAllowed), Rule: p.from.Source().Pos()}, nil
}

// Programs returns the expressions, deny rules first.
func (p *Policy) Programs() []*expr.Program {
	programs := p.Rules()
	if p.from != nil {
		programs = append(programs, p.from)
	}
	return append(programs, p.linking.programs()...)
}

// Rules returns the expressions of deny and allow, in the order in which they are
// asked.
func (p *Policy) Rules() []*expr.Program {
	var rules []*expr.Program
	for _, d := range p.deny {
		rules = append(rules, d.when)
	}
	if p.allow != nil {
		rules = append(rules, p.allow)
	}
	return rules
}

// Input is what a policy decides about.
type Input struct {
	Vars expr.Vars
}

// Decide returns the verdict on a login. An expression that cannot be evaluated
// denies, whichever it is: a deny rule that could not be asked is not one that
// did not match. The error is ctx's.
func (p *Policy) Decide(ctx context.Context, in Input) (identity.Verdict, error) {
	for _, d := range p.deny {
		matched, err := d.when.EvalBool(ctx, in.Vars)
		if err != nil {
			return refused(d.when, err)
		}
		if matched {
			return identity.Verdict{Reason: d.reason(), Rule: d.when.Source().Pos()}, nil
		}
	}
	if p.allow == nil {
		return identity.Verdict{Allow: true, Reason: identity.Because(identity.CodeAllowed), Rule: p.file}, nil
	}
	allowed, err := p.allow.EvalBool(ctx, in.Vars)
	if err != nil {
		return refused(p.allow, err)
	}
	reason := identity.Because(identity.CodeNotAllowed)
	if allowed {
		reason = identity.Because(identity.CodeAllowed)
	}
	return identity.Verdict{Allow: allowed, Reason: reason, Rule: p.allow.Source().Pos()}, nil
}

func (d denial) reason() identity.Reason {
	r := identity.Because(identity.CodeDenyRule)
	r.Rule = d.code
	if d.message != "" {
		r.Text = d.message
	}
	return r
}

// refused is the verdict where a rule could not be evaluated.
func refused(rule *expr.Program, err error) (identity.Verdict, error) {
	var missing *expr.MissingError
	var failed *expr.RuntimeError
	switch {
	case errors.As(err, &missing):
		reason := identity.BecauseOf(identity.CodeRuleError, "/claims"+missing.Path)
		return identity.Verdict{Reason: reason, Rule: rule.Source().Pos()}, nil
	case errors.As(err, &failed):
		return identity.Verdict{Reason: identity.Because(identity.CodeRuleError), Rule: rule.Source().Pos()}, nil
	}
	return identity.Verdict{}, fmt.Errorf("decide %s: %w", rule.Source().Pos(), err)
}
