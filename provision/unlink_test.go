package provision_test

// These tests prove what goes with a link: its subject's way in, what that
// provider's mapping granted and its word that a value is verified, and nothing
// of any other source.

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/jithook/jithook/identity"
	ory "github.com/jithook/jithook/kratos"
	"github.com/jithook/jithook/provision"
)

// linked returns a house with one identity that acme and globex are linked to.
func linked(t *testing.T) *house {
	t.Helper()
	h := in(t, identity.StateActive)
	h.admin(provision.Amend(provision.Patch{Add: []string{"admins", "engineering"}}), identity.Updated)
	i := h.only()
	i.Links = append(i.Links, identity.Link{Provider: "globex", Issuer: "https://globex.example", Subject: "g-1"})
	i.Groups = append(i.Groups, identity.Group{Name: "partners", Source: "provider:globex"})
	i.Traits["phone"] = "1"
	i.Provenance = append(i.Provenance, identity.Provenance{Path: "/phone", Source: "provider:globex", VerifiedBy: "provider:globex"})
	i.Keys = append(i.Keys, identity.FedKey("https://globex.example", "g-1"))
	slices.Sort(i.Keys)
	i.Revision++
	if err := h.store.Swap(t.Context(), i, identity.Record{}); err != nil {
		t.Fatal(err)
	}
	return h
}

func TestUnlink(t *testing.T) {
	h := linked(t)
	before := h.only()
	out := h.admin(provision.Unlink("acme"), identity.Updated, identity.CodeAdminUnlinked)
	if want := []identity.Change{remove("/links/acme"), remove("/groups/engineering"), set("/traits/email")}; !slices.Equal(out.Record.Change, want) {
		t.Errorf("changes %v, want %v", out.Record.Change, want)
	}
	if r := out.Record; r.Provider != "acme" || r.Issuer != "https://acme.example" || r.SubjectKey != identity.FedKey("https://acme.example", "s-1") {
		t.Errorf("record %+v", r)
	}
	i := h.only()
	wantGroups := []identity.Group{{Name: "admins", Source: "admin"}, {Name: "engineering", Source: "admin"}, {Name: "partners", Source: "provider:globex"}}
	if !slices.Equal(i.Groups, wantGroups) || len(i.Links) != 1 || i.Links[0].Provider != "globex" {
		t.Errorf("%v %v", i.Groups, i.Links)
	}
	email, _ := i.ProvenanceOf("/email")
	phone, _ := i.ProvenanceOf("/phone")
	if i.Traits["email"] != before.Traits["email"] || email.Source != "provider:acme" || email.VerifiedBy != "" || phone.VerifiedBy != "provider:globex" {
		t.Errorf("email %+v, phone %+v", email, phone)
	}
	wantKeys := []identity.Key{identity.FedKey("https://globex.example", "g-1"), identity.NameKey("employees", "/username", "ann")}
	slices.Sort(wantKeys)
	if !slices.Equal(i.Keys, wantKeys) {
		t.Errorf("keys %v, want %v", i.Keys, wantKeys)
	}
	if _, err := h.Edit(t.Context(), provision.Target{ID: i.ID}, provision.Unlink("acme")); !errors.Is(err, provision.ErrNoLink) {
		t.Errorf("unlinked again: %v", err)
	}
	// The subject is somebody else now; the address is free, the name is not.
	want(t, h.Provision(t.Context(), generic("s-1", ann())), identity.Denied, identity.CodeTraitTaken)
	want(t, h.Provision(t.Context(), generic("s-1", ann(with("preferred_username", "ann2")))), identity.Created)
	if all := h.all(); len(all) != 2 {
		t.Errorf("%d identities", len(all))
	}
}

// An address that another provider verified too is still held.
func TestUnlinkKeepsWhatAnotherVerified(t *testing.T) {
	h := linked(t)
	i := h.only()
	i.Traits["mail"] = "Ann@ACME.example"
	i.Provenance = append(i.Provenance, identity.Provenance{Path: "/mail", Source: "provider:globex", VerifiedBy: "provider:globex"})
	i.Revision++
	if err := h.store.Swap(t.Context(), i, identity.Record{}); err != nil {
		t.Fatal(err)
	}
	h.admin(provision.Unlink("acme"), identity.Updated)
	if !slices.Contains(h.only().Keys, identity.MailKey("employees", "ann@acme.example")) {
		t.Error("the address is held no more")
	}
}

