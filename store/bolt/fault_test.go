package bolt_test

// When the file is spoilt or the time runs out, the error is ErrUnavailable,
// says what it can, and gives no key and no value away; one failing write
// spoils no other.

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/store/bolt"
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
	s := open(t, filepath.Join(t.TempDir(), "jithook.db"))
	kept := newIdentity(1)
	insert(t, s, kept)
	for name, v := range map[string]any{
		"not a number": math.NaN(), "infinity": []any{math.Inf(1)}, "bytes": []byte("geheim"), "a plain int": 1,
		"invalid UTF-8": map[string]any{"a": "geheim\xff"}, "an invalid name": map[string]any{"geheim\xff": "a"}, "a list of strings": []string{"geheim"},
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
	wantFailure(t, s.Insert(t.Context(), i, newRecord(i)), "JSON")
	i = newIdentity(1)
	i.ID = ""
	wantFailure(t, s.Insert(t.Context(), i, newRecord(i)), "insert identity")
	i = newIdentity(1)
	i.Keys = []identity.Key{identity.Key("fed:" + strings.Repeat("geheim", 10000))}
	wantFailure(t, s.Insert(t.Context(), i, newRecord(i)), "insert identity", "geheim")
	if _, err := s.Get(t.Context(), i.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Get after a failed Insert: %v, want ErrNotFound", err)
	}
}

// Writes that cannot succeed come at the same time as good ones.
func TestFailureSpoilsNoOtherWrite(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "jithook.db"))
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			bad := newIdentity(1)
			bad.Keys = append(bad.Keys, identity.Key(strings.Repeat("k", 1<<16)))
			if err := s.Insert(context.Background(), bad, newRecord(bad)); !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("Insert of a key that is too long: %v, want ErrUnavailable", err)
			}
			if found, err := s.Find(context.Background(), bad.Keys[0]); err != nil || len(found) != 0 {
				t.Errorf("Find after a failed Insert = %d identities, %v", len(found), err)
			}
		})
		all.Go(func() {
			good := newIdentity(1)
			if err := s.Insert(context.Background(), good, newRecord(good)); err != nil {
				t.Errorf("Insert beside a failing one: %v", err)
			}
			if found, err := s.Find(context.Background(), good.Keys...); err != nil || len(found) != 1 {
				t.Errorf("Find beside a failing Insert = %d identities, %v", len(found), err)
			}
		})
	}
	all.Wait()
}

func TestDamagedDocuments(t *testing.T) {
	path := filepath.Join(t.TempDir(), "jithook.db")
	s := open(t, path)
	dangling, broken, swapped := newIdentity(1), newIdentity(1), newIdentity(1)
	for _, i := range []identity.Identity{dangling, broken, swapped} {
		insert(t, s, i)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	raw(t, path, func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte("identities"))
		return errors.Join(b.Delete([]byte(dangling.ID)), b.Put([]byte(broken.ID), []byte(`{"traits":{"geheim":`)),
			b.Put([]byte(swapped.ID), []byte(`{"id":"geheim"}`)))
	})
	s = open(t, path)
	for name, i := range map[string]identity.Identity{"dangling": dangling, "broken": broken, "swapped": swapped} {
		// "Nobody" would be the wrong answer: the person would be made again.
		_, err := s.Find(t.Context(), i.Keys...)
		wantFailure(t, err, "damaged", "geheim", string(i.Keys[0]))
		if name != "dangling" {
			i.Revision = 2
			wantFailure(t, s.Swap(t.Context(), i, newRecord(i)), i.ID, "geheim")
		}
	}
	_, err := s.List(t.Context(), store.Query{})
	wantFailure(t, err, "damaged", "geheim")
	_, err = s.List(t.Context(), store.Query{State: identity.StatePending})
	wantFailure(t, err, "damaged", "geheim")
	other := newIdentity(1)
	insert(t, s, other) // the others go on
	page, err := s.List(t.Context(), store.Query{Damaged: true})
	if err != nil || !slices.Contains(page.Damaged, broken.ID) || !slices.ContainsFunc(page.Identities, func(i identity.Identity) bool { return i.ID == other.ID }) {
		t.Errorf("List: damaged %v of %d others, %v, want %s", page.Damaged, len(page.Identities), err, broken.ID)
	}
}

