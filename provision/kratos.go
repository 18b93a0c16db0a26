package provision

import (
	"cmp"
	"context"
	"slices"

	"github.com/jithook/jithook/claims"
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/kratos"
)

// maxRemovals bounds how many credentials one login removes in Kratos: each is
// a call within its deadline.
const maxRemovals = 4

// account asks Kratos about the person of a login, once, where that can change
// what is decided: who signed in by a provider, or changed what is connected. It
// offers what it learns as claims. nil says that nothing is known, because there
// is no Admin API or it failed; the login is then decided as if there were none.
func (s *Service) account(ctx context.Context, l *identity.Login) *kratos.Account {
	admin := s.kratos(*l)
	asks := l.Hook == identity.HookLinks || l.Hook == identity.HookLogin && (l.Provider != "" || l.Linking)
	if admin == nil || !asks {
		return nil
	}
	a, err := admin.Account(ctx, l.External.ID)
	if err != nil {
		s.Log.ErrorContext(ctx, "Kratos's Admin API not heard: decided without it", "instance", l.External.Instance,
			"hook", l.Hook, "request_id", l.RequestID, "error", err)
		return nil
	}
	l.Offers = slices.Clone(l.Offers)
	for _, c := range a.Credentials {
		l.Offers = append(l.Offers, registered(a, c))
	}
	return &a
}

// kratos returns the Admin API of the Kratos that called, if there is one.
func (s *Service) kratos(l identity.Login) *kratos.Admin {
	if l.External.System != identity.SystemKratos {
		return nil
	}
	return s.Kratos[l.External.Instance]
}

// registered is what Kratos has kept about a credential: its subject, and the
// claims of the registration where the mapper left them.
func registered(a kratos.Account, c kratos.Credential) identity.Offer {
	o := identity.Offer{Source: identity.SourceKratosAdmin, Provider: c.Provider, Subject: c.Subject}
	subject, _ := a.Metadata["subject"].(string)
	credential, _ := a.Metadata["credential"].(string)
	if a.Metadata["provider"] == c.Provider && cmp.Or(credential, subject) == c.Subject {
		o.Subject, o.Credential = subject, credential
		o.Issuer, _ = a.Metadata["issuer"].(string)
		o.Claims, _ = a.Metadata["claims"].(map[string]any)
		o.Normalised, _ = a.Metadata["normalised"].(bool)
	}
	return o
}

// undeterminable reports whether Kratos could not say which of several subjects
// of the login's provider signed in. What its metadata says of one of them is
// then worth nothing.
func undeterminable(l identity.Login, a *kratos.Account) bool {
	return a != nil && l.Provider != "" && len(of(l.Provider, a.Credentials)) > 1
}

// contradicted reports whether the evidence is about a credential that Kratos
// does not have.
func (p *Plan) contradicted(l identity.Login, e claims.Evidence) bool {
	subject := cmp.Or(e.Credential, e.Subject)
	return p.account != nil && p.account.Credentials != nil && subject != "" &&
		!slices.Contains(p.account.Credentials, kratos.Credential{Provider: l.Provider, Subject: subject})
}

func of(provider string, all []kratos.Credential) []kratos.Credential {
	return slices.DeleteFunc(slices.Clone(all), func(c kratos.Credential) bool { return c.Provider != provider })
}

// untangle refuses a login in which Kratos has connected something that no
// policy saw, and has it disconnected again: in the one sign-in that did it, and
// while a stranger's subject cannot be told from the person's own.
func (s *Service) untangle(l identity.Login, p *Plan) {
	switch {
	case l.Linking:
		if !p.refused() && p.Before != nil && s.covers(p) {
			return // what was connected is a link that policy has seen
		}
		p.remove = s.unseen(l, p)
		why := identity.Because(identity.CodeLinkingDisabled)
		if p.refused() {
			why = p.Record.Reasons[0]
		}
		p.deny(why, "")
	case p.refused() || p.Before == nil || !undeterminable(l, p.account):
	case p.linkedTo(l.Provider):
		// Which of them signed in nobody can tell: only with the others gone
		// is it the person's own.
		if p.remove = of(l.Provider, s.unseen(l, p)); len(p.remove) > 0 {
			p.deny(identity.Because(identity.CodeSubjectUndeterminable), "")
		}
	}
}

// unseen returns the credentials in Kratos that are none of the identity's
// links. Of somebody unknown here that can be told only where there is one
// beside the credential that signed in.
func (s *Service) unseen(l identity.Login, p *Plan) []kratos.Credential {
	if p.account == nil {
		return nil
	}
	ours := slices.DeleteFunc(slices.Clone(p.account.Credentials), func(c kratos.Credential) bool {
		_, ok := s.Providers().Get(c.Provider)
		return !ok || !identity.MaySpeakFor(l.Providers, c.Provider)
	})
	if p.Before != nil {
		return slices.DeleteFunc(ours, func(c kratos.Credential) bool { return s.linked(c, p) })
	}
	rest := slices.DeleteFunc(ours, func(c kratos.Credential) bool { return c.Provider == l.Provider && !undeterminable(l, p.account) })
	if len(rest) != 1 {
		return nil
	}
	return rest
}

