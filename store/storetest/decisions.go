package storetest

// Records answer "why was she let in, or kept out?": they are replaced by id,
// found by who and what they are about, and go when they are old.

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

// decisions reads all pages of q and returns the ids in their order.
func decisions(t *testing.T, s store.Store, q store.DecisionQuery) []string {
	t.Helper()
	var out []string
	for range 1000 {
		page, err := s.Decisions(t.Context(), q)
		must(t, err)
		if len(page.Records) > store.PageSize(q.PageSize) {
			t.Fatalf("a page of %d records, want at most %d", len(page.Records), store.PageSize(q.PageSize))
		}
		for _, r := range page.Records {
			out = append(out, r.ID)
		}
		if page.NextPageToken == "" {
			return out
		}
		q.PageToken = page.NextPageToken
	}
	t.Fatal("Decisions never ends")
	return nil
}

func testRecord(t *testing.T, s store.Store) {
	_, err := s.Decision(t.Context(), newID())
	wantError(t, "Decision of an unknown id", err, store.ErrNotFound)
	must(t, s.Record(t.Context(), nil, nil))

	i := newIdentity()
	a, b := newRecord(i, identity.Denied), newRecord(i, identity.Error)
	a.Provider, a.Issuer, a.SubjectKey = "acme", "https://idp.example", newFed()
	a.Rule, a.Policy, a.Source = "acme.yaml:3:5", "digest", identity.SourceHookBody
	a.FlowID, a.DeliveryID, a.RequestID = "flow", "delivery", "request"
	a.Duration = 3 * time.Millisecond
	a.Claims = &identity.KeptClaims{Mode: identity.ClaimsFull, KeyID: "k", Data: []byte{0, 0xff, '$', '.'}}
	b.Claims = &identity.KeptClaims{Mode: identity.ClaimsHashed, KeyID: "k"}
	b.Shadow = &identity.Shadow{Of: a.ID, Decision: identity.Created, Kinds: []string{"groups", "traits"}}
	must(t, s.Record(t.Context(), []identity.Record{a, b}, nil))
	wantRecord(t, s, a)
	wantRecord(t, s, b)

	// commit amends the record of prepare.
	a.Decision, a.FlowID, a.CommittedAt = identity.Created, "another", clock.Add(time.Second)
	must(t, s.Record(t.Context(), []identity.Record{a}, nil))
	wantRecord(t, s, a)
	wantIDs(t, "Decisions", decisions(t, s, store.DecisionQuery{}), []string{b.ID, a.ID})
	wantIDs(t, "Decisions of the old flow", decisions(t, s, store.DecisionQuery{FlowID: "flow"}), nil)
	wantIDs(t, "Decisions of the new flow", decisions(t, s, store.DecisionQuery{FlowID: "another"}), []string{a.ID})
	wantIDs(t, "Denied decisions", decisions(t, s, store.DecisionQuery{Decision: identity.Denied}), nil)

	// What is replaced is gone, whatever takes its place: everything, and nothing.
	everything, nothing := a, newRecord(i, identity.Unchanged)
	everything.Normalised, everything.Change, everything.Shadow = true, []identity.Change{{Path: "/traits/name", Op: "set"}}, b.Shadow
	nothing.ID, nothing.Normalised, nothing.Change = a.ID, false, nil
	for _, r := range []identity.Record{nothing, everything, nothing} {
		must(t, s.Record(t.Context(), []identity.Record{r}, nil))
		wantRecord(t, s, r)
		for _, d := range []identity.Decision{identity.Created, identity.Unchanged} {
			var want []string
			if r.Decision == d {
				want = []string{r.ID}
			}
			wantIDs(t, "Decisions that are "+string(d), decisions(t, s, store.DecisionQuery{Decision: d}), want)
		}
	}
	wantIDs(t, "Decisions of the flow that was", decisions(t, s, store.DecisionQuery{FlowID: a.FlowID}), nil)

	// So does a write of the identity.
	a.CommittedAt = clock.Add(time.Minute)
	must(t, s.Insert(t.Context(), i, a))
	wantRecord(t, s, a)

	// Once it is gone, nothing leads to what it was before either.
	n, err := s.DropDecisions(t.Context(), clock.Add(time.Hour), 10)
	if err != nil || n != 2 {
		t.Errorf("DropDecisions = %d, %v, want 2", n, err)
	}
	for _, flow := range []string{"flow", "another"} {
		wantIDs(t, "Decisions of a dropped record's flow", decisions(t, s, store.DecisionQuery{FlowID: flow}), nil)
	}
}

