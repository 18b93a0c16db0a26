//go:build unix

// These tests prove schemes that ask on Kratos's own form: it shows a field and a
// message for each question, what the person fills in arrives and is kept by
// both sides, what was not asked for is not, and whoever leaves before the end
// leaves nothing behind.
package kratos_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jithook/jithook/admin"
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/test/kratos/kratostest"
)

// askingSchema has the traits that people are asked for; Kratos requires none of
// them by itself.
const askingSchema = `{
  "$schema": "http://json-schema.org/draft-07/schema#",
  "type": "object",
  "properties": {"traits": {
    "type": "object",
    "properties": {
      "email": {"type": "string", "format": "email", "ory.sh/kratos": {"verification": {"via": "email"}}},
      "username": {"type": "string", "maxLength": 30},
      "name": {"type": "string"},
      "department": {"type": "string"},
      "terms_accepted": {"type": "boolean"}
    },
    "required": ["email"],
    "additionalProperties": false
  }}
}`

// asking returns the provider's file with a scheme, and username required.
func asking(scheme string) string {
	file := strings.Replace(acmeFile, "  enabled: true\n",
		"  enabled: true\n  scheme: "+scheme+"\n  consent: {path: /traits/terms_accepted, version: \"2026-01\"}\n", 1)
	return strings.Replace(file, "canonical: username, unique: true}", "canonical: username, unique: true, required: true}", 1)
}

// askingWorld is a world in which people are asked, started.
func askingWorld(t *testing.T, c kratostest.JithookConfig, scheme string) world {
	t.Helper()
	c.Restore, c.Files = nil, map[string]string{"acme.yaml": asking(scheme)}
	w := newWorldOn(t, c, kratostest.Config{IdentitySchema: askingSchema})
	w.j.Start(t)
	return w
}

func nameless(claims map[string]any) { delete(claims, "preferred_username") }

// filled is what a browser posts from the form of a flow when the person changes
// these fields: every other one goes along as Kratos has filled it in.
func filled(t *testing.T, r kratostest.Result, changed url.Values) url.Values {
	t.Helper()
	form := url.Values{}
	for name, f := range fields(t, r) {
		if f.Type != "submit" && f.Value != nil && (f.Type != "checkbox" || f.Value == true) {
			form.Set(name, fmt.Sprint(f.Value))
		}
	}
	maps.Copy(form, changed)
	return form
}

// field is an input of a form.
type field struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	Value any    `json:"value"`
}

func fields(t *testing.T, r kratostest.Result) map[string]field {
	t.Helper()
	var flow struct {
		UI struct {
			Nodes []struct {
				Attributes field `json:"attributes"`
			} `json:"nodes"`
		} `json:"ui"`
	}
	if err := json.Unmarshal(r.Flow, &flow); err != nil {
		t.Fatal(err)
	}
	all := map[string]field{}
	for _, n := range flow.UI.Nodes {
		if n.Attributes.Name != "provider" {
			all[n.Attributes.Name] = n.Attributes
		}
	}
	return all
}

// wantAsked checks that a sign-in ended at the registration form, with these
// questions at their fields and nothing else, and that neither side has anybody.
func (w world) wantAsked(r kratostest.Result, subject string, questions map[string]identity.Code) {
	w.t.Helper()
	if r.Outcome != kratostest.OutcomeFlow || r.FlowName != kratostest.StartRegistration {
		w.t.Fatalf("ended at %q %q %+v %s", r.Outcome, r.FlowName, r.Messages, r.Error)
	}
	got := map[string]identity.Code{}
	for _, m := range r.Messages {
		for _, c := range identity.Codes() {
			if c.Number == m.ID && c.Text == m.Text && m.Type == "error" {
				got[m.Field] = c.Code
			}
		}
	}
	if diff := cmp.Diff(questions, got); diff != "" || len(got) != len(r.Messages) {
		w.t.Errorf("questions (-want +got):\n%s\n%+v", diff, r.Messages)
	}
	form := fields(w.t, r)
	for name, kind := range map[string]string{"traits.username": "text", "traits.terms_accepted": "checkbox"} {
		if form[name].Type != kind {
			w.t.Errorf("field %s: %+v, want a %s", name, form[name], kind)
		}
	}
	w.wantNobody(subject)
	w.wantDecision(subject, "prompt")
}

