//go:build unix

package mongo_test

// What cannot come back as it was is refused, what another hand spoilt is not
// taken for an answer, and no error gives a key or a value away.

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/store/verify"
)

// wantFailure checks that err is the store's own and keeps the secrets.
func wantFailure(t *testing.T, err error, says string, secrets ...string) {
	t.Helper()
	if !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), says) {
		t.Errorf("error = %v, want ErrUnavailable and %q", err, says)
		return
	}
	for _, secret := range secrets {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("error gives away %q: %v", secret, err)
		}
	}
}

func TestRefusedValues(t *testing.T) {
	srv := peer.Server(t)
	s := open(t, srv.URI, srv.Database(t))
	kept := newIdentity(1)
	insert(t, s, kept)
	for name, v := range map[string]any{
		"not a number": math.NaN(), "infinity": []any{math.Inf(1)}, "bytes": []byte("geheim"), "a plain int": 1,
		"invalid UTF-8": map[string]any{"a": "geheim\xff"}, "an invalid name": map[string]any{"geheim\xff": "a"},
		"a list of strings": []string{"geheim"}, "an operator": bson.D{{Key: "$gt", Value: "geheim"}},
	} {
		i := newIdentity(1)
		i.Traits = map[string]any{"geheim": v}
		wantFailure(t, s.Insert(t.Context(), i, newRecord(i)), "trait", "geheim")
		i.ID, i.Revision = kept.ID, 2
		wantFailure(t, s.Swap(t.Context(), i, newRecord(i)), "trait", "geheim")
		if got, err := s.Get(t.Context(), kept.ID); err != nil || got.Revision != 1 {
			t.Errorf("%s: identity after a refused Swap = revision %d, %v", name, got.Revision, err)
		}
	}
	i := newIdentity(1)
	i.CreatedAt = time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC)
	wantFailure(t, s.Insert(t.Context(), i, newRecord(i)), "years")
	i = newIdentity(1)
	i.ID = ""
	wantFailure(t, s.Insert(t.Context(), i, newRecord(i)), "without an id")
}

// Names that one escape could turn into each other stay apart.
func TestNamesDoNotCollide(t *testing.T) {
	srv := peer.Server(t)
	s := open(t, srv.URI, srv.Database(t))
	i := newIdentity(1)
	i.Traits = map[string]any{}
	for n, name := range []string{"", "%", "%%", "%25", "%2525", ".", "%2E", "%2e", "$", "%24", "\x00", "%00", "a.b", "a%2Eb", "$set", "%24set", "_id", "2"} {
		i.Traits[name] = int64(n)
	}
	insert(t, s, i)
	got, err := s.Get(t.Context(), i.ID)
	must(t, err)
	if len(got.Traits) != len(i.Traits) {
		t.Errorf("%d traits came back, want %d", len(got.Traits), len(i.Traits))
	}
	for name, want := range i.Traits {
		if got.Traits[name] != want {
			t.Errorf("trait %q = %v, want %v", name, got.Traits[name], want)
		}
	}
}

// A document of before there was an outbox reads as one with nothing in it, and
// takes both kinds of changes.
func TestDocumentsWithoutOutbox(t *testing.T) {
	srv := peer.Server(t)
	at := srv.Database(t)
	s := open(t, srv.URI, at)
	i := newIdentity(1)
	i.State = identity.StateActive
	insert(t, s, i)
	people := behind(t, srv, at).Collection("identities")
	older := func() {
		t.Helper()
		_, err := people.UpdateByID(t.Context(), i.ID, bson.M{"$unset": bson.M{"outbox": "", "outbox_version": ""}})
		must(t, err)
	}
	older()
	i.Revision = 2
	must(t, s.Swap(t.Context(), i, newRecord(i)))
	older()
	got, err := s.Get(t.Context(), i.ID)
	must(t, err)
	if len(got.Outbox) != 0 || got.OutboxVersion != 0 {
		t.Errorf("outbox = %v, version %d, want none", got.Outbox, got.OutboxVersion)
	}
	got.Arm("hr", time.Now())
	got.OutboxVersion = 1
	must(t, s.SetOutbox(t.Context(), got))
	if due, err := s.Due(t.Context(), "hr", time.Now(), 1); err != nil || len(due) != 1 {
		t.Errorf("Due = %d identities, %v, want 1", len(due), err)
	}

	// One that cannot be read does not keep the others waiting.
	other := newIdentity(1)
	other.State = identity.StateActive
	other.Arm("hr", time.Now().Add(-time.Hour))
	insert(t, s, other)
	for _, spoil := range []bson.M{{"renewed_at": "geheim"}, {"revision": "geheim"}} {
		_, err = people.UpdateByID(t.Context(), other.ID, bson.M{"$set": spoil})
		must(t, err)
		if due, err := s.Due(t.Context(), "hr", time.Now(), 10); err != nil || len(due) != 1 || due[0].ID != i.ID {
			t.Errorf("Due = %d identities, %v, want the one that can be read", len(due), err)
		}
	}
}

