package bolt_test

// A process may end anywhere in a commit: of what it writes to the file, a first
// part is there. Whichever part it is, the file holds what was there before, to
// the byte, or with the commit's last page all of what is new; and whoever does
// the same once more ends there, too.

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/store/bolt"
)

// written is one operation on an identity, and whether it is there before. The
// same call twice is the same operation.
type written struct {
	fresh bool
	call  func(context.Context, *bolt.Store, identity.Identity, identity.Record) error
}

var operations = map[string]written{
	"Insert": {true, func(ctx context.Context, s *bolt.Store, i identity.Identity, r identity.Record) error {
		return s.Insert(ctx, i, r)
	}},
	"Swap": {false, func(ctx context.Context, s *bolt.Store, i identity.Identity, r identity.Record) error {
		i.Revision, i.State, i.Keys = 2, identity.StateActive, i.Keys[1:]
		i.Traits = map[string]any{"name": "Ann Other"}
		return s.Swap(ctx, i, r)
	}},
	"Renew": {false, func(ctx context.Context, s *bolt.Store, i identity.Identity, r identity.Record) error {
		return s.Renew(ctx, i.ID, i.Revision, i.CreatedAt.Add(time.Hour), r)
	}},
	"SetOutbox": {false, func(ctx context.Context, s *bolt.Store, i identity.Identity, _ identity.Record) error {
		i.OutboxVersion++
		i.Arm("hr", i.CreatedAt)
		return s.SetOutbox(ctx, i)
	}},
	"Delete": {false, func(ctx context.Context, s *bolt.Store, i identity.Identity, r identity.Record) error {
		return s.Delete(ctx, i.ID, i.Revision, i.RenewedAt, r)
	}},
	"Record": {false, func(ctx context.Context, s *bolt.Store, i identity.Identity, r identity.Record) error {
		return s.Record(ctx, []identity.Record{r}, []store.Touch{{ID: i.ID, At: i.CreatedAt.Add(time.Hour)}})
	}},
	"Pin": {true, func(ctx context.Context, s *bolt.Store, i identity.Identity, _ identity.Record) error {
		return s.Pin(ctx, i.Keys[0], "employees")
	}},
	"DropDecisions": {false, func(ctx context.Context, s *bolt.Store, i identity.Identity, _ identity.Record) error {
		_, err := s.DropDecisions(ctx, i.CreatedAt.Add(time.Hour), 100)
		return err
	}},
}

func TestEndInACommit(t *testing.T) {
	for name, op := range operations {
		t.Run(name, func(t *testing.T) {
			i := newIdentity(3)
			r := newRecord(i)
			path := filepath.Join(t.TempDir(), "jithook.db")
			run := func(path string, do func(*bolt.Store) error) ([]byte, map[string]string, error) {
				s := open(t, path)
				err := do(s)
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				file, readErr := os.ReadFile(path)
				if readErr != nil {
					t.Fatal(readErr)
				}
				return file, content(t, path), err
			}
			before, old, _ := run(path, func(s *bolt.Store) error {
				insert(t, s, newIdentity(2))
				if !op.fresh {
					insert(t, s, i)
				}
				return nil
			})
			call := func(s *bolt.Store) error { return op.call(t.Context(), s, i, r) }
			after, fresh, err := run(path, call)
			if err != nil || maps.Equal(old, fresh) {
				t.Fatalf("error = %v, changed something: %t", err, !maps.Equal(old, fresh))
			}
			for _, step := range partly(t, before, after) {
				path := filepath.Join(t.TempDir(), "jithook.db")
				if err := os.WriteFile(path, step.file, 0o600); err != nil {
					t.Fatal(err)
				}
				want := old
				if step.done {
					want = fresh
				}
				if got := content(t, path); !maps.Equal(got, want) {
					t.Errorf("%s: %d entries, want the %d of before (%d) or, with all of it, after (%d)", step.name, len(got), len(want), len(old), len(fresh))
				}
				_, got, err := run(path, func(s *bolt.Store) error {
					if found := inspect(t, s, false); len(found) > 0 {
						t.Errorf("%s: %+v", step.name, found)
					}
					return call(s)
				})
				if err != nil && !(step.done && errors.Is(err, store.ErrConflict)) {
					t.Errorf("%s: once more: %v", step.name, err)
				}
				if !maps.Equal(got, fresh) {
					t.Errorf("%s: once more: %d entries, want the %d of after", step.name, len(got), len(fresh))
				}
			}
		})
	}
}

