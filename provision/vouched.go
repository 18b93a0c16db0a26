package provision

import (
	"context"
	"errors"

	"github.com/jithook/jithook/claims"
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/provider"
)

// vouched finds the provider's file and what may be believed. A login that
// names no provider has neither, and is not refused for it: only its state is
// checked. An error says that nobody could tell what to believe.
func (s *Service) vouched(ctx context.Context, l identity.Login, p *Plan) (*provider.Provider, claims.Evidence, error) {
	if l.Provider == "" {
		if l.Hook != identity.HookLogin && l.Hook != identity.HookLinks {
			p.deny(identity.Because(identity.CodeClaimsAbsent), "")
		}
		return nil, claims.Evidence{}, nil
	}
	prov, ok := s.Providers().Get(l.Provider)
	if !ok {
		p.deny(identity.Because(identity.CodeUnknownProvider), "")
		return nil, claims.Evidence{}, nil
	}
	p.Record.Policy = prov.Digest
	if !identity.MaySpeakFor(l.Providers, l.Provider) {
		p.deny(identity.Because(identity.CodeCallerScope), "")
		return nil, claims.Evidence{}, nil
	}
	if undeterminable(l, p.account) {
		return prov, claims.Evidence{}, nil
	}
	e, err := s.resolve(ctx, prov, l)
	var refusal *claims.Refusal
	var fault *claims.Fault
	switch {
	case errors.As(err, &refusal):
		p.Record.Source = refusal.Source
		p.deny(identity.Because(refusal.Code), "")
		if refusal.Why != "" {
			s.Log.WarnContext(ctx, "claims refused", "source", refusal.Source, "why", refusal.Why, "decision_id", p.Record.ID)
		}
		return nil, claims.Evidence{}, nil
	case errors.Is(err, claims.ErrAbsent):
		return prov, claims.Evidence{}, nil
	case errors.As(err, &fault):
		p.Record.Source = fault.Source
		fallthrough
	case err != nil:
		return nil, claims.Evidence{}, err
	}
	if p.Record.Source = e.Source; p.contradicted(l, e) {
		p.deny(identity.Because(identity.CodeClaimsConflict), "")
		return nil, claims.Evidence{}, nil
	}
	p.evidence, p.ticket, p.login = e, e.Ticket, LoginVars(l, e)
	p.Record.Issuer, p.Record.Normalised = e.Issuer, e.Normalised
	p.Record.SubjectKey = identity.FedKey(e.Issuer, e.Subject)
	p.Record.Claims = s.ClaimLog.Keep(p.Record.ID, e.Subject, e.Claims)
	return prov, e, nil
}