// testRecordMixed: in one batch, one record is new, one is there, and one comes
// twice, of which the last counts.
func testRecordMixed(t *testing.T, s store.Store) {
	there, fresh, twice := newRecord(newIdentity(), identity.Denied), newRecord(newIdentity(), identity.Denied), newRecord(newIdentity(), identity.Denied)
	must(t, s.Record(t.Context(), []identity.Record{there}, nil))
	amended := there
	amended.Decision, amended.Change = identity.Created, []identity.Change{{Path: "/traits/name", Op: "set"}}
	last := twice
	last.FlowID = "the last"
	must(t, s.Record(t.Context(), []identity.Record{twice, fresh, amended, last}, nil))
	for _, r := range []identity.Record{fresh, amended, last} {
		wantRecord(t, s, r)
	}
	if got := len(decisions(t, s, store.DecisionQuery{})); got != 3 {
		t.Errorf("%d records, want 3", got)
	}
}

func testTouch(t *testing.T, s store.Store) {
	i, other := insert(t, s, newFed()), insert(t, s, newFed())
	r := newRecord(i, identity.Unchanged)
	late := clock.Add(time.Hour)
	must(t, s.Record(t.Context(), []identity.Record{r}, []store.Touch{
		{ID: newID(), At: late}, // gone
		{Userstore: i.Userstore, ID: i.ID, At: late},
		{Userstore: i.Userstore, ID: i.ID, At: late.Add(-time.Minute)},
	}))
	wantRecord(t, s, r)
	i.LastLoginAt = late
	wantStored(t, s, i)
	wantStored(t, s, other)

	must(t, s.Record(t.Context(), nil, []store.Touch{{Userstore: i.Userstore, ID: i.ID, At: clock}}))
	wantStored(t, s, i)

	// A login is no new revision: who read before still writes.
	must(t, s.Swap(t.Context(), next(i, i.Keys...), newRecord(i, identity.Updated)))

	never := newIdentity(newFed())
	never.LastLoginAt = time.Time{}
	must(t, s.Insert(t.Context(), never, newRecord(never, identity.Created)))
	wantStored(t, s, never)
	never.LastLoginAt = clock
	must(t, s.Record(t.Context(), nil, []store.Touch{{Userstore: never.Userstore, ID: never.ID, At: clock}}))
	wantStored(t, s, never)
}

// testClaimsTouch: the time of claims that changed nothing is noted without a
// new revision, and bars a swap that was planned from older ones.
func testClaimsTouch(t *testing.T, s store.Store) {
	i := newIdentity(newFed())
	i.Links = []identity.Link{{Provider: "acme", Issuer: "https://acme.example", Subject: newID(), ClaimsTime: clock}}
	l := i.Links[0]
	i.Keys = []identity.Key{identity.FedKey(l.Issuer, l.Subject)}
	must(t, s.Insert(t.Context(), i, newRecord(i, identity.Created)))
	planned := next(i, i.Keys...)

	late := clock.Add(time.Hour)
	must(t, s.Record(t.Context(), nil, []store.Touch{
		{Userstore: i.Userstore, ID: i.ID, Issuer: l.Issuer, Subject: l.Subject, ClaimsTime: late},
		{Userstore: i.Userstore, ID: i.ID, Issuer: l.Issuer, Subject: l.Subject, ClaimsTime: late.Add(-time.Minute)},
		{Userstore: i.Userstore, ID: i.ID, Issuer: l.Issuer, Subject: newID(), ClaimsTime: late.Add(time.Hour)}, // no link of this identity
	}))
	i.Links[0].ClaimsTime = late
	wantStored(t, s, i)
	if err := s.Swap(t.Context(), planned, newRecord(i, identity.Updated)); !errors.Is(err, store.ErrConflict) {
		t.Errorf("swap with older claims: %v, want ErrConflict", err)
	}
	wantStored(t, s, i)
	must(t, s.Swap(t.Context(), next(i, i.Keys...), newRecord(i, identity.Updated)))
}

