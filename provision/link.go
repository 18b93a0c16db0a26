package provision

import (
	"context"
	"slices"
	"time"

	"github.com/jithook/jithook/claims"
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/expr"
	"github.com/jithook/jithook/mapper"
	"github.com/jithook/jithook/policy"
	"github.com/jithook/jithook/provider"
)

const (
	// maxProposals bounds how many links logins may propose for one identity.
	maxProposals = 16
	// proposalLife is how long a proposed link waits for an administrator.
	proposalLife = 30 * 24 * time.Hour
)

// link decides what becomes of a subject that nobody has, once the policy lets
// the login pass: it is linked to whom the rules found, or refused, or, where
// they found nobody, left to be created. A pending identity that has the subject
// is nobody yet.
func (s *Service) link(ctx context.Context, l identity.Login, prov *provider.Provider, e claims.Evidence, m *match, p *Plan) error {
	if !p.open(l) || p.place.name == "" && p.pinned == "" {
		return nil
	}
	if m == nil {
		if v := prov.Policy.Missed(); p.Before == nil && !v.Allow {
			p.deny(v.Reason, v.Rule)
		}
		return nil
	}
	if m.identity.ID != "" && m.refusal.Reason.Code != identity.CodeLinkAmbiguous {
		if p.Before != nil {
			p.yields = []identity.Identity{*p.Before}
		}
		p.known(m.identity)
		p.Record.Change = nil // which was about who is pending
		p.found = m.evidence
	}
	switch {
	case m.refusal.Reason.Code != "":
		p.deny(m.refusal.Reason, m.refusal.Rule)
		return nil
	case p.veto():
		return nil
	case second(l, prov, p.Before), rejected(p.Before, e):
		p.deny(identity.Because(identity.CodeLinkRefused), m.evidence.Rule)
		return nil
	}
	protected, err := prov.Policy.Protects(ctx, policy.Input{Vars: expr.Vars{Login: p.login, Identity: p.Before.Vars()}})
	if err != nil {
		return err
	}
	link := identity.Link{
		Provider: prov.ID, Issuer: e.Issuer, Subject: e.Subject, Credential: e.Credential,
		LinkedAt: p.now, Evidence: e.Source, Match: m.evidence,
	}
	switch mode := prov.Policy.Linking(); {
	case mode == policy.LinkingConfirm:
		p.propose(link, identity.CodeLinkApprovalRequired)
	case mode != policy.LinkingAuto:
		p.deny(identity.Because(identity.CodeLinkingDisabled), m.evidence.Rule)
	case protected:
		p.propose(link, identity.CodeLinkProtected)
	case l.Hook == identity.HookPrepare:
		s.leave(ctx, l, link, p)
	default:
		s.welcome(link, p)
		p.Record.Rule = m.evidence.Rule
	}
	return nil
}

// welcome gives whom a rule has found the link. The login is one of theirs from
// here on, and takes what nobody answers for any more, like every other.
func (s *Service) welcome(link identity.Link, p *Plan) {
	p.connect(link)
	s.distrust(p)
	s.disown(p)
}

// second reports whether a link would give the identity a second subject of the
// provider, or a second id in the system that asks: somebody else's, then.
func second(l identity.Login, prov *provider.Provider, i *identity.Identity) bool {
	recorded, has := i.External(l.External.System, l.External.Instance)
	return has && l.External.ID != "" && recorded != l.External.ID || hasOne(i, prov.ID, prov.Issuers)
}

// hasOne reports whether the identity has a subject of the provider.
func hasOne(i *identity.Identity, provider string, issuers []string) bool {
	return slices.ContainsFunc(i.Links, func(link identity.Link) bool {
		return link.Provider == provider || slices.Contains(issuers, link.Issuer)
	})
}

// rejected reports whether an administrator does not want this link.
func rejected(i *identity.Identity, e claims.Evidence) bool {
	at := i.Proposal(e.Issuer, e.Subject)
	return at >= 0 && i.Proposals[at].State == identity.ProposalRejected
}

// connect gives the identity the link, and all that goes with it.
func (p *Plan) connect(link identity.Link) {
	p.After.Links = append(p.After.Links, link)
	p.After.Keys = sortKeys(append(p.After.Keys, identity.FedKey(link.Issuer, link.Subject)))
	p.After.Proposals = slices.DeleteFunc(p.After.Proposals, func(q identity.Proposal) bool {
		return q.Issuer == link.Issuer && q.Subject == link.Subject || q.Expired(p.now)
	})
	p.changed("/links/"+escape(link.Provider), identity.OpSet)
	p.linked = true
}

// propose refuses the login and leaves an administrator the link to decide
// about, once: who tries again writes nothing.
func (p *Plan) propose(link identity.Link, code identity.Code) {
	after := p.Before.Clone()
	p.deny(identity.Because(code), link.Match.Rule)
	after.Proposals = slices.DeleteFunc(after.Proposals, func(q identity.Proposal) bool { return q.Expired(p.now) })
	if after.Proposal(link.Issuer, link.Subject) >= 0 || open(after.Proposals) >= maxProposals {
		return
	}
	after.Proposals = append(after.Proposals, identity.Proposal{
		Provider: link.Provider, Issuer: link.Issuer, Subject: link.Subject, Credential: link.Credential,
		State: identity.ProposalOpen, At: p.now, Expires: p.now.Add(proposalLife), Match: link.Match,
	})
	after.Revision++
	after.UpdatedAt, after.DecisionID = p.now, p.Record.ID
	p.op, p.After = opSwap, &after
}

// open is how many of the proposals logins have made.
func open(proposals []identity.Proposal) int {
	return len(slices.DeleteFunc(slices.Clone(proposals), func(q identity.Proposal) bool { return q.State == identity.ProposalRejected }))
}

// withhold takes out of the groups what a protected identity does not have yet:
// no provider grants it anything without an administrator. It reports whether
// there was something.
func (s *Service) withhold(ctx context.Context, prov *provider.Provider, vars expr.Vars, groups *mapper.Groups, p *Plan) (bool, error) {
	if p.Before == nil || len(groups.Names) == 0 {
		return false, nil
	}
	protected, err := prov.Policy.Protects(ctx, policy.Input{Vars: vars})
	if err != nil || !protected {
		return false, err
	}
	source, heir := identity.ProviderSource(prov.ID), s.heirOf(p.Before, prov)
	had, holds := len(groups.Names), map[string]bool{}
	for _, g := range p.Before.Groups {
		if g.Source == source || heir(g.Source) {
			holds[g.Name] = true
		}
	}
	groups.Names = slices.DeleteFunc(groups.Names, func(name string) bool { return !holds[name] })
	return len(groups.Names) < had, nil
}
