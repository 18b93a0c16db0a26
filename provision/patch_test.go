package provision_test

// These tests prove what an administrator may write: values in the forms of the
// providers' files, unique ones once, verified by nobody, and from then on no
// provider's; groups with their ledger; nothing half-done where any of it is
// wrong.

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/provision"
)

// traits are those of a Patch; nil removes one.
func traits(pairs ...any) map[string]*any {
	m := map[string]*any{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i].(string)] = nil
		if pairs[i+1] != nil {
			m[pairs[i].(string)] = &pairs[i+1]
		}
	}
	return m
}

func set(path string) identity.Change    { return identity.Change{Path: path, Op: identity.OpSet} }
func remove(path string) identity.Change { return identity.Change{Path: path, Op: identity.OpRemove} }

func TestAmend(t *testing.T) {
	for name, c := range map[string]struct {
		patch   provision.Patch
		changes []identity.Change
	}{
		"nothing":               {},
		"a local trait":         {provision.Patch{Traits: traits("title", map[string]any{"de": "Chefin", "n": int64(1)})}, []identity.Change{set("/traits/title")}},
		"a mapped trait":        {provision.Patch{Traits: traits("name", "Set by hand")}, []identity.Change{set("/traits/name")}},
		"two at once":           {provision.Patch{Traits: traits("name", nil, "department", "HR")}, []identity.Change{set("/traits/department"), remove("/traits/name")}},
		"none to remove":        {patch: provision.Patch{Traits: traits("title", nil)}},
		"a group":               {provision.Patch{Add: []string{"admins"}}, []identity.Change{set("/groups/admins")}},
		"a provider's group":    {provision.Patch{Add: []string{"engineering", "engineering"}}, []identity.Change{set("/groups/engineering")}},
		"a group revoked":       {provision.Patch{Remove: []string{"engineering"}}, []identity.Change{remove("/groups/engineering")}},
		"a group that is none":  {patch: provision.Patch{Remove: []string{"admins"}}},
		"a name with a slash":   {provision.Patch{Add: []string{"a/b~c"}}, []identity.Change{set("/groups/a~1b~0c")}},
		"a group in other form": {provision.Patch{Add: []string{"Zoe\u0308"}}, []identity.Change{set("/groups/Zo\u00eb")}},
	} {
		t.Run(name, func(t *testing.T) {
			h := in(t, identity.StateActive)
			h.now = h.now.Add(time.Minute)
			before, d := h.only(), identity.Updated
			if len(c.changes) == 0 {
				d = identity.Unchanged
			}
			out := h.admin(provision.Amend(c.patch), d, identity.CodeAdminEdited)
			if diff := cmp.Diff(c.changes, out.Record.Change); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
			after := h.only()
			if after.Revision != before.Revision+int64(min(1, len(c.changes))) {
				t.Errorf("revision %d, then %d", before.Revision, after.Revision)
			}
			for n, v := range c.patch.Traits {
				by, known := after.ProvenanceOf("/" + n)
				if v == nil {
					if _, has := after.Traits[n]; has || known {
						t.Errorf("%s is still there", n)
					}
					continue
				}
				if !cmp.Equal(after.Traits[n], *v) || by.Source != identity.SourceAdmin || !by.At.Equal(h.now) || by.VerifiedBy != "" {
					t.Errorf("%s by %+v", n, by)
				}
			}
			// The same once more changes nothing.
			h.admin(provision.Amend(c.patch), identity.Unchanged)
		})
	}
}

// What the administrator wrote no provider changes; what they revoked comes
// back as far as a provider grants it.
func TestAmendedStays(t *testing.T) {
	h := in(t, identity.StateActive)
	h.admin(provision.Amend(provision.Patch{
		Traits: traits("name", "Set by hand", "username", "boss"), Add: []string{"admins", "staff"}, Remove: []string{"engineering"},
	}), identity.Updated)
	h.now = h.now.Add(time.Minute)
	h.Provision(t.Context(), generic("s-1", ann(with("name", "Ann Other"), with("preferred_username", "other"), with("groups", []any{"eng"}))))
	i := h.only()
	if i.Traits["name"] != "Set by hand" || i.Traits["username"] != "boss" || !slices.Equal(groups(i), []string{"admins", "engineering", "staff"}) {
		t.Errorf("%v %v", i.Traits, groups(i))
	}
	if !slices.Contains(i.Keys, identity.NameKey("employees", "/username", "boss")) || slices.Contains(i.Keys, identity.NameKey("employees", "/username", "ann")) {
		t.Error("the name in use is not the one that is held")
	}
}

