//go:build unix

package mongo_test

// What the tests of this package stand on: a server, databases of their own on
// it, stores over them, and a look behind the store.

import (
	"context"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	driver "go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store/mongo"
	"github.com/jithook/jithook/test/mongo/mongotest"
)

var peer mongotest.Shared

func TestMain(m *testing.M) { os.Exit(peer.Run(m)) }

// contention is how many writers at once the server stands.
func contention(s *mongotest.Server) int {
	if s.Real {
		return 64
	}
	return 16
}

// behind returns the database as the driver has it, without jithook.
func behind(t testing.TB, s *mongotest.Server, name string) *driver.Database {
	t.Helper()
	return s.Client(t).Database(name)
}

// open opens a store and closes it at the end of t.
func open(t testing.TB, uri, name string) *mongo.Store {
	t.Helper()
	return openWith(t, mongo.Options{URI: uri, Database: name})
}

func openWith(t testing.TB, opts mongo.Options) *mongo.Store {
	t.Helper()
	s, err := mongo.Open(context.Background(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// newIdentity returns an identity that holds n keys of its own.
func newIdentity(n int) identity.Identity {
	i := identity.Identity{
		ID: uuid.Must(uuid.NewV7()).String(), Userstore: "default", State: identity.StatePending,
		Traits: map[string]any{"email": "ada@example.com"}, Revision: 1, CreatedAt: time.Now(), UpdatedAt: time.Now(),
	}
	for range n {
		i.Keys = append(i.Keys, identity.FedKey("https://idp.example", uuid.NewString()))
	}
	slices.Sort(i.Keys)
	return i
}

func newRecord(i identity.Identity) identity.Record {
	return identity.Record{
		ID: uuid.Must(uuid.NewV7()).String(), At: time.Now(), IdentityID: i.ID, Decision: identity.Created, FlowID: uuid.NewString(),
	}
}

func insert(t testing.TB, s *mongo.Store, i identity.Identity) {
	t.Helper()
	if err := s.Insert(t.Context(), i, newRecord(i)); err != nil {
		t.Fatal(err)
	}
}
