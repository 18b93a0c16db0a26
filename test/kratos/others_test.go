//go:build unix

// These tests prove that what describes somebody else, or was true once, lets
// nobody in as a person: another provider's metadata, another Kratos's ids, an
// identity that Kratos lost, a state that an administrator set, and a form in
// which the person writes what they like.
package kratos_test

import (
	"context"
	"net/url"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/test/kratos/kratostest"
)

// TestS49_SecondProvider: after globex was connected its sign-in still carries
// acme's metadata. The subject is globex's all the same, and nothing of acme's
// claims is applied.
func TestS49_SecondProvider(t *testing.T) {
	t.Parallel()
	d := newDoors(t)
	id := d.linked("anna", "g-anna")
	before := d.holder(d.op, "anna")
	if _, got := d.enter(d.by("globex", "g-anna")); got != id {
		t.Errorf("globex signed in to %s", got)
	}
	if diff := cmp.Diff(before.Traits, d.holder(d.op, "anna").Traits); diff != "" {
		t.Errorf("traits (-before +after):\n%s", diff)
	}
	// Without its link it is nobody's, whatever acme's metadata says.
	i := before.Clone()
	i.Links, i.Revision = i.Links[:1], i.Revision+1
	i.Keys = without(i.Keys, identity.FedKey(d.globex.Issuer, "g-anna"))
	if err := d.s.Bolt.Swap(t.Context(), i, identity.Record{}); err != nil {
		t.Fatal(err)
	}
	d.refused(kratostest.NewBrowser().SignIn(t, d.k, d.by("globex", "g-anna")), identity.CodeLinkStale, identity.CodeLinkingDisabled)
}

func without(keys []identity.Key, k identity.Key) []identity.Key {
	var rest []identity.Key
	for _, have := range keys {
		if have != k {
			rest = append(rest, have)
		}
	}
	return rest
}

// TestS56_IdentityIDOfAnotherKratos: an id of ours in metadata proves nothing.
func TestS56_IdentityIDOfAnotherKratos(t *testing.T) {
	t.Parallel()
	d := newDoors(t)
	d.person(d.op, "anna", "anna@acme.example")
	d.enter(d.by("acme", "anna"))
	d.movedTo("anna", "other")
	anna := d.holder(d.op, "anna")
	mallory := d.k.Import(t, map[string]any{
		"schema_id": "default", "traits": map[string]any{"email": "mallory@evil.example"},
		"metadata_public": map[string]any{"jithook": map[string]any{"identity_id": anna.ID}},
		"credentials":     kratostest.Credentials(password, "acme:mallory"),
	})
	d.person(d.op, "mallory", "mallory@evil.example")
	about := d.decided(anna.ID)
	for _, s := range []kratostest.SignIn{byPassword("mallory@evil.example"), d.by("acme", "mallory")} {
		r := kratostest.NewBrowser().SignIn(t, d.k, s)
		if r.Outcome == kratostest.OutcomeSession && r.Session.Identity.ID != mallory.ID {
			t.Errorf("signed in as %s", r.Session.Identity.ID)
		}
	}
	if diff := cmp.Diff(anna, d.holder(d.op, "anna")); diff != "" {
		t.Errorf("anna (-before +after):\n%s", diff)
	}
	if i := d.holder(d.op, "mallory"); i != nil {
		t.Errorf("mallory is %+v", i)
	}
	if now := d.decided(anna.ID); now != about {
		t.Errorf("%d decisions about anna, %d before", now, about)
	}
}

// decided returns how many logins were decided as those of an identity.
func (d doors) decided(id string) int {
	d.t.Helper()
	ended, cancel := context.WithCancel(d.t.Context())
	cancel()
	d.s.Later.Run(ended) // writes what was queued
	page, err := d.s.Bolt.Decisions(d.t.Context(), store.DecisionQuery{IdentityID: id, PageSize: 100})
	if err != nil {
		d.t.Fatal(err)
	}
	return len(page.Records)
}

// movedTo makes a person of acme one whom another Kratos has, and not this one.
func (d doors) movedTo(subject, instance string) {
	d.t.Helper()
	i := d.holder(d.op, subject).Clone()
	i.Keys = without(i.Keys, identity.ExtKey(i.ExternalIDs[0]))
	i.ExternalIDs[0].Instance = instance
	i.Keys = append(i.Keys, identity.ExtKey(i.ExternalIDs[0]))
	slices.Sort(i.Keys)
	i.Revision++
	if err := d.s.Bolt.Swap(d.t.Context(), i, identity.Record{}); err != nil {
		d.t.Fatal(err)
	}
}

