// These tests prove what a receiver gets: signed messages by the published
// schema that it can verify with the standard's own library, which event each
// is, and what its answers mean. No subject and no secret is in any of them.
package webhook_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/safedial"
	"github.com/jithook/jithook/outbound"
	"github.com/jithook/jithook/outbound/webhook"
	"github.com/jithook/jithook/test/schemas"
)

const (
	newSecret = "whsec_bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3"
	oldSecret = "whsec_b2xkb2xkb2xkb2xkb2xkb2xkb2xkb2xk"
	subject   = "s-1-of-ann"
)

// receiver is an endpoint that verifies what it gets.
type receiver struct {
	*httptest.Server
	answer   func(w http.ResponseWriter)
	messages []webhook.Message
	ids      []string
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	file, err := os.ReadFile("message.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	schema := schemas.Compile(t, file)
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		for _, secret := range []string{newSecret, oldSecret} {
			verifier, err := standardwebhooks.NewWebhook(secret)
			if err != nil {
				t.Error(err)
			} else if err := verifier.Verify(body, req.Header); err != nil {
				t.Errorf("not signed by each secret: %v", err)
			}
		}
		instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
		if err == nil {
			err = schema.Validate(instance)
		}
		if err != nil {
			t.Errorf("not by the schema: %v", err)
		}
		if bytes.Contains(body, []byte(subject)) {
			t.Error("a subject is told")
		}
		var m webhook.Message
		if err := json.Unmarshal(body, &m); err != nil {
			t.Error(err)
		}
		r.messages, r.ids = append(r.messages, m), append(r.ids, req.Header.Get("webhook-id"))
		if r.answer != nil {
			r.answer(w)
		}
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) connector(t *testing.T) *webhook.Connector {
	t.Helper()
	c, err := webhook.New(webhook.Options{
		URL: r.URL + "/hook?token=s3cret", Secrets: []string{newSecret, oldSecret},
		Guard: safedial.New([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}), Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func ann() identity.Identity {
	now := time.Now()
	return identity.Identity{
		ID: "01920000-0000-7000-8000-000000000001", Userstore: "default", State: identity.StateActive, Revision: 1,
		Traits: map[string]any{"email": "ann@acme.example"}, CreatedAt: now, UpdatedAt: now,
		Groups: []identity.Group{{Name: "eng", Source: "provider:acme"}, {Name: "eng", Source: "admin"}},
		Links:  []identity.Link{{Provider: "acme", Issuer: "https://acme.example", Subject: subject}},
	}
}

// Each step changes the identity; what is told is what happened since the
// message before.
func TestEvents(t *testing.T) {
	link := identity.Link{Provider: "beta", Issuer: "https://beta.example", Subject: subject}
	r := newReceiver(t)
	c := r.connector(t)
	i := ann()
	for _, step := range []struct {
		name   string
		change func(*identity.Identity)
		want   []webhook.Event // the first is the message's type
	}{
		{"made", func(*identity.Identity) {}, []webhook.Event{webhook.Created}},
		{"a trait", func(i *identity.Identity) { i.Traits = map[string]any{"email": "ann@new.example"} }, []webhook.Event{webhook.Updated}},
		{"linked, and a trait", func(i *identity.Identity) {
			i.Links, i.Traits = append(i.Links, link), map[string]any{"email": "ann@newer.example"}
		}, []webhook.Event{webhook.Linked}},
		{"suspended", func(i *identity.Identity) { i.State = identity.StateSuspended }, []webhook.Event{webhook.Suspended}},
		{"active again", func(i *identity.Identity) { i.State = identity.StateActive }, []webhook.Event{webhook.Activated}},
		{"unlinked", func(i *identity.Identity) { i.Links = i.Links[:1] }, []webhook.Event{webhook.Unlinked}},
		{"another subject, and closed", func(i *identity.Identity) { i.Links = []identity.Link{link}; i.State = identity.StateDeprovisioned },
			[]webhook.Event{webhook.Deprovisioned, webhook.Unlinked, webhook.Linked}},
		{"a trait of somebody closed", func(i *identity.Identity) { i.Traits = map[string]any{"email": "ann@old.example"} }, nil},
		{"open again", func(i *identity.Identity) { i.State = identity.StateActive }, []webhook.Event{webhook.Activated}},
		{"deleted", func(i *identity.Identity) {
			i.State, i.Traits, i.Links, i.Groups = identity.StateDeleted, nil, nil, nil
		}, []webhook.Event{webhook.Deleted}},
	} {
		step.change(&i)
		i.Revision++
		r.messages = nil
		for range 2 { // what is told is not told again
			has, err := c.Deliver(t.Context(), i, identity.Delivery{Target: "crm"})
			if err != nil {
				t.Fatal(err)
			}
			has.Target = "crm"
			i.Remember(has)
		}
		if len(r.messages) != min(1, len(step.want)) {
			t.Fatalf("%s: %d messages", step.name, len(r.messages))
		}
		if step.want == nil {
			continue
		}
		if m := r.messages[0]; m.Type != step.want[0] || !slices.Equal(m.Data.Events, step.want) || m.Data.Identity.Revision != i.Revision {
			t.Errorf("%s: %s of %q, want %q", step.name, m.Type, m.Data.Events, step.want)
		} else if told := len(m.Data.Identity.Traits) + len(m.Data.Identity.Groups); (told == 0) != (i.State == identity.StateDeprovisioned || i.State == identity.StateDeleted) {
			t.Errorf("%s: told %d traits and groups", step.name, told)
		}
	}
	if text := i.Resources[0].Told; strings.Contains(text, subject) || strings.Contains(text, "ann@") {
		t.Error("what is noted holds a subject or a value")
	}
}

// Whoever may have been told, and whoever was told that somebody is deprovisioned,
// is told of the deletion, too.
func TestDeletedEvent(t *testing.T) {
	for name, before := range map[string]*identity.State{"perhaps told": nil, "closed": new(identity.StateDeprovisioned)} {
		t.Run(name, func(t *testing.T) {
			r := newReceiver(t)
			c := r.connector(t)
			i := ann()
			i.Remember(identity.Resource{Target: "crm"})
			if before != nil {
				i.State = *before
				has, err := c.Deliver(t.Context(), i, identity.Delivery{Target: "crm"})
				if err != nil {
					t.Fatal(err)
				}
				has.Target = "crm"
				i.Remember(has)
			}
			i.State, i.Traits, i.Links, i.Groups, i.Revision = identity.StateDeleted, nil, nil, nil, i.Revision+1
			r.messages = nil
			if _, err := c.Deliver(t.Context(), i, identity.Delivery{Target: "crm"}); err != nil {
				t.Fatal(err)
			}
			if len(r.messages) != 1 || !slices.Equal(r.messages[0].Data.Events, []webhook.Event{webhook.Deleted}) || r.messages[0].Data.Identity.State != identity.StateDeleted {
				t.Errorf("%+v", r.messages)
			}
		})
	}
}

// A message that is sent again has the id that it had, and says the same.
func TestSentAgain(t *testing.T) {
	r := newReceiver(t)
	c := r.connector(t)
	r.answer = func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) }
	i := ann()
	for range 2 {
		has, err := c.Deliver(t.Context(), i, identity.Delivery{Target: "crm"})
		if err == nil {
			t.Fatal("delivered")
		}
		has.Target = "crm"
		i.Remember(has)
	}
	if r.ids[0] != r.ids[1] || r.messages[0].Type != webhook.Created || r.messages[1].Type != webhook.Created {
		t.Errorf("ids %q, types %q and %q", r.ids, r.messages[0].Type, r.messages[1].Type)
	}
}

func TestAnswers(t *testing.T) {
	const again, later, never = "again", "later", "never"
	for name, c := range map[string]struct {
		status int
		after  string
		want   string // empty is delivered
	}{
		"200": {200, "", ""}, "204": {204, "", ""},
		"a redirect is not followed": {302, "", again},
		"400":                        {400, "", never}, "413": {413, "", never}, "422": {422, "", never},
		"401": {401, "", again}, "404": {404, "", again}, "410": {410, "", again}, "429 alone": {429, "", again}, "500": {500, "", again},
		"429, seconds": {429, "120", later}, "503, a date": {503, time.Now().Add(2 * time.Minute).UTC().Format(http.TimeFormat), later},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReceiver(t)
			r.answer = func(w http.ResponseWriter) {
				w.Header().Set("Location", r.URL+"/elsewhere")
				if c.after != "" {
					w.Header().Set("Retry-After", c.after)
				}
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, "ann@acme.example is not welcome")
			}
			_, err := r.connector(t).Deliver(t.Context(), ann(), identity.Delivery{Target: "crm"})
			got := ""
			var asked *outbound.LaterError
			var refused *outbound.RejectedError
			switch {
			case errors.As(err, &asked):
				got = later
				if asked.After < 100*time.Second || asked.After > 120*time.Second {
					t.Errorf("after %s", asked.After)
				}
			case errors.As(err, &refused):
				got = never
			case err != nil:
				got = again
			}
			if got != c.want || len(r.messages) != 1 {
				t.Errorf("%q after %d messages, want %q: %v", got, len(r.messages), c.want, err)
			}
			if err != nil && (strings.Contains(err.Error(), "welcome") || strings.Contains(err.Error(), "s3cret")) {
				t.Errorf("the error tells too much: %v", err)
			}
		})
	}
}