func TestDamagedDocuments(t *testing.T) {
	srv := peer.Server(t)
	at := srv.Database(t)
	s, db := open(t, srv.URI, at), behind(t, srv, at)
	people := db.Collection("identities")
	for name, change := range map[string]bson.M{
		"a type of its own": {"traits.geheim": bson.DateTime(1)}, "no time": {"renewed_at": "geheim"},
		"another type": {"revision": "geheim"}, "no traits": {"traits": "geheim"},
	} {
		t.Run(name, func(t *testing.T) {
			i := newIdentity(1)
			insert(t, s, i)
			noJournals(t, db, 10*time.Second) // what is written to at the same time is not deleted below: FerretDB says 0, and leaves it
			_, err := people.UpdateOne(t.Context(), bson.M{"_id": i.ID}, bson.M{"$set": change})
			must(t, err)
			// "Nobody" would be the wrong answer: the person would be made again.
			_, err = s.Find(t.Context(), i.Keys...)
			wantFailure(t, err, i.ID+" is damaged", "geheim", string(i.Keys[0]))
			_, err = s.Get(t.Context(), i.ID)
			wantFailure(t, err, "damaged", "geheim")
			_, err = s.List(t.Context(), store.Query{})
			wantFailure(t, err, i.ID+" is damaged", "geheim")
			other := newIdentity(1)
			insert(t, s, other) // the others go on
			page, err := s.List(t.Context(), store.Query{Damaged: true})
			must(t, err)
			if !slices.Equal(page.Damaged, []string{i.ID}) || !slices.ContainsFunc(page.Identities, func(o identity.Identity) bool { return o.ID == other.ID }) {
				t.Errorf("List: damaged %v of %d others, want %s", page.Damaged, len(page.Identities), i.ID)
			}
			found, err := verify.Checker{Store: s, Now: time.Now}.Page(t.Context(), "", true)
			must(t, err)
			if !slices.ContainsFunc(found.Findings, func(f store.Finding) bool { return f.Code == store.FindingDamaged && f.IdentityID == i.ID }) {
				t.Errorf("verify: %v, want that %s is damaged", found.Findings, i.ID)
			}
			_, err = people.DeleteOne(t.Context(), bson.M{"_id": i.ID})
			must(t, err)
		})
	}
}

// The server's text for a duplicate key prints the key.
func TestTakenNamesNobody(t *testing.T) {
	srv := peer.Server(t)
	s := open(t, srv.URI, srv.Database(t))
	first, second := newIdentity(1), newIdentity(1)
	insert(t, s, first)
	insert(t, s, second)
	thief := newIdentity(0)
	thief.Keys = first.Keys
	errs := []error{s.Insert(t.Context(), thief, newRecord(thief))}
	thief.ID, thief.Revision = second.ID, 2
	errs = append(errs, s.Swap(t.Context(), thief, newRecord(thief)))
	for _, err := range errs {
		var taken *store.TakenError
		if !errors.As(err, &taken) || taken.Key != first.Keys[0] {
			t.Fatalf("error = %v, want a TakenError", err)
		}
		for _, secret := range []string{string(first.Keys[0]), first.ID, "E11000", "dup"} {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("error gives away %q: %v", secret, err)
			}
		}
	}
}
