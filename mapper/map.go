package mapper

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/canon"
	"github.com/jithook/jithook/internal/expr"
)

// Rejection says that the claims cannot become an identity.
type Rejection struct {
	Reason identity.Reason
	Rule   string // file:line:col of the expression that decided
}

// Error names the code, the path and the rule, and no value.
func (r *Rejection) Error() string {
	if r.Reason.Path == "" {
		return fmt.Sprintf("%s: %s", r.Rule, r.Reason.Code)
	}
	return fmt.Sprintf("%s: %s: %s", r.Rule, r.Reason.Code, r.Reason.Path)
}

// Map returns the traits and groups of a login. The error is a *Rejection, or
// that of ctx. What is in v is read only, and the result shares nothing with it.
func (m *Mapping) Map(ctx context.Context, v expr.Vars) (Result, error) {
	var r Result
	r.Traits = slices.Grow(r.Traits, len(m.traits))
	for i := range m.traits {
		mapped, err := m.traits[i].mapped(ctx, v)
		if err != nil {
			return Result{}, err
		}
		r.Traits = append(r.Traits, mapped)
	}
	if m.groups == nil {
		return r, nil
	}
	g, err := m.groups.mapped(ctx, v)
	if err != nil {
		return Result{}, err
	}
	r.Groups = g
	return r, nil
}

// Trait returns what Map would of the trait at the path; ok is false if none is
// mapped there.
func (m *Mapping) Trait(ctx context.Context, path string, v expr.Vars) (mapped Trait, ok bool, err error) {
	at := slices.IndexFunc(m.traits, func(t trait) bool { return t.path == path })
	if at < 0 {
		return Trait{}, false, nil
	}
	mapped, err = m.traits[at].mapped(ctx, v)
	return mapped, true, err
}

func (t *trait) mapped(ctx context.Context, v expr.Vars) (Trait, error) {
	plain, from, err := t.first(ctx, v)
	if err != nil {
		return Trait{}, err
	}
	mapped := Trait{Path: t.path, Action: Set, CanonicalForm: t.canonical, Unique: t.unique, Required: t.required, Sync: t.sync, Numbered: t.numbered}
	if plain == nil {
		return t.absentee(mapped)
	}
	value, why := newValue(plain, t.canonical)
	if why != "" {
		return Trait{}, t.reject(identity.CodeTraitInvalid, from)
	}
	mapped.Value, mapped.Canonical = value.plain, value.canonical
	mapped.Verified, err = t.isVerified(ctx, v, value)
	return mapped, err
}

// first returns the first value there is, and the expression that yielded it.
// nil is none: an empty string is no value of a required trait.
func (t *trait) first(ctx context.Context, v expr.Vars) (any, *expr.Program, error) {
	for _, p := range t.values {
		plain, err := p.Eval(ctx, v)
		if isMissing(err) || err == nil && (plain == nil || plain == "" && t.required) {
			continue
		}
		if err != nil {
			return nil, nil, rejected(err, "/traits"+t.path)
		}
		return plain, p, nil
	}
	return nil, nil, nil
}

// absentee completes a trait that the claims have no value for.
func (t *trait) absentee(mapped Trait) (Trait, error) {
	mapped.Absent = true
	switch t.absent {
	case AbsentKeep:
		mapped.Action = Keep
	case AbsentClear:
		mapped.Action = Clear
	case AbsentDefault:
		mapped.Value, mapped.Canonical = t.fallback.plain, t.fallback.canonical
	default:
		return Trait{}, t.reject(identity.CodeTraitMissing, t.values[0])
	}
	return mapped, nil
}

func (t *trait) reject(code identity.Code, by *expr.Program) *Rejection {
	return &Rejection{Reason: identity.BecauseOf(code, "/traits"+t.path), Rule: by.Source().Pos()}
}

// isVerified reports whether the provider vouches for the value and may. Only
// the boolean true vouches: providers that send "false" as a string exist. And
// anybody can set up a provider that calls anybody's address verified, so its
// word counts for its own domains only, unless the operator trusts it with all
// (CVE-2023-3128 is an account taken over for want of this).
func (t *trait) isVerified(ctx context.Context, v expr.Vars, val value) (bool, error) {
	if t.verified == nil {
		return false, nil
	}
	said, err := t.verified.Eval(ctx, v)
	if isMissing(err) {
		return false, nil
	}
	if err != nil {
		return false, rejected(err, "/traits"+t.path)
	}
	if said != true {
		return false, nil
	}
	if t.canonical == CanonicalEmail {
		return t.trust.covers(val.canonical), nil
	}
	return t.trust.vouches(val.plain), nil
}

// covers reports whether the provider's word on a canonical address counts.
func (t *trust) covers(address string) bool { return t.all || t.domains[canon.EmailDomain(address)] }

// vouches reports whether the provider's word on a value counts. An address is one
// wherever it stands: many providers have it as the user name, and who is looked up
// by that is its owner.
func (t *trust) vouches(value any) bool {
	if t.all {
		return true
	}
	s, _ := value.(string)
	address, err := canon.Email(s)
	return err != nil || t.covers(address)
}

// MayVerify reports whether the provider may vouch for the value at a path (a
// JSON Pointer into the traits), whatever it says of it: the trait, if it is
// mapped, can be verified at all, and an address is one that the provider is
// trusted with.
func (m *Mapping) MayVerify(path string, value any) bool {
	at := slices.IndexFunc(m.traits, func(t trait) bool { return t.path == path })
	return (at < 0 || m.traits[at].verified != nil) && m.trust.vouches(value)
}

func isMissing(err error) bool {
	if err == nil {
		return false
	}
	_, ok := errors.AsType[*expr.MissingError](err)
	return ok
}

// rejected turns an expression's failure into a Rejection. The end of ctx is
// none.
func rejected(err error, path string) error {
	var failed *expr.RuntimeError
	if !errors.As(err, &failed) {
		return fmt.Errorf("map %s: %w", path, err)
	}
	return &Rejection{Reason: identity.BecauseOf(identity.CodeRuleError, path), Rule: failed.Pos}
}
