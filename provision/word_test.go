package provision_test

// These tests prove whose word on a name counts where people are looked up by it:
// that on an address for its domains alone, and nobody's on a number.

import (
	"slices"
	"testing"

	"github.com/jithook/jithook/identity"
)

// TestS61_AddressAsUserName: globex may vouch for names and for its own addresses.
// One of its people takes the address of somebody at acme for a name.
func TestS61_AddressAsUserName(t *testing.T) {
	named := replace(acme, "canonical: username", "canonical: username, verified: claims.name_verified")
	h := open(t, named, replace(second(auto), "trust: {authoritative_domains: [acme.example]}", "trust: {authoritative_domains: [globex.example]}"))
	want(t, h.Provision(t.Context(), generic("s-1", ann(with("preferred_username", "Ann@acme.example"), with("name_verified", true)))), identity.Created)

	login := fromGlobex("g-1", with("email", "mallory@globex.example"), with("preferred_username", "ann@acme.example"), with("name_verified", true))
	want(t, h.Provision(t.Context(), login), identity.Denied, identity.CodeTraitTaken)
	if i := h.only(); len(i.Links) != 1 {
		t.Errorf("mallory is ann now: %+v", i.Links)
	}
	// Whoever may speak for the domain links her.
	h.edit2(second(auto))
	login = fromGlobex("g-2", with("email", "a.other@acme.example"), with("preferred_username", "ann@acme.example"), with("name_verified", true))
	want(t, h.Provision(t.Context(), login), identity.Linked)
	if !slices.ContainsFunc(h.only().Links, func(l identity.Link) bool { return l.Subject == "g-2" }) {
		t.Error("not linked")
	}
}

// TestS61_NumberedName: the second Ada of acme is ada2 here, which no provider has
// said. Somebody who is ada2 at globex is somebody else.
func TestS61_NumberedName(t *testing.T) {
	named := replace(suffixed, "canonical: username", "canonical: username, verified: claims.name_verified")
	h := open(t, named, second(auto))
	for _, subject := range []string{"s-1", "s-2"} {
		l := called(subject, "Ada")
		l.Offers[0].Claims["name_verified"] = true
		out := h.Provision(t.Context(), l)
		want(t, out, identity.Created)
		by, _ := out.Identity.ProvenanceOf("/username")
		if whose := by.VerifiedBy; (whose == "provider:acme") != (out.Identity.Traits["username"] == "ada") {
			t.Errorf("%v is verified by %q", out.Identity.Traits["username"], whose)
		}
		want(t, h.Provision(t.Context(), l), identity.Unchanged)
	}
	login := fromGlobex("g-1", with("email", "mallory@acme.example"), with("preferred_username", "ada2"), with("name_verified", true))
	want(t, h.Provision(t.Context(), login), identity.Denied, identity.CodeTraitTaken)
	// As it was stored before: the next login takes it back.
	for _, i := range h.all() {
		if i.Traits["username"] != "ada2" {
			continue
		}
		at := slices.IndexFunc(i.Provenance, func(p identity.Provenance) bool { return p.Path == "/username" })
		i.Provenance[at].VerifiedBy = "provider:acme"
		i.Revision++
		if err := h.store.Swap(t.Context(), i, identity.Record{}); err != nil {
			t.Fatal(err)
		}
	}
	l := called("s-2", "Ada")
	l.Offers[0].Claims["name_verified"] = true
	out := h.Provision(t.Context(), l)
	want(t, out, identity.Updated)
	if by, _ := out.Identity.ProvenanceOf("/username"); by.VerifiedBy != "" {
		t.Errorf("still verified by %q", by.VerifiedBy)
	}
}
