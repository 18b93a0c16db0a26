package provision

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/kratos"
	"github.com/jithook/jithook/mapper"
	"github.com/jithook/jithook/provider"
	"github.com/jithook/jithook/store"
)

// planAdoption is the plan to take over one person whom Kratos has: credentials,
// who has them here, userstore, traits, unique names.
func (s *Service) planAdoption(ctx context.Context, w Adoption, a kratos.Account) (Plan, error) {
	external := identity.ExternalID{System: identity.SystemKratos, Instance: w.Instance, ID: a.ID}
	p := s.begin(identity.Login{Hook: identity.HookAdmin, Caller: identity.SourceAdmin, RequestID: w.RequestID})
	links, writers, why := s.linksOf(a, &p)
	if why != "" {
		p.deny(identity.Because(why), "")
		return p, nil
	}
	userstore, err := s.settled(ctx, external, links, &p)
	if err != nil || p.Before != nil || p.refused() {
		return p, err
	}
	userstore = cmp.Or(userstore, placed(writers, w.Userstore))
	if !slices.Contains(s.Userstores, userstore) {
		p.deny(identity.Because(identity.CodeUserstoreUnknown), "")
		return p, nil
	}
	i := identity.Identity{
		ID: newID(), Userstore: userstore, State: identity.StateActive, StateSource: identity.ProviderSource(links[0].Provider), StateAt: p.now,
		Traits: map[string]any{}, Links: links, ExternalIDs: []identity.ExternalID{external},
		Revision: 1, CreatedAt: p.now, UpdatedAt: p.now, DecisionID: p.Record.ID,
	}
	if !a.Active {
		// Kratos's administrator did it: no provider takes it back.
		i.State, i.StateSource = identity.StateSuspended, identity.SourceAdmin
	}
	p.After = &i
	p.Record.IdentityID, p.Record.Userstore = i.ID, userstore
	traits := traitsIn(writers)
	var invalid *InvalidError
	if err := p.adoptTraits(a, traits); errors.As(err, &invalid) {
		p.deny(identity.BecauseOf(identity.CodeTraitInvalid, invalid.Path), "")
		return p, nil
	}
	p.paths = rekey(nil, p.After, traits, func(string, string) bool { return true })
	if err := s.vacant(ctx, &p); err != nil || p.refused() {
		return p, err
	}
	p.op = opInsert
	p.Record.Provider, p.Record.Issuer, p.Record.Policy = links[0].Provider, links[0].Issuer, writers[0].Digest
	p.Record.SubjectKey, p.Record.Source = identity.FedKey(links[0].Issuer, links[0].Subject), links[0].Evidence
	p.pass(identity.Created, identity.CodeImported)
	return p, nil
}

// linksOf turns the credentials that Kratos has of a person into links, and
// returns whose they are. All of them, or none: a link that is missing here
// would be disconnected there. What belongs to no file of ours is passed over.
func (s *Service) linksOf(a kratos.Account, p *Plan) (links []identity.Link, writers []*provider.Provider, why identity.Code) {
	for _, c := range a.Credentials {
		prov, ok := s.Providers().Get(c.Provider)
		if !ok {
			continue
		}
		o := registered(a, c)
		if o.Issuer == "" && len(prov.Issuers) == 1 {
			o.Issuer = prov.Issuers[0]
		}
		switch {
		case slices.Contains(writers, prov), prov.Subject != nil && o.Claims == nil && o.Credential == "":
			// Which of two signs in Kratos cannot say, nor what a claim was
			// that it has not kept.
			return nil, nil, identity.CodeSubjectUndeterminable
		case !slices.Contains(prov.Issuers, o.Issuer):
			return nil, nil, identity.CodeIssuerUnknown
		case identity.CheckSubject(o.Subject) != nil:
			return nil, nil, identity.CodeSubjectInvalid
		}
		if o.Credential == o.Subject {
			o.Credential = ""
		}
		writers = append(writers, prov)
		links = append(links, identity.Link{
			Provider: prov.ID, Issuer: o.Issuer, Subject: o.Subject, Credential: o.Credential,
			LinkedAt: p.now, Evidence: identity.SourceKratosAdmin,
		})
	}
	if len(links) == 0 {
		return nil, nil, identity.CodeUnknownProvider
	}
	return links, writers, ""
}

