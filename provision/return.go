package provision

import (
	"strings"

	"github.com/jithook/jithook/claims"
	"github.com/jithook/jithook/identity"
)

// MayReturn reports whether a login of the person can undo what bars the
// identity: one of its providers did it, and the file of that one says so. What
// an administrator did stays.
func (s *Service) MayReturn(i *identity.Identity) bool {
	id, ok := strings.CutPrefix(i.StateSource, identity.ProviderSource(""))
	prov, known := s.Providers().Get(id)
	if !ok || !known || !prov.Policy.Enabled() {
		return false
	}
	switch i.State {
	case identity.StateSuspended:
		return prov.Policy.Lifecycle().ReturnSuspended
	case identity.StateDeprovisioned:
		return prov.Policy.Lifecycle().ReturnDeprovisioned
	}
	return false
}

// returns reports whether this login may be the one that brings a barred
// identity back: a sign-in by the provider that barred it, as one of its
// subjects. What is dated before the bar
// was there when it was decided.
func (s *Service) returns(l identity.Login, e claims.Evidence, i *identity.Identity) bool {
	signsIn := l.Hook == identity.HookPrepare || l.Hook == identity.HookLogin || l.Hook == identity.HookGeneric
	return signsIn && !l.Linking && i.Link(e.Issuer, e.Subject) >= 0 && i.StateSource == identity.ProviderSource(l.Provider) &&
		(e.Time.IsZero() || e.Time.After(i.StateAt)) && s.MayReturn(i)
}

// comeBack activates a barred identity that the policy has let pass, and refuses
// everybody else who is barred. Claims that are older than those of another
// login were overtaken by it, and bring nobody back.
func (s *Service) comeBack(l identity.Login, e claims.Evidence, p *Plan) {
	if p.Before == nil || !p.Before.Barred() {
		return
	}
	if !s.returns(l, e, p.Before) || e.Fresh && !s.takes(e, p) || !p.move(identity.StateActive, ByLogin, identity.ProviderSource(l.Provider)) {
		p.veto()
		return
	}
	s.unbar(p)
}
