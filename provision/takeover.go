package provision

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/jithook/jithook/claims"
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/expr"
	"github.com/jithook/jithook/kratos"
	"github.com/jithook/jithook/policy"
	"github.com/jithook/jithook/store"
)

// takeOver makes links of the credentials that Kratos has connected to the
// plan's identity with policy's leave: prepare has seen the claims, has noted
// that the subject is awaited, and has left it to Kratos to have the person
// prove the account that was there. Kratos stores a credential before it calls
// any hook, so that whichever login comes first sees it. Errors are the store's
// and the context's.
func (s *Service) takeOver(ctx context.Context, l identity.Login, p *Plan) error {
	if p.account == nil || p.Before.State != identity.StateActive {
		return nil
	}
	s.confirm(p)
	for _, c := range s.unseen(l, p) {
		n := slices.IndexFunc(p.After.Proposals, func(w identity.Proposal) bool { return awaits(w, c) })
		if n < 0 {
			continue
		}
		w := p.After.Proposals[n]
		takes, err := s.stillTakes(ctx, l, w, p)
		if err == nil && takes {
			takes, err = s.clear(ctx, w.Key(), p)
		}
		if err != nil {
			return err
		}
		if !takes {
			// Kratos has connected it on our word, which does not hold any more.
			// Without it the next sign-in is decided anew.
			p.remove = append(p.remove, c)
			continue
		}
		p.connect(identity.Link{
			Provider: w.Provider, Issuer: w.Issuer, Subject: w.Subject, Credential: w.Credential,
			LinkedAt: p.now, Evidence: identity.SourceKratosAdmin, Match: w.Match,
		})
	}
	return nil
}

// confirm notes of approved links that Kratos has them now: what it loses from
// then on is lost here.
func (s *Service) confirm(p *Plan) {
	for n, link := range p.After.Links {
		if link.Evidence == identity.SourceAdmin && slices.ContainsFunc(p.account.Credentials, func(c kratos.Credential) bool { return s.grants(c, link) }) {
			p.After.Links[n].Evidence = identity.SourceKratosAdmin
			p.changed("/links/"+escape(link.Provider), identity.OpSet)
		}
	}
}

// awaits reports whether a credential in Kratos is what prepare has waited for.
func awaits(w identity.Proposal, c kratos.Credential) bool {
	return w.State == identity.ProposalAwaited && w.Provider == c.Provider && cmp.Or(w.Credential, w.Subject) == c.Subject
}

// stillTakes asks policy once more: between prepare and the proof somebody may
// have edited the file, or the identity.
func (s *Service) stillTakes(ctx context.Context, l identity.Login, w identity.Proposal, p *Plan) (bool, error) {
	prov, ok := s.Providers().Get(w.Provider)
	if !ok || !prov.Policy.Enabled() || prov.Policy.Linking() != policy.LinkingAuto || !slices.Contains(prov.Issuers, w.Issuer) ||
		w.Expired(p.now) || second(l, prov, p.After) {
		return false, nil
	}
	protected, err := prov.Policy.Protects(ctx, policy.Input{Vars: expr.Vars{Login: LoginVars(l, claims.Evidence{}), Identity: p.Before.Vars()}})
	return !protected, err
}

// clear reports whether the plan's identity can have a subject: nobody has it,
// or a pending identity that yields.
func (s *Service) clear(ctx context.Context, subject identity.Key, p *Plan) (bool, error) {
	if slices.ContainsFunc(p.yields, func(i identity.Identity) bool { return slices.Contains(i.Keys, subject) }) {
		return true, nil
	}
	looked, err := s.Store.Look(ctx, "", subject)
	var elsewhere *store.ElsewhereError
	switch {
	case errors.As(err, &elsewhere):
		return false, nil
	case err != nil:
		return false, err
	}
	if pinned := looked.Pins[subject]; pinned != "" && pinned != p.Before.Userstore {
		return false, nil
	}
	for _, i := range looked.Identities {
		switch {
		case i.ID == p.Before.ID:
			// Another login has taken it since; the write will say so.
		case yields(i, *p.Before):
			p.yields = append(p.yields, i)
		default:
			return false, nil
		}
	}
	return true, nil
}

// Awaits reports whether the identity is Kratos's under this id and waits for a
// subject that may be connected to it there.
func (s *Service) Awaits(i identity.Identity, e identity.ExternalID) bool {
	return slices.Contains(i.ExternalIDs, e) && slices.ContainsFunc(i.Proposals, func(w identity.Proposal) bool {
		return w.State == identity.ProposalAwaited && !w.Expired(s.Now())
	})
}
