package mapper

import (
	"context"
	"slices"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/canon"
	"github.com/jithook/jithook/internal/expr"
)

type groups struct {
	from    *expr.Program
	unknown *expr.Program // nil: never
	absent  string
	// grants are the groups that may be granted, by the provider's names.
	grants map[string]string
}

// groupsPath is the JSON Pointer to an identity's groups.
const groupsPath = "/groups"

func (g *groups) mapped(ctx context.Context, v expr.Vars) (Groups, error) {
	unreliable, err := g.unreliable(ctx, v)
	if err != nil {
		return Groups{}, err
	}
	if unreliable || g.elsewhere(v.Claims) {
		return g.overage()
	}
	plain, err := g.from.Eval(ctx, v)
	if isMissing(err) || err == nil && plain == nil {
		return g.absentee()
	}
	if err != nil {
		return Groups{}, rejected(err, groupsPath)
	}
	names, ok := listOfStrings(plain)
	if !ok {
		return g.unreadable()
	}
	// A list this long is no list of groups; the part of it that would be
	// looked at could be the sender's choice.
	if len(names) > MaxGroups {
		return Groups{}, g.reject()
	}
	return Groups{Managed: true, Known: true, Names: g.granted(names)}, nil
}

// Marks are the claims by which a provider says that other claims are elsewhere:
// _claim_names of OpenID Connect Core 1.0, section 5.6.2, and Entra's hasgroups,
// which stands for more groups than fit into a token.
const (
	markNames  = "_claim_names"
	markGroups = "hasgroups"
)

// elsewhere reports whether the claims say that one which the expression reads
// has to be fetched. Nothing fetches it: what comes with a login must not choose
// where jithook connects to.
func (g *groups) elsewhere(claims map[string]any) bool {
	used, all := g.from.ClaimNames()
	at, _ := claims[markNames].(map[string]any)
	for name := range at {
		if all || slices.Contains(used, name) {
			return true
		}
	}
	return claims[markGroups] == true
}

// unreliable reports whether the file's own rule takes the groups for unknown.
// A provider that does not send the mark which the rule looks for does not say
// so.
func (g *groups) unreliable(ctx context.Context, v expr.Vars) (bool, error) {
	if g.unknown == nil {
		return false, nil
	}
	said, err := g.unknown.EvalBool(ctx, v)
	switch {
	case isMissing(err):
		return false, nil
	case err != nil:
		return false, rejected(err, groupsPath)
	}
	return said, nil
}

// overage is the result where the groups are elsewhere, or not all there: a
// person with many, so nothing is revoked.
func (g *groups) overage() (Groups, error) {
	if g.absent == AbsentReject {
		return Groups{}, g.reject()
	}
	return Groups{Managed: true}, nil
}

// absentee is the result where the claim is not there.
func (g *groups) absentee() (Groups, error) {
	switch g.absent {
	case AbsentKeep:
		return Groups{Managed: true}, nil
	case AbsentClear:
		return Groups{Managed: true, Known: true}, nil
	}
	return Groups{}, g.reject()
}

// unreadable is the result where the claim is no list of strings. That is a
// change in what the provider sends, not a person without groups: it never
// clears.
func (g *groups) unreadable() (Groups, error) {
	if g.absent == AbsentKeep {
		return Groups{Managed: true}, nil
	}
	return Groups{}, g.reject()
}

func (g *groups) reject() *Rejection {
	return &Rejection{Reason: identity.BecauseOf(identity.CodeGroupsUnknown, groupsPath), Rule: g.from.Source().Pos()}
}

// listOfStrings returns v as a list of strings. A string is no list, and one
// other element makes the whole list unreadable: what a partial list lacks
// would be revoked.
func listOfStrings(v any) ([]string, bool) {
	list, ok := v.([]any)
	if !ok {
		return nil, false
	}
	names := make([]string, len(list))
	for i, item := range list {
		if names[i], ok = item.(string); !ok {
			return nil, false
		}
	}
	return names, true
}

// granted returns what the provider's names grant, sorted, each once.
func (g *groups) granted(names []string) []string {
	var granted []string
	for _, name := range names {
		if to, ok := g.grant(name); ok {
			granted = append(granted, to)
		}
	}
	slices.Sort(granted)
	return slices.Compact(granted)
}

// grant returns what one of the provider's names grants. What has no canonical
// form is no name that a mapping can contain.
func (g *groups) grant(name string) (string, bool) {
	to, ok := g.grants[name]
	if ok || canon.ASCII(name) { // a name in ASCII has no other form
		return to, ok
	}
	n, err := canon.Group(name)
	to, ok = g.grants[n]
	return to, ok && err == nil
}
