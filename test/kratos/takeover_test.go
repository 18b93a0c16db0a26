//go:build unix

// These tests prove account linking in front of a real Kratos: what policy lets
// become one person's becomes so by Kratos's own proof, through whichever of its
// doors, and stays so; what policy refuses is not even offered; and what comes
// past it is taken back.
package kratos_test

import (
	"io"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/provider"
	"github.com/jithook/jithook/provision"
	"github.com/jithook/jithook/test/kratos/kratostest"
	"github.com/jithook/jithook/test/service"
)

// linkingFile is globex's file, which vouches for acme's addresses too.
const linkingFile = `
version: 1
provider: globex
issuer: ISSUER
trust: {authoritative_domains: [acme.example, globex.example]}
jit:
  enabled: true
  allow: claims.hd == "globex.example"
  account_lookup: [{local: /traits/email, federated: claims.email}]
  account_linking: auto
traits:
  email: {value: claims.email, verified: claims.email_verified, canonical: email, unique: true, required: true}
  name: {value: claims.name}
`

// linkingDoors are doors at which globex may link, and a way to edit its file.
type linkingDoors struct {
	doors
	set *atomic.Pointer[provider.Set]
}

func newLinkingDoors(t *testing.T) linkingDoors {
	t.Helper()
	d := linkingDoors{newDoorsWith(t, linkingFile), &atomic.Pointer[provider.Set]{}}
	d.set.Store(d.s.Providers())
	d.s.Service.Providers = d.set.Load
	return d
}

// edit replaces a part of globex's file, until it is undone.
func (d linkingDoors) edit(t *testing.T, old, new string) (undo func()) {
	t.Helper()
	file := strings.Replace(d.files["globex.yaml"], old, new, 1)
	over, err := service.Over(d.s.Bolt, io.Discard, d.files["acme.yaml"], file)
	if err != nil || file == d.files["globex.yaml"] {
		t.Fatalf("replace %q: %v", old, err)
	}
	before := d.set.Swap(over.Providers())
	return func() { d.set.Store(before) }
}

// both makes somebody who signs in by acme and has a password, and their account
// at globex with the same address. It returns Kratos's id of them.
func (d linkingDoors) both(name string, edit ...func(map[string]any)) string {
	d.t.Helper()
	d.person(d.op, name, name+"@acme.example")
	b, id := d.enter(d.by("acme", name))
	d.settings(b, "", url.Values{"method": {"password"}, "password": {password}})
	claims := map[string]any{"email": name + "@acme.example", "email_verified": true, "name": "At Globex", "hd": "globex.example"}
	for _, e := range edit {
		e(claims)
	}
	d.globex.SetAccount(d.t, "g-"+name, claims)
	return id
}

// offered signs in at globex with a new browser, and wants Kratos to ask for a
// proof.
func (d linkingDoors) offered(name string) (*kratostest.Browser, kratostest.Result) {
	d.t.Helper()
	b := kratostest.NewBrowser()
	r := b.SignIn(d.t, d.k, d.by("globex", "g-"+name))
	if r.Outcome != kratostest.OutcomeFlow || r.FlowName != kratostest.StartLogin {
		d.t.Fatalf("Kratos asks for no proof: %q at %q: %+v %s", r.Outcome, r.FlowName, r.Messages, r.Error)
	}
	return b, r
}

// wantLinked checks that both sides have the one person with both subjects, and
// that globex leads straight to them.
func (d linkingDoors) wantLinked(t *testing.T, name, id string) {
	t.Helper()
	if got := d.identifiers(id); !slices.Equal(got, []string{"acme:" + name, "globex:g-" + name}) {
		t.Errorf("Kratos holds %v", got)
	}
	i := d.holder(d.globex, "g-"+name)
	if i == nil || len(i.Links) != 2 || len(i.Proposals) != 0 || i.Link(d.op.Issuer, name) < 0 || i.Traits["name"] != "Name of "+name {
		t.Fatalf("jithook has %+v", i)
	}
	if kratosID, _ := i.External(identity.SystemKratos, "main"); kratosID != id {
		t.Errorf("under %s, Kratos says %s", kratosID, id)
	}
	for range 2 {
		if _, again := d.enter(d.by("globex", "g-"+name)); again != id {
			t.Errorf("globex leads to %s, want %s", again, id)
		}
	}
	if _, again := d.enter(d.by("acme", name)); again != id {
		t.Errorf("acme leads to %s, want %s", again, id)
	}
}

