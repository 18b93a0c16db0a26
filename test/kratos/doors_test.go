//go:build unix

// These tests prove Kratos's doors with two providers, a password and the
// settings flow, and jithook asking the Admin API: nobody comes in by a link that
// no policy saw, that was taken away, or that describes somebody else.
package kratos_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/kratos"
	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/test/kratos/kratostest"
	"github.com/jithook/jithook/test/server"
	"github.com/jithook/jithook/test/service"
)

// doors is a Kratos with two providers and passwords, whose jithook runs in the
// test and may ask its Admin API, unless that is down.
type doors struct {
	world
	globex *kratostest.Provider
	s      service.Service
	// files are the providers' files as jithook has them.
	files  map[string]string
	direct *kratos.Admin // an administrator's own way
	down   *atomic.Bool  // the Admin API, for jithook
	// open are the settings, as if jithook were not hooked up there; unasked
	// leaves only the hook before Kratos stores a change out.
	open, unasked *atomic.Bool
}

func newDoors(t *testing.T) doors {
	t.Helper()
	return newDoorsWith(t, strings.ReplaceAll(strings.ReplaceAll(acmeFile, "provider: acme", "provider: globex"), "acme.example", "globex.example"))
}

// newDoorsWith is newDoors with globex's file, in which ISSUER is the running
// provider's.
func newDoorsWith(t *testing.T, globexFile string) doors {
	t.Helper()
	kratostest.Require(t)
	binary := server.Build(t)
	d := doors{globex: kratostest.StartProvider(t, kratostest.ProviderOptions{}), down: &atomic.Bool{}, open: &atomic.Bool{}, unasked: &atomic.Bool{}}
	d.world = world{op: kratostest.StartProvider(t, kratostest.ProviderOptions{}), t: t}
	d.files = map[string]string{
		"acme.yaml":   strings.Replace(acmeFile, "ISSUER", d.op.Issuer, 1),
		"globex.yaml": strings.Replace(globexFile, "ISSUER", d.globex.Issuer, 1),
	}
	hooks, answerWith := hookServer(t)
	door, leadsTo := adminDoor(t, d.down)
	d.j = kratostest.NewJithook(t, kratostest.JithookConfig{Binary: binary, Files: d.files, HookURL: hooks, KratosAdmin: door})
	d.k = kratostest.StartKratos(t, kratostest.Config{
		Providers:      []kratostest.OIDCProvider{d.op.ForKratos("acme"), d.globex.ForKratos("globex")},
		IdentitySchema: passwordSchema, Password: true,
		Documents: []map[string]any{d.j.KratosDocument(t)},
	})
	d.s = service.Open(t, io.Discard, d.files["acme.yaml"], d.files["globex.yaml"])
	leadsTo(d.k.AdminURL)
	direct, err := kratos.NewAdmin(d.k.AdminURL, "")
	if err != nil {
		t.Fatal(err)
	}
	d.direct = direct
	asked, err := kratos.NewAdmin(door, "")
	if err != nil {
		t.Fatal(err)
	}
	d.s.Kratos = map[string]*kratos.Admin{"main": asked}
	h := hooksOf(t, d.j, d.s, nil)
	answerWith(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if d.open.Load() && strings.HasPrefix(r.URL.Path, "/hooks/kratos/settings/") || d.unasked.Load() && r.URL.Path == "/hooks/kratos/settings/check" {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		h.ServeHTTP(w, r)
	}))
	return d
}

// adminDoor is the way to an Admin API, whose place is said once Kratos runs,
// and which can be down.
func adminDoor(t *testing.T, down *atomic.Bool) (door string, leadsTo func(adminURL string)) {
	t.Helper()
	var to atomic.Pointer[httputil.ReverseProxy]
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if down.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		to.Load().ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	return front.URL, func(adminURL string) {
		place, err := url.Parse(adminURL)
		if err != nil {
			t.Fatal(err)
		}
		to.Store(httputil.NewSingleHostReverseProxy(place))
	}
}

