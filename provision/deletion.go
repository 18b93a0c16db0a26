package provision

import (
	"slices"
	"strings"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/kratos"
)

// erase has the plan remove the identity. What other systems may have of it has
// to be closed there: then its document stays, as little as delivery needs, and
// the store removes it when the last of them has learned of that. It holds no key
// meanwhile: whoever signs in is made anew, under another id.
func (p *Plan) erase(source string) {
	left := identity.Identity{
		ID: p.Before.ID, Userstore: p.Before.Userstore,
		State: identity.StateDeleted, StateSource: source, StateAt: p.now, Traits: map[string]any{},
		Revision: p.Before.Revision + 1, CreatedAt: p.Before.CreatedAt, UpdatedAt: p.now,
		DecisionID: p.Record.ID, OutboxVersion: p.Before.OutboxVersion,
	}
	left.ExternalIDs = p.owedToKratos()
	for _, r := range p.Before.Resources {
		if p.closes(r.Target, left.ExternalIDs) {
			left.Resources = append(left.Resources, r)
		}
	}
	for _, d := range p.Before.Outbox { // for their leases
		if _, has := left.Resource(d.Target); has || ofKratos(d.Target) && p.closes(d.Target, left.ExternalIDs) {
			left.Outbox = append(left.Outbox, d)
		}
	}
	if len(left.Resources)+len(left.Outbox) == 0 {
		p.op = opDelete
		return
	}
	p.op, p.After = opSwap, &left
}

// closes reports whether the target has to learn that the identity is gone: of
// every Kratos only those at which something is owed.
func (p *Plan) closes(target string, owed []identity.ExternalID) bool {
	return !ofKratos(target) || slices.ContainsFunc(owed, func(e identity.ExternalID) bool { return kratos.StateTarget(e.Instance) == target })
}

// owedToKratos are the ids at those Kratos that have not learned yet whom they
// are to keep out. A deletion by itself changes nothing in a Kratos.
func (p *Plan) owedToKratos() []identity.ExternalID {
	if !p.Before.Barred() {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(p.Before.ExternalIDs), func(e identity.ExternalID) bool {
		return e.System != identity.SystemKratos || p.Before.DeliveryTo(kratos.StateTarget(e.Instance)) < 0
	})
}

// ofKratos reports whether a target is a Kratos's word on who may sign in.
func ofKratos(target string) bool { return strings.HasPrefix(target, kratos.StateTarget("")) }
