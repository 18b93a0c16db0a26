package storetest

// What other systems have yet to learn is leased by one worker at a time, is
// never lost to another write, and is not told before an identity is active.

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

const (
	hr        = "hr"
	leaseTime = time.Minute
)

// armed writes a new identity of the state with a delivery to each target, due
// from clock on.
func armed(t *testing.T, s store.Store, state identity.State, targets ...string) identity.Identity {
	t.Helper()
	i := newIdentity(newFed())
	i.State = state
	for _, target := range targets {
		i.Arm(target, clock)
	}
	must(t, s.Insert(t.Context(), i, newRecord(i, identity.Created)))
	return i
}

// leased returns i as a worker of that name writes it at a time.
func leased(i identity.Identity, target, worker string, now time.Time) identity.Identity {
	i = i.Clone()
	i.OutboxVersion++
	d := &i.Outbox[i.DeliveryTo(target)]
	d.Due, d.Lease = now.Add(leaseTime), worker
	return i
}

// settled returns i without the delivery.
func settled(i identity.Identity, target string) identity.Identity {
	i = i.Clone()
	i.OutboxVersion++
	i.Outbox = slices.Delete(i.Outbox, i.DeliveryTo(target), i.DeliveryTo(target)+1)
	return i
}

// wantDue compares who is due with the one, if any, who should be.
func wantDue(t *testing.T, s store.Store, target string, now time.Time, want ...identity.Identity) {
	t.Helper()
	got, err := s.Due(t.Context(), target, now, 100)
	must(t, err)
	if diff := cmp.Diff(want, got, equal); diff != "" {
		t.Errorf("due for %s (-want +got):\n%s", target, diff)
	}
}

func testOutbox(t *testing.T, s store.Store) {
	i := armed(t, s, identity.StateActive, hr, "crm")
	i2 := next(i, i.Keys...)
	i2.Arm(hr, clock.Add(time.Second))
	wantDue(t, s, hr, clock.Add(-time.Nanosecond))
	wantDue(t, s, hr, clock, i)
	wantDue(t, s, "crm", clock, i)
	wantDue(t, s, "h", clock)

	must(t, s.Swap(t.Context(), i2, newRecord(i, identity.Updated)))
	wantStored(t, s, i2)
	wantDue(t, s, hr, clock)
	wantDue(t, s, hr, clock.Add(time.Second), i2)
	wantDue(t, s, "crm", clock, i2)

	// Every field comes back, and what does not concern it leaves it alone.
	i2.OutboxVersion++
	i2.Outbox[0] = identity.Delivery{
		Target: hr, Revision: 2, Since: clock, Due: clock.Add(time.Hour), Attempts: 3, Lease: "l", Failure: "answered 503", Dead: true, Trace: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		Again: true,
	}
	i2.Resources = []identity.Resource{{Target: hr, ID: "u-1", Groups: []string{"eng", "staff"}}, {Target: "crm", Told: `{"state":"active"}`}}
	must(t, s.SetOutbox(t.Context(), i2))
	i2.LastLoginAt = clock.Add(time.Hour)
	must(t, s.Record(t.Context(), nil, []store.Touch{{Userstore: i.Userstore, ID: i.ID, At: i2.LastLoginAt}}))
	wantStored(t, s, i2)
	i3 := next(i2, i2.Keys...)
	must(t, s.Swap(t.Context(), i3, newRecord(i, identity.Updated)))
	wantStored(t, s, i3)

	// SetOutbox writes nothing else, and an outbox can become empty both ways.
	other := settled(settled(i3, hr), "crm")
	other.OutboxVersion = i3.OutboxVersion + 1
	other.State, other.Traits, other.Keys = identity.StateSuspended, nil, nil
	other.Resources = other.Resources[1:]
	must(t, s.SetOutbox(t.Context(), other))
	i3.Outbox, i3.OutboxVersion, i3.Resources = nil, other.OutboxVersion, other.Resources
	wantStored(t, s, i3)
	wantHolder(t, s, i3.Keys[0], i3.ID)
	i4 := next(i3, i3.Keys...)
	i4.Arm(hr, clock)
	must(t, s.Swap(t.Context(), i4, newRecord(i, identity.Updated)))
	wantDue(t, s, hr, clock, i4)
	i5 := next(i4, i4.Keys...)
	i5.Outbox, i5.Resources = nil, nil
	must(t, s.Swap(t.Context(), i5, newRecord(i, identity.Updated)))
	wantStored(t, s, i5)
	wantDue(t, s, hr, clock)
}

