package storetest

// A message that comes again meets what was noted of the first one, whoever
// takes it in, until it has expired and was dropped.

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/jithook/jithook/store"
)

func newReceipt() store.Receipt {
	return store.Receipt{Key: uuid.NewString(), Digest: uuid.NewString(), DecisionID: newID(), Expires: clock}
}

func wantReceipt(t *testing.T, s store.Store, sent, want store.Receipt) {
	t.Helper()
	got, err := s.Receive(t.Context(), sent)
	must(t, err)
	if !got.Expires.Equal(want.Expires) {
		t.Errorf("expires %s, want %s", got.Expires, want.Expires)
	}
	if got.Expires = want.Expires; got != want {
		t.Errorf("Receive = %+v, want %+v", got, want)
	}
}

func testReceive(t *testing.T, s store.Store) {
	first := newReceipt()
	wantReceipt(t, s, first, first)
	wantReceipt(t, s, first, first)
	other := newReceipt()
	wantReceipt(t, s, other, other)

	// What comes second is told of the first, and may only prolong it.
	second := newReceipt()
	second.Key, second.Expires = first.Key, clock.Add(-time.Hour)
	wantReceipt(t, s, second, first)
	second.Expires = clock.Add(time.Nanosecond)
	first.Expires = second.Expires
	wantReceipt(t, s, second, first)
	wantReceipt(t, s, first, first)
}

func testDropReceipts(t *testing.T, s store.Store) {
	drop := func(before time.Time, limit, want int) {
		t.Helper()
		got, err := s.DropReceipts(t.Context(), before, limit)
		must(t, err)
		if got != want {
			t.Errorf("DropReceipts = %d, want %d", got, want)
		}
	}
	drop(clock, 10, 0)
	var receipts []store.Receipt
	for n := range 5 {
		r := newReceipt()
		r.Expires = clock.Add(time.Duration(n) * time.Minute)
		wantReceipt(t, s, r, r)
		receipts = append(receipts, r)
	}
	prolonged := receipts[0]
	prolonged.Expires = clock.Add(time.Hour)
	wantReceipt(t, s, prolonged, prolonged)

	drop(clock.Add(time.Minute), 10, 0) // the first one was prolonged, the next expires just then
	drop(clock.Add(4*time.Minute), 2, 2)
	drop(clock.Add(4*time.Minute), 10, 1)
	drop(clock.Add(4*time.Minute), 10, 0)
	again := receipts[1]
	again.DecisionID = newID()
	wantReceipt(t, s, again, again)
	wantReceipt(t, s, receipts[4], receipts[4])
	drop(clock.Add(2*time.Hour), 10, 3)
}

// Of all that take in one message at once, one is first and all know it.
func (c Suite) testRaceReceive(t *testing.T, s store.Store) {
	for range 5 {
		key := newReceipt().Key
		mine, got := make([]store.Receipt, c.contention()), make([]store.Receipt, c.contention())
		together(len(got), func(k int) {
			mine[k] = newReceipt()
			mine[k].Key = key
			var err error
			if got[k], err = s.Receive(t.Context(), mine[k]); err != nil {
				t.Error(err)
			}
		})
		first := 0
		for k := range got {
			if got[k].DecisionID != got[0].DecisionID || got[k].Digest != got[0].Digest {
				t.Errorf("two messages were first: %+v and %+v", got[0], got[k])
			}
			if got[k].DecisionID == mine[k].DecisionID {
				first++
			}
		}
		if first != 1 {
			t.Errorf("%d callers were first", first)
		}
	}
}