// covers reports whether each of the credentials in Kratos is one of the
// identity's links.
func (s *Service) covers(p *Plan) bool {
	return p.account != nil && len(p.account.Credentials) > 0 &&
		!slices.ContainsFunc(p.account.Credentials, func(c kratos.Credential) bool { return !s.linked(c, p) })
}

// linked reports whether a credential in Kratos is one of the identity's links,
// as the plan has them.
func (s *Service) linked(c kratos.Credential, p *Plan) bool {
	links := p.Before.Links
	if p.After != nil {
		links = p.After.Links
	}
	return slices.ContainsFunc(links, func(link identity.Link) bool { return s.grants(c, link) })
}

// grants reports whether a credential in Kratos is what a link stands for.
// Kratos names no issuer, and a provider may have been renamed.
func (s *Service) grants(c kratos.Credential, link identity.Link) bool {
	if c.Subject != cmp.Or(link.Credential, link.Subject) {
		return false
	}
	prov, ok := s.Providers().Get(c.Provider)
	return c.Provider == link.Provider || ok && slices.Contains(prov.Issuers, link.Issuer)
}

// reconcile drops the links that Kratos has dropped: a subject that was disconnected must not come back as this person.
func (s *Service) reconcile(l identity.Login, p *Plan) {
	if p.account == nil || p.account.Credentials == nil || p.Before == nil || !p.onlyAt(l.External) {
		return
	}
	s.unlink(p, func(link identity.Link) bool {
		return link.Provider != l.Provider && fromKratos(link) && identity.MaySpeakFor(l.Providers, link.Provider) &&
			!slices.ContainsFunc(p.account.Credentials, func(c kratos.Credential) bool { return s.grants(c, link) })
	})
}

// onlyAt reports whether the identity is known to this identity server under
// this id and to no other one, which might still have the credential.
func (p *Plan) onlyAt(e identity.ExternalID) bool {
	return len(p.Before.ExternalIDs) == 1 && p.Before.ExternalIDs[0] == e
}

// fromKratos reports whether a link rests on Kratos's word, so that Kratos can
// take it back.
func fromKratos(l identity.Link) bool {
	return l.Evidence == identity.SourceKratosMetadata || l.Evidence == identity.SourceKratosAdmin
}

// rebind lets a subject that Kratos sends to a first sign-in keep the identity
// that it has here, if Kratos has lost its own: the id that is recorded goes, and
// commit records the new one. Anything but Kratos's clear word that the old one
// is gone leaves the refusal: the credential may have been taken on purpose.
func (s *Service) rebind(ctx context.Context, l identity.Login, recorded string, p *Plan) bool {
	admin := s.kratos(l)
	if admin == nil {
		return false
	}
	gone, err := admin.Gone(ctx, recorded)
	if err != nil {
		s.Log.ErrorContext(ctx, "Kratos's Admin API not heard: a lost identity stays bound", "instance", l.External.Instance,
			"identity_id", p.Before.ID, "request_id", l.RequestID, "error", err)
	}
	if !gone {
		return false
	}
	old := identity.ExternalID{System: l.External.System, Instance: l.External.Instance, ID: recorded}
	p.unbind(old)
	return true
}

// arm has every Kratos that has the person keep them out, or let them in again,
// when the plan changes whether they are barred here. It goes with the write, so
// that a Kratos that is down learns of it later.
func (s *Service) arm(p *Plan) {
	s.armTargets(p)
	if p.op != opSwap || p.Before.State == p.After.State || !p.Before.Barred() && !p.After.Barred() {
		return
	}
	for _, e := range p.After.ExternalIDs {
		if e.System == identity.SystemKratos && s.Kratos[e.Instance] != nil {
			p.After.Arm(kratos.StateTarget(e.Instance), p.now)
		}
	}
}

// disconnect removes in Kratos what the plan refuses. What fails is refused
// again by the next login.
func (s *Service) disconnect(ctx context.Context, l identity.Login, p Plan) {
	for _, c := range p.remove[:min(len(p.remove), maxRemovals)] {
		if err := s.kratos(l).RemoveCredential(ctx, p.account.ID, c); err != nil {
			s.Log.ErrorContext(ctx, "refused credential not removed in Kratos", "decision_id", p.Record.ID, "provider", c.Provider, "error", err)
			continue
		}
		s.Log.InfoContext(ctx, "refused credential removed in Kratos", "decision_id", p.Record.ID, "provider", c.Provider)
	}
}
