//go:build unix

package scim_test

// The worker, the connector and a target that fails: down for an hour under ten
// thousand logins, asking for time, contradicting itself, refusing one person for
// ever. Time is moved on by hand, everything else is real.

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/expr"
	"github.com/jithook/jithook/internal/safedial"
	"github.com/jithook/jithook/outbound"
	"github.com/jithook/jithook/outbound/scim"
	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/test/scim/scimtest"
	"github.com/jithook/jithook/test/service"
)

const hr = "hr"

// world is a service with a worker, whose clock the test moves.
type world struct {
	service.Service
	target *scimtest.Target
	worker outbound.Worker
	wake   chan struct{}
	ahead  atomic.Int64
}

func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }

// pass moves the clock on and has the worker look.
func (w *world) pass(d time.Duration) {
	w.ahead.Add(int64(d))
	select {
	case w.wake <- struct{}{}:
	case <-time.After(time.Second): // it is busy
	}
}

func open(t testing.TB, edit func(*scim.Options)) *world {
	t.Helper()
	w := prepare(t, edit)
	w.work(t)
	return w
}

// prepare is open with a worker that does not work yet.
func prepare(t testing.TB, edit func(*scim.Options)) *world {
	t.Helper()
	return prepareWith(t, acme, edit)
}

// prepareWith is prepare with the provider's file.
func prepareWith(t testing.TB, file string, edit func(*scim.Options)) *world {
	t.Helper()
	w := &world{Service: service.Open(t, discard{}, file), target: scimtest.New(t), wake: make(chan struct{})}
	w.Service.Service.Now = w.now
	env, err := expr.NewEnv()
	must(t, err)
	attribute := func(name, text string) scim.Attribute {
		p, err := env.Compile(expr.Source{Text: text, File: "jithook.yaml", Line: 1, Col: 1})
		must(t, err)
		return scim.Attribute{Name: name, Value: p}
	}
	o := scim.Options{
		URL: w.target.URL, Auth: scim.Bearer(scimtest.Token), Patch: scim.PatchAuto, Lookup: scim.LookupExternalID,
		First:  outbound.Election{Store: w.Bolt, Process: "p-1", Now: w.now}.First,
		Groups: scim.GroupsCreate, OnDeprovision: scim.Deactivate, Log: slog.New(slog.DiscardHandler), Now: w.now,
		Guard:      safedial.New([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}),
		Attributes: []scim.Attribute{attribute("userName", "identity.traits.email"), attribute("title", "identity.traits.title")},
	}
	if edit != nil {
		edit(&o)
	}
	c, err := scim.New(o)
	must(t, err)
	everybody := func(context.Context, *identity.Identity, bool) (bool, error) { return true, nil }
	w.worker = outbound.Worker{
		Store: w.Bolt, Connectors: map[string]outbound.Connector{hr: outbound.Route(c, hr, w.Bolt, everybody, w.now)}, Now: w.now, Log: slog.New(slog.DiscardHandler),
		Timeout: 5 * time.Second, Wake: w.wake,
	}
	return w
}

// work has the worker work until the test, or what it returns, ends it.
func (w *world) work(t testing.TB) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { w.worker.Run(ctx) })
	stop = func() { cancel(); done.Wait() }
	t.Cleanup(stop)
	return stop
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// login signs somebody in with a title and groups.
func (w *world) login(t testing.TB, subject, title string, groups ...any) identity.Identity {
	t.Helper()
	out := w.Provision(context.Background(), identity.Login{
		Hook: identity.HookGeneric, Caller: "test", Providers: []string{"*"}, Provider: "acme",
		Offers: []identity.Offer{{Source: identity.SourceHookBody, Provider: "acme", Subject: subject, Claims: map[string]any{
			"email": subject + "@acme.example", "title": title, "groups": groups,
		}}},
	})
	if out.Identity == nil {
		t.Errorf("%s: %+v", subject, out.Record.Reasons)
		return identity.Identity{}
	}
	return *out.Identity
}

func (w *world) backlog(t testing.TB) store.Backlog {
	t.Helper()
	b, err := w.Bolt.Backlog(context.Background(), hr)
	must(t, err)
	return b
}

