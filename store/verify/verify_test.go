package verify_test

// Keys that follow from links and ids are put right; what two claim, and the
// keys of who is barred, stay as they are; while others write, nothing is found
// that is not so.

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"go.etcd.io/bbolt"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/store/bolt"
	"github.com/jithook/jithook/store/verify"
)

var now = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func open(t *testing.T) *bolt.Store {
	t.Helper()
	s, err := bolt.Open(filepath.Join(t.TempDir(), "jithook.db"), bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// person returns an active identity with the keys of its link and its id.
func person() identity.Identity {
	i := identity.Identity{
		ID: uuid.Must(uuid.NewV7()).String(), Userstore: "default", State: identity.StateActive, Revision: 1,
		Traits: map[string]any{"level": 3.0}, CreatedAt: now.Add(-time.Hour), UpdatedAt: now,
	}
	i.Links = []identity.Link{{Provider: "acme", Issuer: "https://idp.example", Subject: "geheim" + i.ID}}
	i.ExternalIDs = []identity.ExternalID{{System: identity.SystemKratos, Instance: "main", ID: "geheim" + i.ID}}
	i.Keys = []identity.Key{fed(i), identity.ExtKey(i.ExternalIDs[0]), identity.MailKey("default", i.ID)}
	slices.Sort(i.Keys)
	return i
}

func fed(i identity.Identity) identity.Key {
	return identity.FedKey(i.Links[0].Issuer, i.Links[0].Subject)
}

func without(i identity.Identity, k identity.Key) []identity.Key {
	return slices.DeleteFunc(slices.Clone(i.Keys), func(have identity.Key) bool { return have == k })
}

func stray(i *identity.Identity) {
	i.Keys = append(i.Keys, identity.FedKey("https://idp.example", uuid.NewString()))
}

// checkers are the ways in which a store is checked: with the backend's help,
// and as one that gives none.
func checkers(s *bolt.Store) map[string]verify.Checker {
	clock := func() time.Time { return now }
	return map[string]verify.Checker{
		"with inspector":    {Store: s, Inspector: s, Counter: s, Now: clock},
		"without inspector": {Store: s, Now: clock},
	}
}

func check(t *testing.T, c verify.Checker, mend bool) []store.Finding {
	t.Helper()
	var all []store.Finding
	for token := ""; ; {
		part, err := c.Page(t.Context(), token, mend)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, part.Findings...)
		if token = part.NextPageToken; token == "" {
			break
		}
	}
	for _, f := range all {
		for _, secret := range []string{"geheim", "fed:", "idp.example"} {
			if strings.Contains(f.Text, secret) {
				t.Errorf("a finding gives away %q: %s", secret, f.Text)
			}
		}
	}
	return all
}

// Who cannot be read is named once, and keeps nobody else from being checked.
func TestDamaged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "jithook.db")
	s, err := bolt.Open(path, bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	broken, other := person(), person()
	stray(&other)
	put(t, s, broken)
	put(t, s, other)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte("identities")).Put([]byte(broken.ID), []byte(`{"traits":{"geheim":`))
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	if s, err = bolt.Open(path, bolt.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	for name, c := range checkers(s) {
		t.Run(name, func(t *testing.T) {
			found := map[string]store.FindingCode{}
			all := check(t, c, false)
			for _, f := range all {
				found[f.IdentityID] = f.Code
			}
			if len(all) != 2 || found[broken.ID] != store.FindingDamaged || found[other.ID] != store.FindingKeyStray {
				t.Errorf("found %v", all)
			}
		})
	}
}

