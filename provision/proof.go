package provision

import (
	"context"
	"slices"
	"time"

	"github.com/jithook/jithook/claims"
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/expr"
	"github.com/jithook/jithook/mapper"
	"github.com/jithook/jithook/provider"
)

// proofLife is how long Kratos may take to have a person prove their account.
const proofLife = time.Hour

// leave decides at prepare about a subject that policy links to somebody who is
// there. Kratos is about to make an account of its own. Where it does not have
// the person, or not any more, that account becomes theirs, and they are linked
// at once.
// Where it has them, only its own proof makes the two accounts one: they sign in
// as they used to, and the login that follows takes the link over. Without an
// Admin API nobody could see that, or undo what else Kratos connects.
func (s *Service) leave(ctx context.Context, l identity.Login, link identity.Link, p *Plan) {
	recorded, has := p.Before.External(l.External.System, l.External.Instance)
	switch {
	case s.kratos(l) == nil:
		p.deny(identity.Because(identity.CodeLinkRefused), link.Match.Rule)
	case has && !s.rebind(ctx, l, recorded, p):
		p.proof, p.awaited, p.yields = recorded, &link, nil // whoever is pending waits too
	default:
		s.welcome(link, p)
	}
	p.Record.Rule = link.Match.Rule
}

// provable lets a subject that Kratos sends to a first sign-in keep its link to
// a Kratos identity that never had this credential: an administrator has
// approved the link, or another system made it. What Kratos has had and lost is
// another thing (see rebind).
func (s *Service) provable(l identity.Login, e claims.Evidence, recorded string, p *Plan) bool {
	at := p.Before.Link(e.Issuer, e.Subject)
	if at < 0 || s.kratos(l) == nil || fromKratos(p.Before.Links[at]) {
		return false
	}
	p.proof = recorded
	return true
}

// await notes on the identity that its new subject is awaited, and makes up what
// Kratos is told meanwhile: the person as the provider describes them, which
// decides whose proof Kratos asks for. Nothing of the identity is shown to
// somebody who has proved nothing. Who tries again soon writes nothing.
func (s *Service) await(l identity.Login, prov *provider.Provider, e claims.Evidence, result mapper.Result, p *Plan) {
	like := s.begin(l)
	like.create(l, p.Before.Userstore, e)
	d := difference{source: identity.ProviderSource(prov.ID), heir: s.heirOf(like.After, prov), at: p.now, identity: like.After, creating: true}
	d.traits(result.Traits)
	like.After.ID = ""
	p.stranger, p.emails = like.After, emails(like.After, prov.Mapping.Traits())

	p.pass(identity.Unchanged, identity.CodeProofAwaited)
	link := p.awaited
	n := p.After.Proposal(link.Issuer, link.Subject)
	if n >= 0 && p.After.Proposals[n].State == identity.ProposalAwaited && p.After.Proposals[n].Match == link.Match &&
		p.After.Proposals[n].Expires.Sub(p.now) > proofLife/2 {
		return
	}
	p.After.Proposals = slices.DeleteFunc(p.After.Proposals, func(q identity.Proposal) bool {
		return q.Expired(p.now) || q.Issuer == link.Issuer && q.Subject == link.Subject
	})
	if open(p.After.Proposals) >= maxProposals {
		p.deny(identity.Because(identity.CodeLinkRefused), link.Match.Rule)
		return
	}
	p.After.Proposals = append(p.After.Proposals, identity.Proposal{
		Provider: link.Provider, Issuer: link.Issuer, Subject: link.Subject, Credential: link.Credential,
		State: identity.ProposalAwaited, At: p.now, Expires: p.now.Add(proofLife), Match: link.Match,
	})
	p.once()
	p.op = opSwap
	p.After.Revision++
	p.After.UpdatedAt, p.After.DecisionID = p.now, p.Record.ID
}

// shown are what the mapping may read: nothing of the identity where the person has
// yet to prove that it is theirs.
func (p *Plan) shown(vars expr.Vars) expr.Vars {
	if p.awaited != nil {
		vars.Identity = nil
	}
	return vars
}

// ahead refuses what Kratos would connect, or make, against the plan: it asks
// who signs in there with the e-mail addresses that Kratos is about to be told.
// Where the plan rests on a proof, that is the one who has to give it, and
// nobody else; otherwise it is nobody.
func (s *Service) ahead(ctx context.Context, l identity.Login, p *Plan) {
	admin := s.kratos(l)
	if admin == nil || l.Hook != identity.HookPrepare || !p.Record.Decision.Allowed() {
		return
	}
	asked := p.proof == ""
	for _, e := range p.emails {
		holders, err := admin.Holders(ctx, e.Address)
		if err != nil {
			s.Log.ErrorContext(ctx, "Kratos's Admin API not heard: what it offers to connect is refused later",
				"instance", l.External.Instance, "request_id", l.RequestID, "error", err)
			break
		}
		switch others := slices.ContainsFunc(holders, func(id string) bool { return id != p.proof }); {
		case others && p.proof == "":
			p.taken(e.Path)
			return
		case others:
			p.deny(identity.BecauseOf(identity.CodeTraitTaken, e.Path), "")
			return
		}
		asked = asked || len(holders) > 0
	}
	if !asked {
		// Kratos would ask for no proof, and make a second account.
		p.deny(identity.Because(identity.CodeLinkRefused), p.Record.Rule)
	}
}
