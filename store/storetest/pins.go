package storetest

// A key is pinned or held, whichever comes first, and whoever comes second
// learns where to look: nobody is made twice in two stores.

import (
	"context"
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

func wantElsewhere(t *testing.T, what string, err error, want map[identity.Key]string) {
	t.Helper()
	var elsewhere *store.ElsewhereError
	if !errors.As(err, &elsewhere) || !maps.Equal(elsewhere.Pins, want) {
		t.Errorf("%s: error = %v, want an ElsewhereError for %d keys", what, err, len(want))
	}
}

func testPin(t *testing.T, s store.Store) {
	key, other, mail := newFed(), newFed(), newMail()
	must(t, s.Pin(t.Context(), key, "employees"))
	must(t, s.Pin(t.Context(), key, "employees"))
	pinned := map[identity.Key]string{key: "employees"}
	wantElsewhere(t, "Pin to another userstore", s.Pin(t.Context(), key, "partners"), pinned)

	// Whoever wants the key in this store is told, and nothing is written.
	stranger := newIdentity(key, mail)
	r := newRecord(stranger, identity.Created)
	wantElsewhere(t, "Insert", s.Insert(t.Context(), stranger, r), pinned)
	wantNoRecord(t, s, r)
	wantHolder(t, s, mail, "")
	held := insert(t, s, other)
	wantElsewhere(t, "Swap", s.Swap(t.Context(), next(held, other, key), r), pinned)
	wantNoRecord(t, s, r)
	wantStored(t, s, held)

	// A look-up finds what is here, and says what is not.
	must(t, s.Pin(t.Context(), mail, "partners"))
	found, err := s.Find(t.Context(), other, key, mail)
	wantElsewhere(t, "Find", err, map[identity.Key]string{key: "employees", mail: "partners"})
	if got := ids(found); len(got) != 1 || got[0] != held.ID {
		t.Errorf("Find beside pins = %v, want the one that is here", got)
	}

	// A key that is held is not pinned, until it is let go of.
	wantTaken(t, "Pin of a held key", s.Pin(t.Context(), other, "employees"), other)
	wantHolder(t, s, other, held.ID)
	must(t, s.Delete(t.Context(), held.ID, 1, clock, identity.Record{}))
	must(t, s.Pin(t.Context(), other, "employees"))

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	key = newFed()
	wantError(t, "Pin with an ended context", s.Pin(ctx, key, "employees"), store.ErrUnavailable)
	wantHolder(t, s, key, "")
}

// A pin is no identity: nobody sees or removes one under whatever name.
func testPinIsNoIdentity(t *testing.T, s store.Store) {
	key := newFed()
	must(t, s.Pin(t.Context(), key, "default"))
	var there []string
	for range 3 {
		there = append(there, insert(t, s, newFed()).ID)
	}
	for _, q := range []store.Query{{}, {PageSize: 1}, {Userstore: "default"}, {State: identity.StatePending}} {
		wantIDs(t, "List beside a pin", list(t, s, q), there)
	}
	wantIDs(t, "List by a pinned key", list(t, s, store.Query{Key: key}), nil)
	for _, id := range []string{string(key), "~" + string(key), "~", ""} {
		_, err := s.Get(t.Context(), id)
		wantError(t, "Get of a pin", err, store.ErrNotFound)
		wantError(t, "Delete of a pin", s.Delete(t.Context(), id, 0, time.Time{}, identity.Record{}), store.ErrConflict)
		wantError(t, "Renew of a pin", s.Renew(t.Context(), id, 0, clock, newRecord(newIdentity(), identity.Unchanged)), store.ErrConflict)
	}
	wantElsewhere(t, "Pin to another userstore", s.Pin(t.Context(), key, "partners"), map[identity.Key]string{key: "default"})
	fake := newIdentity()
	fake.ID = "~" + fake.ID
	wantError(t, "Insert of an id like a pin's", s.Insert(t.Context(), fake, newRecord(fake, identity.Created)), store.ErrUnavailable)
}

// Whoever pins and whoever inserts at the same time: one of them has the key,
// and all others learn who.
func (c Suite) testRacePins(t *testing.T, s store.Store) {
	for range 5 {
		key := newFed()
		names := []string{"employees", "partners"}
		attempts := make([]identity.Identity, c.contention())
		results := make([]error, c.contention())
		together(len(results), func(k int) {
			attempts[k] = newIdentity(key)
			if k%4 == 3 {
				results[k] = insertAgain(t, s, &attempts[k], new(identity.Record))
				return
			}
			results[k] = planAgain(func() error { return s.Pin(t.Context(), key, names[k%2]) })
		})
		found, err := s.Find(t.Context(), key)
		var elsewhere *store.ElsewhereError
		winner := ""
		switch {
		case errors.As(err, &elsewhere) && len(found) == 0:
			winner = elsewhere.Pins[key]
		case err == nil && len(found) == 1:
			winner = found[0].ID
		default:
			t.Fatalf("the key is held by %v, error %v", ids(found), err)
		}
		for k, err := range results {
			mine := names[k%2]
			if k%4 == 3 {
				mine = attempts[k].ID
			}
			if (err == nil) != (mine == winner) {
				t.Errorf("caller %d of %s: error = %v, but the key is %s's", k, mine, err, winner)
			}
			if err != nil && len(found) == 1 {
				wantTaken(t, "the second", err, key)
			} else if err != nil {
				wantElsewhere(t, "the second", err, elsewhere.Pins)
			}
		}
	}
}
