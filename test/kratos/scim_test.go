//go:build unix

// This test proves the whole way from a sign-in at a real Kratos to an account
// elsewhere: who signs in for the first time has one there, with groups, as soon
// as Kratos has persisted them and not before; what is lost and who is suspended
// is lost and inactive there.
package kratos_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/jithook/jithook/test/kratos/kratostest"
	"github.com/jithook/jithook/test/scim/scimtest"
)

func TestAccountsElsewhere(t *testing.T) {
	t.Parallel()
	target := scimtest.New(t)
	w := newWorld(t, kratostest.JithookConfig{
		Files: map[string]string{"acme.yaml": acmeFile + "claims: {source: [kratos_metadata, hook_body]}\noutbound: [hr]\n"},
		Outbound: map[string]any{"hr": map[string]any{"scim": map[string]any{
			"url": target.URL, "auth": map[string]any{"bearer": scimtest.Token}, "groups": "create",
			"attributes": map[string]any{"userName": "identity.traits.username", "displayName": "identity.traits.name"},
		}}},
	})
	w.j.Start(t)
	w.person("denied", func(c map[string]any) { c["acct"] = "guest" })
	if r := w.signIn(kratostest.SignIn{Subject: "denied"}); r.Outcome == kratostest.OutcomeSession {
		t.Fatal("a guest was let in")
	}
	w.person("ann")
	if r := w.signIn(kratostest.SignIn{Subject: "ann"}); r.Outcome != kratostest.OutcomeSession {
		t.Fatalf("%q %+v %s", r.Outcome, r.Messages, r.Error)
	}
	id := w.wantWhole("ann").ID
	has := func(active bool, groups ...string) func() bool {
		return func() bool {
			all := target.All("Users", "", "")
			if len(all) != 1 || all[0]["externalId"] != id || all[0]["userName"] != "ann" || all[0]["displayName"] != "Ann ann" || all[0]["active"] != active {
				return false
			}
			member := slices.Contains(target.Members("engineering"), fmt.Sprint(all[0]["id"]))
			return member == slices.Contains(groups, "engineering")
		}
	}
	eventually(t, "an account, a member of engineering", has(true, "engineering"))

	// The same person at another identity server, by then without the group. At
	// this Kratos nobody loses one: it runs the mapper at registration alone, so
	// that claims of a later sign-in reach nobody (update_identity_on_login is
	// newer than its release).
	w.j.Login(t, map[string]any{"version": 1, "provider": "acme", "subject": "ann", "claims": map[string]any{
		"iss": w.op.Issuer, "email": "ann@acme.example", "email_verified": true, "name": "Ann ann", "preferred_username": "ann", "hd": "acme.example", "groups": []string{},
	}})
	eventually(t, "no member any more", has(true))
	w.j.Edit(t, "/admin/v1/identities/"+id+"/suspend")
	eventually(t, "inactive", has(false))
	w.j.Edit(t, "/admin/v1/identities/"+id+"/activate")
	eventually(t, "active again", has(true))
}
