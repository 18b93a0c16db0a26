package provision_test

// These tests prove what becomes of a link whose provider goes on under another name:
// with it goes what rests on its subject under either, and its lease is the one of now.

import (
	"slices"
	"testing"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/provision"
)

func TestUnlinkUnderAnotherName(t *testing.T) {
	acme2 := replace(acme, "provider: acme", "provider: acme2")
	byAcme2 := func(subject string) identity.Login {
		l := ofK1(identity.HookGeneric)
		l.External = identity.ExternalID{}
		l.Provider = "acme2"
		l.Offers = []identity.Offer{{Source: identity.SourceHookBody, Provider: "acme2", Subject: subject, Claims: ann(with("groups", []any{"eng", "staff"}))}}
		return l
	}
	for name, files := range map[string][]string{
		"the provider was renamed":            {acme2},
		"there is a second one of its issuer": {acme, acme2},
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t)
			want(t, h.Provision(t.Context(), generic("s-1", ann())), identity.Created)
			h.edit(files...)
			want(t, h.Provision(t.Context(), byAcme2("s-1")), identity.Updated)
			if got := groups(h.only()); !slices.Contains(got, "staff") {
				t.Fatalf("granted %v", got)
			}
			h.admin(provision.Unlink("acme"), identity.Updated, identity.CodeAdminUnlinked)
			i := h.only()
			by, _ := i.ProvenanceOf("/email")
			if len(i.Groups) > 0 || by.VerifiedBy != "" || slices.ContainsFunc(i.Keys, func(k identity.Key) bool { return k.Kind() == identity.KeyMail }) {
				t.Errorf("left: groups %v, address verified by %q, keys %v", i.Groups, by.VerifiedBy, i.Keys)
			}
		})
	}
	t.Run("another subject of the issuer stays", func(t *testing.T) {
		h := open(t)
		want(t, h.Provision(t.Context(), generic("s-1", ann())), identity.Created)
		h.edit(acme2)
		want(t, h.Provision(t.Context(), byAcme2("s-1")), identity.Updated)
		h.edited(func(i *identity.Identity) {
			i.Links = append(i.Links, identity.Link{Provider: "acme2", Issuer: "https://acme.example", Subject: "s-2"})
			i.Keys = append(i.Keys, identity.FedKey("https://acme.example", "s-2"))
		})
		h.admin(provision.Unlink("acme"), identity.Updated, identity.CodeAdminUnlinked)
		i := h.only()
		if by, _ := i.ProvenanceOf("/email"); by.VerifiedBy == "" || len(i.Groups) == 0 || len(i.Links) != 1 {
			t.Errorf("groups %v, address verified by %q, links %v", i.Groups, by.VerifiedBy, i.Links)
		}
	})
}

func TestLeaseUnderAnotherName(t *testing.T) {
	for name, c := range map[string]struct {
		file string
		by   string
	}{
		"with a lease":      {replace(leased("30d"), "provider: acme", "provider: acme2"), "provider:acme2"},
		"without one":       {replace(acme, "provider: acme", "provider: acme2"), ""},
		"of another issuer": {replace(globex, "enabled: true", "enabled: true\n  inactive_after: 30d"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t)
			want(t, h.Provision(t.Context(), generic("s-1", ann())), identity.Created)
			h.edit(c.file)
			h.now = h.now.Add(31 * day)
			if c.by == "" {
				h.swept(provision.RuleInactive, "")
				return
			}
			h.swept(provision.RuleInactive, provision.FateDone)
			if i := h.only(); i.State != identity.StateSuspended || i.StateSource != c.by {
				t.Errorf("%s by %s", i.State, i.StateSource)
			}
		})
	}
}
