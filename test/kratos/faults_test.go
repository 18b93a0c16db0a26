//go:build unix

package kratos_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jithook/jithook/hook"
	wire "github.com/jithook/jithook/hook/kratos"
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/store/directory"
	"github.com/jithook/jithook/test/kratos/kratostest"
	"github.com/jithook/jithook/test/service"
)

// breakable is the real store until it is told to fail. A process cannot be
// made to fail between prepare and commit of one sign-in, so these tests run
// the server's parts inside the test.
type breakable struct {
	store.Store
	broken atomic.Pointer[string] // the operation that fails
}

// gate fails the operation that is broken, or never comes back from it.
func (b *breakable) gate(ctx context.Context, op string) error {
	switch p := b.broken.Load(); {
	case p == nil:
		return nil
	case *p == op:
		return fmt.Errorf("test: %w", store.ErrUnavailable)
	case *p == "once "+op:
		b.heal()
		return fmt.Errorf("test: %w", store.ErrUnavailable)
	case *p == "hanging "+op:
		<-ctx.Done()
		return fmt.Errorf("test: %w: %w", store.ErrUnavailable, ctx.Err())
	}
	return nil
}

func (b *breakable) Find(ctx context.Context, keys ...identity.Key) ([]identity.Identity, error) {
	if err := b.gate(ctx, "find"); err != nil {
		return nil, err
	}
	return b.Store.Find(ctx, keys...)
}

func (b *breakable) Insert(ctx context.Context, i identity.Identity, r identity.Record) error {
	if err := b.gate(ctx, "insert"); err != nil {
		return err
	}
	return b.Store.Insert(ctx, i, r)
}

func (b *breakable) Swap(ctx context.Context, i identity.Identity, r identity.Record) error {
	if err := b.gate(ctx, "swap"); err != nil {
		return err
	}
	return b.Store.Swap(ctx, i, r)
}

func (b *breakable) fail(op string) { b.broken.Store(&op) }
func (b *breakable) heal()          { b.broken.Store(nil) }

// brokenWorld is a world whose jithook runs in the test, over a store that can
// be broken.
func brokenWorld(t *testing.T, more ...map[string]any) (world, *breakable, service.Service) {
	t.Helper()
	return brokenWorldOf(t, acmeFile, more...)
}

// brokenWorldOf is brokenWorld with this provider's file.
func brokenWorldOf(t *testing.T, file string, more ...map[string]any) (world, *breakable, service.Service) {
	t.Helper()
	url, answerWith := hookServer(t)
	w := newWorld(t, kratostest.JithookConfig{HookURL: url, Restore: kratosTraits}, more...)
	s := service.Open(t, io.Discard, strings.Replace(file, "ISSUER", w.op.Issuer, 1))
	b := &breakable{Store: s.Bolt}
	s.Store = directory.New(b, nil)
	answerWith(hooksOf(t, w.j, s, kratosTraits))
	return w, b, s
}

// hookServer is where Kratos calls. What answers is said once Kratos runs.
func hookServer(t *testing.T) (url string, answerWith func(http.Handler)) {
	t.Helper()
	var handler atomic.Pointer[http.Handler]
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		(*handler.Load()).ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL, func(h http.Handler) { handler.Store(&h) }
}

// hooksOf are jithook's hooks over a service in the test.
func hooksOf(t *testing.T, j *kratostest.Jithook, s service.Service, restore []string) http.Handler {
	t.Helper()
	caller := hook.Caller{Name: "kratos", Endpoints: []hook.Endpoint{hook.EndpointKratos}, Providers: []string{"*"}, Instance: "main"}
	auth, err := hook.NewAuth(hook.Credentials{Now: time.Now, APIKeys: []hook.APIKey{{Caller: caller, Header: "X-API-Key", Values: []string{j.HookKey()}}}})
	if err != nil {
		t.Fatal(err)
	}
	o := hook.Options{Auth: auth, Log: slog.New(slog.DiscardHandler), Ready: s.Bolt.Ping}
	e := hook.New(o)
	wire.Mount(e, o, &wire.Handler{Service: s.Service, Log: o.Log, RestoreTraits: restore})
	return e
}

func (w world) found(s service.Service, subject string) []identity.Identity {
	w.t.Helper()
	found, err := s.Bolt.Find(w.t.Context(), identity.FedKey(w.op.Issuer, subject))
	if err != nil {
		w.t.Fatal(err)
	}
	return found
}

