package provision_test

// These tests prove that a subject of the file's own choice is the person at
// every hook of Kratos, while what Kratos connects and disconnects is found by
// Kratos's own subject; and that the record says where the claims are not the
// provider's own words.

import (
	"testing"

	"github.com/jithook/jithook/identity"
)

var byOID = replace(acme, "issuer: https://acme.example", "issuer: https://acme.example\nsubject: claims.oid")

// mapped is a login with what the generated mapper writes.
func mapped(hook identity.Hook, claims map[string]any) identity.Login {
	l := ofK1(hook)
	l.Provider = "acme"
	if hook == identity.HookPrepare {
		l.External.ID = ""
	}
	l.Offers = []identity.Offer{{
		Source: identity.SourceKratosMetadata, Provider: "acme", Issuer: "https://acme.example",
		Subject: "o-1", Credential: "pairwise", Claims: claims, Normalised: true,
	}}
	return l
}

func TestSubjectAtEveryHook(t *testing.T) {
	h := open(t, byOID)
	out := h.Provision(t.Context(), mapped(identity.HookPrepare, ann(with("oid", "o-1"))))
	want(t, out, identity.Created)
	if !out.Record.Normalised {
		t.Error("the record does not say that the claims are Kratos's reading")
	}
	// After prepare the claims are gone from what Kratos keeps.
	want(t, h.Commit(t.Context(), mapped(identity.HookCommit, nil)), identity.Activated)
	api := h.holds("acme:pairwise")
	want(t, h.Provision(t.Context(), mapped(identity.HookLogin, nil)), identity.Unchanged)
	links := mapped(identity.HookLinks, nil)
	links.Provider = ""
	want(t, h.Provision(t.Context(), links), identity.Unchanged)
	if removed := api.removed(); len(removed) > 0 {
		t.Errorf("removed in Kratos: %v", removed)
	}
	h.holds("acme:another")
	want(t, h.Provision(t.Context(), mapped(identity.HookLogin, nil)), identity.Denied, identity.CodeClaimsConflict)
	i := h.only()
	if len(i.Links) != 1 || i.Links[0].Subject != "o-1" || i.Links[0].Credential != "pairwise" || i.Link("https://acme.example", "pairwise") >= 0 {
		t.Errorf("%+v", i.Links)
	}

	h.holds()
	want(t, h.Provision(t.Context(), links), identity.Updated)
	if i := h.only(); len(i.Links) > 0 {
		t.Errorf("Kratos has dropped the credential: %+v", i.Links)
	}
}

// TestSubjectThatIsAnothersSub: one person's object id is another's sub; they
// stay two people.
func TestSubjectThatIsAnothersSub(t *testing.T) {
	h := open(t, byOID)
	h.Provision(t.Context(), generic("o-1", ann(with("oid", "o-1"), with("sub", "o-2"))))
	want(t, h.Provision(t.Context(), generic("o-2", ann(with("oid", "o-2"), with("sub", "o-1"), without("email_verified"), with("preferred_username", "bob")))), identity.Created)
	want(t, h.Provision(t.Context(), generic("o-1", ann(with("oid", "o-2")))), identity.Denied, identity.CodeClaimsConflict)
	want(t, h.Provision(t.Context(), generic("o-1", ann())), identity.Denied, identity.CodeSubjectUndeterminable)
	if len(h.all()) != 2 {
		t.Errorf("%d identities", len(h.all()))
	}
}
