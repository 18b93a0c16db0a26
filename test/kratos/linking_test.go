//go:build unix

// These tests prove that no provider is connected to an account past the policy,
// through whichever of Kratos's doors, and that what Kratos has connected all the
// same is disconnected again.
package kratos_test

import (
	"net/url"
	"slices"
	"testing"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/test/kratos/kratostest"
)

// TestS51_KnownAddress: Kratos would offer the owner of the address to connect
// the stranger's account; with the Admin API nothing is offered.
func TestS51_KnownAddress(t *testing.T) {
	t.Parallel()
	d := newDoors(t)
	d.person(d.op, "anna", "anna@acme.example")
	_, id := d.enter(d.by("acme", "anna"))
	d.person(d.globex, "g-anna", "anna@acme.example")
	d.globex.SetAccount(t, "g-anna", map[string]any{"email": "anna@acme.example", "hd": "globex.example", "preferred_username": "g-anna"})
	r := kratostest.NewBrowser().SignIn(t, d.k, d.by("globex", "g-anna"))
	d.refused(r, identity.CodeTraitTaken)
	if r.FlowName != "registration" || len(d.all()) != 1 || !slices.Equal(d.identifiers(id), []string{"acme:anna"}) {
		t.Errorf("at %q; jithook has %d identities, Kratos %v", r.FlowName, len(d.all()), d.identifiers(id))
	}
}

// TestP1_ClassicFederatedMerge: somebody has made an account with the victim's
// address and a password of their own. The victim's first sign-in is not merged
// into it, neither while Kratos says that it knows the address nor while nobody
// can ask it, and the account's owner stays who they are.
func TestP1_ClassicFederatedMerge(t *testing.T) {
	t.Parallel()
	d := newDoors(t)
	attacker := d.k.Import(t, map[string]any{
		"schema_id": "default", "traits": map[string]any{"email": "anna@acme.example"}, "credentials": kratostest.Credentials(password),
	})
	d.person(d.op, "anna", "anna@acme.example")
	d.refused(kratostest.NewBrowser().SignIn(t, d.k, d.by("acme", "anna")), identity.CodeTraitTaken)
	d.down.Store(true)
	if r := kratostest.NewBrowser().SignIn(t, d.k, d.by("acme", "anna")); r.Outcome == kratostest.OutcomeSession {
		t.Errorf("signed in as %s", r.Session.Identity.ID)
	}
	d.down.Store(false)
	if _, id := d.enter(byPassword("anna@acme.example")); id != attacker.ID {
		t.Errorf("the attacker is %s", id)
	}
	if got := d.identifiers(attacker.ID); len(got) != 0 {
		t.Errorf("the attacker's account has %v", got)
	}
	if i := d.holder(d.op, "anna"); i != nil && (i.State != identity.StatePending || len(i.ExternalIDs) != 0) {
		t.Errorf("the victim is %+v", i)
	}
}

// TestS51_LinkingBySignIn: the offer came through all the same, and the owner took
// it. Kratos stores the link before any hook runs: it is removed, and the sign-in
// refused, whatever the owner proved the account with.
func TestS51_LinkingBySignIn(t *testing.T) {
	t.Parallel()
	d := newDoors(t)
	for name, proof := range map[string]kratostest.SignIn{
		"anna": d.by("acme", "anna"),
		"bea":  byPassword("bea@acme.example"),
		"cleo": d.by("acme", "cleo"), // and the Admin API is down at first
	} {
		t.Run(name, func(t *testing.T) {
			d.person(d.op, name, name+"@acme.example")
			b, id := d.enter(d.by("acme", name))
			d.settings(b, "", url.Values{"method": {"password"}, "password": {password}})
			stranger := "g-" + name
			d.globex.SetAccount(t, stranger, map[string]any{"email": name + "@acme.example", "hd": "globex.example", "preferred_username": stranger})

			d.down.Store(true)
			b = kratostest.NewBrowser()
			offer := b.SignIn(t, d.k, d.by("globex", stranger))
			d.down.Store(name == "cleo")
			if offer.FlowName != kratostest.StartLogin {
				t.Fatalf("Kratos offers nothing: %q %+v", offer.FlowName, offer.Messages)
			}
			d.refused(b.Continue(t, d.k, offer, proof), identity.CodeLinkingDisabled)
			d.down.Store(false)
			if name == "cleo" {
				// What could not be removed is refused for ever.
				d.refused(kratostest.NewBrowser().SignIn(t, d.k, d.by("globex", stranger)), identity.CodeLinkStale, identity.CodeLinkingDisabled)
			} else if got := d.identifiers(id); !slices.Equal(got, []string{"acme:" + name}) {
				t.Errorf("Kratos holds %v", got)
			}
			if b.Whoami(t, d.k) != nil {
				t.Error("signed in")
			}
			d.enter(d.by("acme", name))
		})
	}
}

// TestS51_SecondSubjectOfOneProvider: two subjects of one provider on one account
// look the same to every hook. The one that no policy saw goes.
func TestS51_SecondSubjectOfOneProvider(t *testing.T) {
	t.Parallel()
	d := newDoors(t)
	for name, missed := range map[string]bool{"anna": false, "bea": true} {
		t.Run(name, func(t *testing.T) {
			d.person(d.op, name, name+"@acme.example")
			_, id := d.enter(d.by("acme", name))
			second := name + "-2"
			d.op.SetAccount(t, second, map[string]any{"email": name + "@acme.example", "hd": "acme.example", "preferred_username": second})
			d.down.Store(true)
			b := kratostest.NewBrowser()
			offer := b.SignIn(t, d.k, d.by("acme", second))
			d.down.Store(missed)
			d.refused(b.Continue(t, d.k, offer, d.by("acme", name)), identity.CodeLinkingDisabled)
			d.down.Store(false)
			if missed {
				// Which of the two this is nobody can tell.
				d.refused(kratostest.NewBrowser().SignIn(t, d.k, d.by("acme", second)), identity.CodeSubjectUndeterminable)
			}
			if got := d.identifiers(id); !slices.Equal(got, []string{"acme:" + name}) {
				t.Errorf("Kratos holds %v", got)
			}
			if _, again := d.enter(d.by("acme", name)); again != id {
				t.Errorf("%s is %s now", name, again)
			}
			d.refused(kratostest.NewBrowser().SignIn(t, d.k, d.by("acme", second)), identity.CodeTraitTaken)
		})
	}
}

// TestConnectingInTheSettings: refused before Kratos stores it; where Kratos is
// not told to ask first, it is taken back after.
func TestConnectingInTheSettings(t *testing.T) {
	t.Parallel()
	d := newDoors(t)
	d.person(d.op, "anna", "anna@acme.example")
	d.person(d.globex, "g-anna", "anna@globex.example")
	b, id := d.enter(d.by("acme", "anna"))
	connect := url.Values{"method": {"oidc"}, "link": {"globex"}}
	d.refused(d.settings(b, "g-anna", connect), identity.CodeLinkingDisabled)
	d.unasked.Store(true)
	d.settings(b, "g-anna", connect)
	if got := d.identifiers(id); !slices.Equal(got, []string{"acme:anna"}) {
		t.Errorf("Kratos holds %v", got)
	}
}