// When the time runs out during the commit, the caller learns that the outcome
// is open, and the next look-up shows all of the write or nothing.
func TestDeadlineDuringCommit(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "jithook.db"))
	stop := keepBusy(s)
	defer stop()
	var unclear, refused, written int
	for n := 0; n < 5000 && (unclear == 0 || refused == 0); n++ {
		i := newIdentity(2)
		r := newRecord(i)
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(n%40)*50*time.Microsecond)
		given := i.Clone()
		err := s.Insert(ctx, given, r)
		given.Keys[0] = "spoilt" // the caller's again, even if the write goes on
		cancel()
		if err == nil {
			written++
			continue
		}
		wantFailure(t, err, "insert identity")
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error = %v, want the context's", err)
		}
		if !strings.Contains(err.Error(), "may still succeed") {
			refused++
			if found, err := s.Find(t.Context(), i.Keys[0]); err != nil || len(found) != 0 {
				t.Errorf("Find after an Insert that was not begun = %d identities, %v", len(found), err)
			}
			continue
		}
		unclear++
		// A write of one's own waits for the commit before it.
		insert(t, s, newIdentity(1))
		wantWhole(t, s, i, r)
	}
	if unclear == 0 || refused == 0 {
		t.Errorf("of the calls that ran out of time %d were unclear and %d refused (%d written), want some of both", unclear, refused, written)
	}
}

// A call whose time runs out while another's commit is under way returns at
// once, and has written nothing.
func TestDeadlineWhileQueued(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "jithook.db"))
	records := make([]identity.Record, 6000) // a write that takes its time
	for k := range records {
		records[k] = newRecord(newIdentity(0))
	}
	long := make(chan error, 1)
	go func() { long <- s.Record(context.Background(), records, nil) }()
	refused := 0
	for len(long) == 0 {
		i := newIdentity(1)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		err := s.Insert(ctx, i, newRecord(i))
		cancel()
		if len(long) > 0 || err == nil || strings.Contains(err.Error(), "may still succeed") {
			continue
		}
		refused++
		wantFailure(t, err, "deadline")
		defer func() {
			if _, err := s.Get(t.Context(), i.ID); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("Get after a refused Insert: %v, want ErrNotFound", err)
			}
		}()
	}
	if err := <-long; err != nil {
		t.Error(err)
	}
	if refused == 0 {
		t.Error("no call returned before the long write was done")
	}
}

// Whoever asks how much there is and does not wait for the answer gets none, and
// shares nothing with who still counts (the race detector tells).
func TestCountOutOfTime(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "jithook.db"))
	for range 50 {
		insert(t, s, newIdentity(1))
	}
	for range 200 {
		ctx, cancel := context.WithCancel(t.Context())
		go cancel()
		if n, err := s.Count(ctx); err != nil && n != (store.Count{}) {
			t.Errorf("%+v, %v", n, err)
		}
	}
}

// A caller who has gone is no failure of the store; one whose time ran out may be.
func TestFailuresThatAreTold(t *testing.T) {
	var told []string
	s, err := bolt.Open(filepath.Join(t.TempDir(), "jithook.db"), bolt.Options{Failed: func(op string) { told = append(told, op) }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	for _, ctx := range []context.Context{gone, late} {
		if _, err := s.Get(ctx, "i"); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("Get: %v", err)
		}
		if err := s.Insert(ctx, newIdentity(1), identity.Record{}); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("Insert: %v", err)
		}
	}
	if want := []string{"get identity", "insert identity"}; !slices.Equal(told, want) {
		t.Errorf("told of %q, want those whose time ran out: %q", told, want)
	}
}

// wantWhole checks that of an insert either everything is there or nothing.
func wantWhole(t *testing.T, s *bolt.Store, i identity.Identity, r identity.Record) {
	t.Helper()
	_, err := s.Get(t.Context(), i.ID)
	there := err == nil
	_, err = s.Decision(t.Context(), r.ID)
	if (err == nil) != there {
		t.Errorf("identity there: %t, record: %v", there, err)
	}
	for _, key := range i.Keys {
		found, err := s.Find(t.Context(), key)
		if err != nil || (len(found) == 1) != there {
			t.Errorf("identity there: %t, by its key: %d, %v", there, len(found), err)
		}
	}
}

// keepBusy keeps the writer at commits until the returned function is called.
func keepBusy(s *bolt.Store) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for ctx.Err() == nil {
				i := newIdentity(1)
				_ = s.Insert(ctx, i, newRecord(i)) // ends with ctx
			}
		})
	}
	return func() { cancel(); all.Wait() }
}
