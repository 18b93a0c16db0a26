//go:build unix

package cases_test

// What became of a step, held against what its case wants.

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jithook/jithook/identity"
)

// view is an identity in the words of a case. A field that is not there is
// empty.
func view(i *identity.Identity) map[string]any {
	links, external := map[string]any{}, map[string]any{}
	provenance, verified, written := map[string]any{}, map[string]any{}, map[string]any{}
	groups := map[string][]string{}
	keys, holds := map[string]bool{}, map[string][]string{}
	proposals, consents := map[string]any{}, map[string]any{}
	for _, p := range i.Proposals {
		proposals[p.Provider+"/"+p.Subject] = string(p.State)
	}
	for _, c := range i.Consents { // the newest comes last
		consents[c.Path] = c.Version
	}
	for _, h := range i.Holds {
		for _, g := range h.Groups {
			holds[h.Source] = append(holds[h.Source], g.Name)
		}
	}
	for _, g := range i.Groups {
		groups[g.Name] = append(groups[g.Name], g.Source)
	}
	for _, l := range i.Links {
		links[l.Provider+"/"+l.Subject] = l.Evidence
	}
	for _, e := range i.ExternalIDs {
		external[e.System] = e.ID
	}
	for _, p := range i.Provenance {
		provenance[p.Path], written[p.Path] = p.Source, p.At
		if p.VerifiedBy != "" {
			verified[p.Path] = p.VerifiedBy
		}
	}
	for _, k := range i.Keys {
		if k.Kind() == identity.KeyMail || k.Kind() == identity.KeyName {
			keys[k.Kind()] = true
		}
	}
	return map[string]any{
		"userstore": i.Userstore, "state": string(i.State), "state_source": i.StateSource,
		"traits": i.Traits, "groups": groups, "links": links, "external_ids": external, "holds": holds,
		"provenance": provenance, "written_at": written, "verified": verified, "revision": i.Revision,
		"proposals": proposals, "consents": consents,
		// What it keeps from others: mail, name.
		"unique": slices.Sorted(maps.Keys(keys)),
	}
}

// plain is a value as JSON has it, so that numbers and empty lists compare.
func plain(t testing.TB, v any) any {
	t.Helper()
	data, err := json.Marshal(v)
	must(t, err)
	var p any
	must(t, json.Unmarshal(data, &p))
	switch list := p.(type) {
	case []any:
		if len(list) == 0 {
			return nil
		}
	case map[string]any:
		if len(list) == 0 {
			return nil
		}
	}
	return p
}

// differ reports a difference of one field.
func differ(t testing.TB, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(plain(t, want), plain(t, got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// hold holds what became of a step to what is wanted.
func (h *house) hold(t testing.TB, w *want, r reply) {
	t.Helper()
	if w.Decision != "" {
		differ(t, "decision", w.Decision, r.Decision)
	}
	if w.Status != 0 {
		differ(t, "status", w.Status, r.status)
	}
	codes, paths, changes := []string{}, []string{}, map[string]string{}
	for _, reason := range r.Reasons {
		codes = append(codes, string(reason.Code))
		if reason.Path != "" {
			paths = append(paths, reason.Path)
		}
	}
	for _, c := range r.Changes {
		changes[c.Path] = c.Op
	}
	if w.Codes != nil {
		differ(t, "codes", w.Codes, codes)
	}
	if w.Paths != nil {
		differ(t, "paths", w.Paths, paths)
	}
	if w.Changes != nil {
		differ(t, "changes", w.Changes, changes)
	}
	if w.Reply != nil {
		var body any
		must(t, json.Unmarshal(r.body, &body))
		differ(t, "reply", w.Reply, part(body, plain(t, w.Reply)))
	}
	for _, word := range w.Unsaid {
		if strings.Contains(string(r.body), word) {
			t.Errorf("the reply says %q: %s", word, r.body)
		}
	}
	if w.People != nil {
		differ(t, "people", *w.People, len(h.everybody(t)))
	}
	for who, wanted := range w.Identities {
		h.holdIdentity(t, who, wanted)
	}
}

func (h *house) holdIdentity(t testing.TB, who string, wanted map[string]any) {
	t.Helper()
	i := h.holder(t, who)
	switch {
	case i == nil && wanted == nil:
	case i == nil:
		t.Errorf("nobody is %s", who)
	case wanted == nil:
		t.Errorf("there is an identity of %s", who)
	default:
		got := view(i)
		for field, want := range wanted {
			if _, known := got[field]; !known {
				t.Fatalf("%s: an identity has no %q, but %q", who, field, slices.Sorted(maps.Keys(got)))
			}
			differ(t, who+": "+field, want, got[field])
		}
	}
}

// part is as much of a value as the wanted one names: members of mappings;
// lists are compared whole, item by item.
func part(v, wanted any) any {
	switch wanted := wanted.(type) {
	case map[string]any:
		m, ok := v.(map[string]any)
		if !ok {
			return v
		}
		some := map[string]any{}
		for k, w := range wanted {
			if member, has := m[k]; has {
				some[k] = part(member, w)
			}
		}
		return some
	case []any:
		list, ok := v.([]any)
		if !ok || len(list) != len(wanted) {
			return v
		}
		some := make([]any, len(list))
		for n := range list {
			some[n] = part(list[n], wanted[n])
		}
		return some
	}
	return v
}
