//go:build unix

// Package kratos_test signs people in at a real Ory Kratos with a real OpenID
// provider. It owns what only the whole can show, across processes and
// redirects; it must not repeat what a package's own tests can prove.
//
// This file proves the harness itself, with a stand-in for jithook that records
// what it is sent: all ways to sign in reach a session, hooks fire in Kratos's
// documented order, and a denial lands on the flow's page. What Kratos makes of
// a hook's reply is written down here, too, because jithook's answers rest on it.
package kratos_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jithook/jithook/test/kratos/kratostest"
)

const zeroID = "00000000-0000-0000-0000-000000000000"

var (
	allStarts = []string{kratostest.StartLogin, kratostest.StartRegistration}
	allKinds  = []kratostest.Kind{kratostest.KindBrowser, kratostest.KindSPA, kratostest.KindAPI}
)

// TestSixWays: every way to begin reaches a session. The first sign-in runs
// prepare (no id yet) and commit (the real id), the second one login only.
func TestSixWays(t *testing.T) {
	t.Parallel()
	op, h, k := standInWorld(t, "")
	for _, start := range allStarts {
		for _, kind := range allKinds {
			t.Run(start+"/"+string(kind), func(t *testing.T) {
				subject := start + "-" + string(kind)
				op.SetAccount(t, subject, ada(subject))
				s := kratostest.SignIn{Start: start, Kind: kind, Provider: "acme", Subject: subject}

				id := wantSession(t, k, s, subject)
				calls := h.take()
				if got := hookNames(calls); !slices.Equal(got, []string{"prepare", "commit"}) {
					t.Fatalf("first sign-in ran %v, want prepare, commit", got)
				}
				if calls[0].Identity.ID != zeroID || calls[1].Identity.ID != id {
					t.Errorf("ids: prepare %s, commit %s; want zeros, %s", calls[0].Identity.ID, calls[1].Identity.ID, id)
				}

				if again := wantSession(t, k, s, subject); again != id {
					t.Errorf("second sign-in: identity %s, the first made %s", again, id)
				}
				calls = h.take()
				if got := hookNames(calls); !slices.Equal(got, []string{"login"}) {
					t.Fatalf("second sign-in ran %v, want login", got)
				}
				if m := calls[0].Session.AuthenticationMethods; len(m) != 1 || m[0].Provider != "acme" {
					t.Errorf("login got the methods %v", m)
				}
			})
		}
	}
}

// wantSession signs in with a new browser and returns the identity's id.
func wantSession(t *testing.T, k *kratostest.Kratos, s kratostest.SignIn, subject string) string {
	t.Helper()
	b := kratostest.NewBrowser()
	r := b.SignIn(t, k, s)
	if r.Outcome != kratostest.OutcomeSession {
		t.Fatalf("sign-in ended at %q, messages %v, error %s", r.Outcome, r.Messages, r.Error)
	}
	if (r.SessionToken != "") != (s.Kind == kratostest.KindAPI) {
		t.Errorf("session token: got one = %v", r.SessionToken != "")
	}
	who := b.Whoami(t, k)
	if who == nil || who.Identity.ID != r.Session.Identity.ID {
		t.Fatalf("whoami = %+v, want the identity of the sign-in", who)
	}
	owners := k.IdentitiesByCredential(t, "acme:"+subject)
	if len(owners) != 1 || owners[0].ID != who.Identity.ID {
		t.Fatalf("the credential belongs to %v, want one identity, the session's", owners)
	}
	return who.Identity.ID
}

