package mongo_test

// What the tests of this package stand on: a server, databases of their own on
// it, stores over them, and a look behind the store.

import (
	"context"
	"crypto/rand"
	"os"
	"strings"
	"testing"
	"time"

	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/jithook/jithook/store/mongo"
)

// server is the one that the tests run on.
type server struct {
	uri        string
	contention int // how many writers at once it stands
}

func serve(t testing.TB) server {
	t.Helper()
	uri := os.Getenv("JITHOOK_TEST_MONGODB_URI")
	if uri == "" {
		t.Skip("no MongoDB server: run make mongo, or name one in JITHOOK_TEST_MONGODB_URI")
	}
	return server{uri: uri, contention: 16}
}

// database returns the name of a database that no other test has, and drops it
// at the end of t.
func database(t testing.TB, uri string) string {
	t.Helper()
	name := "jithook_test_" + strings.ToLower(rand.Text()[:16])
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := behind(t, uri, name).Drop(ctx); err != nil {
			t.Errorf("the database %s stays: %v", name, err)
		}
	})
	return name
}

// behind returns the database as the driver has it, without jithook.
func behind(t testing.TB, uri, name string) *driver.Database {
	t.Helper()
	client, err := driver.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Disconnect(context.Background()) })
	return client.Database(name)
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