// wantAnswered checks that both sides hold the person with their answers and
// with nothing forged.
func (w world) wantAnswered(subject, username string, source string) admin.Identity {
	w.t.Helper()
	ours, theirs := w.ours(subject), w.k.IdentitiesByCredential(w.t, "acme:"+subject)
	if len(ours) != 1 || len(theirs) != 1 {
		w.t.Fatalf("%d identities in jithook, %d in Kratos", len(ours), len(theirs))
	}
	us, them := ours[0], w.k.GetIdentity(w.t, theirs[0].ID)
	want := map[string]any{"email": subject + "@acme.example", "username": username, "name": "Ann " + subject, "terms_accepted": true}
	if diff := cmp.Diff(want, us.Traits); diff != "" || us.State != "active" || us.ExternalIDs["kratos"] != them.ID {
		w.t.Errorf("jithook has it %s as %v; traits (-want +got):\n%s", us.State, us.ExternalIDs, diff)
	}
	if diff := cmp.Diff(want, them.Traits); diff != "" {
		w.t.Errorf("Kratos's traits (-want +got):\n%s", diff)
	}
	sources := map[string]string{}
	for _, p := range us.Provenance {
		sources[p.Path] = p.Source + " " + p.VerifiedBy
	}
	wantSources := map[string]string{
		"/email": "provider:acme provider:acme", "/name": "provider:acme ", "/username": source + " ", "/terms_accepted": "user ",
	}
	if diff := cmp.Diff(wantSources, sources); diff != "" {
		w.t.Errorf("provenance (-want +got):\n%s", diff)
	}
	if len(us.Consents) != 1 || us.Consents[0].Path != "/terms_accepted" || us.Consents[0].Version != "2026-01" ||
		us.Consents[0].Source != "provider:acme" || time.Since(us.Consents[0].At).Abs() > time.Minute {
		w.t.Errorf("consents %+v", us.Consents)
	}
	return us
}

var bothQuestions = map[string]identity.Code{"traits.username": identity.CodePromptRequired, "traits.terms_accepted": identity.CodeConsentRequired}

// TestS46_PromptOnTheForm: the form asks for both, comes back with what is still open,
// and takes no trait that it did not ask for; the second sign-in asks nothing.
func TestS46_PromptOnTheForm(t *testing.T) {
	t.Parallel()
	withEachStore(t, func(t *testing.T, c kratostest.JithookConfig) {
		w := askingWorld(t, c, "prompt")
		for _, start := range allStarts {
			for _, kind := range []kratostest.Kind{kratostest.KindBrowser, kratostest.KindSPA} {
				t.Run(start+"/"+string(kind), func(t *testing.T) {
					w := w
					w.t = t
					subject := start + "-" + string(kind)
					w.person(subject, nameless)
					s := kratostest.SignIn{Start: start, Kind: kind, Provider: "acme", Subject: subject}
					b := kratostest.NewBrowser()
					r := b.SignIn(t, w.k, s)
					w.wantAsked(r, subject, bothQuestions)

					s.ExtraForm = filled(t, r, url.Values{"traits.username": {"n-" + subject}})
					r = b.Continue(t, w.k, r, s)
					w.wantAsked(r, subject, map[string]identity.Code{"traits.terms_accepted": identity.CodeConsentRequired})
					if got := fields(t, r)["traits.username"].Value; got != "n-"+subject {
						t.Errorf("the form forgot the username: %v", got)
					}

					s.ExtraForm = filled(t, r, url.Values{
						"traits.terms_accepted": {"true"}, "traits.email": {"ceo@acme.example"}, "traits.name": {"The CEO"}, "traits.department": {"Root"},
					})
					if r = b.Continue(t, w.k, r, s); r.Outcome != kratostest.OutcomeSession {
						t.Fatalf("ended at %q %+v %s", r.Outcome, r.Messages, r.Error)
					}
					first := w.wantAnswered(subject, "n-"+subject, "user")

					again := w.signIn(kratostest.SignIn{Start: start, Kind: kind, Subject: subject})
					if again.Outcome != kratostest.OutcomeSession || again.Session.Identity.ID != r.Session.Identity.ID {
						t.Fatalf("second: %q %+v %s", again.Outcome, again.Messages, again.Error)
					}
					w.wantDecision(subject, "unchanged")
					if second := w.wantAnswered(subject, "n-"+subject, "user"); second.Revision != first.Revision {
						t.Errorf("the second sign-in wrote revision %d", second.Revision)
					}
				})
			}
		}
	})
}

