package outbound_test

// A lease has one holder. One that was lost, by a clock that differs or a
// process that stood still, never leaves a target with an older state than the
// store, and a worker that is stopped leaves none behind.

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jithook/jithook/identity"
)

// Two replicas' clocks differ by ten minutes: one takes over what the other is
// delivering, tells something newer, and then the older one arrives last.
func TestLostLease(t *testing.T) {
	for name, last := range map[string]error{"the older arrives last": nil, "the older fails last": errors.New("timed out")} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(t *testing.T) {
				s := open(t)
				i := people(t, s, 1, hr)[0]
				var slow atomic.Bool
				slow.Store(true)
				c := &target{answer: func(_ context.Context, i identity.Identity) error {
					if slow.CompareAndSwap(true, false) {
						time.Sleep(8 * time.Second)
						return last
					}
					return nil
				}}
				start(t, worker(s, map[string]*target{hr: c}))
				time.Sleep(time.Second)
				change(t, s, i.ID, nothing)
				ahead := worker(s, map[string]*target{hr: c})
				ahead.Now = func() time.Time { return time.Now().Add(10 * time.Minute) }
				stop := start(t, ahead)
				time.Sleep(3 * time.Second)
				if got := c.knows(i.ID); got != 2 || !c.twice {
					t.Fatalf("the target knows revision %d, want that the one ahead took over and told the second", got)
				}
				stop()
				time.Sleep(30 * time.Minute)
				if got := c.knows(i.ID); got != 2 {
					t.Errorf("the target knows revision %d in the end, want 2", got)
				}
				if n := len(c.of(i.ID)); n != 3 {
					t.Errorf("%d deliveries, want the two and one that mends their order", n)
				}
				wantBacklog(t, s, hr, 0, 0)
			})
		})
	}
}

// Both are delivering when the first ends: then neither settles.
func TestLostLeaseOverlap(t *testing.T) {
	simulate(t, func(t *testing.T) {
		s := open(t)
		i := people(t, s, 1, hr)[0]
		var n atomic.Int64
		c := &target{answer: func(context.Context, identity.Identity) error {
			switch n.Add(1) {
			case 1: // of revision 1; ends at 5 s
				time.Sleep(5 * time.Second)
			case 2: // of revision 2, taken over; ends at 9 s
				time.Sleep(8 * time.Second)
			}
			return nil
		}}
		start(t, worker(s, map[string]*target{hr: c}))
		time.Sleep(time.Second)
		change(t, s, i.ID, nothing)
		ahead := worker(s, map[string]*target{hr: c})
		ahead.Now = func() time.Time { return time.Now().Add(time.Minute) }
		start(t, ahead)
		time.Sleep(10 * time.Minute)
		calls := c.of(i.ID)
		if len(calls) != 3 || calls[len(calls)-1].revision != 2 {
			t.Errorf("deliveries = %v, want one more of the newest when both were done", calls)
		}
		if end := calls[len(calls)-1].at.Sub(calls[0].at); end < 9*time.Second {
			t.Errorf("the last delivery began after %v, while another was under way", end)
		}
		wantBacklog(t, s, hr, 0, 0)
	})
}

// A process that dies holds its lease until it runs out, no longer.
func TestTakenOver(t *testing.T) {
	simulate(t, func(t *testing.T) {
		s := open(t)
		i := people(t, s, 1, hr)[0]
		i.OutboxVersion++
		i.Outbox[0].Lease, i.Outbox[0].Due = "of the dead", time.Now().Add(20*time.Second)
		must(t, s.SetOutbox(t.Context(), i))
		began := time.Now()
		c := &target{}
		start(t, worker(s, map[string]*target{hr: c}))
		time.Sleep(time.Minute)
		calls := c.of(i.ID)
		if len(calls) != 1 || calls[0].at.Sub(began) < 20*time.Second || calls[0].at.Sub(began) > 23*time.Second {
			t.Errorf("deliveries = %v, want one when the lease has run out", calls)
		}
	})
}

