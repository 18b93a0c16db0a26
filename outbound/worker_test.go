package outbound_test

// What is due reaches its target, whoever else is down: at least once, one
// delivery of an identity at a time, always the present state. Time is
// simulated, the store is the embedded one.

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/outbound"
	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/store/bolt"
)

const hr = "hr"

// call is one delivery as the target saw it.
type call struct {
	revision int64
	at       time.Time
	err      error
}

// target is another system: a connector whose answers the test chooses.
type target struct {
	// answer, if not nil, is what a delivery gets; it may wait.
	answer func(ctx context.Context, i identity.Identity) error

	mu    sync.Mutex
	calls map[string][]call // by identity
	busy  map[string]bool
	twice bool // two deliveries of one identity overlapped
}

func (c *target) Deliver(ctx context.Context, i identity.Identity, _ identity.Delivery) (_ identity.Resource, err error) {
	c.mu.Lock()
	if c.calls == nil {
		c.calls, c.busy = map[string][]call{}, map[string]bool{}
	}
	c.twice = c.twice || c.busy[i.ID]
	c.busy[i.ID] = true
	c.mu.Unlock()
	at := time.Now()
	err = errors.New("the connector panicked")
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.busy[i.ID] = false
		c.calls[i.ID] = append(c.calls[i.ID], call{i.Revision, at, err})
	}()
	if c.answer == nil {
		return identity.Resource{}, nil
	}
	return identity.Resource{}, c.answer(ctx, i)
}

// of returns the calls about an identity; of none, all.
func (c *target) of(ids ...string) []call {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []call
	for id, calls := range c.calls {
		if len(ids) == 0 || id == ids[0] {
			out = append(out, calls...)
		}
	}
	return out
}

// knows returns the newest revision that the target took.
func (c *target) knows(id string) (revision int64) {
	for _, x := range c.of(id) {
		if x.err == nil {
			revision = x.revision // the last one counts, whatever it is
		}
	}
	return revision
}

func open(t *testing.T) *bolt.Store {
	t.Helper()
	s, err := bolt.Open(filepath.Join(t.TempDir(), "jithook.db"), bolt.Options{})
	must(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// people inserts n identities that are armed for the targets.
func people(t *testing.T, s *bolt.Store, n int, targets ...string) []identity.Identity {
	t.Helper()
	out := make([]identity.Identity, n)
	errs := make([]error, n)
	var all sync.WaitGroup
	for k := range out {
		i := identity.Identity{ID: uuid.Must(uuid.NewV7()).String(), Userstore: "default", State: identity.StateActive, Revision: 1, CreatedAt: time.Now()}
		for _, target := range targets {
			i.Arm(target, time.Now())
		}
		out[k] = i
		all.Go(func() { errs[k] = s.Insert(context.Background(), i, identity.Record{}) })
	}
	all.Wait()
	must(t, errors.Join(errs...))
	return out
}

// change writes the identity's next revision and arms the target, as a login
// does, and returns it.
func change(t *testing.T, s *bolt.Store, id string, edit func(*identity.Identity)) identity.Identity {
	t.Helper()
	for {
		i, err := s.Get(t.Context(), id)
		must(t, err)
		i.Revision++
		i.Arm(hr, time.Now())
		edit(&i)
		err = s.Swap(t.Context(), i, identity.Record{})
		if err == nil {
			return i
		}
		if !errors.Is(err, store.ErrConflict) {
			t.Fatal(err)
		}
	}
}

func nothing(*identity.Identity) {}

// worker returns a worker with connectors for pairs of a name and a target.
func worker(s outbound.Store, connectors map[string]*target) *outbound.Worker {
	w := &outbound.Worker{Store: s, Connectors: map[string]outbound.Connector{}, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
	for name, c := range connectors {
		w.Connectors[name] = c
	}
	return w
}

// start runs a worker and returns what stops it and waits for its end.
func start(t *testing.T, w *outbound.Worker) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); w.Run(ctx) }()
	var once sync.Once
	stop = func() { once.Do(func() { cancel(); <-done }) }
	t.Cleanup(stop)
	return stop
}

func wantBacklog(t *testing.T, s *bolt.Store, target string, waiting, dead int) {
	t.Helper()
	b, err := s.Backlog(t.Context(), target)
	must(t, err)
	if b.Waiting != waiting || b.Dead != dead {
		t.Errorf("backlog of %s: %d waiting, %d dead; want %d, %d", target, b.Waiting, b.Dead, waiting, dead)
	}
}