// TestDenials: a 4xx with messages ends at the flow's page with that message
// after one call, whatever its number; nothing is stored and nobody is signed in.
func TestDenials(t *testing.T) {
	t.Parallel()
	op, h, k := standInWorld(t, "")
	op.SetAccount(t, "known", ada("known"))
	op.SetAccount(t, "stranger", ada("stranger"))
	wantSession(t, k, kratostest.SignIn{Provider: "acme", Subject: "known"}, "known")

	for _, hook := range []string{"prepare", "login"} {
		subject, page := "stranger", kratostest.StartRegistration
		if hook == "login" {
			subject, page = "known", kratostest.StartLogin
		}
		for _, status := range []int{http.StatusBadRequest, http.StatusForbidden, http.StatusFailedDependency} {
			for _, kind := range allKinds {
				t.Run(fmt.Sprintf("%s/%d/%s", hook, status, kind), func(t *testing.T) {
					h.take()
					h.answer(hook, status, denial("#/", "Ask somebody."))
					b := kratostest.NewBrowser()
					// A native app sees the reason only in the flow that it began.
					r := b.SignIn(t, k, kratostest.SignIn{Start: page, Kind: kind, Provider: "acme", Subject: subject})
					if r.Outcome != kratostest.OutcomeFlow || r.FlowName != page {
						t.Fatalf("ended at %q %q, want the %s page", r.Outcome, r.FlowName, page)
					}
					if m := r.Messages; len(m) != 1 || m[0].Field != "" || m[0].ID != 4990013 || m[0].Text != "Ask somebody." || m[0].Type != "error" {
						t.Errorf("messages = %+v", m)
					}
					if got := hookNames(h.take()); !slices.Equal(got, []string{hook}) {
						t.Errorf("ran %v, want %s once", got, hook)
					}
					if who := b.Whoami(t, k); who != nil {
						t.Errorf("signed in after a denial, as %s", who.Identity.ID)
					}
					if got := k.ListIdentities(t); len(got) != 1 {
						t.Errorf("%d identities, want the known one", len(got))
					}
				})
			}
		}
	}
}

// TestDenialOfANativeLogin: an app that began a login, whose subject turns out to
// be new, never learns the reason; Kratos puts it into a flow it does not name.
func TestDenialOfANativeLogin(t *testing.T) {
	t.Parallel()
	op, h, k := standInWorld(t, "")
	op.SetAccount(t, "stranger", ada("stranger"))
	h.answer("prepare", http.StatusForbidden, denial("#/", "Ask somebody."))
	r := kratostest.NewBrowser().SignIn(t, k, kratostest.SignIn{Kind: kratostest.KindAPI, Provider: "acme", Subject: "stranger"})
	if r.Outcome != kratostest.OutcomeNoSession || r.Session != nil {
		t.Errorf("ended at %q with %v", r.Outcome, r.Messages)
	}
}

// TestMessageAtAField: the pointer decides where a message stands.
func TestMessageAtAField(t *testing.T) {
	t.Parallel()
	op, h, k := standInWorld(t, "")
	op.SetAccount(t, "s", ada("s"))
	h.answer("prepare", http.StatusForbidden, denial("#/traits/name", "No such name."))
	r := kratostest.NewBrowser().SignIn(t, k, kratostest.SignIn{Provider: "acme", Subject: "s"})
	if len(r.Messages) != 1 || r.Messages[0].Field != "traits.name" || string(r.Messages[0].Context) != `{"decision_id":"d-1"}` {
		t.Errorf("ended at %q with %+v", r.Outcome, r.Messages)
	}
}

// TestErrorPage: a hook that does not speak Kratos's language ends at the error
// page, which the driver reads.
func TestErrorPage(t *testing.T) {
	t.Parallel()
	op, h, k := standInWorld(t, "")
	op.SetAccount(t, "s", ada("s"))
	h.answer("prepare", http.StatusForbidden, map[string]any{"title": "no messages"})
	r := kratostest.NewBrowser().SignIn(t, k, kratostest.SignIn{Provider: "acme", Subject: "s"})
	if r.Outcome != kratostest.OutcomeErrorPage || len(r.Error) == 0 {
		t.Errorf("ended at %q with error %s", r.Outcome, r.Error)
	}
}

