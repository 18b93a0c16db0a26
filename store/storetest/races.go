package storetest

// Whoever writes at the same time: nobody gets two accounts, nobody's write is
// lost, nothing is held twice.

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

// planAgain makes attempts until the outcome of one is clear: whoever finds a key
// taken may find nobody who has it a moment later, or a server that gave up on
// all who wanted it. (A login gives up after three; what a test must see is who
// won in the end.)
func planAgain(attempt func() error) error {
	var err error
	for range 10 {
		if err = attempt(); !errors.Is(err, store.ErrConflict) {
			break
		}
	}
	return err
}

// insertAgain inserts an identity like the one that *i is, under a new id each
// time, and leaves in *i and *r the last attempt.
func insertAgain(t *testing.T, s store.Store, i *identity.Identity, r *identity.Record) error {
	return planAgain(func() error {
		i.ID = newID()
		*r = newRecord(*i, identity.Created)
		return s.Insert(t.Context(), *i, *r)
	})
}

func (c Suite) testRaceFirstLogin(t *testing.T, s store.Store) {
	callers := c.contention()
	fed := newFed()
	attempts := make([]identity.Identity, callers)
	records := make([]identity.Record, callers)
	results := make([]error, callers)
	for k := range callers {
		attempts[k] = newIdentity(fed, newMail())
	}
	together(callers, func(k int) { results[k] = insertAgain(t, s, &attempts[k], &records[k]) })

	var winners []int
	for k, err := range results {
		if err == nil {
			winners = append(winners, k)
			continue
		}
		wantTaken(t, "Insert", err, fed)
		for _, key := range attempts[k].Keys {
			if key != fed {
				wantHolder(t, s, key, "")
			}
		}
		wantNoRecord(t, s, records[k])
	}
	if len(winners) != 1 {
		t.Fatalf("%d first logins of one subject created an identity, want 1", len(winners))
	}
	wantHolder(t, s, fed, attempts[winners[0]].ID)
	wantStored(t, s, attempts[winners[0]])
	wantRecord(t, s, records[winners[0]])
}

func testRaceOneEmail(t *testing.T, s store.Store) {
	for range 10 {
		mail := newMail()
		feds := [2]identity.Key{newFed(), newFed()}
		attempts := [2]identity.Identity{newIdentity(feds[0], mail), newIdentity(feds[1], mail)}
		var records [2]identity.Record
		var results [2]error
		together(2, func(k int) { results[k] = insertAgain(t, s, &attempts[k], &records[k]) })
		won := 0
		if results[0] != nil {
			won = 1
		}
		must(t, results[won])
		wantTaken(t, "Insert of the other subject", results[1-won], mail)
		wantRecord(t, s, records[won])
		wantNoRecord(t, s, records[1-won])
		wantHolder(t, s, mail, attempts[won].ID)
		wantHolder(t, s, feds[1-won], "")
	}
}

// increment adds one to the trait n and returns the sum.
func increment(t *testing.T, s store.Store, id string) (int64, error) {
	for {
		i, err := s.Get(t.Context(), id)
		if err != nil {
			return 0, err
		}
		n := i.Traits["n"].(int64) + 1
		i = next(i, i.Keys...)
		i.Traits["n"] = n
		switch err := s.Swap(t.Context(), i, newRecord(i, identity.Updated)); {
		case err == nil:
			return n, nil
		case !errors.Is(err, store.ErrConflict):
			return 0, err
		}
	}
}

func (c Suite) testRaceIncrements(t *testing.T, s store.Store) {
	callers := c.contention()
	i := insert(t, s, newFed())
	sums := make([]int64, callers)
	together(callers, func(k int) {
		n, err := increment(t, s, i.ID)
		if err != nil {
			t.Error(err)
		}
		sums[k] = n
	})
	slices.Sort(sums)
	for k, n := range sums {
		if n != int64(k+1) {
			t.Fatalf("increments returned %v, want 1 to %d", sums, callers)
		}
	}
	i.Revision, i.Traits["n"] = int64(callers)+1, int64(callers)
	wantStored(t, s, i)
	if got := len(decisions(t, s, store.DecisionQuery{IdentityID: i.ID})); got != callers+1 {
		t.Errorf("records = %d, want one for each of the %d writes", got, callers+1)
	}
}

