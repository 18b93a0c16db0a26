//go:build unix

package mongo_test

// What was given up may still arrive: it does no harm then.

import (
	"errors"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/test/mongo/faultproxy"
)

// late holds a command back for longer than its caller waits.
const late = patience + 1500*time.Millisecond

func TestLateInsert(t *testing.T) {
	w := newWorld(t, peer.Server(t))
	rule := w.proxy.On(faultproxy.Match{Command: "insert", Collection: "identities", Nth: 1}, faultproxy.Delay(late))
	first := newIdentity(1)
	r := newRecord(first)
	if err := w.store.Insert(impatient(t, patience), first, r); !errors.Is(err, store.ErrConflict) {
		t.Fatalf("Insert: %v, want ErrConflict", err)
	}
	second := newIdentity(0) // plans again: the same person, a new id
	second.Keys = first.Keys
	insert(t, w.direct, second)
	<-rule.Served()
	w.wantHolder(t, second)
	w.wantUndone(t, second, first, r)
}

func TestLateSwap(t *testing.T) {
	w := newWorld(t, peer.Server(t))
	w.quiet(t, w.store)
	i, _ := moved(t, w.direct)
	rule := w.proxy.On(faultproxy.Match{Command: "update", Collection: "identities", Nth: 1}, faultproxy.Delay(late))
	given := i
	given.Revision++
	given.Traits = map[string]any{"email": "old@example.com"}
	r := newRecord(i)
	if err := w.store.Swap(impatient(t, patience), given, r); !errors.Is(err, store.ErrConflict) {
		t.Fatalf("Swap: %v, want ErrConflict", err)
	}
	i.Revision++
	must(t, w.direct.Swap(t.Context(), i, newRecord(i)))
	<-rule.Served()
	got, err := w.direct.Get(t.Context(), i.ID)
	must(t, err)
	if got.Revision != i.Revision || got.Traits["email"] != i.Traits["email"] {
		t.Errorf("revision %d, e-mail changed: %t; want what came first", got.Revision, got.Traits["email"] != i.Traits["email"])
	}
	w.wantUndone(t, i, i, r)
}

func TestLateDelete(t *testing.T) {
	w := newWorld(t, peer.Server(t))
	i, _ := moved(t, w.direct)
	rule := w.proxy.On(faultproxy.Match{Command: "delete", Collection: "identities"}, faultproxy.Delay(late))
	if err := w.store.Delete(impatient(t, patience), i.ID, i.Revision, i.RenewedAt, identity.Record{}); err == nil {
		t.Fatal("Delete succeeded, although it has not arrived")
	}
	i.RenewedAt = time.Now()
	must(t, w.direct.Renew(t.Context(), i.ID, i.Revision, i.RenewedAt, newRecord(i)))
	<-rule.Served()
	w.wantHolder(t, i)
}

// A mover that is slow removes only what it has carried over: an entry that
// came in meanwhile stays.
func TestLateMover(t *testing.T) {
	w := newWorld(t, peer.Server(t))
	w.quiet(t, w.store)
	w.quiet(t, w.direct)
	carrying := w.proxy.On(faultproxy.Match{Command: "update", Collection: "decisions", Nth: 1}, faultproxy.Delay(3*time.Second))
	i := newIdentity(1)
	r, added := newRecord(i), newRecord(i)
	must(t, w.store.Insert(t.Context(), i, r))
	<-carrying.Arrived()
	people := behind(t, w.server, w.name).Collection("identities")
	var doc struct {
		Journal []bson.M `bson:"journal"`
	}
	must(t, people.FindOne(t.Context(), bson.M{"_id": i.ID}).Decode(&doc))
	if len(doc.Journal) != 1 {
		t.Fatalf("%d entries in the journal, want 1", len(doc.Journal))
	}
	removing := w.proxy.On(faultproxy.Match{Command: "update", Collection: "identities", Nth: 1}, faultproxy.Delay(0))
	_, err := people.UpdateOne(t.Context(), bson.M{"_id": i.ID}, bson.M{
		"$set":  bson.M{"write": "another"},
		"$push": bson.M{"journal": bson.M{"write": "another", "id": added.ID, "record": doc.Journal[0]["record"]}},
	})
	must(t, err)
	<-removing.Served()
	for what, id := range map[string]string{"first": r.ID, "added": added.ID} {
		if _, err := w.direct.Decision(t.Context(), id); err != nil {
			t.Errorf("the %s record: %v", what, err)
		}
	}
}

// Whatever fails while records are moved, they are found, once.
func TestFaultsWhileMoving(t *testing.T) {
	server := peer.Server(t)
	for name, fault := range map[string]faultproxy.Fault{
		"lost": faultproxy.Cut(), "reply lost": faultproxy.DropReply(), "step-down": faultproxy.NotWritablePrimary(true),
		"write concern": faultproxy.WriteConcernError(64, true), "unknown": faultproxy.Answer(commandError(1), false),
		// Another mover inserts the record at this moment: it need not be all of it.
		"duplicate": faultproxy.Answer(writeError(11000), false),
	} {
		for _, collection := range []string{"decisions", "identities"} {
			t.Run(name+", "+collection, func(t *testing.T) {
				w := newWorld(t, server)
				w.proxy.On(faultproxy.Match{Command: "update", Collection: collection, Nth: 1}, fault)
				i := newIdentity(1)
				r := newRecord(i)
				must(t, w.store.Insert(t.Context(), i, r))
				page, err := w.store.Decisions(t.Context(), store.DecisionQuery{})
				if err != nil { // the fault may hit this call: the next one finds it
					page, err = w.store.Decisions(t.Context(), store.DecisionQuery{})
				}
				must(t, err)
				if len(page.Records) != 1 || page.Records[0].ID != r.ID {
					t.Errorf("%d records, want the one", len(page.Records))
				}
			})
		}
	}
}