func TestFindings(t *testing.T) {
	for name, c := range map[string]struct {
		spoil  func(*identity.Identity)
		want   store.FindingCode
		mended bool
	}{
		"sound":      {spoil: func(*identity.Identity) {}},
		"link's key": {func(i *identity.Identity) { i.Keys = without(*i, fed(*i)) }, store.FindingKeyMissing, true},
		"id's key":   {func(i *identity.Identity) { i.Keys = without(*i, identity.ExtKey(i.ExternalIDs[0])) }, store.FindingKeyMissing, true},
		"stray key":  {stray, store.FindingKeyStray, true},
		"suspended":  {spoil: func(i *identity.Identity) { stray(i); i.State = identity.StateSuspended }},
		"its memory": {spoil: func(i *identity.Identity) { stray(i); i.State = identity.StateDeprovisioned }},
		"deleted": {spoil: func(i *identity.Identity) {
			i.State, i.Links, i.Keys = identity.StateDeleted, nil, nil // the external id is for its Kratos
			i.Arm("hr", now)
		}},
		"pending":      {spoil: func(i *identity.Identity) { i.State = identity.StatePending }},
		"pending, old": {func(i *identity.Identity) { i.State, i.CreatedAt = identity.StatePending, now.Add(-25*time.Hour) }, store.FindingPendingOld, false},
		"renewed": {spoil: func(i *identity.Identity) {
			i.State, i.CreatedAt, i.RenewedAt = identity.StatePending, now.Add(-25*time.Hour), now.Add(-time.Hour)
		}},
	} {
		for _, how := range []string{"with inspector", "without inspector"} {
			t.Run(name+", "+how, func(t *testing.T) {
				s := open(t)
				i := person()
				sound := slices.Clone(i.Keys)
				c.spoil(&i)
				if err := s.Insert(t.Context(), i, identity.Record{}); err != nil {
					t.Fatal(err)
				}
				checker := checkers(s)[how]
				want := []store.Finding{}
				if c.want != "" {
					want = append(want, store.Finding{Code: c.want, IdentityID: i.ID})
				}
				is := func(when string, got []store.Finding, mended bool) {
					t.Helper()
					for n := range got {
						got[n].Text = ""
					}
					for n := range want {
						want[n].Mended = mended
					}
					if diff := cmp.Diff(want, append([]store.Finding{}, got...)); diff != "" {
						t.Errorf("%s: %s", when, diff)
					}
				}
				is("looking", check(t, checker, false), false)
				if got, err := s.Get(t.Context(), i.ID); err != nil || got.Revision != 1 {
					t.Errorf("looking wrote: revision %d, %v", got.Revision, err)
				}
				is("mending", check(t, checker, true), c.mended)
				if c.mended {
					want = []store.Finding{}
					got, err := s.Get(t.Context(), i.ID)
					if err != nil || got.Revision != 2 || !slices.Equal(got.Keys, sound) || got.Traits["level"] != 3.0 {
						t.Errorf("mended: %v, %v, want the keys it should have and everything else as it was", got, err)
					}
				}
				is("afterwards", check(t, checker, true), false)
			})
		}
	}
}

// A link whose subject is another identity's: neither loses anything.
func TestTaken(t *testing.T) {
	for _, how := range []string{"with inspector", "without inspector"} {
		s := open(t)
		first, second := person(), person()
		second.Links = append(second.Links, first.Links[0])
		for _, i := range []identity.Identity{first, second} {
			if err := s.Insert(t.Context(), i, identity.Record{}); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			got := check(t, checkers(s)[how], true)
			if len(got) != 1 || got[0].Code != store.FindingKeyTaken || got[0].IdentityID != second.ID || got[0].Mended || !strings.Contains(got[0].Text, first.ID) {
				t.Errorf("%s: findings %v, want that the first has the second's key", how, got)
			}
		}
		if found, err := s.Find(t.Context(), fed(first)); err != nil || len(found) != 1 || found[0].ID != first.ID || found[0].Revision != 1 {
			t.Errorf("%s: Find = %v, %v, want the first as it was", how, found, err)
		}
	}
}

func TestPages(t *testing.T) {
	s := open(t)
	for range 450 {
		if err := s.Insert(t.Context(), person(), identity.Record{}); err != nil {
			t.Fatal(err)
		}
	}
	for how, c := range checkers(s) {
		var checked, total int64
		parts := 0
		for token := ""; ; parts++ {
			part, err := c.Page(t.Context(), token, false)
			if err != nil || len(part.Findings) > 0 {
				t.Fatalf("%s: %v, %v", how, part.Findings, err)
			}
			checked, total = checked+part.Checked, max(total, part.Total)
			if token = part.NextPageToken; token == "" {
				break
			}
		}
		if c.Counter != nil && checked != total || checked < 450 || parts < 2 {
			t.Errorf("%s: %d of %d checked in %d parts", how, checked, total, parts)
		}
		for _, token := range []string{"x", "i.x", "b.x", store.NewPageToken('i', "x")} {
			if _, err := c.Page(t.Context(), token, false); !errors.Is(err, store.ErrPageToken) {
				t.Errorf("%s: token %q: %v, want ErrPageToken", how, token, err)
			}
		}
	}
}

// Keys that move between identities while the store is checked are no finding,
// and no write of others is undone.
func TestWhileServing(t *testing.T) {
	s := open(t)
	var wandering = []identity.Key{identity.MailKey("default", "a"), identity.MailKey("default", "b")}
	people := make([]identity.Identity, 8)
	for n := range people {
		people[n] = person()
		if err := s.Insert(t.Context(), people[n], identity.Record{}); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for n := range people {
		all.Go(func() {
			i := people[n]
			for ctx.Err() == nil {
				next := i
				next.Revision++
				if base := person(); next.Revision%2 == 0 { // take a key and a link, or let go of them
					next.Keys = append(slices.Clone(i.Keys), wandering[n%2], fed(base))
					next.Links = append(slices.Clone(i.Links), base.Links...)
				} else {
					next.Keys, next.Links = people[n].Keys, people[n].Links
				}
				var taken *store.TakenError
				switch err := s.Swap(context.Background(), next, identity.Record{}); {
				case err == nil:
					i = next
				case !errors.As(err, &taken):
					t.Errorf("a swap in revision %d: %v", next.Revision, err)
					return
				}
			}
		})
	}
	for range 50 {
		for how, c := range checkers(s) {
			if found := check(t, c, true); len(found) > 0 {
				t.Errorf("%s: findings %v, want none", how, found)
			}
		}
	}
	cancel()
	all.Wait()
}
