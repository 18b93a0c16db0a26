package rules

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/jithook/jithook/provision"
)

// Diff is one thing that is not as wanted: what, as a JSON Pointer (/decision,
// /traits/email), and both values; nil is none.
type Diff struct {
	Path string `json:"path"`
	Want any    `json:"want"`
	Got  any    `json:"got"`
}

// Aside reports whether the case does not ask for it: it is there to explain the
// others.
func (d Diff) Aside() bool { return d.Want == nil && !strings.HasPrefix(d.Path, "/traits/") }

func (w Want) compare(out provision.Outcome) []Diff {
	var diffs []Diff
	differ := func(path string, want, got any) {
		if !reflect.DeepEqual(want, got) {
			diffs = append(diffs, Diff{path, want, got})
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
	if len(diffs) > 0 && w.Code == "" {
		diffs = append(diffs, Diff{"/code", nil, string(why.Code)})
	}
	if out.Identity == nil {
		if (w.Traits != nil || w.Groups != nil) && len(diffs) == 0 {
			diffs = append(diffs, Diff{"/decision", "one that lets the login pass", string(out.Record.Decision)}, Diff{"/code", nil, string(why.Code)})
		}
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
	return diffs
}