// TestLostInKratos: Kratos lost its identity, the person returns. The identity
// here is theirs still, unless its state bars it, or Kratos did not lose it but
// the credential.
func TestLostInKratos(t *testing.T) {
	t.Parallel()
	d := newDoors(t)
	for name, c := range map[string]struct {
		state identity.State
		down  bool
		code  identity.Code
	}{
		"anna": {identity.StateActive, false, ""},
		"bea":  {identity.StateSuspended, false, identity.CodeSuspended},
		"cleo": {identity.StateActive, true, identity.CodeLinkStale},
	} {
		t.Run(name, func(t *testing.T) {
			d.person(d.op, name, name+"@acme.example")
			_, old := d.enter(d.by("acme", name))
			before := d.holder(d.op, name)
			d.set(name, c.state)
			d.k.DeleteIdentity(t, old)
			d.down.Store(c.down)
			defer d.down.Store(false)
			r := kratostest.NewBrowser().SignIn(t, d.k, d.by("acme", name))
			after := d.holder(d.op, name)
			if c.code != "" {
				d.refused(r, c.code)
				if got, _ := after.External(identity.SystemKratos, "main"); got != old || len(d.k.IdentitiesByCredential(t, "acme:"+name)) != 0 {
					t.Errorf("bound to %s", got)
				}
				return
			}
			if r.Outcome != kratostest.OutcomeSession {
				t.Fatalf("%q %+v %s", r.Outcome, r.Messages, r.Error)
			}
			want := []identity.ExternalID{{System: identity.SystemKratos, Instance: "main", ID: r.Session.Identity.ID}}
			if diff := cmp.Diff(want, after.ExternalIDs); diff != "" || after.ID != before.ID || after.State != identity.StateActive {
				t.Errorf("%s, was %s; external ids (-want +got):\n%s", after.ID, before.ID, diff)
			}
			d.enter(d.by("acme", name))
		})
	}
}

// set puts a person of acme into a state.
func (d doors) set(subject string, state identity.State) {
	d.t.Helper()
	i := d.holder(d.op, subject).Clone()
	i.State, i.Revision = state, i.Revision+1
	if err := d.s.Bolt.Swap(d.t.Context(), i, identity.Record{}); err != nil {
		d.t.Fatal(err)
	}
}

// TestS47_SuspendedWithAPassword: a state bars every method, and the settings of
// a session that is still there.
func TestS47_SuspendedWithAPassword(t *testing.T) {
	t.Parallel()
	d := newDoors(t)
	d.linked("anna", "g-anna")
	b, id := d.enter(byPassword("anna@acme.example"))
	d.set("anna", identity.StateSuspended)
	for _, s := range []kratostest.SignIn{byPassword("anna@acme.example"), d.by("acme", "anna"), d.by("globex", "g-anna")} {
		d.refused(kratostest.NewBrowser().SignIn(t, d.k, s), identity.CodeSuspended)
	}
	d.refused(d.settings(b, "", url.Values{"method": {"profile"}, "traits.email": {"anna@acme.example"}}), identity.CodeSuspended)
	d.refused(d.settings(b, "", url.Values{"method": {"oidc"}, "unlink": {"globex"}}), identity.CodeSuspended)
	if got := d.identifiers(id); len(got) != 2 {
		t.Errorf("Kratos holds %v", got)
	}
}

// TestS48_ProfileForm: what jithook decides is put back, and what nobody maps is
// the person's own.
func TestS48_ProfileForm(t *testing.T) {
	t.Parallel()
	d := newDoors(t)
	d.person(d.op, "anna", "anna@acme.example")
	b, id := d.enter(d.by("acme", "anna"))
	r := d.settings(b, "", url.Values{
		"method": {"profile"}, "traits.email": {"ceo@acme.example"}, "traits.name": {"The CEO"}, "traits.username": {"ceo"},
		"traits.groups": {"admins"}, "traits.groups.0": {"admins"}, "traits.nickname": {"Annie"},
	})
	if r.Outcome != kratostest.OutcomeFlow || r.FlowName != "settings" {
		t.Fatalf("%q %+v %s", r.Outcome, r.Messages, r.Error)
	}
	want := map[string]any{"email": "anna@acme.example", "name": "Name of anna", "username": "anna", "nickname": "Annie"}
	got := d.k.GetIdentity(t, id).Traits
	if groups, posted := got["groups"]; posted {
		want["groups"] = []any{"engineering"}
		if diff := cmp.Diff(want["groups"], groups); diff != "" {
			t.Errorf("groups (-want +got):\n%s", diff)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Kratos's traits (-want +got):\n%s", diff)
	}
}