// person sets an account at a provider with an e-mail of its own.
func (d doors) person(p *kratostest.Provider, subject, email string) {
	d.t.Helper()
	_, domain, _ := strings.Cut(email, "@")
	p.SetAccount(d.t, subject, map[string]any{
		"email": email, "email_verified": true, "name": "Name of " + subject,
		"preferred_username": subject, "hd": domain, "groups": []string{"eng"},
	})
}

func (d doors) by(provider, subject string) kratostest.SignIn {
	return kratostest.SignIn{Provider: provider, Subject: subject}
}

func byPassword(email string) kratostest.SignIn {
	return kratostest.SignIn{ExtraForm: url.Values{"method": {"password"}, "identifier": {email}, "password": {password}}}
}

// enter signs in with a new browser and returns it with Kratos's id of the
// person.
func (d doors) enter(s kratostest.SignIn) (*kratostest.Browser, string) {
	d.t.Helper()
	b := kratostest.NewBrowser()
	r := b.SignIn(d.t, d.k, s)
	if r.Outcome != kratostest.OutcomeSession {
		d.t.Fatalf("%s %s: %q %+v %s", s.Provider, s.Subject, r.Outcome, r.Messages, r.Error)
	}
	return b, r.Session.Identity.ID
}

// refused checks that a sign-in ends with the message of one of these codes.
func (d doors) refused(r kratostest.Result, codes ...identity.Code) {
	d.t.Helper()
	var ids []int
	for _, c := range codes {
		info, _ := c.Info()
		ids = append(ids, info.Number)
	}
	if r.Outcome != kratostest.OutcomeFlow || len(r.Messages) == 0 || !slices.Contains(ids, r.Messages[0].ID) {
		d.t.Errorf("%q %+v %s, want one of %v", r.Outcome, r.Messages, r.Error, codes)
	}
}

// holder returns the one identity with a subject of a provider, or nil.
func (d doors) holder(p *kratostest.Provider, subject string) *identity.Identity {
	d.t.Helper()
	found, err := d.s.Bolt.Find(d.t.Context(), identity.FedKey(p.Issuer, subject))
	if err != nil {
		d.t.Fatal(err)
	}
	if len(found) == 0 {
		return nil
	}
	return &found[0]
}

// linked makes victim's identity, on both sides, one that globex's subject
// signs in to as well: the trojan link, and a password.
func (d doors) linked(victim, stranger string) string {
	d.t.Helper()
	d.person(d.op, victim, victim+"@acme.example")
	d.person(d.globex, stranger, stranger+"@globex.example")
	b, id := d.enter(d.by("acme", victim))
	d.open.Store(true)
	defer d.open.Store(false)
	d.settings(b, stranger, url.Values{"method": {"oidc"}, "link": {"globex"}})
	d.settings(b, "", url.Values{"method": {"password"}, "password": {password}})
	if got := d.identifiers(id); !slices.Equal(got, []string{"acme:" + victim, "globex:" + stranger}) {
		d.t.Fatalf("Kratos holds %v", got)
	}
	i := d.holder(d.op, victim).Clone()
	i.Links = append(i.Links, identity.Link{Provider: "globex", Issuer: d.globex.Issuer, Subject: stranger, LinkedAt: i.CreatedAt, Evidence: identity.SourceKratosAdmin})
	i.Groups = append(i.Groups, identity.Group{Name: "staff", Source: identity.ProviderSource("globex")})
	i.Keys = append(i.Keys, identity.FedKey(d.globex.Issuer, stranger))
	slices.Sort(i.Keys)
	i.Revision++
	if err := d.s.Bolt.Swap(d.t.Context(), i, identity.Record{}); err != nil {
		d.t.Fatal(err)
	}
	return id
}