func TestNobodyThere(t *testing.T) {
	r := newReceiver(t)
	c := r.connector(t)
	r.Close()
	_, err := c.Deliver(t.Context(), ann(), identity.Delivery{Target: "crm"})
	if err == nil || strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "127.0.0.1") {
		t.Errorf("error %v", err)
	}
	guarded, err := webhook.New(webhook.Options{URL: r.URL, Secrets: []string{newSecret}, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	var forbidden *safedial.ForbiddenError
	if _, err := guarded.Deliver(t.Context(), ann(), identity.Delivery{Target: "crm"}); !errors.As(err, &forbidden) {
		t.Errorf("a private address is called: %v", err)
	}
}

func TestNew(t *testing.T) {
	for name, o := range map[string]webhook.Options{
		"no secret":    {URL: "https://crm.example/hook"},
		"short secret": {URL: "https://crm.example/hook", Secrets: []string{"whsec_c2hvcnQ="}},
		"no prefix":    {URL: "https://crm.example/hook", Secrets: []string{strings.TrimPrefix(newSecret, "whsec_")}},
		"plain http":   {URL: "http://crm.example/hook", Secrets: []string{newSecret}},
		"a user":       {URL: "https://a:b@crm.example/hook", Secrets: []string{newSecret}},
		"no host":      {URL: "https:///hook", Secrets: []string{newSecret}},
	} {
		if _, err := webhook.New(o); err == nil || strings.Contains(err.Error(), "c2hvcnQ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What a person asks for again is told again, as an update: the receiver may have
// lost it. Of whom it was never told, it is told for the first time.
func TestAskedAgain(t *testing.T) {
	for name, c := range map[string]struct {
		state identity.State
		told  bool
		want  webhook.Event
	}{
		"told": {identity.StateActive, true, webhook.Updated}, "closed": {identity.StateDeprovisioned, true, webhook.Updated},
		"never told": {identity.StateActive, false, webhook.Created},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReceiver(t)
			connector := r.connector(t)
			i := ann()
			i.State = c.state
			again := identity.Delivery{Target: "crm", Revision: 1, Again: true}
			if c.told {
				has, err := connector.Deliver(t.Context(), i, identity.Delivery{Target: "crm", Revision: 1})
				if err != nil {
					t.Fatal(err)
				}
				has.Target = "crm"
				i.Remember(has)
				if _, err := connector.Deliver(t.Context(), i, identity.Delivery{Target: "crm", Revision: 1}); err != nil || len(r.messages) != 1 {
					t.Fatalf("told twice without being asked to: %v", err)
				}
				r.messages, r.ids = nil, nil
			}
			has, err := connector.Deliver(t.Context(), i, again)
			if err != nil || has.Told == "" || len(r.messages) != 1 || r.messages[0].Type != c.want {
				t.Fatalf("%+v, %v", r.messages, err)
			}
			if want := i.ID + ".1"; r.ids[0] != want {
				t.Errorf("the id is %q, want %q", r.ids[0], want)
			}
			if m := r.messages[0].Data.Identity; c.state == identity.StateDeprovisioned && len(m.Traits)+len(m.Groups) > 0 {
				t.Error("told of who goes there no more")
			}
		})
	}
}

// TestToldOtherwise: who goes there is for the rules and files to say, which may
// change while the identity does not. Another content has another id, which stays
// the same until it has arrived.
func TestToldOtherwise(t *testing.T) {
	r := newReceiver(t)
	connector := r.connector(t)
	i := ann()
	deliver := func(s identity.State, again bool) {
		t.Helper()
		i.State = s
		has, err := connector.Deliver(t.Context(), i, identity.Delivery{Target: "crm", Revision: i.Revision, Again: again})
		if (err != nil) != (r.answer != nil) {
			t.Fatal(err)
		}
		has.Target = "crm"
		i.Remember(has)
	}
	deliver(identity.StateActive, false)
	r.answer = func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) }
	deliver(identity.StateDeprovisioned, true)
	r.answer = nil
	deliver(identity.StateDeprovisioned, true)
	deliver(identity.StateDeprovisioned, true) // the same, asked for again
	deliver(identity.StateActive, true)
	deliver(identity.StateDeprovisioned, true)
	i.Revision++
	deliver(identity.StateActive, false)
	var got []string
	for n, id := range r.ids {
		got = append(got, strings.TrimPrefix(id, i.ID)+" "+string(r.messages[n].Type))
	}
	if want := []string{
		".1 identity.created", ".1.1 identity.deprovisioned", ".1.1 identity.deprovisioned", ".1.1 identity.updated",
		".1.2 identity.activated", ".1.3 identity.deprovisioned", ".2 identity.activated",
	}; !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// TestGoneAndSuspended: of who was told as gone nothing is told while they are
// suspended, since a rule that fails does not say whether they are back.
func TestGoneAndSuspended(t *testing.T) {
	r := newReceiver(t)
	c := r.connector(t)
	i := ann()
	for _, state := range []identity.State{
		identity.StateActive, identity.StateDeprovisioned, identity.StateSuspended, identity.StateSuspended, identity.StateActive, identity.StateSuspended,
	} {
		i.State = state
		i.Revision++
		has, err := c.Deliver(t.Context(), i, identity.Delivery{Target: "crm", Revision: i.Revision})
		if err != nil {
			t.Fatal(err)
		}
		has.Target = "crm"
		i.Remember(has)
	}
	var got []webhook.Event
	for _, m := range r.messages {
		got = append(got, m.Type)
		if told := len(m.Data.Identity.Traits); (told == 0) != (m.Type == webhook.Deprovisioned) {
			t.Errorf("%s tells %d traits", m.Type, told)
		}
	}
	if want := []webhook.Event{webhook.Created, webhook.Deprovisioned, webhook.Activated, webhook.Suspended}; !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