// TestConsentOnTheForm: scheme consent asks for the consent alone; a browser that
// answers before it was asked has answered, and an answer where the provider has
// a value is none.
func TestConsentOnTheForm(t *testing.T) {
	t.Parallel()
	withEachStore(t, func(t *testing.T, c kratostest.JithookConfig) {
		w := askingWorld(t, c, "consent")
		w.person("anna")
		b := kratostest.NewBrowser()
		s := kratostest.SignIn{Provider: "acme", Subject: "anna"}
		r := b.SignIn(t, w.k, s)
		w.wantAsked(r, "anna", map[string]identity.Code{"traits.terms_accepted": identity.CodeConsentRequired})
		s.ExtraForm = filled(t, r, url.Values{"traits.terms_accepted": {"true"}, "traits.username": {"root"}})
		if r = b.Continue(t, w.k, r, s); r.Outcome != kratostest.OutcomeSession {
			t.Fatalf("ended at %q %+v %s", r.Outcome, r.Messages, r.Error)
		}
		w.wantAnswered("anna", "anna", "provider:acme")

		w.person("bert")
		if r = w.signIn(kratostest.SignIn{Subject: "bert", ExtraJSON: map[string]any{"traits": map[string]any{"terms_accepted": true}}}); r.Outcome != kratostest.OutcomeSession {
			t.Fatalf("ended at %q %+v %s", r.Outcome, r.Messages, r.Error)
		}
		w.wantAnswered("bert", "bert", "provider:acme")

		w.person("nemo", nameless)
		r = w.signIn(kratostest.SignIn{Subject: "nemo"})
		if len(r.Messages) != 1 || r.Messages[0].ID != 4990026 {
			t.Errorf("a missing trait under scheme consent: %q %+v", r.Outcome, r.Messages)
		}
		w.wantNobody("nemo")
	})
}

// TestNameIsTakenOnTheForm: the message stands at the field, names nobody, and
// another name does.
func TestNameIsTakenOnTheForm(t *testing.T) {
	t.Parallel()
	w := askingWorld(t, kratostest.JithookConfig{}, "prompt")
	answer := func(subject, name string) (*kratostest.Browser, kratostest.Result, kratostest.SignIn) {
		w.person(subject, nameless)
		b := kratostest.NewBrowser()
		s := kratostest.SignIn{Provider: "acme", Subject: subject}
		r := b.SignIn(t, w.k, s)
		s.ExtraForm = filled(t, r, url.Values{"traits.username": {name}, "traits.terms_accepted": {"true"}})
		return b, r, s
	}
	b, r, s := answer("first", "annie")
	if r = b.Continue(t, w.k, r, s); r.Outcome != kratostest.OutcomeSession {
		t.Fatalf("ended at %q %+v %s", r.Outcome, r.Messages, r.Error)
	}
	b, r, s = answer("second", "Annie")
	r = b.Continue(t, w.k, r, s)
	w.wantAsked(r, "second", map[string]identity.Code{"traits.username": identity.CodeTraitTaken})
	s.ExtraForm = filled(t, r, url.Values{"traits.username": {"Annika"}})
	if r = b.Continue(t, w.k, r, s); r.Outcome != kratostest.OutcomeSession {
		t.Fatalf("ended at %q %+v %s", r.Outcome, r.Messages, r.Error)
	}
	w.wantAnswered("second", "annika", "user") // Kratos has it in the form that counts

	// What Kratos's own schema refuses, it says itself; another answer does.
	b, r, s = answer("third", strings.Repeat("x", 31))
	r = b.Continue(t, w.k, r, s)
	if r.Outcome != kratostest.OutcomeFlow || len(r.Messages) != 1 || r.Messages[0].Field != "traits.username" {
		t.Fatalf("ended at %q %+v", r.Outcome, r.Messages)
	}
	w.wantNobody("third")
	s.ExtraForm = filled(t, r, url.Values{"traits.username": {"shorter"}})
	if r = b.Continue(t, w.k, r, s); r.Outcome != kratostest.OutcomeSession {
		t.Fatalf("ended at %q %+v %s", r.Outcome, r.Messages, r.Error)
	}
	w.wantAnswered("third", "shorter", "user")
}

// TestOneNameOnManyForms: of several people who answer one name at once, one gets
// it, and the others are asked for another one. (Kratos on SQLite loses some of
// what comes at once: those try again.)
func TestOneNameOnManyForms(t *testing.T) {
	t.Parallel()
	withEachStore(t, func(t *testing.T, c kratostest.JithookConfig) {
		w := askingWorld(t, c, "prompt")
		const racers = 3
		forms := make([]kratostest.SignIn, racers)
		results := make([]kratostest.Result, racers)
		for n := range racers {
			subject := fmt.Sprint("racer-", n)
			w.person(subject, nameless)
			s := kratostest.SignIn{Provider: "acme", Subject: subject}
			r := w.signIn(s)
			w.wantAsked(r, subject, bothQuestions)
			s.ExtraForm = filled(t, r, url.Values{"traits.username": {"annie"}, "traits.terms_accepted": {"true"}})
			s.ExtraForm.Del("csrf_token") // that of the flow in which it is posted counts
			forms[n] = s
		}
		var all sync.WaitGroup
		for n, s := range forms {
			all.Go(func() { results[n], _ = kratostest.NewBrowser().Try(t.Context(), w.k, s) })
		}
		all.Wait()
		var holders []string
		for n, s := range forms {
			r := results[n]
			if r.Outcome != kratostest.OutcomeSession {
				r = w.signIn(s)
			}
			if r.Outcome == kratostest.OutcomeSession {
				holders = append(holders, s.Subject)
				continue
			}
			w.wantAsked(r, s.Subject, map[string]identity.Code{"traits.username": identity.CodeTraitTaken})
		}
		if len(holders) != 1 {
			t.Fatalf("%v got the name", holders)
		}
		w.wantAnswered(holders[0], "annie", "user")
	})
}