func TestAmendUnique(t *testing.T) {
	h := in(t, identity.StateActive)
	first := h.only()
	bob := h.Provision(t.Context(), generic("s-2", ann(with("email", "bob@acme.example"), with("preferred_username", "bob"))))
	want(t, bob, identity.Created)
	edit := func(id string, p provision.Patch) provision.Outcome {
		t.Helper()
		out, err := h.Edit(t.Context(), provision.Target{ID: id}, provision.Amend(p))
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	out := edit(bob.Identity.ID, provision.Patch{Traits: traits("username", "ANN", "name", "Bob")})
	want(t, out, identity.Denied, identity.CodeTraitTaken)
	if r := out.Record.Reasons[0]; r.Path != "/traits/username" || strings.Contains(strings.ToLower(r.Text), "ann") || strings.Contains(r.Text, first.ID) {
		t.Errorf("reason %+v", r)
	}
	if got, _ := h.store.Get(t.Context(), bob.Identity.ID); got.Revision != bob.Identity.Revision || got.Traits["username"] != "bob" {
		t.Errorf("something was written: %+v", got)
	}
	// Once the name is given up, it is free; in another form it is the same.
	want(t, edit(first.ID, provision.Patch{Traits: traits("username", "Boss")}), identity.Updated)
	want(t, edit(bob.Identity.ID, provision.Patch{Traits: traits("username", "ANN")}), identity.Updated)
	want(t, edit(bob.Identity.ID, provision.Patch{Traits: traits("username", "boss")}), identity.Denied, identity.CodeTraitTaken)
	want(t, edit(first.ID, provision.Patch{Traits: traits("username", nil)}), identity.Updated)
	want(t, edit(bob.Identity.ID, provision.Patch{Traits: traits("username", "boss")}), identity.Updated)
}

// An address that an administrator writes is verified by nobody, and so keeps
// nobody out; one that stays the same stays verified.
func TestAmendEmail(t *testing.T) {
	h := in(t, identity.StateActive)
	held := identity.MailKey("employees", "ann@acme.example")
	h.admin(provision.Amend(provision.Patch{Traits: traits("email", "ANN@acme.example")}), identity.Updated)
	i := h.only()
	if by, _ := i.ProvenanceOf("/email"); i.Traits["email"] != "ann@acme.example" || by.Source != identity.SourceAdmin || by.VerifiedBy != "provider:acme" || !slices.Contains(i.Keys, held) {
		t.Errorf("%v by %+v, keys %v", i.Traits["email"], by, i.Keys)
	}
	h.admin(provision.Amend(provision.Patch{Traits: traits("email", "Other@Acme.Example")}), identity.Updated)
	i = h.only()
	if by, _ := i.ProvenanceOf("/email"); i.Traits["email"] != "other@acme.example" || by.VerifiedBy != "" || slices.Contains(i.Keys, held) {
		t.Errorf("%v by %+v, keys %v", i.Traits["email"], by, i.Keys)
	}
	want(t, h.Provision(t.Context(), generic("s-2", ann(with("preferred_username", "ann2")))), identity.Created)
	want(t, h.Provision(t.Context(), generic("s-3", ann(with("email", "other@acme.example"), with("preferred_username", "other")))), identity.Created)
}

func TestAmendInvalid(t *testing.T) {
	const secret = "s3cr3t"
	deep := any(secret)
	for range 20 {
		deep = []any{deep}
	}
	many := make([]string, provision.MaxPatch+1)
	for i := range many {
		many[i] = "g" + strings.Repeat("x", i%7) + string(rune('a'+i%26))
	}
	large := provision.Patch{Traits: map[string]*any{}}
	for i := range 40 {
		large.Traits["t"+string(rune('a'+i%26))+string(rune('a'+i/26))] = traits("", []any{strings.Repeat("x", 4000), strings.Repeat("x", 4000), strings.Repeat("x", 4000), strings.Repeat("x", 4000)})[""]
	}
	for name, c := range map[string]struct {
		patch provision.Patch
		path  string
	}{
		"no address":           {provision.Patch{Traits: traits("email", secret)}, "/traits/email"},
		"no string":            {provision.Patch{Traits: traits("username", int64(7))}, "/traits/username"},
		"an empty user name":   {provision.Patch{Traits: traits("username", "")}, "/traits/username"},
		"a look-alike":         {provision.Patch{Traits: traits("username", secret+"\u212a")}, "/traits/username"},
		"too deep":             {provision.Patch{Traits: traits("title", deep)}, "/traits/title"},
		"too long":             {provision.Patch{Traits: traits("title", strings.Repeat(secret, 1000))}, "/traits/title"},
		"no name":              {provision.Patch{Traits: traits("", "x")}, "/traits/"},
		"no name inside":       {provision.Patch{Traits: traits("a//b", "x")}, "/traits/a~1~1b"},
		"too many names":       {provision.Patch{Traits: traits("a/b/c/d/e", "x")}, "/traits/a~1b~1c~1d~1e"},
		"a part and its whole": {provision.Patch{Traits: traits("a", map[string]any{"c": "x"}, "a/b", "x")}, "/traits/a/b"},
		"a long name":          {provision.Patch{Traits: traits(strings.Repeat("n", 257), "x")}, "/traits/" + strings.Repeat("n", 257)},
		"a group of nothing":   {provision.Patch{Add: []string{"ok", ""}}, "/groups/add/1"},
		"a group of controls":  {provision.Patch{Remove: []string{secret + "\n"}}, "/groups/remove/0"},
		"both":                 {provision.Patch{Add: []string{"a", "Zoe\u0308"}, Remove: []string{"Zo\u00eb"}}, "/groups/add/1"},
		"too many":             {provision.Patch{Add: many}, ""},
		"too large":            {large, ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := in(t, identity.StateActive)
			i := h.only()
			_, err := h.Edit(t.Context(), provision.Target{ID: i.ID}, provision.Amend(c.patch))
			var invalid *provision.InvalidError
			if !errors.As(err, &invalid) || invalid.Path != c.path || strings.Contains(err.Error(), secret) {
				t.Fatalf("%v", err)
			}
			if h.only().Revision != i.Revision {
				t.Error("something was written")
			}
		})
	}
}

