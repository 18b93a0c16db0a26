//go:build unix

package mongo_test

// A backlog is measured every few seconds, for every target. What was given up is
// counted by the index that has nothing else: not by looking at all that waits,
// nor at everybody.

import (
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/jithook/jithook/identity"
)

func TestGivenUpIsCountedByItsIndex(t *testing.T) {
	server := peer.Server(t)
	name := server.Database(t)
	s := open(t, server.URI, name)
	for _, target := range []string{"hr", "hr", "crm"} {
		i := newIdentity(1)
		i.State = identity.StateActive
		i.Arm(target, time.Now())
		i.Outbox[0].Dead = true
		insert(t, s, i)
	}
	want := func(waiting, dead int) {
		t.Helper()
		b, err := s.Backlog(t.Context(), "hr")
		if err != nil || b.Dead != dead || b.Waiting != waiting {
			t.Errorf("%+v, %v; want %d waiting, %d given up", b, err, waiting, dead)
		}
	}
	want(0, 2)
	// Whoever is not in the index is not found by other ways.
	if _, err := behind(t, server, name).Collection("identities").UpdateMany(t.Context(), bson.D{}, bson.D{{Key: "$unset", Value: bson.D{{Key: "having", Value: ""}}}}); err != nil {
		t.Fatal(err)
	}
	want(0, 0)
}
