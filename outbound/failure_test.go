package outbound_test

// A target that is down is not hammered, keeps no other waiting, and knows
// everything soon after it is back. One delivery that fails does not stop the
// others, and is given up in the end.

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/outbound"
	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/store/bolt"
)

var (
	errDown    = errors.New("answered 503")
	errRefused = &outbound.RejectedError{Err: errors.New("answered 400")}
)

func TestTargetDown(t *testing.T) {
	simulate(t, func(t *testing.T) {
		const outage = time.Hour
		s := open(t)
		began := time.Now()
		down := &target{answer: func(context.Context, identity.Identity) error {
			if time.Since(began) < outage {
				return errDown
			}
			return nil
		}}
		up := &target{}
		start(t, worker(s, map[string]*target{hr: down, "crm": up}))
		all := people(t, s, 200, hr, "crm")
		time.Sleep(10 * time.Minute)
		all = append(all, people(t, s, 200, hr, "crm")...)
		time.Sleep(time.Minute)
		if n := len(up.of()); n != len(all) {
			t.Errorf("the target that is up knows %d of %d", n, len(all))
		}
		time.Sleep(outage - time.Since(began))
		wantBacklog(t, s, hr, len(all), 0)
		// Those that were under way when it went down, and then one a minute.
		if n := len(down.of()); n < 30 || n > 150 {
			t.Errorf("%d attempts in an hour at a target that is down", n)
		}
		back := time.Now()
		synctest.Wait()
		for time.Since(back) < 2*time.Minute {
			time.Sleep(time.Second)
		}
		knows := 0
		for _, i := range all {
			if down.knows(i.ID) == 1 {
				knows++
			}
		}
		// Some that were tried in vain wait for their own pause.
		if knows < len(all)-150 {
			t.Errorf("two minutes after the outage it knows %d of %d", knows, len(all))
		}
		time.Sleep(time.Hour)
		wantBacklog(t, s, hr, 0, 0)
		if down.twice || up.twice {
			t.Error("two deliveries of one identity at once")
		}
	})
}

// A target that was quick begins to fail: who is leased, and waits for a turn, is
// released at once and not tried; nobody is told by more than are told at a time.
func TestQuickThenDown(t *testing.T) {
	simulate(t, func(t *testing.T) {
		s := open(t)
		people(t, s, 400, hr)
		var calls, atOnce, most atomic.Int64
		c := &target{answer: func(ctx context.Context, _ identity.Identity) error {
			most.Store(max(most.Load(), atOnce.Add(1)))
			defer atOnce.Add(-1)
			if n := calls.Add(1); n > 100 {
				time.Sleep(time.Second)
				return errDown
			}
			time.Sleep(time.Millisecond)
			return nil
		}}
		start(t, worker(s, map[string]*target{hr: c}))
		time.Sleep(3 * time.Second)
		if n := calls.Load(); n < 108 || n > 110 || most.Load() > 8 {
			t.Errorf("%d calls, %d at once; want those hundred, the eight that were under way, and one that looks whether it is back", n, most.Load())
		}
		due, err := s.Due(t.Context(), hr, time.Now(), 500)
		must(t, err)
		tried := 0
		for _, i := range due {
			if d := i.Outbox[0]; d.Attempts != 0 {
				tried++
			} else if d.Lease != "" {
				t.Errorf("entry = %+v, want one that was released", d)
			}
		}
		if len(due)-tried < 400-110 || tried > 10 {
			t.Errorf("%d are due, %d of them tried; want all others, too", len(due), tried)
		}
	})
}

// A delivery that is refused before the target is called, by a rule that fails, does
// not say that the target is back.
func TestDownAndRefused(t *testing.T) {
	simulate(t, func(t *testing.T) {
		s := open(t)
		down := &target{answer: func(context.Context, identity.Identity) error { return errDown }}
		w := worker(s, map[string]*target{hr: down})
		var refused atomic.Int64
		w.Connectors[hr] = outbound.Limit(down, func(_ context.Context, i *identity.Identity, _ bool) (bool, error) {
			if i.ID[len(i.ID)-1]%4 == 0 {
				return true, nil
			}
			refused.Add(1)
			return false, errors.New("no such claim")
		})
		start(t, w)
		for range 10 {
			people(t, s, 50, hr)
			time.Sleep(time.Minute)
		}
		if n := len(down.of()); n < 15 || n > 40 || refused.Load() < 30 {
			t.Errorf("%d attempts in ten minutes at a target that is down, and %d that were refused", n, refused.Load())
		}
	})
}