// TestForgedTraits: what a client posts with the flow reaches the hook in place
// of what the mapper said. It is why jithook believes no trait of a payload.
func TestForgedTraits(t *testing.T) {
	t.Parallel()
	op, h, k := standInWorld(t, "")
	for name, tc := range map[string]struct {
		s    kratostest.SignIn
		want map[string]any
	}{
		"json": {
			kratostest.SignIn{ExtraJSON: map[string]any{"traits": map[string]any{"email": "ceo@acme.example", "groups": []string{"admins"}}}},
			map[string]any{"email": "ceo@acme.example", "groups": []any{"admins"}, "name": "Ada"},
		},
		"form": {
			kratostest.SignIn{ExtraForm: url.Values{"traits.email": {"cfo@acme.example"}}},
			map[string]any{"email": "cfo@acme.example", "name": "Ada"},
		},
	} {
		for _, kind := range []kratostest.Kind{kratostest.KindBrowser, kratostest.KindSPA} {
			t.Run(name+"/"+string(kind), func(t *testing.T) {
				subject := "forger-" + name + "-" + string(kind)
				op.SetAccount(t, subject, ada(subject))
				s := tc.s
				s.Kind, s.Provider, s.Subject = kind, "acme", subject
				kratostest.NewBrowser().SignIn(t, k, s)
				calls := h.take()
				if len(calls) == 0 {
					t.Fatal("no hook ran")
				}
				if diff := cmp.Diff(tc.want, calls[0].Identity.Traits); diff != "" {
					t.Errorf("traits that prepare got (-want +got):\n%s", diff)
				}
				if _, ok := calls[0].Identity.MetadataPublic["raw"]; !ok {
					t.Error("the mapper's metadata is not there")
				}
			})
		}
	}
}

// TestTwoAtOnce: browsers are independent, so two people can be on their way at
// the same time.
func TestTwoAtOnce(t *testing.T) {
	t.Parallel()
	op, _, k := standInWorld(t, "")
	var wg sync.WaitGroup
	ids := make([]string, 2)
	for i := range ids {
		subject := fmt.Sprintf("parallel-%d", i)
		op.SetAccount(t, subject, ada(subject))
		wg.Go(func() {
			r, err := kratostest.NewBrowser().Try(t.Context(), k, kratostest.SignIn{Provider: "acme", Subject: subject})
			if err != nil || r.Session == nil {
				t.Errorf("%s ended at %q: %v", subject, r.Outcome, err)
				return
			}
			ids[i] = r.Session.Identity.ID
		})
	}
	wg.Wait()
	if ids[0] == ids[1] {
		t.Errorf("two people, one identity %s", ids[0])
	}
}

// TestDeletedAndTwoIssuers: a document adds a second provider and hands the first
// one its mapper; an identity that was deleted is made anew at the next sign-in.
func TestDeletedAndTwoIssuers(t *testing.T) {
	t.Parallel()
	acme, globex := kratostest.StartProvider(t, kratostest.ProviderOptions{}), kratostest.StartProvider(t, kratostest.ProviderOptions{})
	if acme.Issuer == globex.Issuer {
		t.Fatal("two providers, one issuer")
	}
	mapper := kratostest.Base64URL(standInMapper)
	doc, err := kratostest.ParseDocument(fmt.Appendf(nil,
		`{"selfservice":{"methods":{"oidc":{"config":{"providers":[{"id":"globex","mapper_url":%q},{"id":"acme","mapper_url":%q}]}}}}}`, mapper, mapper))
	if err != nil {
		t.Fatal(err)
	}
	h := startStandIn(t)
	k := kratostest.StartKratos(t, kratostest.Config{
		Providers: []kratostest.OIDCProvider{acme.ForKratos("acme"), globex.ForKratos("globex")},
		Documents: append(h.documents(), doc),
	})
	acme.SetAccount(t, "s-1", ada("one"))
	globex.SetAccount(t, "s-1", ada("two"))
	first := wantSession(t, k, kratostest.SignIn{Provider: "acme", Subject: "s-1"}, "s-1")
	r := kratostest.NewBrowser().SignIn(t, k, kratostest.SignIn{Provider: "globex", Subject: "s-1"})
	if r.Session == nil || r.Session.Identity.ID == first {
		t.Fatalf("globex's s-1 ended at %q; want an identity of its own", r.Outcome)
	}
	k.DeleteIdentity(t, first)
	h.take()
	if again := wantSession(t, k, kratostest.SignIn{Provider: "acme", Subject: "s-1"}, "s-1"); again == first {
		t.Error("a deleted identity came back")
	}
	if got := hookNames(h.take()); !slices.Equal(got, []string{"prepare", "commit"}) {
		t.Errorf("ran %v, want prepare, commit", got)
	}
}
