package provision

import (
	"crypto/rand"
	"errors"
	"slices"
	"strings"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/policy"
)

// ErrNoHold says that the identity has no hold with this id: it was released, is
// no longer wanted, or another one took its place.
var ErrNoHold = errors.New("nothing is held under this id")

// Release carries out a change of groups that was held back, and nothing else
// than what the hold says. Errors: ErrNoHold.
func Release(hold string) Edit {
	return Edit{code: identity.CodeAdminHoldReleased, change: func(_ *Service, p *Plan) error {
		at := p.After.Hold(hold)
		if at < 0 {
			return ErrNoHold
		}
		held := among(p.After.Holds[at].Groups)
		p.Record.Provider = providerOf(p.After.Holds[at])
		p.dropHolds(func(h identity.Hold) bool { return h.ID == hold })
		p.revoke(func(g identity.Group) bool { return held[g] })
		return nil
	}}
}

// held reports whether the change that makes the memberships of d's source
// exactly names has to wait, because it revokes more than the rule allows. The
// hold is written once, as long as the same is wanted; when it is not wanted any
// more it goes. Nothing is granted meanwhile either: a list that lost so much at
// once is not to be believed by halves.
func (p *Plan) held(d difference, rule policy.GroupPolicy, names []string) bool {
	ours := func(h identity.Hold) bool { return d.owns(h.Source) }
	lost := d.lost(names)
	if rule.MaxRemovals == nil || len(lost) <= *rule.MaxRemovals {
		p.dropHolds(ours)
		return false
	}
	if at := slices.IndexFunc(p.After.Holds, ours); at >= 0 && slices.Equal(p.After.Holds[at].Groups, lost) {
		return true
	}
	h := identity.Hold{ID: p.After.ID + "." + rand.Text()[:8], Source: d.source, At: p.now, Groups: lost}
	p.After.Holds = append(slices.DeleteFunc(p.After.Holds, ours), h)
	p.changed(holdPath(h), identity.OpSet)
	return true
}

// lost are the memberships that go where names, which are sorted, are all that the
// source grants.
func (d difference) lost(names []string) []identity.Group {
	return slices.DeleteFunc(slices.Clone(d.identity.Groups), func(g identity.Group) bool {
		_, named := slices.BinarySearch(names, g.Name)
		return named || !d.owns(g.Source)
	})
}

// dropHolds removes the holds that are meant.
func (p *Plan) dropHolds(meant func(identity.Hold) bool) {
	p.After.Holds = slices.DeleteFunc(p.After.Holds, func(h identity.Hold) bool {
		if !meant(h) {
			return false
		}
		p.changed(holdPath(h), identity.OpRemove)
		return true
	})
}

// holdPath is where a change of the identity says that a hold has come or gone.
func holdPath(h identity.Hold) string { return "/holds/" + escape(providerOf(h)) }

func providerOf(h identity.Hold) string {
	return strings.TrimPrefix(h.Source, identity.ProviderSource(""))
}

// trimHolds takes out of the holds what was revoked by other means, and removes
// those of which nothing is left.
func (p *Plan) trimHolds() {
	if len(p.After.Holds) == 0 {
		return
	}
	left := among(p.After.Groups)
	for n, h := range p.After.Holds {
		p.After.Holds[n].Groups = slices.DeleteFunc(h.Groups, func(g identity.Group) bool { return !left[g] })
	}
	p.dropHolds(func(h identity.Hold) bool { return len(h.Groups) == 0 })
}
