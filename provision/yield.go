package provision

import (
	"context"
	"slices"

	"github.com/jithook/jithook/identity"
)

// Two identities stand in the way of one sign-in: a pending one that an earlier
// first login made for the subject, and the committed one that the identity
// server means by its own id. Where the committed one takes the subject, the
// pending one is deleted first, on its revision, and the link is added then. In
// between the subject has no identity; the next login does the rest.

// rivals makes the committed of two identities the plan's, and has the pending
// one yield should the committed one take the subject.
func (p *Plan) rivals(l identity.Login, found []identity.Identity, subject, external identity.Key) bool {
	if len(found) != 2 || l.Hook != identity.HookLogin {
		return false
	}
	pending, committed := found[0], found[1]
	if !slices.Contains(pending.Keys, subject) {
		pending, committed = committed, pending
	}
	if !slices.Contains(committed.Keys, external) || !yields(pending, committed) {
		return false
	}
	p.known(committed)
	p.yields = []identity.Identity{pending}
	return true
}

// yields reports whether the pending identity is no more than the unconfirmed
// first login of somebody who turns out to be the committed one. What an
// identity server has acknowledged, or an administrator has touched, is not
// deleted for anybody. Nor is one of another userstore: its subject may be
// pinned there for ever, and the committed one could not take it.
func yields(pending, committed identity.Identity) bool {
	touched := pending.StateSource == identity.SourceAdmin ||
		slices.ContainsFunc(pending.Provenance, func(p identity.Provenance) bool { return p.Source == identity.SourceAdmin }) ||
		slices.ContainsFunc(pending.Groups, func(g identity.Group) bool { return g.Source == identity.SourceAdmin })
	return pending.State == identity.StatePending && !acknowledged(&pending) && !touched && len(pending.Links) == 1 &&
		pending.Userstore == committed.Userstore
}

// makeRoom deletes the pending identities that yield to the plan's, each with a
// record of its own, and pins the subjects that are linked. One that a login
// has renewed or acknowledged since it was read is a conflict.
func (s *Service) makeRoom(ctx context.Context, p Plan) error {
	for _, i := range p.yields {
		gone := p.Record
		gone.ID, gone.IdentityID, gone.Userstore, gone.SubjectKey = newID(), i.ID, i.Userstore, identity.FedKey(i.Links[0].Issuer, i.Links[0].Subject)
		gone.Decision, gone.Reasons = identity.Deleted, []identity.Reason{identity.Because(identity.CodeYielded)}
		gone.Change, gone.Claims, gone.Rule = nil, nil, ""
		if err := s.Editable.Delete(ctx, i.ID, i.Revision, i.RenewedAt, gone); err != nil {
			return err
		}
	}
	if !p.linked {
		return nil
	}
	for _, l := range p.After.Links {
		if p.Before.Link(l.Issuer, l.Subject) >= 0 {
			continue
		}
		if err := s.Editable.Pin(ctx, identity.FedKey(l.Issuer, l.Subject), p.After.Userstore); err != nil {
			return err
		}
	}
	return nil
}
