//go:build unix

package kratos_test

import (
	"encoding/json"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jithook/jithook/admin"
	"github.com/jithook/jithook/test/kratos/kratostest"
	"github.com/jithook/jithook/test/mongo/mongotest"
	"github.com/jithook/jithook/test/server"
)

func TestMain(m *testing.M) { os.Exit(mongoPeer.Run(m)) }

// acmeFile is the provider's file; ISSUER is the running provider's.
const acmeFile = `
version: 1
provider: acme
issuer: ISSUER
trust: {authoritative_domains: [acme.example]}
jit:
  enabled: true
  allow: claims.hd == "acme.example"
  deny: [{when: 'has(claims.acct) && claims.acct == "guest"', code: guest, message: Guests have no account here.}]
traits:
  email: {value: claims.email, verified: claims.email_verified, canonical: email, unique: true, required: true}
  username: {value: claims.preferred_username, canonical: username, unique: true}
  name: {value: claims.name}
groups: {from: claims.groups, allow: [staff], map: {eng: engineering}}
`

// kratosTraits are those of Kratos's schema that the provider's file decides.
var kratosTraits = []string{"email", "username", "name", "groups"}

// world is a provider, a Kratos that calls jithook, and jithook itself, which
// is not started yet.
type world struct {
	op     *kratostest.Provider
	k      *kratostest.Kratos
	j      *kratostest.Jithook
	listed bool // kratos.restore_traits is set
	t      *testing.T
}

func newWorld(t *testing.T, c kratostest.JithookConfig, more ...map[string]any) world {
	t.Helper()
	return newWorldOn(t, c, kratostest.Config{Documents: more})
}

// newWorldOn is newWorld with more to say about Kratos.
func newWorldOn(t *testing.T, c kratostest.JithookConfig, k kratostest.Config) world {
	t.Helper()
	w := newJithookWorld(t, c)
	k.Providers = []kratostest.OIDCProvider{w.op.ForKratos("acme")}
	k.Documents = append(k.Documents, w.j.KratosDocument(t))
	w.k = kratostest.StartKratos(t, k)
	return w
}

// newJithookWorld is a world without a Kratos.
func newJithookWorld(t *testing.T, c kratostest.JithookConfig) world {
	t.Helper()
	kratostest.Require(t)
	binary := server.Build(t)
	w := world{op: kratostest.StartProvider(t, kratostest.ProviderOptions{}), listed: c.Restore != nil, t: t}
	file := acmeFile
	if other, ok := c.Files["acme.yaml"]; ok {
		file = other
	}
	c.Binary, c.Files = binary, map[string]string{"acme.yaml": strings.Replace(file, "ISSUER", w.op.Issuer, 1)}
	w.j = kratostest.NewJithook(t, c)
	return w
}

// mongoPeer is one MongoDB-compatible server for all tests of the package.
var mongoPeer mongotest.Shared

// onEachStore runs a test with jithook on the embedded file and on MongoDB.
func onEachStore(t *testing.T, test func(t *testing.T, w world)) {
	withEachStore(t, func(t *testing.T, c kratostest.JithookConfig) { test(t, newWorld(t, c)) })
}

// withEachStore is onEachStore for a test that makes its own world.
func withEachStore(t *testing.T, test func(t *testing.T, c kratostest.JithookConfig)) {
	t.Run("bolt", func(t *testing.T) {
		t.Parallel()
		test(t, kratostest.JithookConfig{Restore: kratosTraits})
	})
	t.Run("mongodb", func(t *testing.T) {
		t.Parallel()
		peer := mongoPeer.Server(t)
		database := map[string]any{"uri": peer.URI, "database": peer.Database(t)}
		test(t, kratostest.JithookConfig{Restore: kratosTraits, Store: map[string]any{"mongodb": database}})
	})
}

// person sets the claims of a subject: an engineer of ACME.
func (w world) person(subject string, edit ...func(map[string]any)) {
	w.t.Helper()
	claims := map[string]any{
		"email": subject + "@acme.example", "email_verified": true, "name": "Ann " + subject,
		"preferred_username": subject, "hd": "acme.example", "groups": []string{"eng", "ops"},
	}
	for _, e := range edit {
		e(claims)
	}
	w.op.SetAccount(w.t, subject, claims)
}