func testOutboxConflict(t *testing.T, s store.Store) {
	i := armed(t, s, identity.StateActive, hr)
	i2 := next(i, i.Keys...)
	must(t, s.Swap(t.Context(), i2, newRecord(i, identity.Updated)))
	i3 := leased(i2, hr, "a", clock)
	must(t, s.SetOutbox(t.Context(), i3))
	ahead := settled(i3, hr)
	ahead.OutboxVersion++
	for what, set := range map[string]identity.Identity{
		"from an old revision": leased(i, hr, "b", clock), "from an old outbox": leased(i2, hr, "b", clock),
		"from one to come": ahead, "of an unknown identity": leased(newArmed(), hr, "b", clock),
	} {
		wantError(t, "SetOutbox "+what, s.SetOutbox(t.Context(), set), store.ErrConflict)
	}
	wantStored(t, s, i3)
}

func newArmed() identity.Identity {
	i := newIdentity(newFed())
	i.Arm(hr, clock)
	return i
}

// testOutboxLease: of many workers one gets the lease. When it runs out another
// takes over, and the first cannot settle any more.
func testOutboxLease(t *testing.T, s store.Store) {
	const workers = 16
	i := armed(t, s, identity.StateActive, hr)
	lease := func(now time.Time) identity.Identity {
		var won [workers]identity.Identity
		together(workers, func(k int) {
			found, err := s.Due(t.Context(), hr, now, 10)
			if err != nil {
				t.Error(err)
				return
			}
			for _, due := range found {
				claim := leased(due, hr, string(rune('a'+k)), now)
				switch err := s.SetOutbox(t.Context(), claim); {
				case err == nil:
					won[k] = claim
				case !errors.Is(err, store.ErrConflict):
					t.Error(err)
				}
			}
		})
		winners := slices.DeleteFunc(won[:], func(i identity.Identity) bool { return i.ID == "" })
		if len(winners) != 1 {
			t.Fatalf("%d workers hold the lease, want 1", len(winners))
		}
		return winners[0]
	}
	first := lease(clock)
	wantStored(t, s, first)
	wantDue(t, s, hr, clock.Add(leaseTime-1))
	second := lease(clock.Add(leaseTime))
	wantError(t, "settling a lease that was lost", s.SetOutbox(t.Context(), settled(first, hr)), store.ErrConflict)
	wantStored(t, s, second)
	must(t, s.SetOutbox(t.Context(), settled(second, hr)))
	wantDue(t, s, hr, clock.Add(24*time.Hour))
	if i.Revision != second.Revision {
		t.Errorf("the leases made revision %d of %d", second.Revision, i.Revision)
	}
}

// A login that read the identity before a lease, or a settlement, was taken
// does not undo it; nor does a worker undo what a login wrote meanwhile.
func testSwapAgainstLease(t *testing.T, s store.Store) {
	i := armed(t, s, identity.StateActive, hr)
	planned := next(i, i.Keys...)
	planned.Arm(hr, clock)
	held := leased(i, hr, "a", clock)
	must(t, s.SetOutbox(t.Context(), held))
	r := newRecord(i, identity.Updated)
	wantError(t, "Swap of what was read before a lease", s.Swap(t.Context(), planned, r), store.ErrConflict)
	wantNoRecord(t, s, r)
	wantStored(t, s, held)

	// Planned again: the lease stays, and is followed by another delivery.
	planned = next(held, held.Keys...)
	planned.Arm(hr, clock.Add(time.Second))
	must(t, s.Swap(t.Context(), planned, r))
	wantDue(t, s, hr, clock.Add(leaseTime-1))
	wantError(t, "settling what was armed meanwhile", s.SetOutbox(t.Context(), settled(held, hr)), store.ErrConflict)
	wantStored(t, s, planned)
	if d := planned.Outbox[0]; len(planned.Outbox) != 1 || d.Lease != "a" || d.Revision != 2 {
		t.Errorf("outbox = %+v, want the one lease and the new revision", planned.Outbox)
	}
	wantDue(t, s, hr, clock.Add(leaseTime), planned)
}

func testOutboxPending(t *testing.T, s store.Store) {
	i := armed(t, s, identity.StatePending, hr)
	wantDue(t, s, hr, clock.Add(24*time.Hour))
	i.RenewedAt = clock.Add(time.Minute)
	must(t, s.Renew(t.Context(), i.ID, 1, i.RenewedAt, newRecord(i, identity.Unchanged)))
	wantDue(t, s, hr, clock.Add(24*time.Hour))
	wantBacklog(t, s, hr, store.Backlog{})

	for _, state := range []identity.State{identity.StateActive, identity.StateSuspended, identity.StateDeprovisioned} {
		i = next(i, i.Keys...)
		i.State = state
		must(t, s.Swap(t.Context(), i, newRecord(i, identity.Activated)))
		wantDue(t, s, hr, clock, i)
	}
	i = next(i, i.Keys...)
	i.State = identity.StatePending
	must(t, s.Swap(t.Context(), i, newRecord(i, identity.Updated)))
	wantDue(t, s, hr, clock)
	wantStored(t, s, i)
}

