package storetest

// Whoever has something held is in the list of those, as long as there is
// something, and what is held comes back as it was.

import (
	"testing"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

func testHolds(t *testing.T, s store.Store) {
	having := func(what string) []string { return list(t, s, store.Query{Having: what, PageSize: 1}) }
	held := func(i identity.Identity, sources ...string) []identity.Hold {
		var holds []identity.Hold
		for _, source := range sources {
			holds = append(holds, identity.Hold{
				ID: i.ID + "." + source, Source: "provider:" + source, At: clock,
				Groups: []identity.Group{{Name: "$eng.a", Source: "provider:" + source}, {Name: "ops", Source: "provider:old"}},
			})
		}
		return holds
	}
	first, second, third := newIdentity(newFed()), newIdentity(newFed()), newIdentity(newFed())
	first.Holds = held(first, "acme", "globex")
	second.Holds = held(second, "acme")
	second.Proposals = []identity.Proposal{{Provider: "globex", Issuer: "https://globex.example", Subject: "g-2", State: identity.ProposalOpen, At: clock}}
	for _, i := range []identity.Identity{first, second, third} {
		must(t, s.Insert(t.Context(), i, newRecord(i, identity.Created)))
		wantStored(t, s, i)
	}
	wantIDs(t, "with holds", having(identity.HavingHold), []string{first.ID, second.ID})
	wantIDs(t, "with proposals", having(identity.HavingProposal), []string{second.ID})

	change := func(i identity.Identity, holds []identity.Hold) {
		i = next(i, i.Keys...)
		i.Holds = holds
		must(t, s.Swap(t.Context(), i, newRecord(i, identity.Updated)))
		wantStored(t, s, i)
	}
	change(first, nil)
	change(second, nil)
	change(third, held(third, "acme"))
	wantIDs(t, "with holds, later", having(identity.HavingHold), []string{third.ID})
	wantIDs(t, "with proposals, later", having(identity.HavingProposal), []string{second.ID})
}
