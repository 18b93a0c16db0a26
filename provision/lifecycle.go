package provision

import (
	"errors"
	"slices"

	"github.com/jithook/jithook/identity"
)

// Suspend bars every login until an administrator activates the identity. It
// stays as it is otherwise, groups included.
func Suspend() Edit {
	return Edit{code: identity.CodeAdminSuspended, change: func(_ *Service, p *Plan) error {
		p.enter(identity.StateSuspended)
		return nil
	}}
}

// Deprovision closes the account: every login is barred and all groups are
// revoked, whoever granted them. The keys stay, so that nobody is made anew.
func Deprovision() Edit {
	return Edit{code: identity.CodeAdminDeprovisioned, change: func(_ *Service, p *Plan) error {
		p.enter(identity.StateDeprovisioned)
		if !p.refused() {
			p.revoke(func(identity.Group) bool { return true })
		}
		return nil
	}}
}

// Activate takes back Suspend and Deprovision. Whom the identity server has
// never acknowledged is pending again: only it knows whether the person has an
// account there. For the same reason a pending identity is not activated by
// hand.
func Activate() Edit {
	return Edit{code: identity.CodeAdminActivated, change: func(s *Service, p *Plan) error {
		if p.Before.State == identity.StateActive {
			return nil
		}
		p.enter(returnsTo(p.Before))
		if p.refused() {
			return nil
		}
		s.unbar(p)
		return nil
	}}
}

// Delete removes the identity and its keys: the person's next login is a first
// one. Its decision records stay for their time. Systems that may have an account
// are told first; see erase.
func Delete() Edit {
	return Edit{code: identity.CodeAdminDeleted, change: func(_ *Service, p *Plan) error {
		p.erase(identity.SourceAdmin)
		return nil
	}}
}

// ErrNoLink says that the identity has no link to the provider.
var ErrNoLink = errors.New("the identity has no link to this provider")

// Unlink removes the identity's links to a provider, with what rests on them:
// the groups that its mapping granted, and its word that a value is verified. A
// trait that it wrote stays, and it stays known who wrote it. The subject is
// somebody else from then on, unless the identity is barred: it keeps the key
// then, and its bar. The last link may go; whoever is left without one signs in
// by other means, or not at all. No lookup rule brings a removed link back: it is
// as one that was rejected. Errors: ErrNoLink.
func Unlink(provider string) Edit {
	return Edit{code: identity.CodeAdminUnlinked, change: func(s *Service, p *Plan) error {
		removed := s.unlink(p, func(l identity.Link) bool { return l.Provider == provider })
		if len(removed) == 0 {
			return ErrNoLink
		}
		for _, l := range removed { // or the person's next login might bring it back
			p.reject(identity.Proposal{Provider: l.Provider, Issuer: l.Issuer, Subject: l.Subject, Credential: l.Credential, Match: l.Match})
		}
		last := removed[len(removed)-1]
		p.Record.Provider, p.Record.Issuer, p.Record.SubjectKey = provider, last.Issuer, identity.FedKey(last.Issuer, last.Subject)
		return nil
	}}
}

// unlink removes the links that are meant and, of every provider that none is
// left of, what rests on its word: the groups that it granted, and that a value
// is verified. It returns the removed links.
func (s *Service) unlink(p *Plan, meant func(identity.Link) bool) []identity.Link {
	var removed []identity.Link
	p.After.Links = slices.DeleteFunc(p.After.Links, func(l identity.Link) bool {
		if !meant(l) {
			return false
		}
		removed = append(removed, l)
		p.changed("/links/"+escape(l.Provider), identity.OpRemove)
		return true
	})
	if len(removed) == 0 {
		return nil
	}
	gone, left := s.sources(removed), s.sources(p.After.Links)
	p.revoke(func(g identity.Group) bool { return gone[g.Source] && !left[g.Source] })
	for n, by := range p.After.Provenance {
		if gone[by.VerifiedBy] && !left[by.VerifiedBy] {
			p.After.Provenance[n].VerifiedBy = ""
			p.changed("/traits"+by.Path, identity.OpSet)
		}
	}
	p.paths = rekey(p.Before, p.After, nil, none)
	p.releaseMail()
	return removed
}

// sources are those whose word rests on these links: the providers that they name
// and, since a subject signs in by any of them, all that have their issuers now.
func (s *Service) sources(links []identity.Link) map[string]bool {
	all := map[string]bool{}
	for _, l := range links {
		all[identity.ProviderSource(l.Provider)] = true
		for _, prov := range s.Providers().OfIssuer(l.Issuer) {
			all[identity.ProviderSource(prov.ID)] = true
		}
	}
	return all
}

// releaseMail takes the keys of addresses that were verified and are not any
// more.
func (p *Plan) releaseMail() {
	was, is := mailKeys(p.Before), mailKeys(p.After)
	p.After.Keys = slices.DeleteFunc(p.After.Keys, func(k identity.Key) bool { return was[k] && !is[k] })
}

// none selects no trait.
func none(string, string) bool { return false }

// enter brings the identity into a state by the administrator's word, if that
// is a way, or if it is there already by a provider's.
func (p *Plan) enter(to identity.State) {
	switch {
	case p.Before.State == to && p.Before.StateSource == identity.SourceAdmin:
		return
	case p.Before.State == to && p.Before.Barred():
		p.After.StateSource = identity.SourceAdmin
		p.changed("/state", identity.OpSet)
	case !p.move(to, ByAdmin, identity.SourceAdmin):
		p.deny(identity.BecauseOf(identity.CodeStateRefused, "/state"), "")
	}
}

// acknowledged reports whether a login beyond prepare, or an import, has shown
// that the identity server has this person.
func acknowledged(i *identity.Identity) bool {
	return !i.LastLoginAt.IsZero() || len(i.ExternalIDs) > 0
}

// revoke removes the memberships that are meant.
func (p *Plan) revoke(meant func(identity.Group) bool) {
	p.After.Groups = slices.DeleteFunc(p.After.Groups, func(g identity.Group) bool {
		if !meant(g) {
			return false
		}
		p.changed("/groups/"+escape(g.Name), identity.OpRemove)
		return true
	})
	p.trimHolds()
}

func (p *Plan) changed(path, op string) {
	p.Record.Change = append(p.Record.Change, identity.Change{Path: path, Op: op})
}

// once drops the changes that the record has already: several sources may have
// granted one group, and more than one thing may take it.
func (p *Plan) once() {
	seen := make(map[identity.Change]bool, len(p.Record.Change))
	p.Record.Change = slices.DeleteFunc(p.Record.Change, func(c identity.Change) bool {
		again := seen[c]
		seen[c] = true
		return again
	})
}
