package storetest

// Each write does what the contract says, or nothing at all: neither the
// document nor a key nor the record.

import (
	"slices"
	"testing"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

func testInsert(t *testing.T, s store.Store) {
	fed, mail := newFed(), newMail()
	wantHolder(t, s, fed, "")
	_, err := s.Get(t.Context(), newID())
	wantError(t, "Get of an unknown id", err, store.ErrNotFound)

	i := newIdentity(fed, mail)
	r := newRecord(i, identity.Created)
	must(t, s.Insert(t.Context(), i, r))
	wantStored(t, s, i)
	wantRecord(t, s, r)
	wantHolder(t, s, fed, i.ID)
	wantHolder(t, s, mail, i.ID)
	wantHolder(t, s, newFed(), "")

	// Who has no key is in nobody's way, before and after it had one.
	bare, other := insert(t, s), insert(t, s)
	wantStored(t, s, bare)
	keyed := next(other, newFed())
	must(t, s.Swap(t.Context(), keyed, newRecord(other, identity.Updated)))
	other = next(keyed)
	must(t, s.Swap(t.Context(), other, newRecord(other, identity.Updated)))
	wantStored(t, s, other)
	wantHolder(t, s, keyed.Keys[0], "")
}

func testInsertTaken(t *testing.T, s store.Store) {
	fed, mail := newFed(), newMail()
	first := insert(t, s, fed, mail)
	for _, key := range []identity.Key{fed, mail} {
		fresh := newFed()
		i := newIdentity(fresh, key)
		r := newRecord(i, identity.Created)
		wantTaken(t, "Insert", s.Insert(t.Context(), i, r), key)
		_, err := s.Get(t.Context(), i.ID)
		wantError(t, "Get after a refused Insert", err, store.ErrNotFound)
		wantHolder(t, s, fresh, "")
		wantHolder(t, s, key, first.ID)
		wantNoRecord(t, s, r)
	}
	wantStored(t, s, first)
}

func testInsertAgain(t *testing.T, s store.Store) {
	i := newIdentity(newFed())
	r := newRecord(i, identity.Created)
	must(t, s.Insert(t.Context(), i, r))
	must(t, s.Insert(t.Context(), i, r))
	wantStored(t, s, i)

	// Once somebody has changed the identity, the first attempt is history.
	second := next(i, i.Keys...)
	must(t, s.Swap(t.Context(), second, newRecord(i, identity.Updated)))
	wantError(t, "Insert of an id that has moved on", s.Insert(t.Context(), i, r), store.ErrConflict)
	wantStored(t, s, second)
}

func testFindSeveral(t *testing.T, s store.Store) {
	fed, mail, other := newFed(), newMail(), newFed()
	a := insert(t, s, fed, mail)
	b := insert(t, s, other)
	insert(t, s, newFed())
	want := []string{a.ID, b.ID}
	slices.Sort(want)
	for _, keys := range [][]identity.Key{
		{fed, mail, other}, {other, mail, fed, fed}, {newFed(), other, fed},
	} {
		found, err := s.Find(t.Context(), keys...)
		must(t, err)
		if got := ids(found); !slices.Equal(got, want) {
			t.Errorf("Find by %d keys = %v, want %v", len(keys), got, want)
		}
	}
	found, err := s.Find(t.Context())
	must(t, err)
	if len(found) != 0 {
		t.Errorf("Find by no key = %v, want nothing", ids(found))
	}
}

func testSwap(t *testing.T, s store.Store) {
	fed, old, fresh := newFed(), newMail(), newMail()
	i := next(insert(t, s, fed, old), fed, fresh)
	i.State = identity.StateActive
	i.Traits = map[string]any{"email": "new@example.com"}
	i.Groups = nil
	i.ExternalIDs = []identity.ExternalID{{System: identity.SystemKratos, Instance: "main", ID: newID()}}
	i.UpdatedAt = clock.Add(time.Hour)
	i.RenewedAt = time.Time{}
	r := newRecord(i, identity.Updated)
	i.DecisionID = r.ID
	must(t, s.Swap(t.Context(), i, r))
	wantStored(t, s, i)
	wantRecord(t, s, r)
	wantHolder(t, s, fed, i.ID)
	wantHolder(t, s, old, "")
	wantHolder(t, s, fresh, i.ID)
}

func testSwapConflict(t *testing.T, s store.Store) {
	i := insert(t, s, newFed())
	second := next(i, i.Keys...)
	must(t, s.Swap(t.Context(), second, newRecord(i, identity.Updated)))

	ahead := next(next(second))
	gone := next(newIdentity(newFed()))
	for what, swap := range map[string]identity.Identity{
		"from an old revision": second, "from a revision to come": ahead, "of an unknown identity": gone,
	} {
		r := newRecord(swap, identity.Updated)
		fresh := newFed()
		swap.Keys = []identity.Key{fresh}
		wantError(t, "Swap "+what, s.Swap(t.Context(), swap, r), store.ErrConflict)
		wantNoRecord(t, s, r)
		wantHolder(t, s, fresh, "")
	}
	wantStored(t, s, second)
	wantHolder(t, s, i.Keys[0], i.ID)
}

func testSwapTaken(t *testing.T, s store.Store) {
	mail := newMail()
	holder := insert(t, s, newFed(), mail)
	fed, old := newFed(), newMail()
	i := insert(t, s, fed, old)
	r := newRecord(i, identity.Updated)
	wantTaken(t, "Swap", s.Swap(t.Context(), next(i, fed, mail), r), mail)
	wantStored(t, s, i)
	wantHolder(t, s, old, i.ID)
	wantHolder(t, s, mail, holder.ID)
	wantNoRecord(t, s, r)
}

func testSwapKeepsLaterLogin(t *testing.T, s store.Store) {
	i := insert(t, s, newFed())
	late := clock.Add(time.Hour)
	must(t, s.Record(t.Context(), nil, []store.Touch{{Userstore: i.Userstore, ID: i.ID, At: late}}))

	i = next(i, i.Keys...)
	i.LastLoginAt = clock.Add(time.Minute)
	must(t, s.Swap(t.Context(), i, newRecord(i, identity.Updated)))
	i.LastLoginAt = late
	wantStored(t, s, i)

	i = next(i, i.Keys...)
	i.LastLoginAt = late.Add(time.Minute)
	must(t, s.Swap(t.Context(), i, newRecord(i, identity.Updated)))
	wantStored(t, s, i)
}

func testKeysReleased(t *testing.T, s store.Store) {
	fed, mail := newFed(), newMail()
	a := insert(t, s, fed, mail)
	b := insert(t, s, newFed())
	a2 := next(a, fed)
	must(t, s.Swap(t.Context(), a2, newRecord(a, identity.Updated)))
	b2 := next(b, append(slices.Clone(b.Keys), mail)...)
	must(t, s.Swap(t.Context(), b2, newRecord(b, identity.Updated)))
	wantHolder(t, s, mail, b.ID)
	wantTaken(t, "Swap back", s.Swap(t.Context(), next(a2, fed, mail), newRecord(a, identity.Updated)), mail)

	must(t, s.Delete(t.Context(), b.ID, b2.Revision, b2.RenewedAt, identity.Record{}))
	c := insert(t, s, mail)
	wantHolder(t, s, mail, c.ID)
	wantHolder(t, s, fed, a.ID)
}

func testRenew(t *testing.T, s store.Store) {
	i := insert(t, s, newFed())
	r := newRecord(i, identity.Unchanged)
	i.RenewedAt = clock.Add(time.Nanosecond)
	must(t, s.Renew(t.Context(), i.ID, 1, i.RenewedAt, r))
	wantStored(t, s, i)
	wantRecord(t, s, r)

	// Who read before the renewal must not delete; its revision still swaps.
	wantError(t, "Delete of what was renewed", s.Delete(t.Context(), i.ID, 1, clock, identity.Record{}), store.ErrConflict)
	i = next(i, i.Keys...)
	must(t, s.Swap(t.Context(), i, newRecord(i, identity.Activated)))
	wantStored(t, s, i)
}

func testRenewConflict(t *testing.T, s store.Store) {
	pending := insert(t, s, newFed())
	active := newIdentity(newFed())
	active.State = identity.StateActive
	must(t, s.Insert(t.Context(), active, newRecord(active, identity.Created)))
	for what, c := range map[string]struct {
		id       string
		revision int64
	}{
		"a later revision":    {pending.ID, 2},
		"an earlier revision": {pending.ID, 0},
		"an active identity":  {active.ID, 1},
		"an unknown identity": {newID(), 1},
	} {
		r := newRecord(pending, identity.Unchanged)
		err := s.Renew(t.Context(), c.id, c.revision, clock.Add(time.Hour), r)
		wantError(t, "Renew of "+what, err, store.ErrConflict)
		wantNoRecord(t, s, r)
	}
	wantStored(t, s, pending)
	wantStored(t, s, active)
}

func testDelete(t *testing.T, s store.Store) {
	fed, mail := newFed(), newMail()
	i := newIdentity(fed, mail)
	r := newRecord(i, identity.Created)
	must(t, s.Insert(t.Context(), i, r))
	// The same moment in another zone is the same moment.
	gone := newRecord(i, identity.Deleted)
	must(t, s.Delete(t.Context(), i.ID, 1, clock.UTC(), gone))
	_, err := s.Get(t.Context(), i.ID)
	wantError(t, "Get after Delete", err, store.ErrNotFound)
	wantHolder(t, s, fed, "")
	wantHolder(t, s, mail, "")
	wantRecord(t, s, r) // why she was let in outlives her, and so does why she is gone
	wantRecord(t, s, gone)
	page, err := s.List(t.Context(), store.Query{State: identity.StatePending})
	must(t, err)
	if len(page.Identities) != 0 {
		t.Errorf("List after Delete = %v, want nothing", ids(page.Identities))
	}
	again := newRecord(i, identity.Deleted)
	wantError(t, "Delete again", s.Delete(t.Context(), i.ID, 1, clock, again), store.ErrConflict)
	wantNoRecord(t, s, again)
}

func testDeleteConflict(t *testing.T, s store.Store) {
	i := insert(t, s, newFed())
	second := next(i, i.Keys...)
	must(t, s.Swap(t.Context(), second, newRecord(i, identity.Updated)))
	r := newRecord(i, identity.Deleted)
	wantError(t, "Delete of an old revision", s.Delete(t.Context(), i.ID, 1, clock, r), store.ErrConflict)
	wantError(t, "Delete with another renewed_at", s.Delete(t.Context(), i.ID, 2, clock.Add(1), r), store.ErrConflict)
	wantNoRecord(t, s, r)
	wantStored(t, s, second)
	wantHolder(t, s, i.Keys[0], i.ID)
}

// A mending and an import are no decisions: they leave no record, and the
// records that are there alone.
func testWithoutRecord(t *testing.T, s store.Store) {
	fed := newFed()
	i := newIdentity(fed)
	must(t, s.Insert(t.Context(), i, identity.Record{}))
	wantIDs(t, "Decisions after an import", decisions(t, s, store.DecisionQuery{}), nil)
	must(t, s.Insert(t.Context(), i, identity.Record{}))
	second := next(i, fed)
	r := newRecord(i, identity.Updated)
	must(t, s.Swap(t.Context(), second, r))
	third := next(second, fed)
	must(t, s.Swap(t.Context(), third, identity.Record{}))
	wantStored(t, s, third)
	wantIDs(t, "Decisions after a mending", decisions(t, s, store.DecisionQuery{}), []string{r.ID})
	must(t, s.Delete(t.Context(), i.ID, third.Revision, clock, identity.Record{}))
	wantIDs(t, "Decisions after a removal", decisions(t, s, store.DecisionQuery{}), []string{r.ID})
	wantRecord(t, s, r)
}