// moment is a file as it is when a process ends in a commit.
type moment struct {
	name string
	file []byte
	done bool
}

// partly returns the file at every step of the one commit between before and
// after: bbolt lets the file grow, writes the pages in their order, syncs, and
// writes one of the two meta pages, which makes them valid. A page that was being
// written may be there in part.
func partly(t *testing.T, before, after []byte) []moment {
	t.Helper()
	size := os.Getpagesize()
	var pages, metas []int
	grown := append(slices.Clone(before), make([]byte, len(after)-len(before))...)
	for p := range len(after) / size {
		switch {
		case slices.Equal(grown[p*size:(p+1)*size], after[p*size:(p+1)*size]):
		case p < 2:
			metas = append(metas, p)
		default:
			pages = append(pages, p)
		}
	}
	if len(metas) != 1 || len(pages) == 0 {
		t.Fatalf("%d meta pages and %d others changed, want one commit", len(metas), len(pages))
	}
	moments := []moment{{"before the commit", before, false}, {"the file has grown", grown, false}}
	file := grown
	for n, p := range append(pages, metas...) {
		name := fmt.Sprintf("page %d of %d", n+1, len(pages))
		cut := size / 2
		if p < 2 {
			name, cut = "meta page", 48 // in the middle of what a meta page holds
		}
		torn := slices.Clone(file)
		copy(torn[p*size:], after[p*size:p*size+cut])
		file = slices.Clone(file)
		copy(file[p*size:], after[p*size:(p+1)*size])
		moments = append(moments, moment{"in the " + name, torn, false}, moment{"after the " + name, file, p < 2})
	}
	return moments
}

// content returns every entry of every bucket of a file that is sound.
func content(t *testing.T, path string) map[string]string {
	t.Helper()
	entries := map[string]string{}
	view(t, path, func(tx *bbolt.Tx) error {
		for err := range tx.Check() {
			t.Errorf("file: %v", err)
		}
		return tx.ForEach(func(bucket []byte, b *bbolt.Bucket) error {
			return b.ForEach(func(k, v []byte) error {
				entries[string(bucket)+"\x00"+string(k)] = string(v)
				return nil
			})
		})
	})
	return entries
}

// A new file is made in two steps: bbolt writes four pages at once, then comes
// the first commit. What is shorter than the four pages may as well be the rest of
// a store that was cut off: to begin anew there would make everybody anew.
func TestEndInCreation(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "jithook.db")
	db, err := bbolt.Open(path, 0o600, nil)
	if err == nil {
		err = db.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	pages, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := open(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	made, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := content(t, path)

	moments := append(partly(t, pages, made), moment{name: "an empty file"})
	for _, m := range moments {
		path := filepath.Join(t.TempDir(), "jithook.db")
		if err := os.WriteFile(path, m.file, 0o600); err != nil {
			t.Fatal(err)
		}
		s := open(t, path)
		insert(t, s, newIdentity(1))
		if found := inspect(t, s, false); len(found) > 0 {
			t.Errorf("%s: %+v", m.name, found)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		got := content(t, path)
		for entry, value := range want {
			if got[entry] != value {
				t.Errorf("%s: an entry of a new file is not there", m.name)
			}
		}
	}
	for n := os.Getpagesize() / 2; n < len(pages); n += os.Getpagesize() / 2 {
		path := filepath.Join(t.TempDir(), "jithook.db")
		if err := os.WriteFile(path, pages[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := bolt.Open(path, bolt.Options{})
		if err == nil {
			s.Close()
			t.Errorf("%d bytes of a file: opened", n)
		}
		if left, err := os.ReadFile(path); err != nil || !slices.Equal(left, pages[:n]) {
			t.Errorf("%d bytes of a file: changed, or %v", n, err)
		}
	}
}