// Whoever may write the identity has a say: a provider that is linked, wherever
// it puts new people, and one that puts them into this userstore.
func TestAmendByWhoseRules(t *testing.T) {
	globex := replace(replace(acme, "provider: acme", "provider: globex"), "https://acme.example", "https://globex.example")
	globex = replace(globex, "department: {value: claims.department}", "department: {value: claims.department, canonical: username}")
	for name, c := range map[string]struct {
		userstore string
		linked    bool
		refused   bool
	}{
		"elsewhere":         {"default", false, false},
		"elsewhere, linked": {"default", true, true},
		"here":              {"employees", false, true},
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t, acme, replace(globex, "userstore: employees", "userstore: "+c.userstore))
			want(t, h.Provision(t.Context(), generic("s-1", ann())), identity.Created)
			i := h.only()
			if c.linked {
				i.Links = append(i.Links, identity.Link{Provider: "globex", Issuer: "https://globex.example", Subject: "g-1"})
				i.Revision++
				if err := h.store.Swap(t.Context(), i, identity.Record{}); err != nil {
					t.Fatal(err)
				}
			}
			_, err := h.Edit(t.Context(), provision.Target{ID: i.ID}, provision.Amend(provision.Patch{Traits: traits("department", "Human Resources")}))
			var invalid *provision.InvalidError
			if refused := errors.As(err, &invalid) && invalid.Path == "/traits/department"; refused != c.refused || !refused && err != nil {
				t.Errorf("%v", err)
			}
		})
	}
}

// A closed account is granted nothing, and may be put right.
func TestAmendDeprovisioned(t *testing.T) {
	h := in(t, identity.StateDeprovisioned)
	h.admin(provision.Amend(provision.Patch{Traits: traits("name", "x"), Add: []string{"staff"}}), identity.Denied, identity.CodeStateRefused)
	h.admin(provision.Amend(provision.Patch{Traits: traits("name", nil)}), identity.Updated)
}

// An edit of one that prepare made is not lost to the login that follows.
func TestAmendPending(t *testing.T) {
	h := in(t, identity.StatePending)
	h.admin(provision.Amend(provision.Patch{Traits: traits("title", "Boss"), Add: []string{"admins"}}), identity.Updated)
	want(t, h.Provision(t.Context(), kratos(identity.HookPrepare, "", "s-1", ann())), identity.Unchanged)
	want(t, h.Commit(t.Context(), kratos(identity.HookCommit, "k-1", "s-1", nil)), identity.Activated)
	if i := h.only(); i.Traits["title"] != "Boss" || !slices.Equal(groups(i), []string{"admins", "engineering"}) {
		t.Errorf("%+v", i)
	}
}
