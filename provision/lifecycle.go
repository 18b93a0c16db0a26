package provision

import (
	"slices"

	"github.com/jithook/jithook/identity"
)

// Suspend bars every login until an administrator activates the identity. It
// stays as it is otherwise, groups included.
func Suspend() Edit {
	return Edit{identity.CodeAdminSuspended, func(_ *Service, p *Plan) error {
		p.enter(identity.StateSuspended, identity.StatePending, identity.StateActive)
		return nil
	}}
}

// Deprovision closes the account: every login is barred and all groups are
// revoked, whoever granted them. The keys stay, so that nobody is made anew.
func Deprovision() Edit {
	return Edit{identity.CodeAdminDeprovisioned, func(_ *Service, p *Plan) error {
		p.enter(identity.StateDeprovisioned, identity.StatePending, identity.StateActive, identity.StateSuspended)
		p.revokeAll()
		return nil
	}}
}

// Activate takes back Suspend and Deprovision. Whom the identity server has
// never acknowledged is pending again: only it knows whether the person has an
// account there. For the same reason a pending identity is not activated by
// hand.
func Activate() Edit {
	return Edit{identity.CodeAdminActivated, func(_ *Service, p *Plan) error {
		switch {
		case p.Before.State == identity.StateActive:
			return nil
		case !acknowledged(p.Before):
			p.enter(identity.StatePending, identity.StateSuspended, identity.StateDeprovisioned)
			if !p.refused() {
				p.After.RenewedAt = p.now
			}
		default:
			p.enter(identity.StateActive, identity.StateSuspended, identity.StateDeprovisioned)
		}
		return nil
	}}
}

// Delete removes the identity and its keys: the person's next login is a first
// one. Its decision records stay for their time.
func Delete() Edit {
	return Edit{identity.CodeAdminDeleted, func(_ *Service, p *Plan) error {
		p.op = opDelete
		return nil
	}}
}

// enter brings the identity into a state by the administrator's word, if it is
// in one of these or there already by a provider's.
func (p *Plan) enter(to identity.State, from ...identity.State) {
	switch {
	case p.Before.State == to && p.Before.StateSource == identity.SourceAdmin:
		return
	case p.Before.State == to && p.Before.Barred():
	case !slices.Contains(from, p.Before.State):
		p.deny(identity.BecauseOf(identity.CodeStateRefused, "/state"), "")
		return
	}
	p.After.State, p.After.StateSource = to, identity.SourceAdmin
	p.changed("/state", identity.OpSet)
}

// acknowledged reports whether a login beyond prepare, or an import, has shown
// that the identity server has this person.
func acknowledged(i *identity.Identity) bool {
	return !i.LastLoginAt.IsZero() || len(i.ExternalIDs) > 0
}

// revokeAll removes every membership, whoever granted it.
func (p *Plan) revokeAll() {
	if p.refused() {
		return
	}
	for n, g := range p.After.Groups { // sorted by name
		if n == 0 || g.Name != p.After.Groups[n-1].Name {
			p.changed("/groups/"+escape(g.Name), identity.OpRemove)
		}
	}
	p.After.Groups = nil
}

func (p *Plan) changed(path, op string) {
	p.Record.Change = append(p.Record.Change, identity.Change{Path: path, Op: op})
}