func testOutboxDelete(t *testing.T, s store.Store) {
	i := armed(t, s, identity.StateActive, hr)
	held := leased(i, hr, "a", clock)
	must(t, s.SetOutbox(t.Context(), held))
	must(t, s.Delete(t.Context(), i.ID, i.Revision, i.RenewedAt, newRecord(i, identity.Updated)))
	wantDue(t, s, hr, clock.Add(24*time.Hour))
	wantBacklog(t, s, hr, store.Backlog{})
	wantError(t, "settling for who is gone", s.SetOutbox(t.Context(), settled(held, hr)), store.ErrConflict)
	_, err := s.Get(t.Context(), i.ID)
	wantError(t, "Get after Delete", err, store.ErrNotFound)
}

func testDue(t *testing.T, s store.Store) {
	var want []string
	for n := range 5 {
		i := newIdentity(newFed())
		i.State = identity.StateActive
		i.Arm("crm", clock.Add(-time.Duration(n)*time.Hour)) // another order
		i.Arm(hr, clock.Add(time.Duration(n)*time.Second))
		must(t, s.Insert(t.Context(), i, newRecord(i, identity.Created)))
		want = append(want, i.ID)
	}
	for limit, n := range map[int]int{-1: 0, 0: 0, 1: 1, 4: 4, 5: 5, 6: 5, 1 << 30: 5} {
		found, err := s.Due(t.Context(), hr, clock.Add(time.Hour), limit)
		must(t, err)
		if len(found) != n {
			t.Errorf("Due with limit %d = %d identities, want %d", limit, len(found), n)
		}
	}
	found, err := s.Due(t.Context(), hr, clock.Add(2*time.Second), 100)
	must(t, err)
	got := slices.Sorted(slices.Values(ids(found)))
	if wanted := slices.Sorted(slices.Values(want[:3])); !slices.Equal(got, wanted) {
		t.Errorf("due after two seconds: %v, want %v", got, wanted)
	}
}

func wantBacklog(t *testing.T, s store.Store, target string, want store.Backlog) {
	t.Helper()
	got, err := s.Backlog(t.Context(), target)
	must(t, err)
	if got.Waiting != want.Waiting || got.Dead != want.Dead || !got.Due.Equal(want.Due) {
		t.Errorf("backlog of %s = %+v, want %+v", target, got, want)
	}
}

func testBacklog(t *testing.T, s store.Store) {
	wantBacklog(t, s, hr, store.Backlog{})
	armed(t, s, identity.StatePending, hr)
	armed(t, s, identity.StateActive, hr, "crm")
	dead := armed(t, s, identity.StateActive, hr, "crm")
	held := armed(t, s, identity.StateActive, hr)
	must(t, s.SetOutbox(t.Context(), leased(held, hr, "a", clock)))
	wantBacklog(t, s, hr, store.Backlog{Waiting: 3, Due: clock})

	dead.OutboxVersion++
	dead.Outbox[0].Dead, dead.Outbox[0].Due = true, clock.Add(-time.Hour)
	must(t, s.SetOutbox(t.Context(), dead))
	wantBacklog(t, s, hr, store.Backlog{Waiting: 2, Dead: 1, Due: clock})
	wantBacklog(t, s, "crm", store.Backlog{Waiting: 2, Due: clock})
	wantDue(t, s, "crm", clock.Add(-1))

	// Of who is pending nothing counts, given up or not.
	pending := armed(t, s, identity.StatePending, hr)
	pending.OutboxVersion++
	pending.Outbox[0].Dead = true
	must(t, s.SetOutbox(t.Context(), pending))
	wantBacklog(t, s, hr, store.Backlog{Waiting: 2, Dead: 1, Due: clock})

	// The next revision revives it.
	dead = next(dead, dead.Keys...)
	dead.Arm(hr, clock.Add(-time.Minute))
	must(t, s.Swap(t.Context(), dead, newRecord(dead, identity.Updated)))
	wantBacklog(t, s, hr, store.Backlog{Waiting: 3, Due: clock.Add(-time.Minute)})
	wantDue(t, s, hr, clock.Add(-time.Minute), dead)
}
