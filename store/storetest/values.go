package storetest

// What is stored comes back as it was, belongs to the caller, and is written
// only if the call was still wanted.

import (
	"context"
	"math"
	"testing"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

func testValues(t *testing.T, s store.Store) {
	traits := map[string]any{
		"int max": int64(math.MaxInt64), "int min": int64(math.MinInt64), "beyond 2^53": int64(1<<53 + 1), "int": int64(3),
		"float": 0.1, "whole float": 3.0, "large float": 1e21, "float max": math.MaxFloat64, "tiny float": math.SmallestNonzeroFloat64,
		"true": true, "false": false,
		"empty": "", "unicode": "Zoë 👩‍💻 \u2028 <&> \ufeff", "control": "a\x00b\n\"\\", "numeral": "007", "date": "2026-11-24T12:00:00Z",
		"list":    []any{"a", int64(1), 1.5, false, []any{}, map[string]any{"b": []any{int64(2)}}},
		"map":     map[string]any{"x": map[string]any{"y": map[string]any{"z": int64(-1)}}},
		"no list": []any{}, "no map": map[string]any{},
		"$set": "dollar", "a.b": "dot", "nul\x00key": "nul", "": "empty name", "ключ": "unicode name",
		"nested": map[string]any{"$": int64(1), "a.b.c": int64(2), "\x00": int64(3), "": int64(4)},
		"_id":    "not the id", "keys": []any{"not a key"},
	}
	i := newIdentity(newFed())
	i.Traits = traits
	i.Links[0].Subject = "ada|$.\"é"
	must(t, s.Insert(t.Context(), i, newRecord(i, identity.Created)))
	wantStored(t, s, i)

	second := next(i, i.Keys...)
	second.Traits = map[string]any{}
	must(t, s.Swap(t.Context(), second, newRecord(i, identity.Updated)))
	wantStored(t, s, second)

	third := next(second, i.Keys...)
	third.Traits = traits
	must(t, s.Swap(t.Context(), third, newRecord(i, identity.Updated)))
	found, err := s.Find(t.Context(), i.Keys...)
	must(t, err)
	if len(found) != 1 {
		t.Fatalf("Find = %d identities, want 1", len(found))
	}
	wantStored(t, s, third)

	// A write that does not concern the traits leaves them alone.
	third.RenewedAt = clock.Add(1)
	must(t, s.Renew(t.Context(), i.ID, third.Revision, third.RenewedAt, newRecord(i, identity.Unchanged)))
	third.LastLoginAt = clock.Add(1)
	must(t, s.Record(t.Context(), nil, []store.Touch{{Userstore: i.Userstore, ID: i.ID, At: third.LastLoginAt}}))
	wantStored(t, s, third)
}

func testClones(t *testing.T, s store.Store) {
	spoil := func(i identity.Identity) {
		i.Traits["list"].([]any)[0] = "spoilt"
		i.Traits["email"] = "spoilt"
		i.Groups[0].Name, i.Links[0].Subject, i.Keys[0] = "spoilt", "spoilt", "spoilt:spoilt"
		i.Outbox[0].Target = "spoilt"
	}
	fresh := func(i identity.Identity) identity.Identity {
		i = i.Clone()
		i.Traits["list"] = []any{"kept"}
		return i
	}
	base := newArmed()
	want, given := fresh(base), fresh(base)
	must(t, s.Insert(t.Context(), given, newRecord(base, identity.Created)))
	spoil(given)
	wantStored(t, s, want)

	got, err := s.Get(t.Context(), base.ID)
	must(t, err)
	spoil(got)
	found, err := s.Find(t.Context(), base.Keys...)
	must(t, err)
	for _, i := range found {
		spoil(i)
	}
	page, err := s.List(t.Context(), store.Query{})
	must(t, err)
	for _, i := range page.Identities {
		spoil(i)
	}
	wantStored(t, s, want)
	given, want = fresh(want), fresh(want)
	given.OutboxVersion, want.OutboxVersion = 1, 1
	must(t, s.SetOutbox(t.Context(), given))
	spoil(given)
	wantStored(t, s, want)
	wantHolder(t, s, base.Keys[0], base.ID)
}

func testCancelled(t *testing.T, s store.Store) {
	there := insert(t, s, newFed())
	r := newRecord(there, identity.Updated)
	absent := newIdentity(newFed())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for what, call := range map[string]func() error{
		"Insert": func() error { return s.Insert(ctx, absent, r) },
		"Swap":   func() error { return s.Swap(ctx, next(there, newFed()), r) },
		"Renew":  func() error { return s.Renew(ctx, there.ID, 1, clock.Add(1), r) },
		"Delete": func() error { return s.Delete(ctx, there.ID, 1, clock, r) },
		"Record": func() error {
			return s.Record(ctx, []identity.Record{r}, []store.Touch{{Userstore: there.Userstore, ID: there.ID, At: clock.Add(1)}})
		},
		"DropDecisions": func() error { _, err := s.DropDecisions(ctx, clock.Add(1), 10); return err },
		"Receive":       func() error { _, err := s.Receive(ctx, newReceipt()); return err },
		"DropReceipts":  func() error { _, err := s.DropReceipts(ctx, clock.Add(1), 10); return err },
		"SetOutbox":     func() error { return s.SetOutbox(ctx, leased(newArmed(), hr, "a", clock)) },
		"Due":           func() error { _, err := s.Due(ctx, hr, clock, 10); return err },
		"Backlog":       func() error { _, err := s.Backlog(ctx, hr); return err },
		"Find":          func() error { _, err := s.Find(ctx, there.Keys...); return err },
		"Get":           func() error { _, err := s.Get(ctx, there.ID); return err },
		"List":          func() error { _, err := s.List(ctx, store.Query{}); return err },
		"Decision":      func() error { _, err := s.Decision(ctx, r.ID); return err },
		"Decisions":     func() error { _, err := s.Decisions(ctx, store.DecisionQuery{}); return err },
	} {
		err := call()
		wantError(t, what+" with an ended context", err, store.ErrUnavailable)
		wantError(t, what+" with an ended context", err, context.Canceled)
	}
	wantStored(t, s, there)
	wantNoRecord(t, s, r)
	_, err := s.Get(t.Context(), absent.ID)
	wantError(t, "Get of what was not inserted", err, store.ErrNotFound)
	page, err := s.Decisions(t.Context(), store.DecisionQuery{})
	must(t, err)
	if len(page.Records) != 1 {
		t.Errorf("records = %d, want the one of the first insert", len(page.Records))
	}
}
