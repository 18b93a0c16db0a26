// Package storetest holds a backend to the contract of package store: one
// suite that every backend passes, so that a backend's own test of it is one
// short function.
//
// It knows the contract and no backend. Run it with -race: the write that two
// logins race for is what a userstore is for.
package storetest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

// Run runs the suite as it is for a backend that stands any number of callers.
// open returns an empty store and closes it at the end of t; it is called once
// for each part.
func Run(t *testing.T, open func(t *testing.T) store.Store) { Suite{}.Run(t, open) }

// Suite is the suite with its choices; the zero value is what Run runs.
type Suite struct {
	// Contention is how many callers write at once where they race for one
	// identity or one key: 0 means DefaultContention. Less is for a server
	// that gives way under many, never for a backend.
	Contention int
	// Several is for a store made of several, which pins only what is not at
	// home: the parts about pins are left out.
	Several bool
}

// DefaultContention is what a Suite.Contention of 0 means.
const DefaultContention = 64

func (c Suite) contention() int {
	if c.Contention <= 0 {
		return DefaultContention
	}
	return c.Contention
}

// Run runs the suite; see the function Run.
func (c Suite) Run(t *testing.T, open func(t *testing.T) store.Store) {
	for _, part := range []struct {
		name string
		test func(*testing.T, store.Store)
	}{
		{"Ping", testPing},
		{"Insert", testInsert},
		{"InsertTaken", testInsertTaken},
		{"InsertAgain", testInsertAgain},
		{"FindSeveral", testFindSeveral},
		{"Swap", testSwap},
		{"SwapConflict", testSwapConflict},
		{"SwapTaken", testSwapTaken},
		{"SwapKeepsLaterLogin", testSwapKeepsLaterLogin},
		{"KeysReleased", testKeysReleased},
		{"Renew", testRenew},
		{"RenewConflict", testRenewConflict},
		{"Delete", testDelete},
		{"DeleteConflict", testDeleteConflict},
		{"WithoutRecord", testWithoutRecord},
		{"Yield", testYield},
		{"YieldOvertaken", testYieldOvertaken},
		{"UnclearInsert", testUnclearInsert},
		{"UnclearSwap", testUnclearSwap},
		{"Values", testValues},
		{"Clones", testClones},
		{"Cancelled", testCancelled},
		{"List", testList},
		{"ListFilters", testListFilters},
		{"ListPageSize", testListPageSize},
		{"PageTokens", testPageTokens},
		{"Record", testRecord},
		{"RecordMixed", testRecordMixed},
		{"Touch", testTouch},
		{"ClaimsTouch", testClaimsTouch},
		{"Decisions", testDecisions},
		{"DecisionsFilters", testDecisionsFilters},
		{"DropDecisions", testDropDecisions},
		{"Pin", testPin},
		{"PinIsNoIdentity", testPinIsNoIdentity},
		{"Outbox", testOutbox},
		{"OutboxConflict", testOutboxConflict},
		{"OutboxOfDeleted", testDeleted},
		{"OutboxLease", testOutboxLease},
		{"SwapAgainstLease", testSwapAgainstLease},
		{"Proposals", testProposals},
		{"Holds", testHolds},
		{"GivenUp", testGivenUp},
		{"OutboxPending", testOutboxPending},
		{"OutboxDelete", testOutboxDelete},
		{"Due", testDue},
		{"Backlog", testBacklog},
		{"Receive", testReceive},
		{"DropReceipts", testDropReceipts},
		{"Spend", testSpend},
		{"RaceFirstLogin", c.testRaceFirstLogin},
		{"RaceOneEmail", testRaceOneEmail},
		{"RaceIncrements", c.testRaceIncrements},
		{"RaceKeys", c.testRaceKeys},
		{"RaceSweep", testRaceSweep},
		{"RaceYield", testRaceYield},
		{"RacePins", c.testRacePins},
		{"RaceOutbox", c.testRaceOutbox},
		{"RaceReceive", c.testRaceReceive},
		{"RaceSpend", c.testRaceSpend},
	} {
		if c.Several && strings.Contains(part.name, "Pin") {
			continue
		}
		t.Run(part.name, func(t *testing.T) { part.test(t, open(t)) })
	}
}

// clock is a time of the fixtures: with nanoseconds, since renewed_at is
// compared, and with an offset, which must not matter.
var clock = time.Date(2026, 11, 24, 12, 0, 0, 123456789, time.FixedZone("", 3600))

func newID() string { return uuid.Must(uuid.NewV7()).String() }

func newFed() identity.Key {
	return identity.FedKey("https://idp.example", uuid.NewString())
}

func newMail() identity.Key {
	return identity.MailKey("default", uuid.NewString()+"@example.com")
}

