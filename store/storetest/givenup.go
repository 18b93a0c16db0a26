package storetest

import (
	"testing"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

// Whose delivery was given up is in the list of those, whichever write said so,
// as long as it is.
func testGivenUp(t *testing.T, s store.Store) {
	given := func(target string) []string {
		return list(t, s, store.Query{Having: identity.HavingGivenUp(target), PageSize: 2})
	}
	i, other := armed(t, s, identity.StateActive, hr, "crm"), armed(t, s, identity.StateActive, hr)
	wantIDs(t, "given up, of none", given(hr), nil)
	for n, one := range []identity.Identity{i, other} {
		one.Outbox[0].Dead = true
		one.OutboxVersion++
		must(t, s.SetOutbox(t.Context(), one))
		wantStored(t, s, one)
		wantIDs(t, "given up", given(hr), []string{i.ID, other.ID}[:n+1])
	}
	wantIDs(t, "given up for another", given("crm"), nil)
	i.OutboxVersion++
	i = next(i, i.Keys...)
	i.Arm(hr, clock)
	must(t, s.Swap(t.Context(), i, newRecord(i, identity.Updated)))
	wantIDs(t, "given up, and armed", given(hr), []string{other.ID})
	other.OutboxVersion += 2
	other.Outbox[0].Dead = false
	must(t, s.SetOutbox(t.Context(), other))
	wantIDs(t, "given up, and asked for again", given(hr), nil)
}