// A worker that is stopped lets what is under way end if it does so soon, and
// releases the rest without counting a failure.
func TestStop(t *testing.T) {
	simulate(t, func(t *testing.T) {
		s := open(t)
		soon, never, waits := people(t, s, 1, hr)[0], identity.Identity{}, identity.Identity{}
		c := &target{answer: func(ctx context.Context, i identity.Identity) error {
			if i.ID == soon.ID {
				ctx, cancel := context.WithTimeout(ctx, 6*time.Second)
				defer cancel()
				<-ctx.Done()
				if errors.Is(ctx.Err(), context.DeadlineExceeded) {
					return nil
				}
			}
			<-ctx.Done()
			return ctx.Err()
		}}
		stop := start(t, worker(s, map[string]*target{hr: c}))
		time.Sleep(2500 * time.Millisecond)
		never = people(t, s, 1, hr)[0]
		time.Sleep(2 * time.Second)
		waits = people(t, s, 1, hr)[0]
		began := time.Now()
		stop()
		if took := time.Since(began); took > 6*time.Second {
			t.Errorf("stopping took %v", took)
		}
		got, err := s.Get(t.Context(), soon.ID)
		must(t, err)
		if len(got.Outbox) != 0 {
			t.Errorf("what ended in time is not settled: %+v", got.Outbox)
		}
		for what, id := range map[string]string{"under way": never.ID, "not begun": waits.ID} {
			got, err := s.Get(t.Context(), id)
			must(t, err)
			if d := got.Outbox[0]; d.Lease != "" || d.Attempts != 0 || d.Failure != "" || d.Due.After(time.Now()) {
				t.Errorf("%s: entry = %+v, want it released and due", what, d)
			}
		}
		if len(c.of(never.ID)) != 1 || len(c.of(waits.ID)) != 0 {
			t.Error("the stopped worker took something more, or not what was due")
		}
	})
}

// A failure is about a revision: what was armed meanwhile starts from nothing.
func TestArmedWhileFailing(t *testing.T) {
	simulate(t, func(t *testing.T) {
		s := open(t)
		i := people(t, s, 1, hr)[0]
		c := &target{answer: func(_ context.Context, i identity.Identity) error {
			if i.Revision < 3 {
				time.Sleep(3 * time.Second)
				return errRefused
			}
			return nil
		}}
		start(t, worker(s, map[string]*target{hr: c}))
		time.Sleep(time.Second)
		change(t, s, i.ID, nothing) // revision 2, while 1 is refused
		time.Sleep(3 * time.Second)
		got, err := s.Get(t.Context(), i.ID)
		must(t, err)
		if d := got.Outbox[0]; d.Dead || d.Attempts > 1 {
			t.Errorf("entry = %+v, want that the second revision has its own try", d)
		}
		time.Sleep(time.Minute)
		wantBacklog(t, s, hr, 0, 1)
		change(t, s, i.ID, nothing)
		time.Sleep(time.Minute)
		if c.knows(i.ID) != 3 {
			t.Error("the third revision did not arrive")
		}
	})
}

// TestLeaseRace: queues of several targets want to lease in the same document at
// once. Who loses looks again, and does not wait for the next round.
func TestLeaseRace(t *testing.T) {
	simulate(t, func(t *testing.T) {
		s := open(t)
		targets := map[string]*target{}
		for _, name := range []string{hr, "crm", "erp", "events", "wiki", "chat"} {
			targets[name] = &target{}
		}
		start(t, worker(s, targets))
		time.Sleep(time.Minute + 100*time.Millisecond)
		people(t, s, 5, slices.Collect(maps.Keys(targets))...)
		time.Sleep(2 * time.Second) // the next round begins, for all at once
		for name := range targets {
			wantBacklog(t, s, name, 0, 0)
		}
	})
}
