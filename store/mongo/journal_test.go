//go:build unix

package mongo_test

// A decision record is found from the moment of its write, wherever it stands,
// and never twice; whoever crashes or stands still on the way loses none and
// brings no old one back.

import (
	"context"
	"slices"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/store/mongo"
)

// unmove puts a record that was moved back into its identity's journal, as if
// the mover had crashed: after writing it to decisions (written) or before.
func unmove(t *testing.T, db *driver.Database, i identity.Identity, r identity.Record, written bool) {
	t.Helper()
	var person struct {
		Write string `bson:"write"`
	}
	var decision bson.M
	must(t, db.Collection("identities").FindOne(t.Context(), bson.M{"_id": i.ID}).Decode(&person))
	must(t, db.Collection("decisions").FindOne(t.Context(), bson.M{"_id": r.ID}).Decode(&decision))
	delete(decision, "_id")
	delete(decision, "writes")
	_, err := db.Collection("identities").UpdateOne(t.Context(), bson.M{"_id": i.ID}, bson.M{
		"$set": bson.M{"journal": bson.A{bson.M{"write": person.Write, "id": r.ID, "record": decision}}},
	})
	must(t, err)
	if !written {
		_, err = db.Collection("decisions").DeleteOne(t.Context(), bson.M{"_id": r.ID})
		must(t, err)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// moved writes an identity whose record has been moved.
func moved(t *testing.T, s *mongo.Store) (identity.Identity, identity.Record) {
	t.Helper()
	i := newIdentity(1)
	r := newRecord(i)
	must(t, s.Insert(t.Context(), i, r))
	_, err := s.Decision(t.Context(), r.ID)
	must(t, err)
	return i, r
}

// idle returns when the store's mover has nothing to do any more, so that what
// the test puts into a journal afterwards stays there until somebody asks.
func idle(t *testing.T, s *mongo.Store, db *driver.Database) {
	t.Helper()
	insert(t, s, newIdentity(1))
	noJournals(t, db, 10*time.Second)
}

func noJournals(t *testing.T, db *driver.Database, limit time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	for journals(t, db) > 0 {
		select {
		case <-ctx.Done():
			t.Fatal("journals are not moved")
		case <-time.After(10 * time.Millisecond): // asks again
		}
	}
}

func journals(t *testing.T, db *driver.Database) int64 {
	t.Helper()
	n, err := db.Collection("identities").CountDocuments(t.Context(), bson.M{"journal": bson.M{"$exists": true}})
	must(t, err)
	return n
}

func TestRecordsOutliveACrash(t *testing.T) {
	srv := peer.Server(t)
	for name, written := range map[string]bool{"before the record was written": false, "before the journal was removed": true} {
		t.Run(name, func(t *testing.T) {
			at := srv.Database(t)
			db := behind(t, srv, at)
			crashed, err := mongo.Open(t.Context(), mongo.Options{URI: srv.URI, Database: at})
			must(t, err)
			a, ra := moved(t, crashed)
			b, rb := moved(t, crashed)
			must(t, crashed.Close())
			unmove(t, db, a, ra, written)
			unmove(t, db, b, rb, written)

			s := open(t, srv.URI, at)
			if _, err := s.Decision(t.Context(), ra.ID); err != nil {
				t.Errorf("Decision of a record that was not moved: %v", err)
			}
			page, err := s.Decisions(t.Context(), store.DecisionQuery{})
			must(t, err)
			var got []string
			for _, r := range page.Records {
				got = append(got, r.ID)
			}
			if want := []string{rb.ID, ra.ID}; !slices.Equal(got, want) {
				t.Errorf("Decisions = %v, want each of %v once", got, want)
			}
			if n := journals(t, db); n != 0 {
				t.Errorf("%d journals are left, want none", n)
			}
		})
	}
}

// Why somebody was let in outlives her, also where it was not moved yet.
func TestDeleteMovesRecords(t *testing.T) {
	srv := peer.Server(t)
	at := srv.Database(t)
	db := behind(t, srv, at)
	s := open(t, srv.URI, at)
	i, r := moved(t, s)
	idle(t, s, db)
	unmove(t, db, i, r, false)
	must(t, s.Delete(t.Context(), i.ID, i.Revision, i.RenewedAt, identity.Record{}))
	if _, err := s.Decision(t.Context(), r.ID); err != nil {
		t.Errorf("Decision about somebody deleted: %v", err)
	}
}

// The sweep needs no request: what a crash left is moved by the next start.
func TestSweep(t *testing.T) {
	srv := peer.Server(t)
	at := srv.Database(t)
	db := behind(t, srv, at)
	crashed, err := mongo.Open(t.Context(), mongo.Options{URI: srv.URI, Database: at})
	must(t, err)
	people := map[*identity.Identity]identity.Record{}
	for range 3 {
		i, r := moved(t, crashed)
		people[&i] = r
	}
	must(t, crashed.Close())
	for i, r := range people {
		unmove(t, db, *i, r, false)
	}
	open(t, srv.URI, at)
	noJournals(t, db, 5*time.Second) // before the first regular sweep
	n, err := db.Collection("decisions").CountDocuments(t.Context(), bson.M{})
	must(t, err)
	if n != 3 {
		t.Errorf("%d records, want 3", n)
	}
}

// A mover that stood still comes back with what it read long ago.
func TestOldJournalDoesNotReturn(t *testing.T) {
	srv := peer.Server(t)
	at := srv.Database(t)
	db := behind(t, srv, at)
	s := open(t, srv.URI, at)
	i, r := moved(t, s)
	r.Decision, r.CommittedAt = identity.Activated, time.Now()
	must(t, s.Record(t.Context(), []identity.Record{r}, nil))
	amended, err := s.Decision(t.Context(), r.ID)
	must(t, err)

	// The journal holds the record as it was first, under the same write.
	old := r
	old.Decision = identity.Created
	unmove(t, db, i, old, true)
	_, err = db.Collection("identities").UpdateOne(t.Context(), bson.M{"_id": i.ID},
		bson.M{"$set": bson.M{"journal.0.record.decision": "created", "journal.0.record.committed_at": ""}})
	must(t, err)
	got, err := s.Decision(t.Context(), r.ID)
	must(t, err)
	if got.Decision != identity.Activated || !got.CommittedAt.Equal(amended.CommittedAt) {
		t.Errorf("Decision = %s, committed %v: what a late mover carried, want the amended record", got.Decision, got.CommittedAt)
	}
	if n := journals(t, db); n != 0 {
		t.Errorf("%d journals are left, want none", n)
	}
}

// Two replicas write and amend in turn while both move: whoever asks sees the
// last version, and in the end there is one record for each id.
func TestReplicasMoveTogether(t *testing.T) {
	srv := peer.Server(t)
	at := srv.Database(t)
	replicas := []*mongo.Store{open(t, srv.URI, at), open(t, srv.URI, at)}
	i := newIdentity(1)
	prepared, other := newRecord(i), newRecord(i)
	must(t, replicas[0].Insert(t.Context(), i, prepared))
	for n := range 60 {
		r := &prepared
		if n%3 == 0 {
			r = &other
		}
		r.CommittedAt = time.Now().Add(time.Duration(n) * time.Hour)
		i.Revision++
		must(t, replicas[n%2].Swap(t.Context(), i, *r))
		got, err := replicas[(n+1)%2].Decision(t.Context(), r.ID)
		must(t, err)
		if !got.CommittedAt.Equal(r.CommittedAt) {
			t.Fatalf("write %d: record committed at %v, want the last version, %v", n, got.CommittedAt, r.CommittedAt)
		}
	}
	page, err := replicas[0].Decisions(t.Context(), store.DecisionQuery{})
	must(t, err)
	if len(page.Records) != 2 {
		t.Errorf("%d records, want 2", len(page.Records))
	}
}

// A record that is replaced while an older version waits in a journal stays
// replaced.
func TestRecordReplacesAJournal(t *testing.T) {
	srv := peer.Server(t)
	at := srv.Database(t)
	s := open(t, srv.URI, at)
	db := behind(t, srv, at)
	i, r := moved(t, s)
	idle(t, s, db)
	unmove(t, db, i, r, false)
	r.Decision = identity.Denied
	must(t, s.Record(t.Context(), []identity.Record{r}, nil))
	got, err := s.Decision(t.Context(), r.ID)
	must(t, err)
	if got.Decision != identity.Denied {
		t.Errorf("Decision = %s, want the one that replaced it", got.Decision)
	}
}