// drain returns when nothing waits. It moves the clock on only while nothing
// happens: a machine that is slow must not find that its leases have run out.
func (w *world) drain(t testing.TB) {
	t.Helper()
	const still = 100 * time.Millisecond
	seen, since, passed := [2]int{-1, -1}, time.Now(), time.Now()
	for b := w.backlog(t); b.Waiting > 0; b = w.backlog(t) {
		if now := [2]int{b.Waiting, len(w.target.Requests())}; now != seen {
			seen, since = now, time.Now()
		}
		if time.Since(since) > 2*time.Minute {
			t.Fatalf("never drained: %+v", b)
		}
		if time.Since(since) > still && time.Since(passed) > still {
			w.pass(2 * time.Second)
			passed = time.Now()
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// wantEqual compares the target's accounts and memberships with the store's.
func (w *world) wantEqual(t testing.TB, people int) {
	t.Helper()
	accounts := map[string]scimtest.Doc{}
	for _, d := range w.target.All("Users", "", "") {
		accounts[fmt.Sprint(d["externalId"])] = d
	}
	members := map[string]bool{}
	for _, group := range []string{"eng", "staff"} {
		if n := len(w.target.All("Groups", "displayName", group)); n > 1 {
			t.Errorf("%d groups %s", n, group)
		}
		for _, id := range w.target.Members(group) {
			members[group+" "+id] = true
		}
	}
	n, granted := 0, 0
	for q := (store.Query{PageSize: store.MaxPageSize}); ; {
		page, err := w.Bolt.List(context.Background(), q)
		must(t, err)
		for _, i := range page.Identities {
			d := accounts[i.ID]
			if d == nil || d["userName"] != i.Traits["email"] || d["title"] != i.Traits["title"] {
				t.Fatalf("the target has %v of %v", d, i.Traits)
			}
			for _, g := range i.GroupNames() {
				granted++
				if !members[g+" "+fmt.Sprint(d["id"])] {
					t.Fatalf("%v is no member of %s", d, g)
				}
			}
			n++
		}
		if q.PageToken = page.NextPageToken; q.PageToken == "" {
			break
		}
	}
	if n != people || len(accounts) != people || len(members) != granted {
		t.Errorf("%d identities, %d accounts, want %d; %d memberships, want %d", n, len(accounts), people, len(members), granted)
	}
}

// TestF10_DownForAnHour: ten thousand logins in the hour in which the target does
// not answer at all. None waits for it; when it is back it learns of everybody, once.
func TestF10_DownForAnHour(t *testing.T) {
	t.Parallel()
	const logins, people = 10_000, 1000
	w := open(t, nil)
	var down atomic.Bool
	down.Store(true)
	w.target.Before = func(rw http.ResponseWriter, r *http.Request) bool {
		if down.Load() {
			rw.WriteHeader(http.StatusServiceUnavailable)
		}
		return down.Load()
	}
	began := w.now()
	var all sync.WaitGroup
	turns := make(chan int)
	for range 64 { // the embedded store writes what comes together in one step
		all.Go(func() {
			for n := range turns {
				groups := [][]any{{"eng", "staff"}, {"eng"}, {"staff"}, {}}[(n+n/people)%4]
				w.login(t, fmt.Sprint("s-", n%people), fmt.Sprint("round ", n/people), groups...)
			}
		})
	}
	for n := range logins {
		if turns <- n; n%100 == 99 {
			w.pass(time.Hour / (logins / 100))
		}
	}
	close(turns)
	all.Wait()
	if b := w.backlog(t); b.Waiting != people || b.Dead != 0 {
		t.Errorf("%+v waits, want all %d", b, people)
	}
	attempts := len(w.target.Requests())
	if took := w.now().Sub(began); attempts == 0 || attempts > 150 || took < time.Hour {
		t.Errorf("%d requests at a target that is down, in %v", attempts, took)
	}
	down.Store(false)
	w.drain(t)
	w.wantEqual(t, people)
}

// TestF11_RetryAfter: a target that asks for two minutes is not called before, for
// anybody.
func TestF11_RetryAfter(t *testing.T) {
	for name, header := range map[string]func(time.Time) string{
		"seconds": func(time.Time) string { return "120" },
		"a date":  func(now time.Time) string { return now.Add(121 * time.Second).UTC().Format(http.TimeFormat) },
	} {
		t.Run(name, func(t *testing.T) {
			w := open(t, nil)
			var first, second atomic.Int64 // when it asked, and the next call after that
			w.target.Before = func(rw http.ResponseWriter, r *http.Request) bool {
				now := w.now()
				switch {
				case first.Load() != 0:
					second.CompareAndSwap(0, now.UnixNano())
				case r.Method == "POST":
					rw.Header().Set("Retry-After", header(now))
					rw.WriteHeader(http.StatusTooManyRequests)
					first.Store(now.UnixNano())
					return true
				}
				return false
			}
			w.login(t, "s-1", "one")
			for first.Load() == 0 {
				w.pass(0)
			}
			w.login(t, "s-2", "another")
			// Shortly before the time it is not asked, however often the worker looks.
			asked := time.Unix(0, first.Load())
			w.pass(asked.Add(110 * time.Second).Sub(w.now()))
			for n := 0; n < 100 && second.Load() == 0 && w.now().Before(asked.Add(118*time.Second)); n++ {
				w.pass(0)
				time.Sleep(10 * time.Millisecond)
			}
			for second.Load() == 0 {
				w.pass(5 * time.Second)
				time.Sleep(time.Millisecond)
			}
			if d := time.Duration(second.Load() - first.Load()); d < 2*time.Minute {
				t.Errorf("called again after %v", d)
			}
			w.drain(t)
			w.wantEqual(t, 2)
		})
	}
}

// TestF11_Conflict: 409 is looked up; what is ours is changed, by PATCH, and
// nobody is made twice.
func TestF11_Conflict(t *testing.T) {
	w := open(t, nil)
	w.target.Losing = 1
	i := w.login(t, "s-1", "one")
	w.drain(t)
	w.target.Quirks.PlainConflict = true
	// An older copy of the store, which does not know that it told the target.
	stored, err := w.Bolt.Get(t.Context(), i.ID)
	must(t, err)
	stored.Resources = nil
	stored.OutboxVersion++
	must(t, w.Bolt.SetOutbox(t.Context(), stored))
	blind := false
	w.target.Before = func(rw http.ResponseWriter, r *http.Request) bool {
		if r.Method == "GET" && strings.HasPrefix(r.URL.Path, "/Users") && !blind {
			blind = true // an index that lags behind: the first look finds nobody
			fmt.Fprint(rw, `{"totalResults":0,"Resources":[]}`)
			return true
		}
		return false
	}
	w.login(t, "s-1", "two")
	w.drain(t)
	w.wantEqual(t, 1)
	if b := w.backlog(t); b.Dead != 0 || len(w.target.Requests("PATCH")) == 0 {
		t.Errorf("%+v, %d PATCH", b, len(w.target.Requests("PATCH")))
	}
}

// TestF11_Contradiction: a target that finds nobody and refuses to make them, too.
// It is asked once, not again and again.
func TestF11_Contradiction(t *testing.T) {
	w := open(t, nil)
	w.target.Quirks = scimtest.Quirks{PlainConflict: true, FindsNobody: true}
	w.target.Put("Users", scimtest.Doc{"userName": "s-1@acme.example"})
	w.login(t, "s-1", "one")
	for until := time.Now().Add(time.Minute); w.backlog(t).Dead == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal("never given up")
		}
		w.pass(10 * time.Millisecond) // not so much that the lease runs out meanwhile
	}
	n := len(w.target.Requests())
	for range 50 {
		w.pass(time.Hour)
	}
	if again := len(w.target.Requests()) - n; again != 0 || n > 5 {
		t.Errorf("asked %d times, then %d times more", n, again)
	}
}

// TestF13_Poisoned: one person whom the target will never take parks alone; all
// others flow, and the next change of that one is tried.
func TestF13_Poisoned(t *testing.T) {
	w := open(t, nil)
	w.target.Refuses = "poison"
	for n := range 100 {
		title := "fine"
		if n == 50 {
			title = "poison"
		}
		w.login(t, fmt.Sprint("s-", n), title, "eng")
	}
	w.drain(t)
	if b := w.backlog(t); b.Dead != 1 {
		t.Errorf("%+v, want one given up", b)
	}
	if n := len(w.target.All("Users", "", "")); n != 99 {
		t.Errorf("%d accounts", n)
	}
	w.login(t, "s-50", "fine", "eng")
	w.drain(t)
	w.wantEqual(t, 100)
	if b := w.backlog(t); b.Dead != 0 {
		t.Errorf("%+v in the end", b)
	}
}

// TestDryRunNotesNothing: in a dry run that fails, too, nobody is granted a group,
// so that what the target's own people granted is never taken for ours.
func TestDryRunNotesNothing(t *testing.T) {
	var down atomic.Bool
	down.Store(true)
	w := prepare(t, func(o *scim.Options) { o.DryRun = true })
	w.target.Before = func(answer http.ResponseWriter, r *http.Request) bool {
		if down.Load() {
			answer.WriteHeader(http.StatusInternalServerError)
		}
		return down.Load()
	}
	w.work(t)
	id := w.login(t, "ann", "a", "eng").ID
	w.pass(0)
	for until := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		i, err := w.Bolt.Get(t.Context(), id)
		must(t, err)
		if n := i.DeliveryTo(hr); n >= 0 && i.Outbox[n].Attempts > 0 {
			break
		}
		if time.Now().After(until) {
			t.Fatal("nothing fails")
		}
	}
	down.Store(false)
	w.drain(t)
	i, err := w.Bolt.Get(t.Context(), id)
	must(t, err)
	if len(i.Resources) > 0 || len(w.target.Writes()) > 0 {
		t.Errorf("noted %+v after %+v", i.Resources, w.target.Writes())
	}
}
