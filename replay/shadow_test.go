package replay_test

// These tests prove that a shadow finds what candidates would change about a
// login as it was when it was decided, and that whatever happens in it reaches
// neither the login nor the userstore.

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	vouched "github.com/jithook/jithook/claims"
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/provider"
	"github.com/jithook/jithook/provision"
	"github.com/jithook/jithook/replay"
	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/store/directory"
)

// ledger is what a shadow has counted and recorded. Each comparison, good or bad,
// is announced.
type ledger struct {
	mu      sync.Mutex
	records []identity.Record
	kinds   [][]string
	dropped atomic.Int64
	failed  atomic.Int64
	done    chan struct{}
}

func (l *ledger) Add(r identity.Record, touch *store.Touch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if touch != nil {
		panic("a shadow has touched an identity")
	}
	l.records = append(l.records, r)
}

func (l *ledger) Shadowed(_ string, kinds []string) {
	l.mu.Lock()
	l.kinds = append(l.kinds, kinds)
	l.mu.Unlock()
	l.done <- struct{}{}
}

func (l *ledger) ShadowDropped() { l.dropped.Add(1) }

func (l *ledger) ShadowFailed() {
	l.failed.Add(1)
	l.done <- struct{}{}
}

// watched is a house with a shadow over the store that it is given; stop ends it.
func watched(t *testing.T, s replay.Store, candidate func() *provider.Set, sample float64) (h *house, l *ledger, stop func()) {
	h, l = open(t), &ledger{done: make(chan struct{}, 1000)}
	if s == nil {
		s = directory.New(h.store, nil)
	}
	shadow := replay.NewShadow(replay.Shadow{
		Store: s, Live: func() *provider.Set { return h.Providers() }, Candidate: candidate, Userstores: userstores, Sample: sample,
		Now: time.Now, Log: slog.New(slog.DiscardHandler), Later: l, Count: l,
	})
	h.Decided = shadow.See
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { shadow.Run(ctx) })
	stop = func() { cancel(); running.Wait() }
	t.Cleanup(stop)
	return h, l, stop
}

func always(set *provider.Set) func() *provider.Set { return func() *provider.Set { return set } }

func TestShadow(t *testing.T) {
	h, l, stop := watched(t, nil, always(load(t, edited(t, "[staff, eng]", "[staff]", `== "acme.example"`, `!= "gone.example" && claims.name != "bob"`))), 1)
	ann := h.login("s-1", claims("ann"))
	<-l.done
	bob := h.login("s-2", claims("bob"))
	<-l.done
	// The provider takes the group away itself: before it did, the candidate had
	// taken it too, and grants nothing that would differ after.
	h.login("s-1", claims("ann", with("groups", []any{"staff"})))
	<-l.done
	// Nobody vouches for these claims.
	h.login("s-1", nil)
	stop()

	if diff := cmp.Diff([][]string{{"groups"}, {"decision"}, {}}, l.kinds); diff != "" {
		t.Errorf("counted (-want +got):\n%s", diff)
	}
	want := []identity.Record{
		{
			Decision: identity.Shadowed, Reasons: []identity.Reason{identity.Because(identity.CodeCreated)}, Rule: "0.yaml:8:10",
			IdentityID: ann.Record.IdentityID, Change: []identity.Change{{Path: "/groups/eng", Op: identity.OpRemove}},
			Shadow: &identity.Shadow{Of: ann.Record.ID, Decision: identity.Created, Kinds: []string{"groups"}},
		},
		{
			Decision: identity.Shadowed, Reasons: []identity.Reason{identity.Because(identity.CodeNotAllowed)}, Rule: "0.yaml:8:10",
			IdentityID: bob.Record.IdentityID, Shadow: &identity.Shadow{Of: bob.Record.ID, Decision: identity.Denied, Kinds: []string{"decision"}},
		},
	}
	rest := cmpopts.IgnoreFields(identity.Record{}, "ID", "At", "Hook", "Caller", "Provider", "Issuer", "SubjectKey", "Userstore", "Policy", "Source", "Duration")
	if diff := cmp.Diff(want, l.records, rest); diff != "" {
		t.Errorf("recorded (-want +got):\n%s", diff)
	}
	if r := l.records[0]; r.ID == ann.Record.ID || r.SubjectKey != ann.Record.SubjectKey || r.Policy == ann.Record.Policy || r.Provider != "acme" {
		t.Errorf("%+v", r)
	}
}

// TestShadowOfThePast: what is compared is the login as it was, and not what has
// become of the person by it.
func TestShadowOfThePast(t *testing.T) {
	h, l, stop := watched(t, nil, always(load(t, edited(t, "\ntraits:", "\n  group_sync: append\ntraits:"))), 1)
	h.login("s-1", claims("ann"))
	<-l.done
	h.login("s-1", claims("ann", with("groups", []any{"staff"})))
	<-l.done
	stop()
	if diff := cmp.Diff([][]string{{}, {"groups"}}, l.kinds); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if c := l.records[0].Change; len(c) != 1 || c[0] != (identity.Change{Path: "/groups/eng", Op: identity.OpSet}) {
		t.Errorf("%+v", c)
	}
}

