package directory_test

// Whoever has the answer of one store waits for no other, and lets it finish; whoever
// has none and goes away does not wait either.

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/store/directory"
)

// slow is a store that is asked and answers when it is told to.
type slow struct {
	store.Store
	asked  chan context.Context
	answer chan struct{}
}

func (s *slow) Find(ctx context.Context, keys ...identity.Key) ([]identity.Identity, error) {
	s.asked <- ctx
	select {
	case <-s.answer:
		return s.Store.Find(ctx, keys...)
	case <-ctx.Done():
		return nil, fmt.Errorf("slow: %w: %w", store.ErrUnavailable, ctx.Err())
	}
}

func TestNobodyIsBrokenOff(t *testing.T) {
	w := open(t, "partners")
	id := ext()
	h := w.insert(t, "default", id)
	partners := &slow{w.places["partners"], make(chan context.Context, 1), make(chan struct{})}
	d := directory.New(w.home, map[string]store.Store{"partners": partners})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	found, err := d.Look(ctx, "", id)
	cancel() // as a request's context ends with its answer
	if err != nil || len(found.Identities) != 1 || found.Identities[0].ID != h.ID {
		t.Fatalf("%d found, %v", len(found.Identities), err)
	}
	asked := <-partners.asked
	if asked.Err() != nil {
		t.Errorf("the store that was slower is broken off: %v", asked.Err())
	}
	want, _ := ctx.Deadline()
	if got, _ := asked.Deadline(); !got.Equal(want) {
		t.Errorf("it has until %v, want %v", got, want)
	}
	close(partners.answer)
	<-asked.Done() // and leaves nothing behind
}

func (s *slow) Due(ctx context.Context, _ string, _ time.Time, _ int) ([]identity.Identity, error) {
	<-ctx.Done()
	return nil, fmt.Errorf("slow: %w: %w", store.ErrUnavailable, ctx.Err())
}

// A store that hangs keeps its own deliveries waiting, and those of others for a moment.
func TestDueWhileOneHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, "partners")
		i := person("default", fed())
		i.Outbox = []identity.Delivery{{Target: "hr", Revision: 1, Since: time.Now(), Due: time.Now()}}
		must(t, w.Insert(t.Context(), i, identity.Record{}))
		d := directory.New(w.home, map[string]store.Store{"partners": &slow{Store: w.places["partners"]}})
		began := time.Now()
		due, err := d.Due(t.Context(), "hr", time.Now(), 10)
		if took := time.Since(began); err != nil || len(due) != 1 || took > 2*time.Second {
			t.Errorf("%d due after %v, %v", len(due), took, err)
		}
	})
}

func TestWhoGoesAwayWaitsForNobody(t *testing.T) {
	w := open(t, "partners")
	one := func(s store.Store) *slow { return &slow{s, make(chan context.Context, 1), make(chan struct{})} }
	home, partners := one(w.home), one(w.places["partners"])
	d := directory.New(home, map[string]store.Store{"partners": partners})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-home.asked
		<-partners.asked
		cancel()
	}()
	if _, err := d.Look(ctx, "", ext()); !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