// ours are jithook's identities of a subject.
func (w world) ours(subject string) []admin.Identity {
	w.t.Helper()
	var page admin.Identities
	w.j.Admin(w.t, "/admin/v1/identities?"+url.Values{"issuer": {w.op.Issuer}, "subject": {subject}}.Encode(), &page)
	return page.Identities
}

// signIn signs in with a new browser.
func (w world) signIn(s kratostest.SignIn) kratostest.Result {
	w.t.Helper()
	s.Provider = "acme"
	return kratostest.NewBrowser().SignIn(w.t, w.k, s)
}

// wantWhole checks that both sides hold the one person, each under the other's
// id, as the provider describes them.
func (w world) wantWhole(subject string) admin.Identity {
	w.t.Helper()
	ours, theirs := w.ours(subject), w.k.IdentitiesByCredential(w.t, "acme:"+subject)
	if len(ours) != 1 || len(theirs) != 1 {
		w.t.Fatalf("%d identities in jithook, %d in Kratos", len(ours), len(theirs))
	}
	us, them := ours[0], w.k.GetIdentity(w.t, theirs[0].ID)
	if us.State != "active" || us.ExternalIDs["kratos"] != them.ID {
		w.t.Errorf("jithook has it %s as %v, Kratos's id is %s", us.State, us.ExternalIDs, them.ID)
	}
	jithook, _ := them.MetadataPublic["jithook"].(map[string]any)
	if jithook["identity_id"] != us.ID {
		w.t.Errorf("Kratos's metadata names %v, jithook's id is %s", jithook["identity_id"], us.ID)
	}
	if raw, ok := jithook["claims"]; ok {
		w.t.Errorf("raw claims are still in Kratos: %v", raw)
	}
	email := subject + "@acme.example"
	wantOurs := map[string]any{"email": email, "username": subject, "name": "Ann " + subject}
	if diff := cmp.Diff(wantOurs, us.Traits); diff != "" {
		w.t.Errorf("jithook's traits (-want +got):\n%s", diff)
	}
	wantTheirs := map[string]any{"email": email, "username": subject, "name": "Ann " + subject}
	// Without a list nobody says that Kratos's schema has groups, unless a
	// client posts some: those are put right.
	if _, there := them.Traits["groups"]; there || w.listed {
		wantTheirs["groups"] = []any{"engineering"}
	}
	if diff := cmp.Diff(wantTheirs, them.Traits); diff != "" {
		w.t.Errorf("Kratos's traits (-want +got):\n%s", diff)
	}
	if a := them.VerifiableAddresses; len(a) != 1 || a[0].Value != email || !a[0].Verified {
		w.t.Errorf("Kratos's addresses: %+v", a)
	}
	if len(us.Groups) != 1 || us.Groups[0].Name != "engineering" {
		w.t.Errorf("groups %v", us.Groups)
	}
	return us
}

// wantNobody checks that neither side holds the subject.
func (w world) wantNobody(subject string) {
	w.t.Helper()
	if ours, theirs := w.ours(subject), w.k.IdentitiesByCredential(w.t, "acme:"+subject); len(ours)+len(theirs) != 0 {
		w.t.Errorf("%d identities in jithook, %d in Kratos", len(ours), len(theirs))
	}
}

// wantDecision waits until the newest decision about a subject is the given
// one: those of unchanged logins are written within a second.
func (w world) wantDecision(subject, decision string) {
	w.t.Helper()
	query := url.Values{"issuer": {w.op.Issuer}, "subject": {subject}, "page_size": {"1"}}.Encode()
	var got string
	for until := time.Now().Add(10 * time.Second); time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
		var page admin.Decisions
		w.j.Admin(w.t, "/admin/v1/decisions?"+query, &page)
		if len(page.Decisions) == 1 {
			got = string(page.Decisions[0].Decision)
		}
		if got == decision {
			return
		}
	}
	w.t.Errorf("the newest decision is %q, want %q", got, decision)
}