// TestStoreFailsInPrepare: whether the store fails or does not answer, a clean message, nothing half-made, and the next
// attempt works.
func TestStoreFailsInPrepare(t *testing.T) {
	t.Parallel()
	w, b, s := brokenWorld(t)
	for op, id := range map[string]int{"find": 4990091, "insert": 4990091, "hanging find": 4990092, "hanging insert": 4990092} {
		subject := "fails-" + strings.ReplaceAll(op, " ", "-")
		w.person(subject)
		b.fail(op)
		r := w.signIn(kratostest.SignIn{Start: kratostest.StartRegistration, Subject: subject})
		if r.Outcome != kratostest.OutcomeFlow || len(r.Messages) != 1 || r.Messages[0].ID != id ||
			!strings.Contains(r.Messages[0].Text, "Try again in a moment. (reference ") {
			t.Fatalf("%s: %q %+v %s", op, r.Outcome, r.Messages, r.Error)
		}
		if ours, theirs := w.found(s, subject), w.k.IdentitiesByCredential(t, "acme:"+subject); len(ours)+len(theirs) != 0 {
			t.Errorf("%s: %d identities in jithook, %d in Kratos", op, len(ours), len(theirs))
		}
		b.heal()
		if r := w.signIn(kratostest.SignIn{Start: kratostest.StartRegistration, Subject: subject}); r.Outcome != kratostest.OutcomeSession {
			t.Errorf("%s, healed: %q %+v %s", op, r.Outcome, r.Messages, r.Error)
		}
	}
}

// TestStoreFailsOnce: where the provider's file says so, Kratos repeats what the store has failed, and the person
// sees nothing of it.
func TestStoreFailsOnce(t *testing.T) {
	t.Parallel()
	w, b, s := brokenWorldOf(t, strings.Replace(acmeFile, "enabled: true", "enabled: true\n  on_store_error: retry", 1))
	for _, op := range []string{"find", "insert"} {
		subject := "repeated-" + op
		w.person(subject)
		b.fail("once " + op)
		if r := w.signIn(kratostest.SignIn{Start: kratostest.StartRegistration, Subject: subject}); r.Outcome != kratostest.OutcomeSession {
			t.Errorf("%s: %q %+v %s", op, r.Outcome, r.Messages, r.Error)
		}
		if n := len(w.found(s, subject)); n != 1 {
			t.Errorf("%s: %d identities", op, n)
		}
	}
}

// TestStoreFailsInCommit: the person is signed in, and the next sign-in makes
// the identity whole.
func TestStoreFailsInCommit(t *testing.T) {
	t.Parallel()
	w, b, s := brokenWorld(t)
	for _, op := range []string{"swap", "hanging swap"} {
		subject := "fails-" + strings.ReplaceAll(op, " ", "-")
		w.person(subject)
		b.fail(op)
		r := w.signIn(kratostest.SignIn{Subject: subject})
		if r.Outcome != kratostest.OutcomeSession {
			t.Fatalf("%s: %q %+v %s", op, r.Outcome, r.Messages, r.Error)
		}
		if ours := w.found(s, subject); len(ours) != 1 || ours[0].State != identity.StatePending {
			t.Fatalf("%s: %+v", op, ours)
		}
		b.heal()
		if r := w.signIn(kratostest.SignIn{Subject: subject}); r.Outcome != kratostest.OutcomeSession {
			t.Fatalf("%s, healed: %q %+v %s", op, r.Outcome, r.Messages, r.Error)
		}
		theirs := w.k.IdentitiesByCredential(t, "acme:"+subject)
		ours := w.found(s, subject)
		if len(ours) != 1 || len(theirs) != 1 || ours[0].State != identity.StateActive || ours[0].ExternalIDs[0].ID != theirs[0].ID {
			t.Errorf("%s: ours %+v, theirs %+v", op, ours, theirs)
		}
	}
}

// TestSuspendedAtAFederatedSignIn: the login hook's refusal reaches the page.
func TestSuspendedAtAFederatedSignIn(t *testing.T) {
	t.Parallel()
	w, _, s := brokenWorld(t)
	w.person("suspended")
	if r := w.signIn(kratostest.SignIn{Subject: "suspended"}); r.Outcome != kratostest.OutcomeSession {
		t.Fatalf("%q %+v %s", r.Outcome, r.Messages, r.Error)
	}
	i := w.found(s, "suspended")[0]
	i.State = identity.StateSuspended
	i.Revision++
	if err := s.Bolt.Swap(t.Context(), i, identity.Record{ID: "0"}); err != nil {
		t.Fatal(err)
	}
	r := w.signIn(kratostest.SignIn{Subject: "suspended"})
	if r.Outcome != kratostest.OutcomeFlow || len(r.Messages) != 1 || r.Messages[0].ID != 4990024 {
		t.Errorf("%q %+v %s", r.Outcome, r.Messages, r.Error)
	}
}
