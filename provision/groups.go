package provision

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/jithook/jithook/claims"
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/mapper"
	"github.com/jithook/jithook/policy"
)

// groupsDue reports whether this login may change what the provider granted. A
// pending identity is still being made, and so is a link that was made without
// claims, such as one that an administrator approved: its first login counts.
func (p *Plan) groupsDue(sync policy.GroupSync, e claims.Evidence) bool {
	switch sync {
	case policy.GroupsNone:
		return false
	case policy.GroupsAssign:
		return p.Before == nil || p.Before.State == identity.StatePending || p.Before.Link(e.Issuer, e.Subject) < 0 || p.untried(e)
	}
	return true
}

// untried reports whether the link to the subject was made after the identity,
// and has brought no claims yet.
func (p *Plan) untried(e claims.Evidence) bool {
	at := -1
	if p.Before != nil {
		at = p.Before.Link(e.Issuer, e.Subject)
	}
	if at < 0 {
		return false
	}
	l := p.Before.Links[at]
	return l.ClaimsTime.IsZero() && l.ReceivedAt.IsZero() && !l.LinkedAt.Equal(p.Before.CreatedAt)
}

// regroup brings the groups of a mapping into the identity. A mapping without a
// groups section yields none: what it granted before it was edited is revoked.
// Unknown groups are another thing: what was granted stays, for a time. It
// returns a further reason for the decision, if there is one.
func (p *Plan) regroup(d difference, rule policy.GroupPolicy, e claims.Evidence, g mapper.Groups) identity.Code {
	due := p.groupsDue(rule.Sync, e)
	if rule.Sync == policy.GroupsAssign && p.untried(e) {
		p.changed("/links/"+escape(p.After.Links[p.After.Link(e.Issuer, e.Subject)].Provider), identity.OpSet) // it is used now, whatever it grants
	}
	if due && g.Managed && !g.Known {
		p.unknownGroups(d, rule, e)
		return ""
	}
	p.clockGroups(e, false)
	if p.held(d, rule, g.Names) {
		return identity.CodeGroupChangeHeld
	}
	if due {
		p.Record.Change = append(p.Record.Change, d.groups(g.Names, rule.Sync != policy.GroupsAppend)...)
	}
	return ""
}

// unknownGroups keeps what the provider granted while nobody knows its groups,
// and refuses a login that has lived on that for too long. Who holds nothing of
// the provider lives on nothing.
func (p *Plan) unknownGroups(d difference, rule policy.GroupPolicy, e claims.Evidence) {
	kept := slices.ContainsFunc(p.After.Groups, func(g identity.Group) bool { return d.owns(g.Source) })
	p.clockGroups(e, rule.UnknownMax > 0 && kept)
	if since := p.After.Links[p.After.Link(e.Issuer, e.Subject)].GroupsUnknownSince; !since.IsZero() && p.now.Sub(since) > rule.UnknownMax {
		p.deny(identity.BecauseOf(identity.CodeGroupsUnknownTooLong, "/groups"), "")
	}
}

// clockGroups notes in the link since when nobody knows the provider's groups,
// or that this is over. It changes only what is not so yet: a returning login
// writes nothing.
func (p *Plan) clockGroups(e claims.Evidence, runs bool) {
	link := &p.After.Links[p.After.Link(e.Issuer, e.Subject)]
	path := "/links/" + escape(link.Provider) + "/groups_unknown_since"
	switch ran := !link.GroupsUnknownSince.IsZero(); {
	case runs && !ran:
		link.GroupsUnknownSince = p.now
		p.changed(path, identity.OpSet)
	case ran && !runs:
		link.GroupsUnknownSince = time.Time{}
		p.changed(path, identity.OpRemove)
	}
}

// groups grants names, which are sorted, by this source, and with exact revokes
// what else it granted; memberships of other sources are not its to revoke.
func (d difference) groups(names []string, exact bool) []identity.Change {
	var changes []identity.Change
	held := map[string]bool{}
	d.identity.Groups = slices.DeleteFunc(d.identity.Groups, func(g identity.Group) bool {
		_, named := slices.BinarySearch(names, g.Name)
		switch {
		case !d.owns(g.Source):
			return false
		case named && g.Source == d.source:
			held[g.Name] = true
			return false
		case named:
			return true // granted anew below, by the provider's present name
		case !exact:
			return false
		}
		changes = append(changes, identity.Change{Path: "/groups/" + escape(g.Name), Op: identity.OpRemove})
		return true
	})
	for _, n := range names {
		if !held[n] {
			d.identity.Groups = append(d.identity.Groups, identity.Group{Name: n, Source: d.source})
			changes = append(changes, identity.Change{Path: "/groups/" + escape(n), Op: identity.OpSet})
		}
	}
	sortGroups(d.identity.Groups)
	return changes
}

func sortGroups(groups []identity.Group) {
	slices.SortFunc(groups, func(a, b identity.Group) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Source, b.Source))
	})
}

// disown revokes what providers granted that have no file any more.
func (s *Service) disown(p *Plan) {
	if !p.refused() && p.Before != nil {
		p.revoke(s.ownerless(p.After))
	}
}

// ownerless returns whether nobody answers for a membership of the identity any
// more: the provider that granted it has no file, and does not go on under another
// name. Without any provider nothing is ownerless: that is a folder that was lost,
// more likely than one that was emptied. Each provider is looked for once, however
// many memberships are of it.
func (s *Service) ownerless(i *identity.Identity) func(identity.Group) bool {
	if len(i.Groups) == 0 || s.Providers().Len() == 0 {
		return func(identity.Group) bool { return false }
	}
	gone := map[string]bool{} // by source
	return func(g identity.Group) bool {
		is, asked := gone[g.Source]
		if !asked {
			is = strings.HasPrefix(g.Source, identity.ProviderSource("")) && len(s.speakers(i, g.Source)) == 0
			gone[g.Source] = is
		}
		return is
	}
}

// among is the set of these memberships.
func among(groups []identity.Group) map[identity.Group]bool {
	set := make(map[identity.Group]bool, len(groups))
	for _, g := range groups {
		set[g] = true
	}
	return set
}