// TestFirstAndSecondSignIn is the main job, all six ways: the first sign-in
// makes the account on both sides, the second finds it unchanged.
func TestFirstAndSecondSignIn(t *testing.T) {
	t.Parallel()
	onEachStore(t, firstAndSecondSignIn)
}

func firstAndSecondSignIn(t *testing.T, w world) {
	w.j.Start(t)
	for _, start := range allStarts {
		for _, kind := range allKinds {
			t.Run(start+"/"+string(kind), func(t *testing.T) {
				w := w
				w.t = t
				subject := start + "-" + string(kind)
				w.person(subject)
				s := kratostest.SignIn{Start: start, Kind: kind, Subject: subject}
				r := w.signIn(s)
				if r.Outcome != kratostest.OutcomeSession {
					t.Fatalf("first: %q %v %s", r.Outcome, r.Messages, r.Error)
				}
				first := w.wantWhole(subject)
				again := w.signIn(s)
				if again.Outcome != kratostest.OutcomeSession || again.Session.Identity.ID != r.Session.Identity.ID {
					t.Fatalf("second: %q %v %s", again.Outcome, again.Messages, again.Error)
				}
				if second := w.wantWhole(subject); second.ID != first.ID || second.Revision != first.Revision {
					t.Errorf("the second sign-in left %s at revision %d, was %s at %d", second.ID, second.Revision, first.ID, first.Revision)
				}
				w.wantDecision(subject, "unchanged")
			})
		}
	}
}

// TestPolicyDenial: the operator's message stands on Kratos's page, and neither
// side has anybody.
func TestPolicyDenial(t *testing.T) {
	t.Parallel()
	onEachStore(t, policyDenial)
}

func policyDenial(t *testing.T, w world) {
	w.j.Start(t)
	for name, c := range map[string]struct {
		edit func(map[string]any)
		text string
		id   int
	}{
		"deny rule": {func(c map[string]any) { c["acct"] = "guest" }, "Guests have no account here.", 4990014},
		"allow":     {func(c map[string]any) { c["hd"] = "evil.example" }, "Your account at the provider does not give access here.", 4990013},
		"S59":       {func(c map[string]any) { delete(c, "hd") }, "Sign-in could not be decided. Ask your administrator. (/claims/hd)", 4990015},
	} {
		for _, kind := range allKinds {
			t.Run(name+"/"+string(kind), func(t *testing.T) {
				w := w
				w.t = t
				subject := "denied-" + strings.ReplaceAll(name, " ", "-") + "-" + string(kind)
				w.person(subject, c.edit)
				r := w.signIn(kratostest.SignIn{Start: kratostest.StartRegistration, Kind: kind, Subject: subject})
				if r.Outcome != kratostest.OutcomeFlow || len(r.Messages) != 1 {
					t.Fatalf("%q %v %s", r.Outcome, r.Messages, r.Error)
				}
				m := r.Messages[0]
				var context struct {
					DecisionID string `json:"decision_id"`
				}
				if err := json.Unmarshal(m.Context, &context); err != nil || m.Text != c.text || m.ID != c.id || m.Type != "error" || context.DecisionID == "" {
					t.Errorf("message %+v", m)
				}
				w.wantNobody(subject)
				w.wantDecision(subject, "denied")
			})
		}
	}
}

// TestS46_ForgedSignIn: a client posts traits of its own to Kratos; both sides
// end with the provider's. Of department neither the provider's file nor the
// mapper says anything: Kratos's schema has it, and it must go. (What a native
// app posts Kratos v1.3.1 drops by itself; those cases would notice a change.)
func TestS46_ForgedSignIn(t *testing.T) {
	t.Parallel()
	for name, restore := range map[string][]string{
		"unset": nil,
		"list":  append([]string{"department"}, kratosTraits...),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, kratostest.JithookConfig{Restore: restore})
			w.j.Start(t)
			for _, start := range allStarts {
				for _, kind := range allKinds {
					w.forge(t, start, kind)
				}
			}
		})
	}
}

