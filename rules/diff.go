package rules

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/expr"
	"github.com/jithook/jithook/provider"
	"github.com/jithook/jithook/provision"
)

// Diff is one thing that is not as wanted: what, as a JSON Pointer (/decision,
// /traits/email), and both values; nil is none.
type Diff struct {
	Path string `json:"path"`
	Want any    `json:"want"`
	Got  any    `json:"got"`
	// Because is why, where no expression shows it.
	Because []Because `json:"because,omitempty"`
}

// Aside reports whether the case does not ask for it: it is there to explain the
// others.
func (d Diff) Aside() bool { return d.Want == nil && !strings.HasPrefix(d.Path, "/traits/") }

// said is what the mapping makes of the names that the provider gives, where the
// groups are not as wanted: of those that grant nothing, or something else that nobody
// wants.
func (r Result) said(prov *provider.Provider) []Diff {
	info, managed := prov.Mapping.Groups()
	if !managed || !slices.ContainsFunc(r.Diffs, func(d Diff) bool { return d.Path == "/groups" }) {
		return nil
	}
	at := slices.IndexFunc(r.Rules, func(x expr.Explanation) bool { return x.Source == info.From.Source() })
	if at < 0 {
		return nil
	}
	var said []Diff
	list, _ := r.Rules[at].Value.([]any)
	for _, item := range list {
		name, ok := item.(string)
		if !ok {
			continue
		}
		switch to, _ := prov.Mapping.Grants(name); {
		case to == "":
			said = append(said, Diff{"/groups" + identity.Pointer(name), nil, "neither allowed nor mapped", nil})
		case to != name && !slices.Contains(*r.Case.Want.Groups, to):
			said = append(said, Diff{"/groups" + identity.Pointer(name), nil, "grants " + to, nil})
		}
	}
	slices.SortFunc(said, func(a, b Diff) int { return strings.Compare(a.Path, b.Path) })
	return said
}

func (w Want) compare(out provision.Outcome) []Diff {
	var diffs []Diff
	differ := func(path string, want, got any) {
		if !reflect.DeepEqual(want, got) {
			diffs = append(diffs, Diff{path, want, got, nil})
		}
	}
	asked := func(path, want, got string) {
		if want != "" {
			differ(path, want, got)
		}
	}
	why := out.Record.Reasons[0]
	asked("/decision", w.Decision, string(out.Record.Decision))
	asked("/code", w.Code, string(why.Code))
	asked("/path", w.Path, why.Path)
	asked("/rule", w.Rule, why.Rule)
	if out.Identity == nil && w.ofPerson() && len(diffs) == 0 {
		diffs = append(diffs, Diff{"/decision", "one that lets the login pass", string(out.Record.Decision), nil})
	}
	if len(diffs) > 0 {
		aside := func(path, want, got string) {
			if want == "" && got != "" {
				diffs = append(diffs, Diff{path, nil, got, nil})
			}
		}
		aside("/code", w.Code, string(why.Code))
		aside("/path", w.Path, why.Path)
		aside("/rule", w.Rule, why.Rule)
	}
	if out.Identity == nil {
		return diffs
	}
	if w.Traits != nil {
		names := slices.AppendSeq(slices.Collect(maps.Keys(w.Traits)), maps.Keys(out.Identity.Traits))
		slices.Sort(names)
		for _, name := range slices.Compact(names) {
			differ("/traits/"+name, w.Traits[name], out.Identity.Traits[name])
		}
	}
	if w.Groups != nil {
		differ("/groups", *w.Groups, out.Identity.GroupNames())
	}
	if w.Verified != nil {
		differ("/verified", *w.Verified, verified(out.Identity))
	}
	return diffs
}

// verified are the traits whose value somebody vouches for, as a case names them.
func verified(i *identity.Identity) []string {
	names := []string{}
	for name := range i.Traits {
		if by, ok := i.ProvenanceOf(identity.Pointer(name)); ok && by.VerifiedBy != "" {
			names = append(names, name)
		}
	}
	for _, by := range i.Provenance {
		if by.VerifiedBy != "" && strings.Count(by.Path, "/") > 1 {
			names = append(names, by.Path)
		}
	}
	slices.Sort(names)
	return names
}
