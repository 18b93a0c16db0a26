package policy

import (
	"context"
	"errors"
	"fmt"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/expr"
)

// What becomes of a subject for whom a lookup rule finds somebody.
const (
	LinkingDisabled = "disabled" // the login is refused
	LinkingConfirm  = "confirm"  // it is refused until an administrator approves the link
	LinkingAuto     = "auto"     // it is linked
)

// Linking is what a policy says of subjects that nobody is linked to yet.
type Linking struct {
	// Lookup are asked in order.
	Lookup []Lookup
	Mode   string // LinkingDisabled if empty
	// Miss is the place of the line that refuses those whom no rule finds
	// (file:line:col); empty has them created.
	Miss string
	// Protected is true of identities that are not linked, nor granted
	// anything new, without an administrator; nil is true of none. It reads no
	// claims: they are what it protects from.
	Protected *expr.Source
}

// Lookup compares a trait that is stored with a claim.
type Lookup struct {
	Path      string // JSON Pointer into the traits
	Federated expr.Source
}

// LookupRule is a compiled Lookup.
type LookupRule struct {
	Path      string
	federated *expr.Program
}

type linking struct {
	lookup    []LookupRule
	mode      string
	miss      string
	protected *expr.Program
}

func newLinking(env *expr.Env, s Linking) (linking, error) {
	l := linking{mode: s.Mode, miss: s.Miss}
	var errs []error
	for _, rule := range s.Lookup {
		federated, err := env.CompileString(rule.Federated)
		errs = append(errs, err)
		l.lookup = append(l.lookup, LookupRule{rule.Path, federated})
	}
	if s.Protected != nil {
		protected, err := env.CompileBool(*s.Protected)
		if err == nil {
			err = withoutClaims(protected)
		}
		errs = append(errs, err)
		l.protected = protected
	}
	return l, errors.Join(errs...)
}

func withoutClaims(p *expr.Program) error {
	if names, all := p.ClaimNames(); len(names) == 0 && !all {
		return nil
	}
	at := p.Source()
	return &expr.CompileError{Problems: []expr.Problem{{
		File: at.File, Line: at.Line, Col: at.Col, Message: "protected is about an identity and reads no claims: whoever made them would decide",
	}}}
}

func (l linking) programs() []*expr.Program {
	var programs []*expr.Program
	for _, rule := range l.lookup {
		programs = append(programs, rule.federated)
	}
	if l.protected != nil {
		programs = append(programs, l.protected)
	}
	return programs
}

// Lookup returns the rules that find whom a subject may belong to, in order.
func (p *Policy) Lookup() []LookupRule { return p.linking.lookup }

// Linking returns what becomes of a subject for whom a rule finds somebody.
func (p *Policy) Linking() string {
	if p.linking.mode == "" {
		return LinkingDisabled
	}
	return p.linking.mode
}

// Missed is the verdict on a subject for whom no rule finds anybody.
func (p *Policy) Missed() identity.Verdict {
	if p.linking.miss != "" {
		return identity.Verdict{Reason: identity.Because(identity.CodeLookupMiss), Rule: p.linking.miss}
	}
	return identity.Verdict{Allow: true, Reason: identity.Because(identity.CodeAllowed), Rule: p.file}
}

// Protects reports whether the identity in the input is protected. One of which
// that cannot be told is. The error is ctx's.
func (p *Policy) Protects(ctx context.Context, in Input) (bool, error) {
	if p.linking.protected == nil {
		return false, nil
	}
	protected, err := p.linking.protected.EvalBool(ctx, expr.Vars{Login: in.Vars.Login, Identity: in.Vars.Identity})
	if ended := ctx.Err(); ended != nil {
		return true, fmt.Errorf("protected %s: %w", p.linking.protected.Source().Pos(), ended)
	}
	return protected || err != nil, nil
}

// Pos is the rule's place, file:line:col.
func (r LookupRule) Pos() string { return r.federated.Source().Pos() }

// Value returns what the rule looks for; none if the claim is missing. A rule
// that fails otherwise refuses. The error is ctx's.
func (r LookupRule) Value(ctx context.Context, in Input) (value string, v identity.Verdict, err error) {
	value, err = r.federated.EvalString(ctx, in.Vars)
	var missing *expr.MissingError
	switch {
	case errors.As(err, &missing):
		return "", identity.Verdict{Allow: true}, nil
	case err != nil:
		v, err = refused(r.federated, err)
		return "", v, err
	}
	return value, identity.Verdict{Allow: true}, nil
}
