package storetest

import (
	"testing"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

// What is left of a deleted identity keeps nobody out, is due like any other,
// and is gone with the last that had to learn of it: with its records, but never
// on another version than the one that was read.
func testDeleted(t *testing.T, s store.Store) {
	i := armed(t, s, identity.StateActive, hr, "crm")
	left := next(i)
	left.State, left.Traits, left.Links, left.Groups, left.ExternalIDs = identity.StateDeleted, map[string]any{}, nil, nil, nil
	left.Resources = []identity.Resource{{Target: hr, ID: "u-1"}, {Target: "crm"}}
	gone := newRecord(left, identity.Deleted)
	must(t, s.Swap(t.Context(), left, gone))
	left.LastLoginAt = i.LastLoginAt
	wantStored(t, s, left)
	wantDue(t, s, hr, clock, left)
	wantIDs(t, "deleted", list(t, s, store.Query{State: identity.StateDeleted}), []string{i.ID})
	again := newIdentity(i.Keys[0])
	must(t, s.Insert(t.Context(), again, newRecord(again, identity.Created)))

	half := settled(left, hr)
	must(t, s.SetOutbox(t.Context(), half))
	wantStored(t, s, half)
	dead := half.Clone()
	dead.OutboxVersion++
	dead.Outbox[0].Dead = true
	must(t, s.SetOutbox(t.Context(), dead))
	wantIDs(t, "given up", list(t, s, store.Query{Having: identity.HavingGivenUp("crm")}), []string{i.ID})
	wantError(t, "settling what changed since", s.SetOutbox(t.Context(), settled(half, "crm")), store.ErrConflict)
	other := settled(dead, "crm")
	other.Revision--
	wantError(t, "settling another revision", s.SetOutbox(t.Context(), other), store.ErrConflict)
	wantStored(t, s, dead)

	must(t, s.SetOutbox(t.Context(), settled(dead, "crm")))
	_, err := s.Get(t.Context(), i.ID)
	wantError(t, "Get of who is gone", err, store.ErrNotFound)
	wantIDs(t, "deleted, and gone", list(t, s, store.Query{State: identity.StateDeleted}), nil)
	wantIDs(t, "given up, and gone", list(t, s, store.Query{Having: identity.HavingGivenUp("crm")}), nil)
	wantBacklog(t, s, "crm", store.Backlog{})
	wantHolder(t, s, i.Keys[0], again.ID)
	if r, err := s.Decision(t.Context(), gone.ID); err != nil || r.Decision != identity.Deleted {
		t.Errorf("record %+v, %v", r, err)
	}
	wantError(t, "settling for who is gone", s.SetOutbox(t.Context(), settled(dead, "crm")), store.ErrConflict)
}