// forge signs in with traits that a hostile client adds, in each form.
func (w world) forge(t *testing.T, start string, kind kratostest.Kind) {
	forged := map[string]any{"email": "ceo@acme.example", "name": "The CEO", "username": "ceo", "groups": []string{"admins"}, "department": "Root"}
	for name, s := range map[string]kratostest.SignIn{
		"json":        {ExtraJSON: map[string]any{"traits": forged}},
		"form-email":  {ExtraForm: url.Values{"traits.email": {"ceo@acme.example"}, "traits.name": {"The CEO"}, "traits.department": {"Root"}}},
		"form-groups": {ExtraForm: url.Values{"traits.groups.0": {"admins"}, "traits.groups": {"admins"}}},
	} {
		t.Run(start+"/"+string(kind)+"/"+name, func(t *testing.T) {
			w := w
			w.t = t
			s.Start, s.Kind, s.Subject = start, kind, strings.Join([]string{"forger", start, string(kind), name}, "-")
			w.person(s.Subject)
			r := w.signIn(s)
			if r.Outcome != kratostest.OutcomeSession {
				t.Fatalf("%q %v %s", r.Outcome, r.Messages, r.Error)
			}
			w.wantWhole(s.Subject)
		})
	}
}

// TestJithookDownThenUp: nobody gets in for the first time without jithook, and
// nothing is left of the attempt.
func TestJithookDownThenUp(t *testing.T) {
	t.Parallel()
	onEachStore(t, jithookDownThenUp)
}

func jithookDownThenUp(t *testing.T, w world) {
	w.j.Start(t)
	w.person("early")
	w.person("late")
	if r := w.signIn(kratostest.SignIn{Subject: "early"}); r.Outcome != kratostest.OutcomeSession {
		t.Fatalf("%q %v %s", r.Outcome, r.Messages, r.Error)
	}
	w.j.Stop(t)
	for _, subject := range []string{"late", "early"} {
		if r := w.signIn(kratostest.SignIn{Subject: subject}); r.Outcome != kratostest.OutcomeErrorPage {
			t.Fatalf("%s, with jithook down: %q %v", subject, r.Outcome, r.Messages)
		}
	}
	if theirs := w.k.IdentitiesByCredential(t, "acme:late"); len(theirs) != 0 {
		t.Errorf("Kratos made %d identities without jithook", len(theirs))
	}
	w.j.Start(t)
	for _, subject := range []string{"late", "early"} {
		if r := w.signIn(kratostest.SignIn{Subject: subject}); r.Outcome != kratostest.OutcomeSession {
			t.Fatalf("%s, with jithook up again: %q %v %s", subject, r.Outcome, r.Messages, r.Error)
		}
		w.wantWhole(subject)
	}
}

// TestTwoSignInsOfOnePersonAtOnce: whatever order they meet in, there is one
// account, and it can be signed in to.
func TestTwoSignInsOfOnePersonAtOnce(t *testing.T) {
	t.Parallel()
	onEachStore(t, twoSignInsOfOnePersonAtOnce)
}

func twoSignInsOfOnePersonAtOnce(t *testing.T, w world) {
	w.j.Start(t)
	for round := range 5 {
		subject := "twice-" + string(rune('a'+round))
		w.person(subject)
		var wg sync.WaitGroup
		for _, start := range allStarts {
			wg.Go(func() {
				s := kratostest.SignIn{Start: start, Provider: "acme", Subject: subject}
				// The loser may end at Kratos's page for linking, at a message, or
				// (SQLite) at its error page; only the winner's state counts.
				if _, err := kratostest.NewBrowser().Try(t.Context(), w.k, s); err != nil {
					t.Errorf("%s: %v", start, err)
				}
			})
		}
		wg.Wait()
		r := w.signIn(kratostest.SignIn{Subject: subject})
		if r.Outcome != kratostest.OutcomeSession {
			t.Fatalf("afterwards: %q %v %s", r.Outcome, r.Messages, r.Error)
		}
		w.wantWhole(subject)
	}
}
