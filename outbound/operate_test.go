package outbound_test

// What a person asks of a delivery is done to the outbox as it is then, and never
// to one that is under way.

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/outbound"
	"github.com/jithook/jithook/store"
)

func TestRetry(t *testing.T) {
	for name, before := range map[string][]identity.Delivery{
		"nothing waits": nil,
		"given up":      {{Target: hr, Revision: 1, Attempts: 50, Failure: "answered 400", Dead: true}},
		"pauses":        {{Target: hr, Revision: 1, Attempts: 3, Failure: "answered 503", Due: time.Now().Add(time.Hour)}},
		"under way":     {{Target: hr, Revision: 1, Lease: "l", Due: time.Now().Add(time.Minute)}},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			i := people(t, s, 1)[0]
			i.Outbox = before
			i.OutboxVersion++
			must(t, s.SetOutbox(t.Context(), i))
			now := time.Now()
			must(t, outbound.Retry(t.Context(), s, i.ID, hr, now))
			got, err := s.Get(t.Context(), i.ID)
			must(t, err)
			if len(got.Outbox) != 1 {
				t.Fatalf("%+v", got.Outbox)
			}
			d, leased := got.Outbox[0], name == "under way"
			if !d.Again || d.Dead || d.Attempts != 0 || d.Failure != "" || (d.Lease != "") != leased || d.Due.Equal(now) == leased {
				t.Errorf("%+v", d)
			}
		})
	}
	if err := outbound.Retry(t.Context(), open(t), "nobody", hr, time.Now()); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("nobody: %v", err)
	}
}

func TestDrop(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct {
		before identity.Delivery
		want   error
	}{
		"given up":           {identity.Delivery{Target: hr, Revision: 1, Dead: true}, nil},
		"pauses":             {identity.Delivery{Target: hr, Revision: 1, Due: now.Add(time.Hour)}, nil},
		"under way":          {identity.Delivery{Target: hr, Revision: 1, Lease: "l", Due: now.Add(time.Minute)}, outbound.ErrUnderWay},
		"leased by the dead": {identity.Delivery{Target: hr, Revision: 1, Lease: "l", Due: now.Add(-time.Minute)}, nil},
		"waits for another":  {identity.Delivery{Target: "crm", Revision: 1}, store.ErrNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			i := people(t, s, 1)[0]
			i.Outbox = []identity.Delivery{c.before}
			i.Remember(identity.Resource{Target: hr, ID: "u-1"})
			i.OutboxVersion++
			must(t, s.SetOutbox(t.Context(), i))
			if err := outbound.Drop(t.Context(), s, i.ID, hr, now); !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			got, err := s.Get(t.Context(), i.ID)
			must(t, err)
			if _, noted := got.Resource(hr); (len(got.Outbox) == 0) != (c.want == nil) || !noted {
				t.Errorf("%+v", got)
			}
		})
	}
}

// What is asked for while the same revision is being told is told once more, and
// then no more.
func TestRetryUnderWay(t *testing.T) {
	simulate(t, func(t *testing.T) {
		s := open(t)
		i := people(t, s, 1, hr)[0]
		c := &target{answer: func(context.Context, identity.Identity) error {
			time.Sleep(5 * time.Second)
			return nil
		}}
		start(t, worker(s, map[string]*target{hr: c}))
		time.Sleep(time.Second)
		must(t, outbound.Retry(t.Context(), s, i.ID, hr, time.Now()))
		time.Sleep(time.Hour)
		if n := len(c.of(i.ID)); n != 2 {
			t.Errorf("told %d times, want the one under way and the one asked for", n)
		}
		wantBacklog(t, s, hr, 0, 0)
	})
}