// takeAway removes a credential of globex as an administrator of Kratos does.
func (d doors) takeAway(id, subject string) {
	d.t.Helper()
	if err := d.direct.RemoveCredential(d.t.Context(), id, kratos.Credential{Provider: "globex", Subject: subject}); err != nil {
		d.t.Fatal(err)
	}
}

// identifiers are the federated credentials of an identity in Kratos.
func (d doors) identifiers(id string) []string {
	d.t.Helper()
	var found []string
	for _, i := range d.k.GetIdentity(d.t, id).Credentials["oidc"].Identifiers {
		if i != "" && i != ":" {
			found = append(found, i)
		}
	}
	return found
}

// settings changes something in the settings of a browser that is signed in.
func (d doors) settings(b *kratostest.Browser, subject string, form url.Values) kratostest.Result {
	d.t.Helper()
	return b.SignIn(d.t, d.k, kratostest.SignIn{Start: kratostest.StartSettings, Subject: subject, ExtraForm: form})
}

// TestS50_TrojanLink: a stranger's account that was connected to the victim's,
// and is disconnected, never gets the stranger in as the victim again.
func TestS50_TrojanLink(t *testing.T) {
	t.Parallel()
	d := newDoors(t)
	t.Run("disconnected in the settings", func(t *testing.T) {
		d.linked("anna", "mallory")
		b, id := d.enter(d.by("acme", "anna"))
		r := d.settings(b, "", url.Values{"method": {"oidc"}, "unlink": {"globex"}})
		if got := d.identifiers(id); r.Outcome != kratostest.OutcomeFlow || !slices.Equal(got, []string{"acme:anna"}) {
			t.Fatalf("%q %+v %s: Kratos holds %v", r.Outcome, r.Messages, r.Error, got)
		}
		anna := d.holder(d.op, "anna")
		if len(anna.Links) != 1 || d.holder(d.globex, "mallory") != nil || len(anna.Groups) != 1 || anna.Groups[0].Source != "provider:acme" {
			t.Errorf("anna still is %+v", anna)
		}
		d.stranger(t, "mallory", id)
	})
	t.Run("taken away by an administrator", func(t *testing.T) {
		id := d.linked("bea", "mario")
		d.takeAway(id, "mario")
		// Nothing has told jithook yet.
		d.refused(kratostest.NewBrowser().SignIn(t, d.k, d.by("globex", "mario")), identity.CodeLinkStale)
		d.enter(d.by("acme", "bea"))
		if i := d.holder(d.op, "bea"); len(i.Links) != 1 {
			t.Errorf("bea still has %+v", i.Links)
		}
		d.stranger(t, "mario", id)
	})
	t.Run("jithook's Admin API is down meanwhile", func(t *testing.T) {
		id := d.linked("cleo", "mike")
		d.takeAway(id, "mike")
		d.down.Store(true)
		defer d.down.Store(false)
		d.enter(d.by("acme", "cleo"))
		if i := d.holder(d.op, "cleo"); len(i.Links) != 2 {
			t.Errorf("dropped without knowing: %+v", i.Links)
		}
		d.refused(kratostest.NewBrowser().SignIn(t, d.k, d.by("globex", "mike")), identity.CodeLinkStale)
	})
}

// stranger checks that a subject of globex becomes a person of its own.
func (d doors) stranger(t *testing.T, subject, victim string) {
	t.Helper()
	_, id := d.enter(d.by("globex", subject))
	if i := d.holder(d.globex, subject); id == victim || i == nil || len(i.Links) != 1 || i.ExternalIDs[0].ID != id {
		t.Errorf("%s is %s, jithook has %+v", subject, id, i)
	}
}

// all are jithook's identities.
func (d doors) all() []identity.Identity {
	d.t.Helper()
	page, err := d.s.Bolt.List(d.t.Context(), store.Query{})
	if err != nil {
		d.t.Fatal(err)
	}
	return page.Identities
}
