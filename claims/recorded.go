package claims

import (
	"context"
	"slices"

	"github.com/jithook/jithook/identity"
)

// NewRecorded returns the source that stands for the one of this name where a
// recorded login is decided again: what that one once vouched for counts as it
// did then, as far as the provider's file still fits it. Nothing is verified, so
// it must never be asked about a login that somebody signs in by. The claims have
// no time: they count as those of a login that happens now.
func NewRecorded(name string, o Origin) Source { return recorded{name, o} }

type recorded struct {
	name   string
	origin Origin
}

func (r recorded) Claims(_ context.Context, l identity.Login) (Evidence, error) {
	at := slices.IndexFunc(l.Offers, func(o identity.Offer) bool { return o.Source == r.name && o.Provider == r.origin.Provider })
	if at < 0 || l.Provider != r.origin.Provider {
		return Evidence{}, ErrAbsent
	}
	o := l.Offers[at]
	if !slices.Contains(r.origin.Issuers, o.Issuer) {
		return Evidence{}, &Refusal{Source: r.name, Code: identity.CodeIssuerUnknown}
	}
	subject, code := r.subject(o)
	if code != "" {
		return Evidence{}, &Refusal{Source: r.name, Code: code}
	}
	return Evidence{
		Source: r.name, Issuer: o.Issuer, Subject: subject, Claims: o.Claims, Normalised: o.Normalised,
		// As carried has it: what Kratos kept of a registration is not fresh.
		Fresh: r.name == identity.SourceIDToken || r.name != identity.SourceKratosAdmin && l.Hook != identity.HookLogin,
	}, nil
}

// subject is whose claims they are under this file. Kratos's mapper is made of
// the file, and takes the subject from the claim that the file names; any other
// caller names it by itself, and has to be right.
func (r recorded) subject(o identity.Offer) (string, identity.Code) {
	named, isString := r.origin.named(o.Claims).(string)
	mapped := o.Source == identity.SourceKratosMetadata || o.Source == identity.SourceKratosAdmin
	if mapped && isString && identity.CheckSubject(named) == nil {
		return named, ""
	}
	return o.Subject, r.origin.Tie(o.Subject, o.Claims)
}
