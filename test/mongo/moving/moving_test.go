//go:build unix

// Package moving_test proves that a userstore moves from the embedded file to
// MongoDB and back without losing a byte.
package moving_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/store/bolt"
	"github.com/jithook/jithook/store/mongo"
	"github.com/jithook/jithook/store/transfer"
	"github.com/jithook/jithook/test/mongo/mongotest"
)

var peer mongotest.Shared

func TestMain(m *testing.M) { os.Exit(peer.Run(m)) }

func embedded(t *testing.T, name string) store.Store {
	t.Helper()
	s, err := bolt.Open(filepath.Join(t.TempDir(), name), bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func export(t *testing.T, s store.Store) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := transfer.Export(t.Context(), s, transfer.Position{}, func(line []byte) error { b.Write(line); return nil }); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func bring(t *testing.T, s store.Store, file []byte) {
	t.Helper()
	for r := transfer.NewReader(bytes.NewReader(file)); ; {
		l, _, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if l.Identity == nil && l.Decision == nil {
			continue
		}
		if got, err := transfer.Import(t.Context(), s, []transfer.Line{l}); err != nil || got[0] != transfer.Imported {
			t.Fatalf("%v, %v", got, err)
		}
	}
}

// person is somebody whose values a store may get wrong.
func person(n int) identity.Identity {
	at := time.Date(2026, 11, 24, 12, 0, n, 123456789, time.UTC)
	subject := fmt.Sprintf("s-%d", n)
	return identity.Identity{
		ID: uuid.Must(uuid.NewV7()).String(), Userstore: "default", State: identity.StateActive, Revision: int64(n + 1),
		Traits: map[string]any{
			"$set": "a.b", "a.b": "c", "int": int64(math.MaxInt64), "float": 3.0, "third": 1.0 / 3, "list": []any{int64(1), 1.5, map[string]any{"$x.y": []any{}}},
			"word": "gr\u00fc\u00df", "yes": true,
		},
		Outbox: []identity.Delivery{
			{Target: "hr", Revision: 1, Since: at, Due: at, Attempts: n, Lease: "l", Failure: "answered 503"}, {Target: "crm", Revision: 1, Since: at, Due: at, Dead: true},
		},
		OutboxVersion: int64(n),
		Provenance:    []identity.Provenance{{Path: "/word", Source: "provider:acme", At: at, VerifiedBy: "provider:acme"}},
		Groups:        []identity.Group{{Name: "staff", Source: "provider:acme"}},
		Links:         []identity.Link{{Provider: "acme", Issuer: "https://acme.example", Subject: subject, LinkedAt: at, Evidence: "hook_body", ClaimsTime: at, ReceivedAt: at.Add(time.Minute), GroupsUnknownSince: at}},
		Keys:          []identity.Key{identity.FedKey("https://acme.example", subject)},
		CreatedAt:     at, UpdatedAt: at, LastLoginAt: at.Add(time.Hour),
	}
}

const people = 120

// populate fills a store.
func populate(t *testing.T, s store.Store) {
	t.Helper()
	for n := range people {
		i := person(n)
		r := identity.Record{
			ID: uuid.Must(uuid.NewV7()).String(), At: i.CreatedAt, Hook: identity.HookGeneric, Decision: identity.Created, IdentityID: i.ID,
			Reasons: []identity.Reason{identity.Because(identity.CodeCreated)}, Change: []identity.Change{{Path: "/traits/word", Op: identity.OpSet}},
			Duration: time.Millisecond,
		}
		i.DecisionID = r.ID
		if err := s.Insert(t.Context(), i, r); err != nil {
			t.Fatal(err)
		}
	}
}

func TestThereAndBack(t *testing.T) {
	first := embedded(t, "first.db")
	populate(t, first)
	want := export(t, first)

	server := peer.Server(t)
	database, err := mongo.Open(t.Context(), mongo.Options{URI: server.URI, Database: server.Database(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { database.Close() })
	bring(t, database, want)
	there := export(t, database)
	if !bytes.Equal(want, there) {
		t.Errorf("MongoDB's export differs: %d bytes, %d before", len(there), len(want))
	}
	back := embedded(t, "back.db")
	bring(t, back, there)
	if got := export(t, back); !bytes.Equal(want, got) {
		t.Errorf("the export of what came back differs: %d bytes, %d before", len(got), len(want))
	}
}
