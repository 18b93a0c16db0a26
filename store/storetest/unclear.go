package storetest

// A caller whose time runs out in the middle of a write does not know whether it
// was done. Whoever then looks and plans again, as the contract says, has done it
// once, whenever the first attempt arrives.

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

// impatience yields times to live for a call, from hopeless to plenty, so that
// some end before, some in and some after the write of whatever backend.
func impatience(yield func(time.Duration) bool) {
	for d := 50 * time.Microsecond; d < 50*time.Millisecond; d += d / 5 {
		if !yield(d) {
			return
		}
	}
}

// hurried calls with a context that ends after d. open reports that the outcome
// is unclear; then it is an error that says so.
func hurried(t *testing.T, d time.Duration, what string, call func(context.Context) error) (open bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	err := call(ctx)
	switch {
	case err == nil:
		return false
	case errors.Is(err, store.ErrConflict):
	case errors.Is(err, store.ErrUnavailable) && errors.Is(err, context.DeadlineExceeded):
	default:
		t.Errorf("%s without enough time: error = %v, want ErrConflict, or ErrUnavailable and why", what, err)
	}
	return true
}

// testUnclearInsert: rule 1 of the contract. An id is made up once; who finds
// nobody afterwards makes up a new one, and one of the two is refused.
func testUnclearInsert(t *testing.T, s store.Store) {
	unclear := 0
	for d := range impatience {
		fed := newFed()
		first := newIdentity(fed, newMail())
		r := newRecord(first, identity.Created)
		if !hurried(t, d, "Insert", func(ctx context.Context) error { return s.Insert(ctx, first, r) }) {
			wantStored(t, s, first)
			wantRecord(t, s, r)
			continue
		}
		unclear++
		owner, lost := newIdentity(fed, newMail()), first
		again := newRecord(owner, identity.Created)
		switch found, err := s.Find(t.Context(), fed); {
		case err != nil:
			t.Fatal(err)
		case len(found) > 0:
			owner, again = first, r
		default:
			// The first attempt may still arrive, now or later.
			if err := s.Insert(t.Context(), owner, again); err != nil {
				wantTaken(t, "Insert after an unclear one", err, fed)
				owner, lost, again, r = first, owner, r, again
			}
		}
		wantStored(t, s, owner)
		wantRecord(t, s, again)
		for _, k := range owner.Keys {
			wantHolder(t, s, k, owner.ID)
		}
		if lost.ID == owner.ID {
			continue
		}
		_, err := s.Get(t.Context(), lost.ID)
		wantError(t, "Get of the attempt that lost", err, store.ErrNotFound)
		wantNoRecord(t, s, r)
		for _, k := range lost.Keys {
			if k != fed {
				wantHolder(t, s, k, "")
			}
		}
	}
	t.Logf("%d inserts were unclear", unclear)
}

// testUnclearSwap: rule 2. Who plans again from the look-up sees what the first
// attempt did; what arrives late meets the revision.
func testUnclearSwap(t *testing.T, s store.Store) {
	i := insert(t, s, newFed())
	unclear, n := 0, int64(0)
	for d := range impatience {
		n++
		planned := next(i, i.Keys[0], newMail())
		planned.Traits["n"] = n
		r := newRecord(i, identity.Updated)
		attempt := func(ctx context.Context) error { return s.Swap(ctx, planned, r) }
		if hurried(t, d, "Swap", attempt) {
			unclear++
		}
		for {
			got, err := s.Get(t.Context(), i.ID)
			must(t, err)
			if got.Revision == planned.Revision {
				break
			}
			if err := attempt(t.Context()); err != nil {
				wantError(t, "Swap after an unclear one", err, store.ErrConflict)
			}
		}
		wantStored(t, s, planned)
		wantRecord(t, s, r)
		wantHolder(t, s, planned.Keys[slices.IndexFunc(planned.Keys, func(k identity.Key) bool { return k.Kind() == "mail" })], i.ID)
		i = planned
	}
	i.Traits["n"] = n
	wantStored(t, s, i)
	if got := len(decisions(t, s, store.DecisionQuery{})); got != int(n)+1 {
		t.Errorf("records = %d, want one for the insert and each of %d swaps", got, n)
	}
	t.Logf("%d swaps were unclear", unclear)
}