// newIdentity returns a pending identity in revision 1 with the given keys.
func newIdentity(keys ...identity.Key) identity.Identity {
	keys = slices.Clone(keys)
	slices.Sort(keys)
	return identity.Identity{
		ID: newID(), Userstore: "default", State: identity.StatePending, StateSource: identity.ProviderSource("acme"), StateAt: clock.Add(time.Second),
		Traits: map[string]any{"email": "ada@example.com", "n": int64(0)},
		Provenance: []identity.Provenance{
			{Path: "/email", Source: "provider:acme", At: clock, ClaimsTime: clock.Add(-time.Minute), VerifiedBy: "provider:acme", VerifiedAt: clock.Add(time.Hour)},
		},
		Groups: []identity.Group{{Name: "eng", Source: "provider:acme"}},
		Links: []identity.Link{{
			Provider: "acme", Issuer: "https://idp.example", Subject: "ada", Credential: "ada-2",
			LinkedAt: clock, Evidence: identity.SourceHookBody, ClaimsTime: clock, ReceivedAt: clock.Add(time.Minute),
			GroupsUnknownSince: clock.Add(2 * time.Minute),
			Match:              identity.Match{Rule: "acme.yaml:9:5", Path: "/email", StoredBy: "provider:other", ClaimedBy: "provider:acme"},
		}},
		ExternalIDs: []identity.ExternalID{},
		Consents:    []identity.Consent{{Path: "/terms_accepted", Version: "2026-01", At: clock, Source: "provider:acme"}},
		Keys:        keys, Revision: 1,
		CreatedAt: clock, UpdatedAt: clock, RenewedAt: clock, LastLoginAt: clock,
	}
}

// newRecord returns a record about i.
func newRecord(i identity.Identity, d identity.Decision) identity.Record {
	return identity.Record{
		ID: newID(), At: clock, Hook: identity.HookGeneric, Caller: "test",
		IdentityID: i.ID, Userstore: i.Userstore, Decision: d,
		Reasons: []identity.Reason{identity.Because(identity.CodeCreated)},
		Change:  []identity.Change{{Path: "/traits/email", Op: identity.OpSet}}, Normalised: true,
	}
}

// next returns the successor of i: the following revision, with the keys.
func next(i identity.Identity, keys ...identity.Key) identity.Identity {
	i = i.Clone()
	i.Revision++
	i.Keys = slices.Clone(keys)
	slices.Sort(i.Keys)
	return i
}

// insert writes a new identity with the keys and returns it.
func insert(t *testing.T, s store.Store, keys ...identity.Key) identity.Identity {
	t.Helper()
	i := newIdentity(keys...)
	must(t, s.Insert(t.Context(), i, newRecord(i, identity.Created)))
	return i
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantError(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: error = %v, want %v", what, err, want)
	}
}

func wantTaken(t *testing.T, what string, err error, key identity.Key) {
	t.Helper()
	var taken *store.TakenError
	if !errors.As(err, &taken) || taken.Key != key {
		t.Errorf("%s: error = %v, want a TakenError for a %s key", what, err, key.Kind())
	}
}

// equal compares documents. Lists of structs may come back empty or nil;
// inside the traits an empty list stays an empty list.
var equal = cmp.FilterPath(func(p cmp.Path) bool {
	return !slices.ContainsFunc(p, func(step cmp.PathStep) bool {
		field, ok := step.(cmp.StructField)
		return ok && field.Name() == "Traits"
	})
}, cmpopts.EquateEmpty())

// wantStored compares what the store has under want.ID with want.
func wantStored(t *testing.T, s store.Store, want identity.Identity) {
	t.Helper()
	got, err := s.Get(t.Context(), want.ID)
	must(t, err)
	if diff := cmp.Diff(want, got, equal); diff != "" {
		t.Errorf("stored identity (-want +got):\n%s", diff)
	}
}

// wantRecord compares what the store has under want.ID with want.
func wantRecord(t *testing.T, s store.Store, want identity.Record) {
	t.Helper()
	got, err := s.Decision(t.Context(), want.ID)
	must(t, err)
	if diff := cmp.Diff(want, got, equal); diff != "" {
		t.Errorf("stored record (-want +got):\n%s", diff)
	}
}

func wantNoRecord(t *testing.T, s store.Store, r identity.Record) {
	t.Helper()
	_, err := s.Decision(t.Context(), r.ID)
	wantError(t, "record of a write that failed", err, store.ErrNotFound)
}

// wantHolder checks who holds a key; the empty id is nobody.
func wantHolder(t *testing.T, s store.Store, key identity.Key, id string) {
	t.Helper()
	found, err := s.Find(t.Context(), key)
	must(t, err)
	var want []string
	if id != "" {
		want = []string{id}
	}
	if got := ids(found); !slices.Equal(got, want) {
		t.Errorf("holders of a %s key = %v, want %v", key.Kind(), got, want)
	}
}

func ids(identities []identity.Identity) []string {
	var out []string
	for _, i := range identities {
		out = append(out, i.ID)
	}
	return out
}

// together runs f(0) … f(n-1) at once and waits for all.
func together(n int, f func(int)) {
	var ready, done sync.WaitGroup
	ready.Add(1)
	for k := range n {
		done.Go(func() {
			ready.Wait()
			f(k)
		})
	}
	ready.Done()
	done.Wait()
}

func testPing(t *testing.T, s store.Store) {
	must(t, s.Ping(t.Context()))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantError(t, "Ping with an ended context", s.Ping(ctx), store.ErrUnavailable)
}