// One delivery fails in every way; the others do not notice.
func TestPoisoned(t *testing.T) {
	for name, poison := range map[string]func(context.Context) error{
		"refused":  func(context.Context) error { return errRefused },
		"failing":  func(context.Context) error { return errors.New("answered 500") },
		"panics":   func(context.Context) error { panic("geheim") },
		"hangs":    func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
		"wordy":    func(context.Context) error { return errors.New(strings.Repeat("\xffé", 5000)) },
		"asks for": func(context.Context) error { return &outbound.LaterError{After: time.Second, Err: errDown} },
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(t *testing.T) {
				s := open(t)
				all := people(t, s, 200, hr)
				poisoned := all[0]
				c := &target{answer: func(ctx context.Context, i identity.Identity) error {
					if i.ID == poisoned.ID {
						return poison(ctx)
					}
					return nil
				}}
				start(t, worker(s, map[string]*target{hr: c}))
				time.Sleep(30 * time.Second)
				for _, i := range all[1:] {
					if c.knows(i.ID) != 1 {
						t.Fatal("another identity is kept waiting")
					}
				}
				got, err := s.Get(t.Context(), poisoned.ID)
				must(t, err)
				d := got.Outbox[0]
				if d.Dead != (name == "refused") || d.Attempts < 1 || d.Failure == "" || len(d.Failure) > 200 || strings.Contains(d.Failure, "geheim") {
					t.Errorf("entry = %+v", d)
				}
				// Later ones are not kept waiting either.
				later := people(t, s, 20, hr)
				time.Sleep(90 * time.Second)
				for _, i := range later {
					if c.knows(i.ID) != 1 {
						t.Fatal("an identity that came later is kept waiting")
					}
				}
			})
		})
	}
}

// A rule that panics, which is asked before the delivery is begun, costs nobody else
// theirs, nor the process its life.
func TestPoisonedRule(t *testing.T) {
	simulate(t, func(t *testing.T) {
		s := open(t)
		all := people(t, s, 20, hr)
		poisoned := all[0]
		c := &target{}
		w := worker(s, map[string]*target{hr: c})
		w.Connectors[hr] = outbound.Limit(c, func(_ context.Context, i *identity.Identity, _ bool) (bool, error) {
			if i.ID == poisoned.ID {
				panic("geheim")
			}
			return true, nil
		})
		start(t, w)
		time.Sleep(30 * time.Second)
		for _, i := range all[1:] {
			if c.knows(i.ID) != 1 {
				t.Fatal("another identity is kept waiting")
			}
		}
		got, err := s.Get(t.Context(), poisoned.ID)
		must(t, err)
		if d := got.Outbox[0]; d.Attempts < 1 || d.Failure == "" || strings.Contains(d.Failure, "geheim") {
			t.Errorf("entry = %+v", d)
		}
	})
}

// What is refused says nothing against the target: the others do not wait.
func TestManyRefused(t *testing.T) {
	simulate(t, func(t *testing.T) {
		s := open(t)
		all := people(t, s, 200, hr)
		began := time.Now()
		var n atomic.Int64
		c := &target{answer: func(context.Context, identity.Identity) error {
			if n.Add(1)%2 == 0 {
				return errRefused
			}
			return nil
		}}
		start(t, worker(s, map[string]*target{hr: c}))
		time.Sleep(time.Second)
		if got := len(c.of()); got != len(all) {
			t.Errorf("%d attempts after %v, want one each", got, time.Since(began))
		}
		wantBacklog(t, s, hr, 0, len(all)/2)
	})
}

// Pauses double, differ, and end at an hour; then the delivery is given up, and
// the next revision takes it up again.
func TestGivenUp(t *testing.T) {
	simulate(t, func(t *testing.T) {
		s := open(t)
		i := people(t, s, 1, hr)[0]
		var healed atomic.Bool
		c := &target{answer: func(context.Context, identity.Identity) error {
			if healed.Load() {
				return nil
			}
			return errDown
		}}
		start(t, worker(s, map[string]*target{hr: c}))
		time.Sleep(2 * 24 * time.Hour)
		calls := c.of(i.ID)
		if len(calls) != 50 {
			t.Fatalf("%d attempts, want 50", len(calls))
		}
		same := 0
		for n := 1; n < len(calls); n++ {
			got, most := calls[n].at.Sub(calls[n-1].at), time.Hour
			if n <= 12 {
				most = time.Second << (n - 1)
			}
			// A look at the store, and the target's own rest, come on top.
			if got < most/2 || got > most+time.Minute+2*time.Second {
				t.Errorf("pause %d was %v, want %v or up to half less", n, got, most)
			}
			if n > 13 && got == calls[n-1].at.Sub(calls[n-2].at) {
				same++
			}
		}
		if same > 5 {
			t.Errorf("%d pauses are like the one before: no jitter", same)
		}
		wantBacklog(t, s, hr, 0, 1)
		got, err := s.Get(t.Context(), i.ID)
		must(t, err)
		if d := got.Outbox[0]; !d.Dead || d.Failure != "answered 503" || d.Attempts != 50 {
			t.Errorf("entry = %+v, want one that was given up, and why", d)
		}
		healed.Store(true)
		change(t, s, i.ID, nothing)
		time.Sleep(2 * time.Minute)
		wantBacklog(t, s, hr, 0, 0)
		if c.knows(i.ID) != 2 {
			t.Error("the next revision did not take the delivery up again")
		}
	})
}

