package provider

import (
	"fmt"

	"github.com/jithook/jithook/internal/strictyaml"
)

// Place returns where the file says something, as file:line:col, by its key:
// jit.attribute_sync, traits.title.sync. It is empty where the file leaves that
// to the default.
func (p *Provider) Place(key string) string { return p.places[key] }

// places are the words in a file that decide about logins and are no
// expressions, which know their places themselves.
func places(f file) map[string]string {
	found := map[string]string{}
	note := func(key string, t *strictyaml.Text) {
		if t != nil {
			found[key] = at(strictyaml.Pos{File: t.File, Line: t.Line, Col: t.Col})
		}
	}
	note("jit.attribute_sync", f.JIT.AttributeSync)
	note("jit.group_sync", f.JIT.GroupSync)
	note("jit.account_linking", f.JIT.Linking)
	note("jit.on_lookup_miss", f.JIT.OnLookupMiss)
	if u := f.JIT.Userstore; u != nil && u.from == nil {
		note("jit.userstore", &u.name)
	}
	if d := f.JIT.GroupsUnknownMax; d != nil {
		found["jit.groups_unknown_max"] = at(d.Pos)
	}
	if n := f.JIT.Limits.MaxGroupRemovals; n != nil {
		found["jit.limits.max_group_removals"] = at(n.Pos)
	}
	for _, t := range f.Traits {
		note("traits."+t.Key.Value+".sync", t.Value.Sync)
		note("traits."+t.Key.Value+".absent", t.Value.Absent)
	}
	if f.Groups != nil {
		note("groups.absent", f.Groups.Absent)
	}
	for n := range f.Outbound {
		note("outbound."+f.Outbound[n].Value, &f.Outbound[n])
	}
	return found
}

func at(p strictyaml.Pos) string { return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col) }
