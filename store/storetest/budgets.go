package storetest

// A budget is spent once and not once more, by however many, until its next
// time begins.

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/jithook/jithook/store"
)

func testSpend(t *testing.T, s store.Store) {
	b := store.Budget{Key: uuid.NewString(), From: clock, Limit: 2}
	spend := func(b store.Budget, want bool) {
		t.Helper()
		got, err := s.Spend(t.Context(), b)
		must(t, err)
		if got != want {
			t.Errorf("Spend of %d from %s = %v, want %v", b.Limit, b.From, got, want)
		}
	}
	other, none := b, b
	other.Key, none.Limit = uuid.NewString(), 0
	spend(none, false)
	spend(b, true)
	spend(b, true)
	spend(b, false)
	spend(other, true)

	// A larger limit counts what was spent, and so does a smaller one.
	b.Limit = 3
	spend(b, true)
	spend(b, false)
	b.Limit = 1
	spend(b, false)

	// The next time, and whoever's clock is still behind.
	late := b
	b.From = clock.Add(time.Hour)
	spend(b, true)
	spend(b, false)
	spend(late, false)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Spend(ctx, b)
	wantError(t, "Spend with an ended context", err, store.ErrUnavailable)
}

// Of many that spend at once, as many succeed as the limit says, also where a
// time begins.
func (c Suite) testRaceSpend(t *testing.T, s store.Store) {
	b := store.Budget{Key: uuid.NewString(), From: clock, Limit: c.contention() / 2}
	for range 3 {
		var spent atomic.Int64
		together(c.contention(), func(int) {
			var left bool
			must(t, planAgain(func() (err error) { left, err = s.Spend(t.Context(), b); return err }))
			if left {
				spent.Add(1)
			}
		})
		if spent.Load() != int64(b.Limit) {
			t.Errorf("%d of %d were spent", spent.Load(), b.Limit)
		}
		b.From = b.From.Add(time.Hour)
	}
}
