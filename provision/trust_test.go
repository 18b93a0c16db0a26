package provision_test

// These tests prove that a provider's word that an address is verified counts
// no longer than its file says so: it goes at the next login, with the key that
// rested on it, whether claims come with that login or not.

import (
	"slices"
	"testing"

	"github.com/jithook/jithook/identity"
)

func TestTrustWithdrawn(t *testing.T) {
	const trusted = "trust: {authoritative_domains: [acme.example]}"
	const verified = "verified: claims.email_verified, canonical: email"
	mail := identity.MailKey("employees", "ann@acme.example")
	fresh := func() identity.Login { return generic("s-1", ann()) }
	// A login of Kratos brings nothing new: what it kept is of the registration.
	kept := func() identity.Login { return signIn("acme") }
	password := func() identity.Login { return signIn("") }
	for name, c := range map[string]struct {
		file  string
		login func() identity.Login
		holds bool
	}{
		"S61 domain taken away, fresh claims": {replace(acme, trusted, ""), fresh, false},
		"S61 domain taken away, no claims":    {replace(acme, trusted, ""), kept, false},
		"S61 domain taken away, a password":   {replace(acme, trusted, ""), password, false},
		"another domain instead":              {replace(acme, trusted, "trust: {authoritative_domains: [other.example]}"), kept, false},
		"the trait is not verified any more":  {replace(acme, verified, "canonical: email"), kept, false},
		"the trait is not mapped any more":    {replace(replace(acme, trusted, ""), "email: {", "contact: {"), kept, false},
		"JIT switched off as well":            {replace(replace(acme, trusted, ""), "enabled: true", "enabled: false"), kept, false},
		"the provider is gone":                {replace(replace(acme, "provider: acme", "provider: globex"), "issuer: https://acme.example", "issuer: https://globex.example"), password, false},
		"the provider has another name":       {replace(acme, "provider: acme", "provider: globex"), password, true},
		"renamed and not trusted":             {replace(replace(acme, "provider: acme", "provider: globex"), trusted, ""), password, false},
		"trusted with all domains":            {replace(acme, trusted, "trust: {email_verified: true}"), kept, true},
		"nothing changed":                     {acme, kept, true},
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t)
			h.Provision(t.Context(), fresh())
			i := h.only()
			i.ExternalIDs = []identity.ExternalID{ofK1(identity.HookLogin).External}
			i.Keys = append(i.Keys, identity.ExtKey(i.ExternalIDs[0]))
			slices.Sort(i.Keys)
			i.Revision++
			if err := h.store.Swap(t.Context(), i, identity.Record{}); err != nil {
				t.Fatal(err)
			}
			h.edit(c.file)
			decision, changes := identity.Unchanged, []identity.Change(nil)
			if !c.holds {
				decision, changes = identity.Updated, []identity.Change{set("/traits/email")}
				if name == "the provider is gone" {
					changes = append(changes, remove("/groups/engineering"))
				}
			}
			out := h.Provision(t.Context(), c.login())
			if out.Record.Decision != decision || !slices.Equal(out.Record.Change, changes) {
				t.Errorf("%s %v %v", out.Record.Decision, out.Record.Reasons, out.Record.Change)
			}
			i = h.only()
			by, _ := i.ProvenanceOf("/email")
			if by.VerifiedBy != "" != c.holds || slices.Contains(i.Keys, mail) != c.holds || i.Traits["email"] != "ann@acme.example" {
				t.Errorf("%+v, keys %v", by, i.Keys)
			}
			want(t, h.Provision(t.Context(), c.login()), identity.Unchanged)
		})
	}
}

// TestTrustWithdrawnFromOneOfTwo: at a login by the other provider, which has a
// key of its own to write.
func TestTrustWithdrawnFromOneOfTwo(t *testing.T) {
	globex := replace(replace(replace(acme, "provider: acme", "provider: globex"), "https://acme.example", "https://globex.example"), "email: {", "contact: {")
	h := open(t, acme, globex)
	h.Provision(t.Context(), generic("s-1", ann()))
	h.link(identity.SourceHookBody)
	next := open(t, replace(acme, "trust: {authoritative_domains: [acme.example]}", ""), globex)
	h.Providers = next.Providers
	l := generic("g-1", ann(with("email", "ann@other.example")))
	l.Provider, l.Offers[0].Provider = "globex", "globex"
	want(t, h.Provision(t.Context(), l), identity.Updated)
	i := h.only()
	by, _ := i.ProvenanceOf("/email")
	if by.VerifiedBy != "" || slices.Contains(i.Keys, identity.MailKey("employees", "ann@acme.example")) {
		t.Errorf("%+v, keys %v", by, i.Keys)
	}
}

// TestTrustWithdrawnAndANewAddress: one path is named once.
func TestTrustWithdrawnAndANewAddress(t *testing.T) {
	h := open(t)
	h.Provision(t.Context(), generic("s-1", ann()))
	h.edit(replace(acme, "trust: {authoritative_domains: [acme.example]}", ""))
	out := h.Provision(t.Context(), generic("s-1", ann(with("email", "anna@acme.example"))))
	if changes := []identity.Change{set("/traits/email")}; !slices.Equal(out.Record.Change, changes) {
		t.Errorf("changes %v", out.Record.Change)
	}
	if i := h.only(); i.Traits["email"] != "anna@acme.example" || len(i.Keys) != 2 {
		t.Errorf("%+v", i)
	}
}