// TestLeftAtTheForm: closing the browser leaves no identity and takes no name;
// who comes back, in a browser of their own, is asked from the start.
func TestLeftAtTheForm(t *testing.T) {
	t.Parallel()
	withEachStore(t, func(t *testing.T, c kratostest.JithookConfig) {
		w := askingWorld(t, c, "prompt")
		w.person("anna", nameless)
		b := kratostest.NewBrowser()
		s := kratostest.SignIn{Provider: "acme", Subject: "anna"}
		r := b.SignIn(t, w.k, s)
		s.ExtraForm = filled(t, r, url.Values{"traits.username": {"annie"}})
		r = b.Continue(t, w.k, r, s)
		w.wantAsked(r, "anna", map[string]identity.Code{"traits.terms_accepted": identity.CodeConsentRequired})

		w.person("bert", nameless)
		b = kratostest.NewBrowser()
		s = kratostest.SignIn{Provider: "acme", Subject: "bert"}
		r = b.SignIn(t, w.k, s)
		s.ExtraForm = filled(t, r, url.Values{"traits.username": {"annie"}, "traits.terms_accepted": {"true"}})
		if r = b.Continue(t, w.k, r, s); r.Outcome != kratostest.OutcomeSession {
			t.Fatalf("ended at %q %+v %s", r.Outcome, r.Messages, r.Error)
		}
		w.wantAnswered("bert", "annie", "user")

		w.wantAsked(w.signIn(kratostest.SignIn{Subject: "anna"}), "anna", bothQuestions)
		var everybody admin.Identities
		w.j.Admin(t, "/admin/v1/identities", &everybody)
		if n := len(everybody.Identities); n != 1 {
			t.Errorf("%d identities in the userstore, want bert alone", n)
		}
	})
}

// TestNewVersionAtKratos: whom Kratos knows cannot be asked. They pass, and the
// record says that they have not accepted the new version.
func TestNewVersionAtKratos(t *testing.T) {
	t.Parallel()
	w := askingWorld(t, kratostest.JithookConfig{}, "consent")
	w.person("anna")
	accept := map[string]any{"traits": map[string]any{"terms_accepted": true}}
	if r := w.signIn(kratostest.SignIn{Subject: "anna", ExtraJSON: accept}); r.Outcome != kratostest.OutcomeSession {
		t.Fatalf("ended at %q %+v %s", r.Outcome, r.Messages, r.Error)
	}
	w.j.Stop(t)
	w.j.WriteProvider(t, "acme.yaml", strings.NewReplacer("ISSUER", w.op.Issuer, "2026-01", "2026-02").Replace(asking("consent")))
	w.j.Start(t)
	if r := w.signIn(kratostest.SignIn{Subject: "anna", ExtraJSON: accept}); r.Outcome != kratostest.OutcomeSession {
		t.Fatalf("ended at %q %+v %s", r.Outcome, r.Messages, r.Error)
	}
	w.wantDecision("anna", "unchanged")
	var page admin.Decisions
	w.j.Admin(t, "/admin/v1/decisions?"+url.Values{"issuer": {w.op.Issuer}, "subject": {"anna"}, "page_size": {"1"}}.Encode(), &page)
	if !slices.ContainsFunc(page.Decisions[0].Reasons, func(r identity.Reason) bool {
		return r.Code == identity.CodeConsentOutdated && r.Path == "/traits/terms_accepted"
	}) {
		t.Errorf("reasons %+v", page.Decisions[0].Reasons)
	}
	w.wantAnswered("anna", "anna", "provider:acme") // the old version stands, alone
}

// TestAskedInANativeApp: an app that began a registration is shown the questions.
// What it posts Kratos v1.3.1 drops by itself, so that it cannot answer; this
// would notice a change.
func TestAskedInANativeApp(t *testing.T) {
	t.Parallel()
	w := askingWorld(t, kratostest.JithookConfig{}, "prompt")
	w.person("anna", nameless)
	answers := map[string]any{"traits": map[string]any{"username": "annie", "terms_accepted": true}}
	s := kratostest.SignIn{Start: kratostest.StartRegistration, Kind: kratostest.KindAPI, Subject: "anna"}
	w.wantAsked(w.signIn(s), "anna", bothQuestions)
	s.ExtraJSON = answers
	w.wantAsked(w.signIn(s), "anna", bothQuestions)
}