// What Kratos has disconnected goes with the same things.
func TestDisconnectedInKratos(t *testing.T) {
	h := linked(t)
	i := h.only()
	i.ExternalIDs = []identity.ExternalID{{System: identity.SystemKratos, Instance: "main", ID: "k-1"}}
	i.Links[1].Evidence = identity.SourceKratosMetadata
	i.Traits["mail"] = "other@globex.example"
	i.Provenance = append(i.Provenance, identity.Provenance{Path: "/mail", Source: "provider:globex", VerifiedBy: "provider:globex"})
	held := identity.MailKey("employees", "other@globex.example")
	i.Keys = append(i.Keys, held, identity.ExtKey(i.ExternalIDs[0]))
	slices.Sort(i.Keys)
	i.Revision++
	if err := h.store.Swap(t.Context(), i, identity.Record{}); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"id":"k-1","schema_id":"s","schema_url":"u","traits":{},"credentials":{"oidc":{"identifiers":["acme:s-1"]}}}`)
	}))
	defer server.Close()
	admin, err := ory.NewAdmin(server.URL, "")
	if err != nil {
		t.Fatal(err)
	}
	h.Kratos = map[string]*ory.Admin{"main": admin}
	h.now = h.now.Add(time.Minute)
	want(t, h.Provision(t.Context(), kratos(identity.HookLogin, "k-1", "s-1", ann())), identity.Updated)
	i = h.only()
	mail, _ := i.ProvenanceOf("/mail")
	if len(i.Links) != 1 || slices.Contains(groups(i), "partners") || mail.VerifiedBy != "" || i.Traits["mail"] != "other@globex.example" {
		t.Errorf("%v %v, mail %+v", i.Links, groups(i), mail)
	}
	if slices.Contains(i.Keys, held) || slices.Contains(i.Keys, identity.FedKey("https://globex.example", "g-1")) {
		t.Errorf("keys %v", i.Keys)
	}
}

// A group that several sources granted, and that several things take in one login,
// stands once in the record: the provider whose link Kratos dropped and two without
// a file; one without a file, this provider and an import.
func TestRevokedMoreThanOnce(t *testing.T) {
	for name, c := range map[string]struct {
		sources []string
		login   identity.Login
		want    []identity.Change
	}{
		"with a link": {
			[]string{"provider:gone", "provider:globex", "provider:lost"}, kratos(identity.HookLogin, "k-1", "s-1", ann()),
			[]identity.Change{remove("/links/globex"), remove("/groups/partners"), remove("/groups/staff"), set("/traits/phone")},
		},
		"by the mapping": {
			[]string{"provider:acme", "provider:gone", identity.SourceImport}, generic("s-1", ann(with("groups", []any{"eng"}))),
			[]identity.Change{set("/traits/phone"), remove("/groups/partners"), remove("/groups/staff")},
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := linked(t)
			i := h.only()
			i.ExternalIDs = []identity.ExternalID{{System: identity.SystemKratos, Instance: "main", ID: "k-1"}}
			i.Links[1].Evidence = identity.SourceKratosAdmin
			for _, source := range c.sources {
				i.Groups = append(i.Groups, identity.Group{Name: "staff", Source: source})
			}
			i.Keys = append(i.Keys, identity.ExtKey(i.ExternalIDs[0]))
			slices.Sort(i.Keys)
			i.Revision++
			if err := h.store.Swap(t.Context(), i, identity.Record{}); err != nil {
				t.Fatal(err)
			}
			h.holds("acme:s-1")
			h.now = h.now.Add(time.Minute)
			out := h.Provision(t.Context(), c.login)
			if !slices.Equal(out.Record.Change, c.want) || slices.Contains(groups(h.only()), "staff") {
				t.Errorf("changes %v, want %v; groups %v", out.Record.Change, c.want, h.only().Groups)
			}
		})
	}
}

// In front of Kratos the account is reached by its Kratos id: a sign-in through
// the provider that was removed is refused, another method still passes. So does
// the last link go.
func TestUnlinkLast(t *testing.T) {
	h := in(t, identity.StatePending)
	login := kratos(identity.HookLogin, "k-1", "s-1", ann())
	want(t, h.Provision(t.Context(), login), identity.Activated)
	h.admin(provision.Unlink("acme"), identity.Updated)
	if i := h.only(); len(i.Links) != 0 {
		t.Errorf("links %v", i.Links)
	}
	want(t, h.Provision(t.Context(), login), identity.Denied, identity.CodeLinkStale)
	silent := kratos(identity.HookLogin, "k-1", "", nil)
	silent.Offers = nil
	want(t, h.Provision(t.Context(), silent), identity.Denied, identity.CodeLinkingDisabled)
	silent.Provider = ""
	want(t, h.Provision(t.Context(), silent), identity.Unchanged)
}

// Who is barred stays barred, by whatever link was removed; activation lets the
// subject of that link be somebody new, and still nobody of this account.
func TestUnlinkBarred(t *testing.T) {
	for state, code := range map[identity.State]identity.Code{
		identity.StateSuspended: identity.CodeSuspended, identity.StateDeprovisioned: identity.CodeDeprovisioned,
	} {
		t.Run(string(state), func(t *testing.T) {
			h := linked(t)
			h.admin(bring[state][0], identity.Updated)
			h.admin(provision.Unlink("acme"), identity.Updated)
			want(t, h.Provision(t.Context(), generic("s-1", ann())), identity.Denied, code)
			h.admin(provision.Amend(provision.Patch{Traits: traits("username", "boss")}), identity.Updated)
			want(t, h.Provision(t.Context(), generic("s-1", ann())), identity.Denied, code)
			h.admin(provision.Activate(), identity.Activated)
			old := h.only().ID
			out := h.Provision(t.Context(), generic("s-1", ann()))
			want(t, out, identity.Created)
			if out.Identity.ID == old {
				t.Error("the removed link leads into the account")
			}
		})
	}
}
