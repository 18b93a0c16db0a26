package storetest

// A list shows everything once, page by page, and nothing that was not asked
// for.

import (
	"slices"
	"testing"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

// list reads all pages of q and returns the ids in their order.
func list(t *testing.T, s store.Store, q store.Query) []string {
	t.Helper()
	var out []string
	for range 1000 {
		page, err := s.List(t.Context(), q)
		must(t, err)
		if len(page.Identities) > store.PageSize(q.PageSize) {
			t.Fatalf("a page of %d identities, want at most %d", len(page.Identities), store.PageSize(q.PageSize))
		}
		out = append(out, ids(page.Identities)...)
		if page.NextPageToken == "" {
			return out
		}
		q.PageToken = page.NextPageToken
	}
	t.Fatal("List never ends")
	return nil
}

func wantIDs(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s = %d ids, want %d:\n%v\n%v", what, len(got), len(want), got, want)
	}
}

func testList(t *testing.T, s store.Store) {
	wantIDs(t, "empty List", list(t, s, store.Query{}), nil)
	var want []string
	for range 7 {
		want = append(want, insert(t, s, newFed()).ID)
	}
	slices.Sort(want)
	for _, size := range []int{1, 2, 3, 6, 7, 8, 0, -1} {
		wantIDs(t, "List", list(t, s, store.Query{PageSize: size}), want)
	}
}

func testListFilters(t *testing.T, s store.Store) {
	all := map[string]identity.Identity{}
	for _, userstore := range []string{"default", "default\x00", "employees"} {
		for _, state := range []identity.State{identity.StatePending, identity.StateActive, identity.StateSuspended} {
			for range 2 {
				i := newIdentity(newFed())
				i.Userstore, i.State = userstore, state
				must(t, s.Insert(t.Context(), i, newRecord(i, identity.Created)))
				all[i.ID] = i
			}
		}
	}
	for id, i := range all { // the lists follow a change of state, and a removal
		switch i.State {
		case identity.StatePending:
			i = next(i, i.Keys...)
			i.State = identity.StateDeprovisioned
			must(t, s.Swap(t.Context(), i, newRecord(i, identity.Updated)))
			all[id] = i
		case identity.StateSuspended:
			must(t, s.Delete(t.Context(), id, 1, clock, identity.Record{}))
			delete(all, id)
		}
	}
	var key identity.Key
	for _, i := range all {
		key = i.Keys[0]
	}
	for _, userstore := range []string{"", "default", "default\x00", "employees", "none"} {
		for _, state := range []identity.State{"", identity.StatePending, identity.StateActive, identity.StateSuspended, identity.StateDeprovisioned, identity.StateDeleted} {
			for _, k := range []identity.Key{"", key, newFed()} {
				var want []string
				for id, i := range all {
					if (userstore == "" || userstore == i.Userstore) && (state == "" || state == i.State) && (k == "" || slices.Contains(i.Keys, k)) {
						want = append(want, id)
					}
				}
				slices.Sort(want)
				q := store.Query{Userstore: userstore, State: state, Key: k, PageSize: 2}
				wantIDs(t, "List of "+userstore+" "+string(state), list(t, s, q), want)
			}
		}
	}
}

// Whoever has proposals is in the list of those, as long as they have some, and
// what is proposed comes back as it was.
func testProposals(t *testing.T, s store.Store) {
	having := func(q store.Query) []string {
		q.Having, q.PageSize = identity.HavingProposal, 2
		return list(t, s, q)
	}
	var all []identity.Identity
	var want []string
	for n := range 5 {
		i := newIdentity(newFed())
		i.Proposals = []identity.Proposal{
			{
				Provider: "globex", Issuer: "https://globex.example", Subject: "g|$.1", Credential: "g", State: identity.ProposalOpen,
				At: clock, Expires: clock.Add(time.Hour), Match: i.Links[0].Match,
			},
			{Provider: "globex", Issuer: "https://globex.example", Subject: "g-2", State: identity.ProposalRejected, At: clock},
		}[:n%3]
		must(t, s.Insert(t.Context(), i, newRecord(i, identity.Created)))
		wantStored(t, s, i)
		if all = append(all, i); n%3 > 0 {
			want = append(want, i.ID)
		}
	}
	wantIDs(t, "with proposals", having(store.Query{}), want)
	wantIDs(t, "with proposals, by key", having(store.Query{Key: all[1].Keys[0]}), want[:1])
	wantIDs(t, "with proposals, by another's key", having(store.Query{Key: all[0].Keys[0]}), nil)
	wantIDs(t, "with proposals, active", having(store.Query{State: identity.StateActive}), nil)
	wantIDs(t, "with proposals, elsewhere", having(store.Query{Userstore: "employees"}), nil)
	wantIDs(t, "with something else", list(t, s, store.Query{Having: "nothing"}), nil)

	gone := next(all[1], all[1].Keys...)
	gone.Proposals = nil
	must(t, s.Swap(t.Context(), gone, newRecord(gone, identity.Updated)))
	wantStored(t, s, gone)
	come := next(all[0], all[0].Keys...)
	come.Proposals = all[2].Proposals
	must(t, s.Swap(t.Context(), come, newRecord(come, identity.Updated)))
	wantStored(t, s, come)
	must(t, s.Delete(t.Context(), all[4].ID, 1, clock, identity.Record{}))
	wantIDs(t, "with proposals, later", having(store.Query{}), []string{all[0].ID, all[2].ID})
}

func testListPageSize(t *testing.T, s store.Store) {
	const n = store.MaxPageSize + 10
	together(16, func(k int) {
		for j := k; j < n; j += 16 {
			i := newIdentity(newFed())
			if err := s.Insert(t.Context(), i, newRecord(i, identity.Created)); err != nil {
				t.Error(err)
			}
		}
	})
	if got := len(list(t, s, store.Query{PageSize: 1 << 30})); got != n {
		t.Errorf("identities = %d, want %d", got, n)
	}
	if got := len(decisions(t, s, store.DecisionQuery{PageSize: 1 << 30})); got != n {
		t.Errorf("records = %d, want %d", got, n)
	}
	if got := len(list(t, s, store.Query{})); got != n {
		t.Errorf("identities in pages of the default size = %d, want %d", got, n)
	}
}

func testPageTokens(t *testing.T, s store.Store) {
	for range 3 {
		insert(t, s, newFed())
	}
	ofList, err := s.List(t.Context(), store.Query{PageSize: 1})
	must(t, err)
	ofDecisions, err := s.Decisions(t.Context(), store.DecisionQuery{PageSize: 1})
	must(t, err)
	if ofList.NextPageToken == "" || ofDecisions.NextPageToken == "" {
		t.Fatal("no token although more follow")
	}
	cut := func(token string) string { return token[:len(token)-2] }
	for what, token := range map[string]string{
		"text": "nonsense", "an id": newID(), "a cut token": cut(ofList.NextPageToken),
		"a changed token":    "A" + ofList.NextPageToken,
		"a token of records": ofDecisions.NextPageToken, "bytes": "\x00\xff", "white space": " ",
	} {
		_, err := s.List(t.Context(), store.Query{PageToken: token})
		wantError(t, "List with "+what, err, store.ErrPageToken)
	}
	for what, token := range map[string]string{
		"text": "nonsense", "an id": newID(), "a cut token": cut(ofDecisions.NextPageToken),
		"a token of identities": ofList.NextPageToken,
	} {
		_, err := s.Decisions(t.Context(), store.DecisionQuery{PageToken: token})
		wantError(t, "Decisions with "+what, err, store.ErrPageToken)
	}
}