// A target that asks for time gets it, for everything; but no more than an hour.
func TestRetryAfter(t *testing.T) {
	for _, c := range []struct {
		asks, waits  time.Duration
		first, early int // how many are there when it begins, and may be tried before the time
	}{
		{2 * time.Minute, 2 * time.Minute, 1, 1}, {2 * time.Minute, 2 * time.Minute, 40, 8}, {1000 * time.Hour, 24 * time.Hour, 40, 8}, {-time.Hour, time.Second / 2, 40, 8},
	} {
		t.Run(fmt.Sprint(c.asks, c.first), func(t *testing.T) {
			simulate(t, func(t *testing.T) {
				s := open(t)
				all := people(t, s, c.first, hr)
				began := time.Now()
				busy := &target{answer: func(context.Context, identity.Identity) error {
					time.Sleep(10 * time.Millisecond)
					if time.Since(began) < c.waits {
						return &outbound.LaterError{After: c.asks, Err: errors.New("answered 429")}
					}
					return nil
				}}
				start(t, worker(s, map[string]*target{hr: busy}))
				time.Sleep(100 * time.Millisecond)
				all = append(all, people(t, s, 5, hr)...)
				time.Sleep(26 * time.Hour)
				early, first := 0, 1000*time.Hour
				for _, x := range busy.of() {
					if x.err != nil {
						early++
					} else {
						first = min(first, x.at.Sub(began))
					}
				}
				if early > c.early {
					t.Errorf("%d deliveries within the time, want only those that were under way", early)
				}
				if first < c.waits || first > c.waits+5*time.Second {
					t.Errorf("the next delivery came after %v, want %v", first, c.waits)
				}
				if len(busy.of())-early != len(all) {
					t.Errorf("the target knows %d of %d", len(busy.of())-early, len(all))
				}
			})
		})
	}
}

func TestRetryAfterHeader(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"0": 0, "120": 2 * time.Minute, " 7 ": 7 * time.Second, "2147483647": 2147483647 * time.Second,
		"Tue, 24 Nov 2026 12:00:30 GMT": 30 * time.Second, "Tuesday, 24-Nov-26 12:00:30 GMT": 30 * time.Second, "Tue, 24 Nov 2026 11:00:00 GMT": 0,
		"": -1, "-1": -1, "1.5": -1, "99999999999999999999": -1, "soon": -1, "+5": -1, "0x10": -1,
	} {
		got, ok := outbound.RetryAfter(http.Header{"Retry-After": {text}}, now)
		if ok != (want >= 0) || ok && got != want {
			t.Errorf("Retry-After %q = %v, %v, want %v", text, got, ok, want)
		}
	}
}

// brokenStore fails as long as broken says.
type brokenStore struct {
	*bolt.Store
	broken atomic.Bool
	due    atomic.Int64
	sets   atomic.Int64
}

func (b *brokenStore) Due(ctx context.Context, target string, now time.Time, limit int) ([]identity.Identity, error) {
	b.due.Add(1)
	return b.Store.Due(ctx, target, now, limit)
}

func (b *brokenStore) SetOutbox(ctx context.Context, i identity.Identity) error {
	if b.broken.Load() {
		b.sets.Add(1)
		return store.ErrUnavailable
	}
	return b.Store.SetOutbox(ctx, i)
}

// A store that does not take writes is asked now and then, nothing is sent
// without a lease, and all is made up for afterwards.
func TestStoreDown(t *testing.T) {
	simulate(t, func(t *testing.T) {
		s := &brokenStore{Store: open(t)}
		s.broken.Store(true)
		all := people(t, s.Store, 100, hr)
		c := &target{}
		start(t, worker(s, map[string]*target{hr: c}))
		time.Sleep(time.Minute)
		if n := s.due.Load(); n > 40 {
			t.Errorf("asked the store %d times in a minute", n)
		}
		if n := len(c.of()); n != 0 {
			t.Errorf("%d deliveries without a lease", n)
		}
		s.broken.Store(false)
		time.Sleep(30 * time.Second)
		if n := len(c.of()); n != len(all) {
			t.Errorf("%d deliveries, want %d", n, len(all))
		}
	})
}

// Whoever asks is told what a target fails at, until it answers.
func TestFailing(t *testing.T) {
	simulate(t, func(t *testing.T) {
		s := open(t)
		people(t, s, 1, hr)
		var up atomic.Bool
		w := worker(s, nil)
		w.Connectors[hr] = &target{answer: func(context.Context, identity.Identity) error {
			if up.Load() {
				return nil
			}
			return errDown
		}}
		start(t, w)
		time.Sleep(100 * time.Millisecond) // less than the first pause
		if failure, until := w.Failing(hr); failure != errDown.Error() || !until.After(time.Now()) {
			t.Errorf("down: %q until %s", failure, until)
		}
		up.Store(true)
		time.Sleep(3 * time.Minute)
		if failure, until := w.Failing(hr); failure != "" || !until.IsZero() {
			t.Errorf("up: %q until %s", failure, until)
		}
	})
}