// wantUnlinked checks that neither side has globex's subject as this person's.
func (d linkingDoors) wantUnlinked(t *testing.T, name, id string) {
	t.Helper()
	if got := d.identifiers(id); !slices.Equal(got, []string{"acme:" + name}) {
		t.Errorf("Kratos holds %v", got)
	}
	if i := d.holder(d.op, name); i == nil || len(i.Links) != 1 {
		t.Errorf("jithook has %+v", i)
	}
	d.enter(d.by("acme", name))
}

func TestTakeOver(t *testing.T) {
	t.Parallel()
	d := newLinkingDoors(t)
	within := func(name string, test func(*testing.T, linkingDoors)) {
		t.Run(name, func(t *testing.T) {
			d := d
			d.t = t
			test(t, d)
		})
	}
	proofs := map[string]func(name string) kratostest.SignIn{
		"anna": func(name string) kratostest.SignIn { return d.by("acme", name) },
		"bea":  func(name string) kratostest.SignIn { return byPassword(name + "@acme.example") },
	}
	for name, proof := range proofs {
		within("auto, "+name, func(t *testing.T, d linkingDoors) {
			id := d.both(name)
			d.offered(name) // and thinks better of it
			b, r := d.offered(name)
			if i := d.holder(d.op, name); len(i.Proposals) != 1 || d.holder(d.globex, "g-"+name) != nil {
				t.Errorf("awaited: %+v", i.Proposals)
			}
			if r := b.Continue(t, d.k, r, proof(name)); r.Outcome != kratostest.OutcomeSession || r.Session.Identity.ID != id {
				t.Fatalf("proved: %q %+v %s", r.Outcome, r.Messages, r.Error)
			}
			d.wantLinked(t, name, id)
		})
	}
	within("auto, jithook hears nothing at the proof", func(t *testing.T, d linkingDoors) {
		id := d.both("cleo")
		b, r := d.offered("cleo")
		d.down.Store(true)
		d.refused(b.Continue(t, d.k, r, d.by("acme", "cleo")), identity.CodeLinkingDisabled)
		d.down.Store(false)
		// Kratos has connected it. The next login by whichever way takes it over.
		d.enter(d.by("globex", "g-cleo"))
		d.wantLinked(t, "cleo", id)
	})
	within("pending since earlier days", func(t *testing.T, d linkingDoors) {
		id := d.both("dora")
		later := d.edit(t, "authoritative_domains: [acme.example, globex.example]", "authoritative_domains: [globex.example]")
		d.down.Store(true)
		d.offered("dora")
		d.down.Store(false)
		pending := d.holder(d.globex, "g-dora")
		if pending == nil || pending.State != identity.StatePending {
			t.Fatalf("the subject is %+v", pending)
		}
		later()
		b, r := d.offered("dora")
		if r := b.Continue(t, d.k, r, d.by("acme", "dora")); r.Outcome != kratostest.OutcomeSession || r.Session.Identity.ID != id {
			t.Fatalf("proved: %q %+v %s", r.Outcome, r.Messages, r.Error)
		}
		d.wantLinked(t, "dora", id)
		if _, err := d.s.Bolt.Get(t.Context(), pending.ID); err == nil {
			t.Error("the pending identity did not yield")
		}
	})
	within("connected in the settings", func(t *testing.T, d linkingDoors) {
		id := d.both("emma")
		d.globex.SetAccount(t, "g-other", map[string]any{"email": "other@globex.example", "email_verified": true, "hd": "globex.example"})
		connect := url.Values{"method": {"oidc"}, "link": {"globex"}}
		b, _ := d.enter(d.by("acme", "emma"))
		d.refused(d.settings(b, "g-emma", connect), identity.CodeLinkingDisabled) // nobody awaits it
		d.offered("emma")
		d.settings(b, "g-other", connect) // is not the one
		d.wantUnlinked(t, "emma", id)
		if r := d.settings(b, "g-emma", connect); r.Outcome != kratostest.OutcomeFlow {
			t.Errorf("%q %+v %s", r.Outcome, r.Messages, r.Error)
		}
		d.wantLinked(t, "emma", id)
	})
	within("S51 nobody awaits it", func(t *testing.T, d linkingDoors) {
		id := d.both("fay", func(c map[string]any) { c["email_verified"] = false })
		d.refused(kratostest.NewBrowser().SignIn(t, d.k, d.by("globex", "g-fay")), identity.CodeTraitTaken)
		d.down.Store(true)
		b, r := d.offered("fay")
		d.down.Store(false)
		d.refused(b.Continue(t, d.k, r, d.by("acme", "fay")), identity.CodeLinkingDisabled)
		d.wantUnlinked(t, "fay", id)
	})
	within("S50 disconnected again", func(t *testing.T, d linkingDoors) {
		id := d.both("gina")
		b, r := d.offered("gina")
		b.Continue(t, d.k, r, d.by("acme", "gina"))
		d.wantLinked(t, "gina", id)
		b, _ = d.enter(d.by("acme", "gina"))
		d.settings(b, "", url.Values{"method": {"oidc"}, "unlink": {"globex"}})
		d.wantUnlinked(t, "gina", id)
		// Without her proof the subject is nobody, and with another address
		// somebody else.
		d.offered("gina")
		d.wantUnlinked(t, "gina", id)
		d.globex.SetAccount(t, "g-gina", map[string]any{"email": "mallory@globex.example", "email_verified": true, "hd": "globex.example"})
		d.stranger(t, "g-gina", id)
	})
	within("disabled", func(t *testing.T, d linkingDoors) {
		defer d.edit(t, "account_linking: auto", "account_linking: disabled")()
		id := d.both("hana")
		r := kratostest.NewBrowser().SignIn(t, d.k, d.by("globex", "g-hana"))
		if d.refused(r, identity.CodeLinkingDisabled); r.FlowName != kratostest.StartRegistration {
			t.Errorf("at %q", r.FlowName)
		}
		d.wantUnlinked(t, "hana", id)
	})
	within("confirm, then approved", func(t *testing.T, d linkingDoors) {
		defer d.edit(t, "account_linking: auto", "account_linking: confirm")()
		id := d.both("ida")
		r := kratostest.NewBrowser().SignIn(t, d.k, d.by("globex", "g-ida"))
		if d.refused(r, identity.CodeLinkApprovalRequired); r.FlowName != kratostest.StartRegistration {
			t.Errorf("at %q", r.FlowName)
		}
		d.wantUnlinked(t, "ida", id)
		i := d.holder(d.op, "ida")
		if len(i.Proposals) != 1 {
			t.Fatalf("proposed: %+v", i.Proposals)
		}
		if _, err := d.s.Edit(t.Context(), provision.Target{ID: i.ID}, provision.Approve(i.ProposalID(i.Proposals[0]))); err != nil {
			t.Fatal(err)
		}
		b, r := d.offered("ida")
		if r := b.Continue(t, d.k, r, byPassword("ida@acme.example")); r.Outcome != kratostest.OutcomeSession || r.Session.Identity.ID != id {
			t.Fatalf("proved: %q %+v %s", r.Outcome, r.Messages, r.Error)
		}
		d.wantLinked(t, "ida", id)
		b, _ = d.enter(d.by("acme", "ida"))
		d.settings(b, "", url.Values{"method": {"oidc"}, "unlink": {"globex"}})
		d.wantUnlinked(t, "ida", id)
	})
	within("the browser names another address", func(t *testing.T, d linkingDoors) {
		id := d.both("jane")
		victim := d.both("kim")
		s := d.by("globex", "g-jane")
		s.ExtraForm = url.Values{"traits.email": {"kim@acme.example"}}
		b := kratostest.NewBrowser()
		r := b.SignIn(t, d.k, s)
		if r.FlowName != kratostest.StartLogin {
			t.Fatalf("%q at %q: %+v", r.Outcome, r.FlowName, r.Messages)
		}
		if r := b.Continue(t, d.k, r, d.by("acme", "kim")); r.Outcome == kratostest.OutcomeSession {
			t.Error("kim's proof was taken for jane's")
		}
		d.wantUnlinked(t, "kim", victim)
		d.wantUnlinked(t, "jane", id)
	})
}
