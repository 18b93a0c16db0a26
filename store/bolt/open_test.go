package bolt_test

// A file that is not ours, not whole or not understood is refused with a
// sentence that says what to do, and stays as it is.

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store/bolt"
)

func TestOpenMakesPrivateFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	open(t, filepath.Join(dir, "jithook.db"))
	for path, want := range map[string]fs.FileMode{dir: 0o700, filepath.Join(dir, "jithook.db"): 0o600} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", filepath.Base(path), got, want)
		}
	}
}

func TestOpenLocked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "jithook.db")
	s := open(t, path)
	start := time.Now()
	_, err := bolt.Open(path, bolt.Options{LockTimeout: 100 * time.Millisecond})
	if !errors.Is(err, bolt.ErrLocked) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "--admin") {
		t.Errorf("Open of a held file: %v, want ErrLocked, the path and what to do", err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("Open took %v to give up", took)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, path)
}

// raw changes the file behind the store's back.
func raw(t *testing.T, path string, change func(*bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Update(change), db.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestOpenRefuses(t *testing.T) {
	setSchema := func(v string) func(t *testing.T, path string) {
		return func(t *testing.T, path string) {
			raw(t, path, func(tx *bbolt.Tx) error { return tx.Bucket([]byte("meta")).Put([]byte("schema"), []byte(v)) })
		}
	}
	for name, c := range map[string]struct {
		spoil func(t *testing.T, path string) // what happens to a store with a few identities
		want  string
	}{
		"newer schema": {setSchema("3"), "newer jithook (schema 3, this one knows 2)"},
		"no schema":    {setSchema("x"), "damaged"},
		"text":         {write([]byte("listen: 127.0.0.1:4480\n")), "no store of jithook"},
		"large text":   {write(bytes.Repeat([]byte("listen: 127.0.0.1:4480\n"), 4096)), "no store of jithook"},
		"zeros":        {write(make([]byte, 64<<10)), "no store of jithook"},
		"another program's": {func(t *testing.T, path string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			raw(t, path, func(tx *bbolt.Tx) error { _, err := tx.CreateBucket([]byte("members")); return err })
		}, "another program"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "jithook.db")
			s := open(t, path)
			for range 30 {
				insert(t, s, newIdentity(3))
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			good := read(t, path)
			c.spoil(t, path)
			before := read(t, path)
			_, err := bolt.Open(path, bolt.Options{})
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("Open: %v, want the path and %q", err, c.want)
			}
			if !bytes.Equal(before, read(t, path)) {
				t.Error("Open changed the file that it refused")
			}
			// Open has let go of the file: the backup can be put in its place.
			write(good)(t, path)
			open(t, path)
		})
	}
}

// A file of before there was an outbox opens, reads as if nothing waits, and
// takes what does.
func TestOpenOlder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "jithook.db")
	s := open(t, path)
	i := newIdentity(1)
	i.State = identity.StateActive
	insert(t, s, i)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	raw(t, path, func(tx *bbolt.Tx) error {
		if doc := tx.Bucket([]byte("identities")).Get([]byte(i.ID)); bytes.Contains(doc, []byte("outbox")) {
			t.Errorf("the document of who has no outbox names it: %s", doc)
		}
		return errors.Join(tx.DeleteBucket([]byte("due")), tx.Bucket([]byte("meta")).Put([]byte("schema"), []byte("1")))
	})
	s = open(t, path)
	got, err := s.Get(t.Context(), i.ID)
	if err != nil || len(got.Outbox) != 0 || got.OutboxVersion != 0 {
		t.Errorf("Get = %+v, %v, want no outbox", got, err)
	}
	if found := inspect(t, s, false); len(found) != 0 {
		t.Errorf("findings %v, want none", found)
	}
	got.Arm("hr", time.Now())
	got.Revision++
	if err := s.Swap(t.Context(), got, newRecord(got)); err != nil {
		t.Fatal(err)
	}
	if due, err := s.Due(t.Context(), "hr", time.Now(), 1); err != nil || len(due) != 1 {
		t.Errorf("Due = %d identities, %v, want 1", len(due), err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wantConsistent(t, path)
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func write(content []byte) func(t *testing.T, path string) {
	return func(t *testing.T, path string) {
		t.Helper()
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// A copy that was cut off, wherever, and one with spoilt pages are refused;
// that memory beyond the end of the file is touched must not end the process.
func TestOpenRefusesDamagedPages(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "jithook.db")
	s := open(t, path)
	for range 100 {
		insert(t, s, newIdentity(3))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	var size int
	view(t, path, func(tx *bbolt.Tx) error { size = int(tx.Size()); return nil })
	content, page := read(t, path), os.Getpagesize()
	wantDamaged := func(name string, content []byte) {
		t.Helper()
		path := filepath.Join(dir, name)
		write(content)(t, path)
		if _, err := bolt.Open(path, bolt.Options{}); err == nil || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("Open: %v, want that it is damaged", err)
		}
	}
	for n := page; n < size; n += page {
		wantDamaged(fmt.Sprintf("cut at %d of %d", n, size), content[:n])
	}
	for n := 2 * page; n < len(content); n++ { // all but the two meta pages
		content[n] = 0xa5
	}
	wantDamaged("spoilt", content)
}

// view reads the file behind the store's back.
func view(t *testing.T, path string, look func(*bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.View(look), db.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestOpenSaysWhatTheSystemSays(t *testing.T) {
	dir := t.TempDir()
	if _, err := bolt.Open(dir, bolt.Options{}); err == nil || !strings.Contains(err.Error(), "is a directory") {
		t.Errorf("Open of a folder: %v", err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := bolt.Open(filepath.Join(file, "jithook.db"), bolt.Options{}); err == nil || !strings.Contains(err.Error(), "not a directory") {
		t.Errorf("Open below a file: %v", err)
	}
	open(t, file) // an empty file is a fresh one
}