func (c Suite) testRaceKeys(t *testing.T, s store.Store) {
	var owners []identity.Identity
	for range 8 {
		owners = append(owners, insert(t, s, newFed()))
	}
	contested := []identity.Key{newMail(), newMail(), newMail(), newMail()}
	// Each caller moves its owner to one contested key after the other.
	together(c.contention()/2, func(k int) {
		owner := owners[k%len(owners)]
		for step := range 8 {
			i, err := s.Get(t.Context(), owner.ID)
			if err != nil {
				t.Error(err)
				return
			}
			key := contested[(k/len(owners)+step)%len(contested)]
			err = s.Swap(t.Context(), next(i, owner.Keys[0], key), newRecord(i, identity.Updated))
			var taken *store.TakenError
			if err != nil && !errors.Is(err, store.ErrConflict) && !errors.As(err, &taken) {
				t.Error(err)
			}
		}
	})
	holders := map[identity.Key]string{}
	for _, owner := range owners {
		i, err := s.Get(t.Context(), owner.ID)
		must(t, err)
		for _, key := range i.Keys {
			if holders[key] != "" {
				t.Errorf("a %s key is held by two identities", key.Kind())
			}
			holders[key] = i.ID
		}
	}
	for _, key := range contested {
		wantHolder(t, s, key, holders[key])
	}
	for _, owner := range owners {
		wantHolder(t, s, owner.Keys[0], owner.ID)
	}
}

// A sweep that found an identity pending must not remove what a login renewed
// or activated meanwhile.
func testRaceSweep(t *testing.T, s store.Store) {
	for range 20 {
		i := insert(t, s, newFed())
		active := next(i, i.Keys...)
		active.State = identity.StateActive
		var renewed, swapped, deleted error
		var all sync.WaitGroup
		all.Go(func() {
			renewed = s.Renew(t.Context(), i.ID, 1, clock.Add(time.Hour), newRecord(i, identity.Unchanged))
		})
		all.Go(func() { swapped = s.Swap(t.Context(), active, newRecord(i, identity.Activated)) })
		all.Go(func() { deleted = s.Delete(t.Context(), i.ID, 1, clock, identity.Record{}) })
		all.Wait()
		for what, err := range map[string]error{"Renew": renewed, "Swap": swapped, "Delete": deleted} {
			if err != nil {
				wantError(t, what, err, store.ErrConflict)
			}
		}
		if deleted == nil {
			if renewed == nil || swapped == nil {
				t.Error("Delete removed what was renewed or activated")
			}
			wantHolder(t, s, i.Keys[0], "")
			continue
		}
		if swapped != nil {
			t.Errorf("Swap: %v, although nobody else changed the revision", swapped)
			continue
		}
		got, err := s.Get(t.Context(), i.ID)
		must(t, err)
		if got.Revision != 2 || got.State != identity.StateActive {
			t.Errorf("identity = revision %d, %s; want 2, active", got.Revision, got.State)
		}
	}
}

// testRaceOutbox: logins and workers write one identity at once. Every login's
// revision is armed, every lease counted, none lost.
func (c Suite) testRaceOutbox(t *testing.T, s store.Store) {
	const each = 4
	half := min(c.contention(), 16) / 2
	i := armed(t, s, identity.StateActive, hr)
	together(2*half, func(k int) {
		for done := 0; done < each; {
			got, err := s.Get(t.Context(), i.ID)
			if err != nil {
				t.Error(err)
				return
			}
			if k < half {
				after := next(got, got.Keys...)
				after.Arm(hr, clock)
				err = s.Swap(t.Context(), after, newRecord(got, identity.Updated))
			} else {
				got.OutboxVersion++
				got.Outbox[0].Attempts++
				err = s.SetOutbox(t.Context(), got)
			}
			switch {
			case err == nil:
				done++
			case !errors.Is(err, store.ErrConflict):
				t.Error(err)
				return
			}
		}
	})
	got, err := s.Get(t.Context(), i.ID)
	must(t, err)
	if want := int64(half * each); got.Revision != want+1 || got.OutboxVersion != want || got.Outbox[0].Revision != got.Revision {
		t.Errorf("revision %d, outbox version %d, armed for %d; want %d, %d, and the revision", got.Revision, got.OutboxVersion, got.Outbox[0].Revision, want+1, want)
	}
}