// settled finds who has the person's subjects or Kratos's id already, in one
// read, and otherwise the userstore that the subjects are pinned to, if any.
func (s *Service) settled(ctx context.Context, external identity.ExternalID, links []identity.Link, p *Plan) (userstore string, err error) {
	keys := []identity.Key{identity.ExtKey(external)}
	for _, l := range links {
		keys = append(keys, identity.FedKey(l.Issuer, l.Subject))
	}
	looked, err := s.Store.Look(ctx, "", keys...)
	var elsewhere *store.ElsewhereError
	if errors.As(err, &elsewhere) {
		p.deny(identity.Because(identity.CodeUserstoreUnknown), "")
		return "", nil
	}
	if err != nil {
		return "", err
	}
	pins := slices.Compact(slices.Sorted(maps.Values(looked.Pins)))
	switch {
	case len(looked.Identities) > 1, len(looked.Identities) == 0 && len(pins) > 1:
		// One holds a subject, another one Kratos's id, or another subject:
		// whose this is nobody can tell.
		p.deny(identity.Because(identity.CodeLinkStale), "")
	case len(looked.Identities) == 1:
		p.known(looked.Identities[0])
		if recorded, ok := p.Before.External(external.System, external.Instance); ok && recorded != external.ID {
			p.deny(identity.Because(identity.CodeLinkStale), "")
		}
	case len(pins) == 1:
		return pins[0], nil
	}
	return "", nil
}

// placed is the userstore of somebody new: the one that all files name, else the
// one that the administrator chose; empty where nobody says.
func placed(writers []*provider.Provider, chosen string) string {
	name, _ := writers[0].Policy.Userstore()
	for _, prov := range writers[1:] {
		if other, _ := prov.Policy.Userstore(); other != name {
			return chosen
		}
	}
	return cmp.Or(name, chosen)
}

func traitsIn(writers []*provider.Provider) []mapper.TraitInfo {
	var all []mapper.TraitInfo
	for _, prov := range writers {
		all = append(all, prov.Mapping.Traits()...)
	}
	return all
}

// adoptTraits takes those of Kratos's traits that the files map, in canonical
// form. Nobody has verified them. Errors: InvalidError.
func (p *Plan) adoptTraits(a kratos.Account, traits []mapper.TraitInfo) error {
	theirs := identity.Identity{Traits: a.Traits}
	for _, t := range traits {
		v, ok := theirs.Trait(t.Path)
		taken := slices.ContainsFunc(p.After.Provenance, func(by identity.Provenance) bool { return identity.Overlap(by.Path, t.Path) })
		if !ok || v == nil || v == "" || taken {
			continue
		}
		stored, err := checked(t.Path, v, traits)
		if err != nil {
			return err
		}
		p.After.SetTrait(stored, identity.Provenance{Path: t.Path, Source: identity.SourceImport, At: p.now})
		p.changed("/traits"+t.Path, identity.OpSet)
	}
	if size(p.After) > MaxPatched {
		return &InvalidError{"", "the identity would be too large"}
	}
	return nil
}

// vacant refuses the plan where somebody has one of its unique names: a login
// would meet the same, and whose the name is only a person can say.
func (s *Service) vacant(ctx context.Context, p *Plan) error {
	if len(p.paths) == 0 {
		return nil
	}
	names := slices.SortedFunc(maps.Keys(p.paths), func(a, b identity.Key) int { return strings.Compare(p.paths[a], p.paths[b]) })
	looked, err := s.Store.Look(ctx, p.After.Userstore, names...)
	if err != nil {
		return err
	}
	for _, k := range names {
		if slices.ContainsFunc(looked.Identities, func(i identity.Identity) bool { return slices.Contains(i.Keys, k) }) {
			p.deny(identity.BecauseOf(identity.CodeTraitTaken, p.paths[k]), "")
			return nil
		}
	}
	return nil
}
