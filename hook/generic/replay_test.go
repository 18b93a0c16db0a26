package generic_test

// These tests prove that a signed message is decided once, whoever sends it again
// and when: the first attempt answered, died, or is still under way.

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/jithook/jithook/hook"
	"github.com/jithook/jithook/hook/generic"
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/provision"
	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/test/service"
)

const secret, otherSecret = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB"

// signed is a server whose two callers sign.
func signed(t *testing.T, file string) server {
	t.Helper()
	s := server{Service: service.Open(t, io.Discard, file)}
	caller := func(name string) hook.Caller {
		return hook.Caller{Name: name, Endpoints: []hook.Endpoint{hook.EndpointLogin}, Providers: []string{"acme"}, Instance: "main"}
	}
	auth, err := hook.NewAuth(hook.Credentials{Now: time.Now, Webhooks: []hook.Webhook{
		{Caller: caller("app"), Secrets: []string{secret}}, {Caller: caller("other"), Secrets: []string{otherSecret}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	o := hook.Options{Auth: auth, Log: slog.New(slog.DiscardHandler), Ready: s.Bolt.Ping}
	e := hook.New(o)
	generic.Mount(e, o, &generic.Handler{Service: s.Service.Service})
	s.handler = e
	return s
}

// message is one that is signed anew each time it is sent.
type message struct{ secret, id, body string }

func (s server) send(t *testing.T, m message) *httptest.ResponseRecorder {
	t.Helper()
	w, err := standardwebhooks.NewWebhook(m.secret)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := w.Sign(m.id, time.Now(), []byte(m.body))
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "/hooks/login", strings.NewReader(m.body))
	for name, v := range map[string]string{
		"Content-Type": "application/json", "webhook-id": m.id,
		"webhook-timestamp": strconv.FormatInt(time.Now().Unix(), 10), "webhook-signature": signature,
	} {
		r.Header.Set(name, v)
	}
	reply := httptest.NewRecorder()
	s.handler.ServeHTTP(reply, r)
	return reply
}

// decided sends a message and returns the decision.
func (s server) decided(t *testing.T, m message, status int, code identity.Code) generic.Response {
	t.Helper()
	w := s.send(t, m)
	var got generic.Response
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != status || len(got.Reasons) == 0 || got.Reasons[0].Code != code {
		t.Fatalf("%d %s, want %d %s", w.Code, w.Body, status, code)
	}
	return got
}

func (s server) records(t *testing.T) []identity.Record {
	t.Helper()
	page, err := s.Bolt.Decisions(t.Context(), store.DecisionQuery{})
	if err != nil {
		t.Fatal(err)
	}
	return page.Records
}

var first = message{secret, "m-1", login}

// TestS2_SameAnswer: to the byte, for every decision, with nothing written.
func TestS2_SameAnswer(t *testing.T) {
	s := signed(t, acme)
	for n, c := range []struct {
		body, decision string
		status         int
	}{
		{login, "created", 200},
		{login, "unchanged", 200},
		{strings.Replace(login, "Ann", "Bea", 1), "updated", 200},
		{strings.Replace(login, `"name"`, `"guest":1,"name"`, 1), "denied", 403},
	} {
		m := message{secret, "m-" + strconv.Itoa(n), c.body}
		once := s.send(t, m)
		if once.Code != c.status || !strings.Contains(once.Body.String(), `"decision":"`+c.decision+`"`) {
			t.Fatalf("%d %s, want %s", once.Code, once.Body, c.decision)
		}
		records := s.records(t)
		if records[0].DeliveryID != m.id || string(records[0].Decision) != c.decision {
			t.Errorf("record %+v", records[0])
		}
		for range 3 {
			if again := s.send(t, m); again.Code != once.Code || again.Body.String() != once.Body.String() {
				t.Errorf("%s again: %d %s, want %s", c.decision, again.Code, again.Body, once.Body)
			}
		}
		if after := s.records(t); len(after) != len(records) || len(records) != n+1 {
			t.Errorf("%d records after %d messages", len(after), n+1)
		}
	}
	// What an earlier message said is not applied over what a later one did.
	s.send(t, message{secret, "m-1", login})
	if w := s.send(t, message{secret, "m-9", strings.Replace(login, "Ann", "Bea", 1)}); !strings.Contains(w.Body.String(), `"decision":"unchanged"`) {
		t.Errorf("an old message changed something: %s", w.Body)
	}
}

// TestS2_AnotherMessage: an id means something only with its content and for its
// caller.
func TestS2_AnotherMessage(t *testing.T) {
	s := signed(t, acme)
	once := s.decided(t, first, 200, "created")
	if w := s.send(t, message{secret, "m-1", login + " "}); w.Code != 409 || w.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("another body: %d %s", w.Code, w.Body)
	}
	if got := s.decided(t, message{otherSecret, "m-1", login}, 200, "unchanged"); got.DecisionID == once.DecisionID {
		t.Error("another caller's message has the same decision")
	}
	if got := s.decided(t, message{secret, "m-2", login}, 200, "unchanged"); got.DecisionID == once.DecisionID {
		t.Error("another message has the same decision")
	}
}

// TestS2_StateIsCheckedAgain: who was let in is kept out if the state bars them by
// now, under a record of its own.
func TestS2_StateIsCheckedAgain(t *testing.T) {
	for name, c := range map[string]struct {
		code identity.Code
		edit provision.Edit
		told bool // a target may have an account
	}{
		"suspended": {"suspended", provision.Suspend(), false}, "closed": {"deprovisioned", provision.Deprovision(), false},
		"deleted": {"identity_missing", provision.Delete(), false}, "deleted, and not everywhere yet": {"identity_missing", provision.Delete(), true},
		"unlinked": {"link_stale", provision.Unlink("acme"), false},
	} {
		t.Run(name, func(t *testing.T) {
			s := signed(t, acme)
			once := s.decided(t, first, 200, "created")
			if c.told {
				i, err := s.Bolt.Get(t.Context(), once.Identity.ID)
				if err != nil {
					t.Fatal(err)
				}
				i.Remember(identity.Resource{Target: "hr"})
				i.OutboxVersion++
				if err := s.Bolt.SetOutbox(t.Context(), i); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := s.Edit(t.Context(), provision.Target{ID: once.Identity.ID}, c.edit); err != nil {
				t.Fatal(err)
			}
			got := s.decided(t, first, 403, c.code)
			if got.Identity != nil || got.DecisionID == once.DecisionID {
				t.Errorf("%+v", got)
			}
			if r, err := s.Bolt.Decision(t.Context(), got.DecisionID); err != nil || r.Decision != identity.Denied || r.DeliveryID != "m-1" {
				t.Errorf("record %+v, %v", r, err)
			}
			if r, err := s.Bolt.Decision(t.Context(), once.DecisionID); err != nil || r.Decision != identity.Created {
				t.Errorf("the message's own record %+v, %v", r, err)
			}
		})
	}
}

// failing is a store whose next insert or record fails.
type failing struct {
	provision.Store
	provision.Journal
	fails atomic.Bool
}

func (f *failing) Insert(ctx context.Context, i identity.Identity, r identity.Record) error {
	if f.fails.Swap(false) {
		return store.ErrUnavailable
	}
	return f.Store.Insert(ctx, i, r)
}

func (f *failing) Record(ctx context.Context, records []identity.Record, touched []store.Touch) error {
	if f.fails.Swap(false) {
		return store.ErrUnavailable
	}
	return f.Journal.Record(ctx, records, touched)
}

// TestS2_FirstAttemptDied: before anything was decided. The next one decides, and
// all later ones answer as it did.
func TestS2_FirstAttemptDied(t *testing.T) {
	s := signed(t, acme)
	f := &failing{Store: s.Store, Journal: s.Journal}
	s.Store, s.Journal = f, f
	for _, decision := range []identity.Code{"created", "unchanged"} {
		m := message{secret, "m-" + string(decision), login}
		f.fails.Store(true)
		died := s.decided(t, m, 503, "store_unavailable")
		once := s.decided(t, m, 200, decision)
		again := s.decided(t, m, 200, decision)
		if died.DecisionID == once.DecisionID || again.DecisionID != once.DecisionID {
			t.Errorf("%s: decisions %s, then %s, then %s", decision, died.DecisionID, once.DecisionID, again.DecisionID)
		}
	}
	s.Bolt.Close()
	if w := s.send(t, first); w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("without a store: %d %s", w.Code, w.Body)
	}
}

// TestS2_AtOnce: sixteen times the same message have one answer and one write.
func TestS2_AtOnce(t *testing.T) {
	s := signed(t, acme)
	for round, body := range []string{login, strings.Replace(login, "Ann", "Bea", 1), login + " "} {
		m := message{secret, "m-" + strconv.Itoa(round), body}
		answers := make([]string, 16)
		var all sync.WaitGroup
		for n := range answers {
			all.Go(func() {
				w := s.send(t, m)
				answers[n] = strconv.Itoa(w.Code) + w.Body.String()
			})
		}
		all.Wait()
		for _, a := range answers {
			if a != answers[0] || !strings.HasPrefix(a, "200") {
				t.Errorf("answers %s and %s", answers[0], a)
			}
		}
		if n := len(s.records(t)); n != round+1 {
			t.Errorf("%d records of %d messages", n, round+1)
		}
	}
	page, err := s.Bolt.List(t.Context(), store.Query{})
	if err != nil || len(page.Identities) != 1 || page.Identities[0].Revision != 3 {
		t.Errorf("%+v, %v", page, err)
	}
}

// overtaken makes the second look-up see what the first caller's insert wrote.
type overtaken struct {
	provision.Store
	looks                        atomic.Int32
	inserting, looking, inserted chan struct{}
}

func (o *overtaken) Look(ctx context.Context, in string, keys ...identity.Key) (store.Found, error) {
	if o.looks.Add(1) == 2 {
		close(o.looking)
		await(ctx, o.inserted)
	}
	return o.Store.Look(ctx, in, keys...)
}

func (o *overtaken) Insert(ctx context.Context, i identity.Identity, r identity.Record) error {
	defer close(o.inserted)
	close(o.inserting)
	await(ctx, o.looking)
	return o.Store.Insert(ctx, i, r)
}

func await(ctx context.Context, c chan struct{}) {
	select {
	case <-c:
	case <-ctx.Done():
	}
}

// TestS2_Overtaken: whoever finds the identity that the same message has just made
// does not decide that nothing has changed.
func TestS2_Overtaken(t *testing.T) {
	s := signed(t, acme)
	o := &overtaken{Store: s.Store, inserting: make(chan struct{}), looking: make(chan struct{}), inserted: make(chan struct{})}
	s.Store = o
	var answers [2]string
	var both sync.WaitGroup
	both.Go(func() { answers[0] = s.send(t, first).Body.String() })
	await(t.Context(), o.inserting)
	both.Go(func() { answers[1] = s.send(t, first).Body.String() })
	both.Wait()
	if answers[0] != answers[1] || !strings.Contains(answers[0], `"decision":"created"`) {
		t.Errorf("answers %s and %s", answers[0], answers[1])
	}
}

// TestIDTokenInAMessage: a message is one flow, however often it comes.
func TestIDTokenInAMessage(t *testing.T) {
	idp := startSigner(t)
	s := signed(t, idp.file("id_token"))
	f := &failing{Store: s.Store, Journal: s.Journal}
	s.Store = f
	m := message{secret, "m-1", presented(map[string]any{"id_token": idp.token("Ann", 0)})}
	f.fails.Store(true)
	s.decided(t, m, 503, "store_unavailable")
	s.decided(t, m, 200, "created")
	s.decided(t, message{secret, "m-2", m.body}, 403, "token_replayed")
}
