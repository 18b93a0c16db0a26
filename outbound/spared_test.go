package outbound_test

// A target that asks for time gets it from everybody: from another replica, from a
// process that was started anew, and from a comparison.

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/outbound"
)

// listing is a target that can be compared and lists its accounts.
type listing struct {
	*target
	asked *atomic.Int64
	err   error
}

func (l listing) Compare(context.Context, identity.Identity, identity.Delivery) ([]outbound.Difference, error) {
	l.asked.Add(1)
	return nil, l.err
}

func (l listing) Accounts(context.Context, int, int) ([]outbound.Account, int, error) {
	l.asked.Add(1)
	return nil, -1, l.err
}

func TestSparedByAll(t *testing.T) {
	const rest = 3 * time.Hour
	simulate(t, func(t *testing.T) {
		s := open(t)
		people(t, s, 1, hr)
		var busy atomic.Bool
		busy.Store(true)
		began := time.Now()
		c := &target{answer: func(context.Context, identity.Identity) error {
			if busy.Load() {
				return &outbound.LaterError{After: rest, Err: errors.New("answered 429")}
			}
			return nil
		}}
		process := func() (*outbound.Spared, func()) {
			spared := outbound.Spare(listing{c, &atomic.Int64{}, nil}, hr, s, time.Now)
			w := worker(s, nil)
			w.Connectors[hr] = spared
			return spared, start(t, w)
		}
		_, stop := process()
		time.Sleep(time.Minute)
		if n := len(c.of()); n != 1 {
			t.Fatalf("%d deliveries, want the one that is told to wait", n)
		}
		stop()
		all := people(t, s, 30, hr)
		process() // started anew
		process() // another replica
		busy.Store(false)
		time.Sleep(rest - 2*time.Minute)
		if n := len(c.of()); n != 1 {
			t.Errorf("%d deliveries while the target wants to be left alone", n-1)
		}
		time.Sleep(10 * time.Minute)
		for _, x := range c.of() {
			if x.err == nil && x.at.Sub(began) < rest {
				t.Errorf("told after %s", x.at.Sub(began))
			}
		}
		if n := len(c.of()); n != len(all)+2 {
			t.Errorf("%d deliveries afterwards, want %d", n-1, len(all)+1)
		}
	})
}

// What a comparison is told counts for the others, too.
func TestSparedByComparisons(t *testing.T) {
	busy := &outbound.LaterError{After: time.Hour, Err: errors.New("answered 429")}
	for name, ask := range map[string]func(context.Context, *outbound.Spared) error{
		"deliver": func(ctx context.Context, s *outbound.Spared) error {
			_, err := s.Deliver(ctx, identity.Identity{}, identity.Delivery{Target: hr})
			return err
		},
		"compare": func(ctx context.Context, s *outbound.Spared) error {
			_, err := s.Compare(ctx, identity.Identity{}, identity.Delivery{Target: hr})
			return err
		},
		"list": func(ctx context.Context, s *outbound.Spared) error {
			_, _, err := s.Accounts(ctx, 0, 50)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			store := open(t)
			asked := &atomic.Int64{}
			c := &target{answer: func(context.Context, identity.Identity) error {
				asked.Add(1)
				return busy
			}}
			first := outbound.Spare(listing{c, asked, busy}, hr, store, time.Now)
			for range 2 {
				if _, later := errors.AsType[*outbound.LaterError](ask(t.Context(), first)); !later {
					t.Error("not told to wait")
				}
			}
			second := outbound.Spare(listing{c, asked, nil}, hr, store, time.Now)
			if err := ask(t.Context(), second); err == nil {
				t.Error("another process does not wait")
			} else if l, ok := errors.AsType[*outbound.LaterError](err); !ok || l.After < 59*time.Minute || l.After > time.Hour {
				t.Errorf("it is told %v", err)
			}
			if n := asked.Load(); n != 1 {
				t.Errorf("the target was asked %d times", n)
			}
			if err := ask(t.Context(), outbound.Spare(listing{&target{}, asked, nil}, "crm", store, time.Now)); err != nil {
				t.Errorf("another target: %v", err)
			}
		})
	}
}
