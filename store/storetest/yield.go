package storetest

// A pending identity yields to a committed one: it is deleted on what was read of
// it, then the committed one takes its subject. In between nobody has the
// subject, and whoever comes there first keeps it.

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

// yielding stores a pending identity and an active one that is to take its
// subject, and returns both and what the active one becomes.
func yielding(t *testing.T, s store.Store) (pending, active, taking identity.Identity) {
	t.Helper()
	pending = insert(t, s, newFed())
	active = newIdentity(newFed(), newMail())
	active.State = identity.StateActive
	must(t, s.Insert(t.Context(), active, newRecord(active, identity.Created)))
	return pending, active, next(active, append(slices.Clone(active.Keys), pending.Keys...)...)
}

func testYield(t *testing.T, s store.Store) {
	pending, active, taking := yielding(t, s)
	subject := pending.Keys[0]
	early := newRecord(active, identity.Linked)
	wantTaken(t, "Swap before the pending one has gone", s.Swap(t.Context(), taking, early), subject)
	wantStored(t, s, active)
	wantNoRecord(t, s, early)

	gone := newRecord(pending, identity.Deleted)
	must(t, s.Delete(t.Context(), pending.ID, pending.Revision, pending.RenewedAt, gone))
	wantHolder(t, s, subject, "")
	linked := newRecord(active, identity.Linked)
	must(t, s.Swap(t.Context(), taking, linked))
	wantStored(t, s, taking)
	wantHolder(t, s, subject, active.ID)
	wantRecord(t, s, gone)
	wantRecord(t, s, linked)

	// Whoever still goes by the pending one learns that it has gone.
	late := newIdentity(subject)
	r := newRecord(late, identity.Created)
	wantError(t, "Renew of what yielded", s.Renew(t.Context(), pending.ID, 1, clock.Add(time.Hour), r), store.ErrConflict)
	wantError(t, "Swap of what yielded", s.Swap(t.Context(), next(pending, subject), r), store.ErrConflict)
	wantTaken(t, "Insert for a subject that was taken over", s.Insert(t.Context(), late, r), subject)
	wantNoRecord(t, s, r)
	wantStored(t, s, taking)
}

// A login between the two steps makes the person anew; the committed one then
// finds the subject taken, and keeps what it had.
func testYieldOvertaken(t *testing.T, s store.Store) {
	pending, active, taking := yielding(t, s)
	subject := pending.Keys[0]
	must(t, s.Delete(t.Context(), pending.ID, pending.Revision, pending.RenewedAt, identity.Record{}))
	between := insert(t, s, subject)
	r := newRecord(active, identity.Linked)
	wantTaken(t, "Swap after a login in between", s.Swap(t.Context(), taking, r), subject)
	wantNoRecord(t, s, r)
	wantStored(t, s, active)
	wantStored(t, s, between)
	wantHolder(t, s, subject, between.ID)
}

// The pending one is renewed while it is to yield, and the person signs in once
// more: the subject has one owner in the end, and everybody knows how it went.
func testRaceYield(t *testing.T, s store.Store) {
	for range 20 {
		pending, active, taking := yielding(t, s)
		subject := pending.Keys[0]
		login := newIdentity(subject)
		var created identity.Record
		renewal, linked, gone := newRecord(pending, identity.Unchanged), newRecord(active, identity.Linked), newRecord(pending, identity.Deleted)
		var renewed, inserted, deleted, swapped error
		var all sync.WaitGroup
		all.Go(func() {
			deleted = s.Delete(t.Context(), pending.ID, 1, clock, gone)
			swapped = s.Swap(t.Context(), taking, linked)
		})
		all.Go(func() { renewed = s.Renew(t.Context(), pending.ID, 1, clock.Add(time.Hour), renewal) })
		all.Go(func() { inserted = insertAgain(t, s, &login, &created) })
		all.Wait()

		owner := pending.ID
		if deleted == nil {
			wantError(t, "Renew of what yielded", renewed, store.ErrConflict)
			wantNoRecord(t, s, renewal)
			wantRecord(t, s, gone)
			owner = active.ID
			if inserted == nil {
				owner = login.ID
			}
		} else {
			wantError(t, "Delete of what was renewed", deleted, store.ErrConflict)
			wantNoRecord(t, s, gone)
			must(t, renewed)
			wantRecord(t, s, renewal)
		}
		wantHolder(t, s, subject, owner)
		for what, c := range map[string]struct {
			err    error
			mine   bool
			record identity.Record
		}{
			"Insert": {inserted, owner == login.ID, created}, "Swap": {swapped, owner == active.ID, linked},
		} {
			if !c.mine {
				wantTaken(t, what, c.err, subject)
				wantNoRecord(t, s, c.record)
				continue
			}
			must(t, c.err)
			wantRecord(t, s, c.record)
		}
		if swapped != nil {
			wantStored(t, s, active)
		}
	}
}
