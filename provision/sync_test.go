package provision_test

import (
	"slices"
	"testing"
	"time"

	"github.com/jithook/jithook/identity"
)

func TestSync(t *testing.T) {
	for name, c := range map[string]struct {
		claims   map[string]any
		decision identity.Decision
		changes  []identity.Change
		groups   []string
	}{
		"nothing new":                    {ann(), identity.Unchanged, nil, []string{"engineering"}},
		"case of the address":            {ann(with("email", "ANN@ACME.example")), identity.Unchanged, nil, []string{"engineering"}},
		"S31 a group that is not listed": {ann(with("groups", []any{"eng", "admins"})), identity.Unchanged, nil, []string{"engineering"}},
		"changed name":                   {ann(with("name", "Ann Other")), identity.Updated, []identity.Change{{Path: "/traits/name", Op: "set"}}, []string{"engineering"}},
		"absent: clear":                  {ann(without("name")), identity.Updated, []identity.Change{{Path: "/traits/name", Op: "remove"}}, []string{"engineering"}},
		"absent: keep":                   {ann(without("preferred_username")), identity.Unchanged, nil, []string{"engineering"}},
		"a required trait that is kept":  {ann(without("email")), identity.Unchanged, nil, []string{"engineering"}},
		"second value":                   {ann(without("preferred_username"), with("nickname", "annie")), identity.Updated, []identity.Change{{Path: "/traits/username", Op: "set"}}, []string{"engineering"}},
		"group granted":                  {ann(with("groups", []any{"eng", "staff"})), identity.Updated, []identity.Change{{Path: "/groups/staff", Op: "set"}}, []string{"engineering", "staff"}},
		"group revoked":                  {ann(with("groups", []any{})), identity.Updated, []identity.Change{{Path: "/groups/engineering", Op: "remove"}}, nil},
		"groups unknown are kept":        {ann(without("groups")), identity.Unchanged, nil, []string{"engineering"}},
		"a string is not a list":         {ann(with("groups", "staff")), identity.Unchanged, nil, []string{"engineering"}},
		"verification lost":              {ann(with("email_verified", false)), identity.Updated, []identity.Change{{Path: "/traits/email", Op: "set"}}, []string{"engineering"}},
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t)
			h.Provision(t.Context(), generic("s-1", ann()))
			h.now = h.now.Add(time.Minute)
			out := h.Provision(t.Context(), generic("s-1", c.claims))
			want(t, out, c.decision)
			if !slices.Equal(out.Record.Change, c.changes) {
				t.Errorf("changes %v, want %v", out.Record.Change, c.changes)
			}
			i := h.only()
			if !slices.Equal(groups(i), c.groups) {
				t.Errorf("groups %v, want %v", groups(i), c.groups)
			}
			if wantRevision := int64(1 + min(1, len(c.changes))); i.Revision != wantRevision {
				t.Errorf("revision %d, want %d", i.Revision, wantRevision)
			}
			again := h.Provision(t.Context(), generic("s-1", c.claims))
			want(t, again, identity.Unchanged)
		})
	}
}

func TestWhatAnotherSourceWroteStays(t *testing.T) {
	h := open(t)
	h.Provision(t.Context(), generic("s-1", ann()))
	i := h.only()
	i.Traits["name"] = "Set by hand"
	i.Groups = append(i.Groups, identity.Group{Name: "admins", Source: "admin"})
	for n, p := range i.Provenance {
		if p.Path == "/name" {
			i.Provenance[n].Source = "admin"
		}
	}
	i.Revision++
	if err := h.store.Swap(t.Context(), i, identity.Record{ID: "0", At: h.now}); err != nil {
		t.Fatal(err)
	}
	h.now = h.now.Add(time.Minute)
	want(t, h.Provision(t.Context(), generic("s-1", ann(with("name", "Ann Other"), with("groups", []any{})))), identity.Updated)
	if i := h.only(); i.Traits["name"] != "Set by hand" || !slices.Equal(groups(i), []string{"admins"}) {
		t.Errorf("overwrote another source: %+v", i)
	}
}

func TestEditedMappingRevokesWhatItGranted(t *testing.T) {
	h := open(t)
	h.Provision(t.Context(), generic("s-1", ann()))
	h.edit(replace(acme, "groups: {from: claims.groups, allow: [staff], map: {eng: engineering}}", ""))
	h.now = h.now.Add(time.Minute)
	want(t, h.Provision(t.Context(), generic("s-1", ann())), identity.Updated)
	if i := h.only(); len(i.Groups) != 0 {
		t.Errorf("groups %v", groups(i))
	}
}

func TestPolicyEditMovesNobody(t *testing.T) {
	h := open(t)
	h.Provision(t.Context(), generic("s-1", ann()))
	h.edit(replace(acme, "userstore: employees", "userstore: default"))
	want(t, h.Provision(t.Context(), generic("s-1", ann())), identity.Unchanged)
	if i := h.only(); i.Userstore != "employees" {
		t.Errorf("moved to %s", i.Userstore)
	}
}

// TestOlderClaimsAreNotApplied proves I7: a login that was overtaken counts,
// its claims do not.
func TestOlderClaimsAreNotApplied(t *testing.T) {
	h := open(t)
	h.Provision(t.Context(), generic("s-1", ann()))
	newer, older := generic("s-1", ann(with("name", "Newer"))), generic("s-1", ann(with("name", "Older")))
	newer.At, older.At = h.now.Add(30*time.Second), h.now.Add(20*time.Second)
	h.now = h.now.Add(time.Minute)
	want(t, h.Provision(t.Context(), newer), identity.Updated)
	want(t, h.Provision(t.Context(), older), identity.Unchanged, identity.CodeUnchanged, identity.CodeClaimsStale)
	if i := h.only(); i.Traits["name"] != "Newer" {
		t.Errorf("name %v", i.Traits["name"])
	}
}

func TestNumbersCompareByValue(t *testing.T) {
	h := open(t, replace(acme, "department: {value: claims.department}", "department: {value: claims.department}\n  level: {value: claims.level}"))
	claims := ann(with("level", 5.0), with("department", []any{int64(1), 2.0, map[string]any{"a": 1.5}}))
	want(t, h.Provision(t.Context(), generic("s-1", claims)), identity.Created)
	want(t, h.Provision(t.Context(), generic("s-1", claims)), identity.Unchanged)
}