// TestShadowFollows: a changed candidate counts at once; without one nothing is
// compared.
func TestShadowFollows(t *testing.T) {
	var set atomic.Pointer[provider.Set]
	set.Store(&provider.Set{})
	h, l, stop := watched(t, nil, func() *provider.Set { return set.Load() }, 1)
	h.login("s-1", claims("ann"))
	for _, c := range []string{acme, edited(t, "[staff, eng]", "[staff]")} {
		set.Store(load(t, c))
		h.login("s-1", claims("ann"))
		<-l.done
	}
	stop()
	if diff := cmp.Diff([][]string{{}, {"groups"}}, l.kinds); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestSample: of 200 logins that nobody compares, all but those that may wait are
// dropped where all are looked at, and none where hardly any is.
func TestSample(t *testing.T) {
	for sample, want := range map[float64]int64{1: 200 - 64, 1e-9: 0} {
		l := &ledger{}
		s := replay.NewShadow(replay.Shadow{Candidate: always(load(t, acme)), Sample: sample, Count: l})
		for range 200 {
			s.See(provision.Decided{})
		}
		if n := l.dropped.Load(); n != want {
			t.Errorf("a sample of %g: %d dropped, want %d", sample, n, want)
		}
	}
}

// broken is a store that does to whoever looks what it is told to.
type broken struct {
	do func(context.Context)
}

func (b broken) Look(ctx context.Context, _ string, _ ...identity.Key) (store.Found, error) {
	b.do(ctx)
	return store.Found{}, ctx.Err()
}

// TestShadowSurvives: a panic is counted, and the next login is compared.
func TestShadowSurvives(t *testing.T) {
	first := true
	h, l, _ := watched(t, broken{func(context.Context) {
		if first {
			first = false
			panic("ann@acme.example")
		}
	}}, always(load(t, acme)), 1)
	for range 2 {
		if out := h.login("s-1", claims("ann")); !out.Record.Decision.Allowed() {
			t.Errorf("%+v", out.Record)
		}
		<-l.done
	}
	if l.failed.Load() != 1 || len(l.kinds) != 1 {
		t.Errorf("%d failed, %v", l.failed.Load(), l.kinds)
	}
}

// TestShadowHoldsNobodyUp: while a comparison hangs, logins go on; what does not
// fit into the queue is dropped and counted, and the end is not waited for.
func TestShadowHoldsNobodyUp(t *testing.T) {
	began := make(chan struct{})
	var once sync.Once
	h, l, stop := watched(t, broken{func(ctx context.Context) {
		once.Do(func() { close(began) })
		<-ctx.Done()
	}}, always(load(t, acme)), 1)
	h.login("s-1", claims("ann"))
	<-began
	for range 70 {
		if out := h.Provision(t.Context(), identity.Login{
			Hook: identity.HookGeneric, Caller: "test", Providers: []string{"acme"}, Provider: "acme",
			Offers: []identity.Offer{{Source: identity.SourceHookBody, Provider: "acme", Subject: "s-1", Claims: claims("ann")}},
		}); out.Record.Decision != identity.Unchanged {
			t.Fatalf("%+v", out.Record)
		}
	}
	stop()
	if n := l.dropped.Load(); n < 5 || n > 6 { // one of 71 hangs, or two in turn, and 64 wait
		t.Errorf("%d dropped", n)
	}
}

// TestShadowNeverWrites: over a store that is closed to writes it does what it
// does over any other.
func TestShadowNeverWrites(t *testing.T) {
	h, l, stop := watched(t, nil, always(load(t, edited(t, "value: claims.name", "value: claims.email", "userstore: employees", "userstore: default"))), 1)
	out := h.login("s-1", claims("ann"))
	<-l.done
	before, err := h.store.Get(t.Context(), out.Record.IdentityID)
	if err != nil {
		t.Fatal(err)
	}
	h.store.sealed = true
	h.Decided(provision.Decided{Record: out.Record, Evidence: vouched.Evidence{
		Source: identity.SourceHookBody, Issuer: "https://acme.example", Subject: "s-1", Claims: claims("ann", with("name", "Ann II")), Fresh: true,
	}})
	<-l.done
	stop()
	after, err := h.store.Get(t.Context(), out.Record.IdentityID)
	if diff := cmp.Diff(before, after); err != nil || diff != "" {
		t.Errorf("%v, (-before +after):\n%s", err, diff)
	}
	if l.failed.Load() != 0 || len(l.records) != 2 {
		t.Errorf("%d failed, %d records", l.failed.Load(), len(l.records))
	}
}
