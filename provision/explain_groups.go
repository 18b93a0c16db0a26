package provision

import (
	"cmp"
	"slices"
	"strings"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/policy"
)

// GroupStory is what becomes of groups, and why. Its outcome is known, unknown
// (nobody knows the provider's groups), none (the file manages none), refused or
// not_asked.
type GroupStory struct {
	Effect
	// Rules are from and unknown_when.
	Rules []RuleStory `json:"rules"`
	// Said are the provider's names, and what each grants.
	Said []Said `json:"said"`
	// Memberships are those of the identity before and after.
	Memberships []Membership `json:"memberships"`
}

// Said is one of the provider's names. It grants nothing where Grants is empty:
// the file neither allows nor maps it.
type Said struct {
	Name   string `json:"name"`
	Grants string `json:"grants,omitempty"`
}

// Membership is what becomes of one: granted, kept, revoked, withheld or held.
type Membership struct {
	Name   string `json:"name"`
	Source string `json:"source"`
	Effect
}

// What becomes of groups.
const (
	groupGranted  = "granted"
	groupKept     = "kept"
	groupRevoked  = "revoked"
	groupWithheld = "withheld"
)

// groups is nil where there is nothing to tell.
func (x explainer) groups() *GroupStory {
	s := &GroupStory{Rules: []RuleStory{}, Said: []Said{}, Memberships: x.memberships()}
	info, managed := x.prov.Mapping.Groups()
	if !managed {
		if len(s.Memberships) == 0 {
			return nil
		}
		s.Effect = Effect{Outcome: "none", Why: "the file has no groups"}
		return s
	}
	s.Rules = append(s.Rules, x.expression("from", info.From))
	if info.Unknown != nil {
		s.Rules = append(s.Rules, x.expression("unknown_when", info.Unknown))
	}
	from, asked := x.asked[info.From.Source()]
	if list, ok := from.Value.([]any); ok {
		for _, item := range list {
			if name, ok := item.(string); ok {
				to, _ := x.prov.Mapping.Grants(name)
				s.Said = append(s.Said, Said{name, to})
			}
		}
	}
	absent := x.prov.Place("groups.absent")
	switch {
	case x.refusedBy(groupsPath, info.From, info.Unknown):
		s.Effect = Effect{"refused", x.because(), cmp.Or(x.Record.Rule, absent)}
	case !x.managed && !asked && x.prov.Policy.Groups().Sync == policy.GroupsNone:
		s.Effect = Effect{"none", "group_sync: none", x.prov.Place("jit.group_sync")}
	case !x.managed && x.After != nil && len(x.mapped.Traits) > 0:
		s.Effect = Effect{traitNotAsked, "group_sync: " + string(x.prov.Policy.Groups().Sync) + " grants when the link is made", x.prov.Place("jit.group_sync")}
	case !x.managed:
		s.Effect = x.unasked()
	case !x.mapped.Groups.Known:
		s.Effect = Effect{"unknown", "nobody knows the provider's groups from these claims: what was granted stays (absent: " + info.Absent + ")", absent}
	default:
		s.Effect = Effect{"known", "group_sync: " + string(x.prov.Policy.Groups().Sync), x.prov.Place("jit.group_sync")}
	}
	return s
}

const groupsPath = "/groups"

// memberships are those before and after, sorted by name.
func (x explainer) memberships() []Membership {
	all := []Membership{}
	if x.After == nil {
		return all
	}
	var before []identity.Group
	if x.Before != nil {
		before = x.Before.Groups
	}
	own := identity.ProviderSource(x.prov.ID)
	was, is, named := among(before), among(x.After.Groups), map[string]bool{} // by name
	for _, name := range x.mapped.Groups.Names {
		named[name] = true
	}
	for _, g := range x.After.Groups {
		m := Membership{Name: g.Name, Source: g.Source, Effect: Effect{Outcome: groupKept}}
		switch {
		case !was[g]:
			m.Outcome = groupGranted
		case g.Source != own:
			m.Why = "granted by " + g.Source + ", which this login does not change"
		case named[g.Name]:
		case len(x.mapped.Traits) == 0:
			m.Why = x.unasked().Why
		case x.held():
			m.Why = "max_group_removals: an administrator has to release the change"
			m.Place = x.prov.Place("jit.limits.max_group_removals")
		case x.managed && !x.mapped.Groups.Known:
			m.Why = "the provider's groups are not known"
		default:
			m.Why = "group_sync: " + string(x.prov.Policy.Groups().Sync) + " revokes nothing here"
			m.Place = x.prov.Place("jit.group_sync")
		}
		all = append(all, m)
	}
	for _, g := range before {
		if !is[g] {
			why := "the mapping does not yield it any more"
			if g.Source != own {
				why = "nobody answers for it any more, or this provider does now"
			}
			all = append(all, Membership{g.Name, g.Source, Effect{Outcome: groupRevoked, Why: why}})
		}
	}
	if x.says(identity.CodeGroupsWithheld) {
		held := x.After.GroupNames()
		for _, name := range x.mapped.Groups.Names {
			if _, has := slices.BinarySearch(held, name); !has {
				all = append(all, Membership{name, own, Effect{Outcome: groupWithheld, Why: "the identity is protected: an administrator grants it"}})
			}
		}
	}
	slices.SortFunc(all, func(a, b Membership) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Source, b.Source))
	})
	return all
}

func (x explainer) held() bool { return x.says(identity.CodeGroupChangeHeld) }

// says reports whether the decision has a reason.
func (x explainer) says(code identity.Code) bool {
	return slices.ContainsFunc(x.Record.Reasons, func(r identity.Reason) bool { return r.Code == code })
}
