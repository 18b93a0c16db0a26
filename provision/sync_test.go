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

// TestOlderClaimsAfterNewerOnesThatChangedNothing: what is stored was confirmed
// at +30 s, so what was true at +20 s is over.
func TestOlderClaimsAfterNewerOnesThatChangedNothing(t *testing.T) {
	h := open(t)
	h.Provision(t.Context(), generic("s-1", ann()))
	newer, older := generic("s-1", ann()), generic("s-1", ann(with("name", "Older"), with("groups", []any{"staff"})))
	newer.At, older.At = h.now.Add(30*time.Second), h.now.Add(20*time.Second)
	h.now = h.now.Add(time.Minute)
	h.store.writes.Store(0)
	want(t, h.Provision(t.Context(), newer), identity.Unchanged, identity.CodeUnchanged)
	if n := h.store.writes.Load(); n != 0 {
		t.Errorf("%d writes before the answer", n)
	}
	// Before it is in the store, and after.
	want(t, h.Provision(t.Context(), older), identity.Unchanged, identity.CodeUnchanged, identity.CodeClaimsStale)
	h.settle()
	want(t, h.Provision(t.Context(), older), identity.Unchanged, identity.CodeUnchanged, identity.CodeClaimsStale)
	if i := h.only(); i.Traits["name"] != "Ann Example" || !slices.Equal(groups(i), []string{"engineering"}) || i.Revision != 1 {
		t.Errorf("%+v", i)
	}
}

// TestUniqueTurnedOn: whoever logs in after the edit takes the key, so nobody
// else can.
func TestUniqueTurnedOn(t *testing.T) {
	unique, shared := acme, replace(acme, "canonical: email, unique: true", "canonical: email")
	h := open(t, shared)
	h.Provision(t.Context(), generic("s-1", ann()))
	h.edit(unique)
	out := h.Provision(t.Context(), generic("s-1", ann()))
	want(t, out, identity.Updated)
	if !slices.Equal(out.Record.Change, []identity.Change{{Path: "/keys", Op: "set"}}) {
		t.Errorf("changes %v", out.Record.Change)
	}
	want(t, h.Provision(t.Context(), generic("s-2", ann(with("preferred_username", "bob")))), identity.Denied, identity.CodeTraitTaken)
	want(t, h.Provision(t.Context(), generic("s-1", ann())), identity.Unchanged)
}

// TestUniqueTurnedOffReleasesKeys: a key that no mapping makes any more is free.
func TestUniqueTurnedOffReleasesKeys(t *testing.T) {
	unique, shared := acme, replace(acme, "canonical: email, unique: true", "canonical: email")
	h := open(t)
	h.Provision(t.Context(), generic("s-1", ann()))
	h.edit(shared)
	want(t, h.Provision(t.Context(), generic("s-1", ann(with("email", "other@acme.example")))), identity.Updated)
	h.edit(unique)
	want(t, h.Provision(t.Context(), generic("s-1", ann(with("email", "third@acme.example")))), identity.Updated)
	want(t, h.Provision(t.Context(), generic("s-2", ann(with("preferred_username", "bob")))), identity.Created)
}

// TestRenamedProvider: the same issuer under another name goes on where the old
// name stopped; revoked groups go.
func TestRenamedProvider(t *testing.T) {
	h := open(t)
	h.Provision(t.Context(), generic("s-1", ann()))
	h.edit(replace(acme, "provider: acme", "provider: globex"))
	l := generic("s-1", ann(with("name", "Ann Other"), with("groups", []any{"staff"})))
	l.Provider, l.Offers[0].Provider = "globex", "globex"
	want(t, h.Provision(t.Context(), l), identity.Updated)
	if i := h.only(); i.Traits["name"] != "Ann Other" || !slices.Equal(groups(i), []string{"staff"}) {
		t.Errorf("%+v", i)
	}
	want(t, h.Provision(t.Context(), l), identity.Unchanged)

	// A provider that is still there keeps what it wrote.
	h = open(t, acme, replace(acme, "provider: acme", "provider: globex"))
	h.Provision(t.Context(), generic("s-1", ann()))
	h.Provision(t.Context(), l)
	if i := h.only(); i.Traits["name"] != "Ann Example" || !slices.Equal(groups(i), []string{"engineering", "staff"}) {
		t.Errorf("%+v", i)
	}
}

// TestAnotherProvidersKeyStays: two files of one issuer; what the one's trait
// holds is not the other's to drop.
func TestAnotherProvidersKeyStays(t *testing.T) {
	globex := replace(replace(acme, "provider: acme", "provider: globex"),
		"email: {value: claims.email, verified: claims.email_verified, canonical: email, unique: true, required: true}",
		"contact: {value: claims.email, canonical: email}")
	h := open(t, acme, globex)
	h.Provision(t.Context(), generic("s-1", ann()))
	by := func(subject string) identity.Login {
		l := generic(subject, ann(with("preferred_username", subject)))
		l.Provider, l.Offers[0].Provider = "globex", "globex"
		return l
	}
	h.Provision(t.Context(), by("s-1"))
	want(t, h.Provision(t.Context(), by("s-1")), identity.Unchanged)
	want(t, h.Provision(t.Context(), generic("s-2", ann(with("preferred_username", "bob")))), identity.Denied, identity.CodeTraitTaken)
	want(t, h.Provision(t.Context(), generic("s-1", ann())), identity.Unchanged)
}

func TestNumbersCompareByValue(t *testing.T) {
	h := open(t, replace(acme, "department: {value: claims.department}", "department: {value: claims.department}\n  level: {value: claims.level}"))
	claims := ann(with("level", 5.0), with("department", []any{int64(1), 2.0, map[string]any{"a": 1.5}}))
	want(t, h.Provision(t.Context(), generic("s-1", claims)), identity.Created)
	want(t, h.Provision(t.Context(), generic("s-1", claims)), identity.Unchanged)
}
