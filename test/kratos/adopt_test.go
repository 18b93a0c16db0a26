//go:build unix

// These tests prove on a real Kratos that people whom it had before jithook are
// taken over, each once and as who they are: they sign in as ever, and their
// sign-in makes no second identity.
package kratos_test

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jithook/jithook/admin"
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/provision"
	"github.com/jithook/jithook/test/kratos/kratostest"
)

func TestAdoptPeople(t *testing.T) {
	t.Parallel()
	withEachStore(t, func(t *testing.T, c kratostest.JithookConfig) {
		var down atomic.Bool
		door, leadsTo := adminDoor(t, &down)
		c.KratosAdmin = door
		w := newWorldOn(t, c, kratostest.Config{IdentitySchema: passwordSchema, Password: true})
		leadsTo(w.k.AdminURL)
		const people = 45 // three steps
		ids := map[string]string{}
		has := func(email, username string, identifiers ...string) string {
			t.Helper()
			return w.k.Import(t, map[string]any{
				"schema_id": "default", "traits": map[string]any{"email": email, "username": username},
				"credentials": kratostest.Credentials(password, identifiers...),
			}).ID
		}
		for n := range people {
			s := fmt.Sprintf("a:%d", n)
			ids[s] = has(fmt.Sprintf("Ann%d@acme.example", n), fmt.Sprintf("Ann%d", n), "acme:"+s)
		}
		has("alone@acme.example", "alone")
		stranger := has("eve@acme.example", "eve", "hooli:h-1")

		run := func(imported, due, known int, more ...string) {
			t.Helper()
			out, code := w.j.Try(t, append([]string{"kratos", "import", "--instance", "main", "-o", "json"}, more...)...)
			want := fmt.Sprintf(`{"refused":[{"kratos_id":%q,"outcome":"refused","code":"unknown_provider"}],"imported":%d,"due":%d,"known":%d,"not_federated":1,"refused_people":1}`,
				stranger, imported, due, known)
			if strings.TrimSpace(out) != want || code != 2 {
				t.Errorf("%v: %s, exit code %d", more, out, code)
			}
		}
		run(0, people, 0, "--dry-run")
		down.Store(true)
		if out, code := w.j.Try(t, "kratos", "import", "--instance", "main"); code != 1 || out != "" {
			t.Errorf("Kratos down: %q, exit code %d", out, code)
		}
		down.Store(false)
		w.j.Start(t)
		var step admin.Adopted // and then the command was killed
		w.j.Post(t, "/admin/v1/kratos/main/import?apply=true", &step)
		done := len(slices.DeleteFunc(step.People, func(a provision.Adoptee) bool { return a.Standing != provision.StandingImported }))
		if done == 0 || done == people {
			t.Fatalf("a step of %d", done)
		}
		w.j.Stop(t)
		run(people-done, 0, done)
		run(0, 0, people)

		w.j.Start(t)
		for _, s := range []string{"a:0", "a:44"} {
			before := w.ours(s)
			if len(before) != 1 || before[0].ExternalIDs["kratos"] != ids[s] || before[0].State != identity.StateActive ||
				before[0].Traits["username"] != "ann"+strings.TrimPrefix(s, "a:") {
				t.Fatalf("%s: %+v", s, before)
			}
			w.person(s, func(c map[string]any) {
				c["email"], c["preferred_username"] = before[0].Traits["email"], before[0].Traits["username"]
			})
			r := w.signIn(kratostest.SignIn{Subject: s})
			if r.Outcome != kratostest.OutcomeSession || r.Session.Identity.ID != ids[s] {
				t.Fatalf("%s: %q %+v %s", s, r.Outcome, r.Messages, r.Error)
			}
			if after := w.ours(s); len(after) != 1 || after[0].ID != before[0].ID {
				t.Errorf("%s: signed in as %+v", s, after)
			}
			eventually(t, "the record of the sign-in", func() bool {
				var page admin.Decisions
				w.j.Admin(t, "/admin/v1/decisions?identity="+before[0].ID, &page)
				return slices.ContainsFunc(page.Decisions, func(r identity.Record) bool { return r.Hook == identity.HookLogin && r.Decision.Allowed() })
			})
		}
	})
}
