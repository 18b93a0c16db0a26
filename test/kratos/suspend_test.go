//go:build unix

// This test proves that whoever is barred in jithook is barred in Kratos too,
// with jithook's own server: Kratos refuses them by itself and their sessions
// end, also when it was down at first; activation reverses that.
package kratos_test

import (
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/test/kratos/kratostest"
)

func TestSuspensionReachesKratos(t *testing.T) {
	t.Parallel()
	var down atomic.Bool
	door, leadsTo := adminDoor(t, &down)
	w := newWorldOn(t, kratostest.JithookConfig{KratosAdmin: door}, kratostest.Config{IdentitySchema: passwordSchema, Password: true})
	leadsTo(w.k.AdminURL)
	w.j.Start(t)
	for _, edit := range []string{"suspend", "deprovision"} {
		t.Run(edit, func(t *testing.T) {
			w := w
			w.t = t
			w.person(edit)
			b := kratostest.NewBrowser()
			r := b.SignIn(t, w.k, kratostest.SignIn{Provider: "acme", Subject: edit})
			if r.Outcome != kratostest.OutcomeSession {
				t.Fatalf("%q %+v %s", r.Outcome, r.Messages, r.Error)
			}
			b.SignIn(t, w.k, kratostest.SignIn{Start: kratostest.StartSettings, ExtraForm: url.Values{"method": {"password"}, "password": {password}}})
			at := "/admin/v1/identities/" + w.wantWhole(edit).ID
			withPassword := byPassword(edit + "@acme.example")

			down.Store(true)
			w.j.Edit(t, at+"/"+edit)
			// jithook's own veto does not wait for Kratos.
			info, _ := map[string]identity.Code{"suspend": identity.CodeSuspended, "deprovision": identity.CodeDeprovisioned}[edit].Info()
			if r := kratostest.NewBrowser().SignIn(t, w.k, withPassword); len(r.Messages) != 1 || r.Messages[0].ID != info.Number {
				t.Errorf("by password: %q %+v %s", r.Outcome, r.Messages, r.Error)
			}
			if b.Whoami(t, w.k) == nil {
				t.Fatal("the session ended by itself")
			}
			down.Store(false)
			eventually(t, "the session ends", func() bool { return b.Whoami(t, w.k) == nil })
			id := r.Session.Identity.ID
			if state := w.k.GetIdentity(t, id).State; state != "inactive" {
				t.Errorf("Kratos has them %s", state)
			}
			if r := kratostest.NewBrowser().SignIn(t, w.k, withPassword); r.Session != nil {
				t.Errorf("by password: %q", r.Outcome)
			}

			w.j.Edit(t, at+"/activate")
			eventually(t, "Kratos lets them in again", func() bool { return w.k.GetIdentity(t, id).State == "active" })
			if b.Whoami(t, w.k) != nil {
				t.Error("an ended session is back")
			}
			if r := kratostest.NewBrowser().SignIn(t, w.k, withPassword); r.Outcome != kratostest.OutcomeSession {
				t.Errorf("by password: %q %+v %s", r.Outcome, r.Messages, r.Error)
			}
		})
	}
}

// eventually waits for what a worker does in its own time.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for until := time.Now().Add(30 * time.Second); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("%s: not within 30 s", what)
		}
	}
}
