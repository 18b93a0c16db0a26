package bolt_test

// The file keeps the contract, survives being reopened, and refuses to be
// opened where that would do harm.

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/store/bolt"
	"github.com/jithook/jithook/store/storetest"
)

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store {
		return open(t, filepath.Join(t.TempDir(), "jithook.db"))
	})
}

// open opens the file and closes it at the end of t.
func open(t testing.TB, path string) *bolt.Store {
	t.Helper()
	s, err := bolt.Open(path, bolt.Options{})
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

func insert(t testing.TB, s *bolt.Store, i identity.Identity) {
	t.Helper()
	if err := s.Insert(context.Background(), i, newRecord(i)); err != nil {
		t.Fatal(err)
	}
}

func TestReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "jithook.db")
	s := open(t, path)
	i := newIdentity(2)
	r := newRecord(i)
	if err := s.Insert(t.Context(), i, r); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path)
	found, err := s.Find(t.Context(), i.Keys...)
	if err != nil || len(found) != 1 || found[0].ID != i.ID {
		t.Errorf("Find after reopening = %v, %v, want the identity", found, err)
	}
	page, err := s.List(t.Context(), store.Query{State: identity.StatePending})
	if err != nil || len(page.Identities) != 1 {
		t.Errorf("List after reopening = %d identities, %v, want 1", len(page.Identities), err)
	}
	if _, err := s.Decision(t.Context(), r.ID); err != nil {
		t.Errorf("Decision after reopening: %v", err)
	}
	taker := newIdentity(0)
	taker.Keys = i.Keys[:1]
	var taken *store.TakenError
	if err := s.Insert(t.Context(), taker, newRecord(taker)); !errors.As(err, &taken) {
		t.Errorf("Insert of a held key after reopening: %v, want a TakenError", err)
	}
}

// Calls under way finish, and what they acknowledged is there; later calls
// fail and say why.
func TestClose(t *testing.T) {
	path := filepath.Join(t.TempDir(), "jithook.db")
	s := open(t, path)
	var mu sync.Mutex
	var acknowledged []string
	var all sync.WaitGroup
	started := make(chan struct{}, 1000)
	for range 16 {
		all.Go(func() {
			for {
				i := newIdentity(1)
				err := s.Insert(context.Background(), i, newRecord(i))
				if err != nil {
					if !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "closed") {
						t.Errorf("Insert after Close: %v, want ErrUnavailable and why", err)
					}
					return
				}
				mu.Lock()
				acknowledged = append(acknowledged, i.ID)
				mu.Unlock()
				select {
				case started <- struct{}{}:
				default:
				}
			}
		})
	}
	<-started
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	all.Wait()
	if err := s.Ping(t.Context()); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Ping after Close: %v, want ErrUnavailable", err)
	}
	s = open(t, path)
	for _, id := range acknowledged {
		if _, err := s.Get(t.Context(), id); err != nil {
			t.Errorf("acknowledged before Close: %v", err)
		}
	}
}

// A filter that almost nothing passes must not read the whole file for one
// page: the page is short, its token goes on, and nothing is missed.
func TestScanIsBounded(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "jithook.db"))
	var records []identity.Record
	who := newIdentity(0)
	for k := range 2500 {
		r := newRecord(who)
		if k == 0 {
			r.Decision = identity.Denied
		}
		records = append(records, r)
	}
	if err := s.Record(t.Context(), records, nil); err != nil {
		t.Fatal(err)
	}
	q := store.DecisionQuery{IdentityID: who.ID, Decision: identity.Denied}
	var found, pages int
	for {
		page, err := s.Decisions(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		found, pages = found+len(page.Records), pages+1
		if q.PageToken = page.NextPageToken; q.PageToken == "" {
			break
		}
	}
	if found != 1 || pages != 3 {
		t.Errorf("%d records on %d pages, want 1 on 3", found, pages)
	}
}

// Removing many records takes several transactions, and counts as one.
func TestDropManyDecisions(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "jithook.db"))
	var records []identity.Record
	for range 1300 {
		records = append(records, newRecord(newIdentity(0)))
	}
	if err := s.Record(t.Context(), records, nil); err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{1200, 100, 0} {
		n, err := s.DropDecisions(t.Context(), time.Now().Add(time.Hour), 1200)
		if err != nil || n != want {
			t.Errorf("DropDecisions = %d, %v, want %d", n, err, want)
		}
	}
}

// A token with one letter changed is not ours, whatever id it would name.
func TestPageTokenChecksum(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "jithook.db"))
	for range 2 {
		insert(t, s, newIdentity(1))
	}
	page, err := s.List(t.Context(), store.Query{PageSize: 1})
	if err != nil || page.NextPageToken == "" {
		t.Fatalf("List = token %q, %v", page.NextPageToken, err)
	}
	for k := range page.NextPageToken {
		token := []byte(page.NextPageToken)
		token[k]++
		if _, err := s.List(t.Context(), store.Query{PageToken: string(token)}); !errors.Is(err, store.ErrPageToken) {
			t.Errorf("List with letter %d changed: %v, want ErrPageToken", k, err)
		}
	}
}

func FuzzPageToken(f *testing.F) {
	s := open(f, filepath.Join(f.TempDir(), "jithook.db"))
	for range 3 {
		insert(f, s, newIdentity(1))
	}
	page, err := s.List(context.Background(), store.Query{PageSize: 1})
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{"", page.NextPageToken, "aQ", "nonsense", "\x00", strings.Repeat("A", 1<<16)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		page, err := s.List(context.Background(), store.Query{PageToken: token})
		if err != nil && !errors.Is(err, store.ErrPageToken) {
			t.Errorf("List: %v", err)
		}
		if len(page.Identities) > 3 {
			t.Errorf("%d identities, there are 3", len(page.Identities))
		}
	})
}