// history stores n records about two of everything and returns them, newest
// first.
func history(t *testing.T, s store.Store, n int) []identity.Record {
	t.Helper()
	var out []identity.Record
	subjects := []identity.Key{newFed(), newFed()}
	for k := range n {
		r := newRecord(newIdentity(), identity.Unchanged)
		r.At = clock.Add(time.Duration(k) * time.Second)
		r.IdentityID = []string{"", "one", "two"}[k%3]
		r.SubjectKey = subjects[k/2%2]
		r.FlowID = []string{"flow", "flow\x00", ""}[k/3%3]
		if k%5 == 0 {
			r.Decision = identity.Denied
		}
		out = append(out, r)
	}
	must(t, s.Record(t.Context(), out, nil))
	slices.Reverse(out)
	return out
}

func recordIDs(records []identity.Record, keep func(identity.Record) bool) []string {
	var out []string
	for _, r := range records {
		if keep(r) {
			out = append(out, r.ID)
		}
	}
	return out
}

func every(identity.Record) bool { return true }

func testDecisions(t *testing.T, s store.Store) {
	wantIDs(t, "empty Decisions", decisions(t, s, store.DecisionQuery{}), nil)
	want := recordIDs(history(t, s, 7), every)
	for _, size := range []int{1, 2, 3, 6, 7, 8, 0, -1} {
		wantIDs(t, "Decisions", decisions(t, s, store.DecisionQuery{PageSize: size}), want)
	}
}

func testDecisionsFilters(t *testing.T, s store.Store) {
	records := history(t, s, 40)
	for _, id := range []string{"", "one", "two", "none"} {
		for _, subject := range []identity.Key{"", records[0].SubjectKey, newFed()} {
			for _, flow := range []string{"", "flow", "flow\x00"} {
				for _, d := range []identity.Decision{"", identity.Denied, identity.Created} {
					q := store.DecisionQuery{IdentityID: id, SubjectKey: subject, FlowID: flow, Decision: d, PageSize: 3}
					want := recordIDs(records, func(r identity.Record) bool {
						return (id == "" || id == r.IdentityID) && (subject == "" || subject == r.SubjectKey) &&
							(flow == "" || flow == r.FlowID) && (d == "" || d == r.Decision)
					})
					wantIDs(t, "Decisions of "+id+" "+flow+" "+string(d), decisions(t, s, q), want)
				}
			}
		}
	}
}

func testDropDecisions(t *testing.T, s store.Store) {
	records := history(t, s, 10) // newest first; records[9].At is clock
	drop := func(before time.Time, limit, want int) {
		t.Helper()
		got, err := s.DropDecisions(t.Context(), before, limit)
		must(t, err)
		if got != want {
			t.Errorf("DropDecisions = %d, want %d", got, want)
		}
	}
	cut := records[4].At // five are older, this one is not
	drop(clock, 100, 0)
	drop(cut, 0, 0)
	drop(cut, 3, 3)
	if got := len(decisions(t, s, store.DecisionQuery{})); got != 7 {
		t.Errorf("records after dropping 3 of 10 = %d, want 7", got)
	}
	drop(cut, 3, 2)
	drop(cut, 3, 0)
	want := recordIDs(records[:5], every)
	wantIDs(t, "Decisions", decisions(t, s, store.DecisionQuery{}), want)
	wantIDs(t, "Decisions of a flow", decisions(t, s, store.DecisionQuery{FlowID: "flow"}),
		recordIDs(records[:5], func(r identity.Record) bool { return r.FlowID == "flow" }))
	wantNoRecord(t, s, records[9])

	// Ids are in the order of the times, but for those of a moment.
	young, old := newRecord(newIdentity(), identity.Denied), newRecord(newIdentity(), identity.Denied)
	young.At, old.At = cut.Add(time.Hour), cut.Add(-time.Hour)
	must(t, s.Record(t.Context(), []identity.Record{young, old}, nil))
	drop(clock.Add(-time.Hour), 100, 0)
	drop(cut, 1, 1)
	wantNoRecord(t, s, old)
	wantRecord(t, s, young)
}