// simulate runs a test in simulated time, which passes when all wait for it.
func simulate(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

func TestDelivers(t *testing.T) {
	simulate(t, func(t *testing.T) {
		s := open(t)
		all := people(t, s, 100, hr)
		c := &target{}
		w := worker(s, map[string]*target{hr: c})
		outcomes := map[outbound.Outcome]int{}
		var mu sync.Mutex
		w.Attempted = func(target string, o outbound.Outcome, behind time.Duration) {
			mu.Lock()
			defer mu.Unlock()
			outcomes[o]++
			if target != hr || !slices.Contains(outbound.Outcomes(), o) || behind < 0 || behind > time.Minute {
				t.Errorf("attempt for %s, behind by %v", target, behind)
			}
		}
		start(t, w)
		time.Sleep(time.Minute)
		for _, i := range all {
			if calls := c.of(i.ID); len(calls) != 1 || calls[0].revision != 1 {
				t.Fatalf("deliveries = %v, want one of revision 1", calls)
			}
		}
		wantBacklog(t, s, hr, 0, 0)
		mu.Lock()
		defer mu.Unlock()
		if outcomes[outbound.Delivered] != 100 || len(outcomes) != 1 {
			t.Errorf("outcomes = %v, want 100 delivered", outcomes)
		}
	})
}

// Many workers share a store: together they deliver each once.
func TestWorkersShare(t *testing.T) {
	simulate(t, func(t *testing.T) {
		s := open(t)
		people(t, s, 300, hr)
		c := &target{answer: func(context.Context, identity.Identity) error { time.Sleep(10 * time.Millisecond); return nil }}
		for range 4 {
			start(t, worker(s, map[string]*target{hr: c}))
		}
		time.Sleep(time.Minute)
		if n := len(c.of()); n != 300 || c.twice {
			t.Errorf("%d deliveries of 300, of one identity two at once: %v", n, c.twice)
		}
		wantBacklog(t, s, hr, 0, 0)
	})
}

// What changes while a delivery is under way is told by one more, whatever the
// number of changes, and never at the same time.
func TestCoalesces(t *testing.T) {
	simulate(t, func(t *testing.T) {
		s := open(t)
		i := people(t, s, 1, hr)[0]
		c := &target{answer: func(context.Context, identity.Identity) error { time.Sleep(5 * time.Second); return nil }}
		for range 2 {
			start(t, worker(s, map[string]*target{hr: c}))
		}
		for range 5 {
			time.Sleep(500 * time.Millisecond)
			change(t, s, i.ID, nothing)
		}
		time.Sleep(time.Minute)
		calls := c.of(i.ID)
		if len(calls) != 2 || calls[0].revision != 1 || calls[1].revision != 6 || c.twice {
			t.Errorf("deliveries = %v (at once: %v), want the first and the newest revision", calls, c.twice)
		}
		wantBacklog(t, s, hr, 0, 0)
	})
}

// A woken worker does not wait for its next look.
func TestWake(t *testing.T) {
	simulate(t, func(t *testing.T) {
		s := open(t)
		c := &target{}
		wake := make(chan struct{}, 1)
		w := worker(s, map[string]*target{hr: c, "crm": {}})
		w.Wake = wake
		start(t, w)
		time.Sleep(2100 * time.Millisecond)
		for n := range 5 {
			i := people(t, s, 1, hr)[0]
			before := time.Now()
			wake <- struct{}{}
			time.Sleep(10 * time.Millisecond)
			if calls := c.of(i.ID); len(calls) != 1 || calls[0].at.Sub(before) > time.Millisecond {
				t.Fatalf("%d: deliveries = %v, want one at once", n, calls)
			}
		}
	})
}

func TestPending(t *testing.T) {
	simulate(t, func(t *testing.T) {
		s := open(t)
		c := &target{}
		start(t, worker(s, map[string]*target{hr: c}))
		i := people(t, s, 1, hr)[0]
		change(t, s, i.ID, func(i *identity.Identity) { i.State = identity.StatePending; i.Outbox[0].Due = time.Now() })
		time.Sleep(time.Hour)
		if calls := c.of(i.ID); len(calls) > 1 || len(calls) == 1 && calls[0].revision != 1 {
			t.Errorf("deliveries = %v, want none of a pending identity", calls)
		}
		change(t, s, i.ID, func(i *identity.Identity) { i.State = identity.StateSuspended })
		time.Sleep(time.Minute)
		if got := c.knows(i.ID); got != 3 {
			t.Errorf("the target knows revision %d, want 3", got)
		}
	})
}

// Whoever is deleted is forgotten; other targets' entries stay as they are.
func TestForeignAndGone(t *testing.T) {
	simulate(t, func(t *testing.T) {
		s := open(t)
		all := people(t, s, 40, hr, "nobody's")
		gone := all[0]
		c := &target{answer: func(ctx context.Context, i identity.Identity) error {
			if i.ID == gone.ID {
				return s.Delete(ctx, i.ID, i.Revision, i.RenewedAt, identity.Record{})
			}
			return nil
		}}
		start(t, worker(s, map[string]*target{hr: c}))
		time.Sleep(time.Minute)
		if _, err := s.Get(t.Context(), gone.ID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("Get of who is gone: %v", err)
		}
		wantBacklog(t, s, hr, 0, 0)
		wantBacklog(t, s, "nobody's", 39, 0)
		got, err := s.Get(t.Context(), all[1].ID)
		must(t, err)
		if d := got.Outbox; len(d) != 1 || d[0].Attempts != 0 || d[0].Lease != "" || fmt.Sprint(got.Revision) != "1" {
			t.Errorf("outbox = %+v, want the entry of the target without a connector as it was", d)
		}
	})
}

// Whoever is deleted is delivered like any other, and gone when the last target
// knows, even if one was being told of them at that moment; a delivery that is given
// up keeps what is left.
func TestDeleted(t *testing.T) {
	simulate(t, func(t *testing.T) {
		s := open(t)
		all := people(t, s, 30, hr, "crm")
		var refuses atomic.Bool
		refuses.Store(true)
		slow := &target{answer: func(context.Context, identity.Identity) error { time.Sleep(3 * time.Second); return nil }}
		strict := &target{answer: func(_ context.Context, i identity.Identity) error {
			if i.State == identity.StateDeleted && i.ID == all[0].ID && refuses.Load() {
				return errRefused
			}
			return nil
		}}
		start(t, worker(s, map[string]*target{hr: slow, "crm": strict}))
		time.Sleep(time.Second)
		for _, i := range all {
			change(t, s, i.ID, func(i *identity.Identity) {
				i.State, i.Traits, i.Keys = identity.StateDeleted, nil, nil
				i.Arm("crm", time.Now())
			})
		}
		time.Sleep(5 * time.Minute)
		for _, i := range all {
			_, err := s.Get(t.Context(), i.ID)
			if left := err == nil; left != (i.ID == all[0].ID) {
				t.Errorf("left: %v", left)
			}
			if i.ID != all[0].ID && (slow.knows(i.ID) != 2 || strict.knows(i.ID) != 2) {
				t.Errorf("told of revisions %d and %d", slow.knows(i.ID), strict.knows(i.ID))
			}
		}
		wantBacklog(t, s, "crm", 0, 1)
		refuses.Store(false)
		must(t, outbound.Retry(t.Context(), s, all[0].ID, "crm", time.Now()))
		time.Sleep(time.Minute)
		if _, err := s.Get(t.Context(), all[0].ID); !errors.Is(err, store.ErrNotFound) || slow.twice || strict.twice {
			t.Errorf("%v, two deliveries at once: %v", err, slow.twice || strict.twice)
		}
	})
}

func TestSurvey(t *testing.T) {
	simulate(t, func(t *testing.T) {
		s := open(t)
		people(t, s, 3, hr)
		seen := make(chan store.Backlog, 10)
		w := worker(s, map[string]*target{hr: {answer: func(context.Context, identity.Identity) error { return errors.New("down") }}})
		w.Surveyed = func(_ string, b store.Backlog) {
			select {
			case seen <- b:
			default:
			}
		}
		start(t, w)
		for range 2 {
			if b := <-seen; b.Waiting != 3 || b.Due.IsZero() {
				t.Errorf("backlog = %+v, want 3 waiting", b)
			}
		}
	})
}
