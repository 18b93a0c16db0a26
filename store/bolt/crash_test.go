package bolt_test

// A process that is killed in the middle of its writes loses nothing that it
// acknowledged and leaves nothing half-written. (The kernel survives here: that
// the disk has it too rests on bbolt's fsync, which a killed process does not
// prove.)

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/store/bolt"
)

// writerPath names the file for the process that is to be killed.
const writerPath = "JITHOOK_TEST_BOLT_WRITER"

func TestMain(m *testing.M) {
	if path := os.Getenv(writerPath); path != "" {
		writeForever(path)
	}
	os.Exit(m.Run())
}

// writeForever writes with eight hands and prints "id revision" after each
// acknowledged write, "id gone" after each removal.
func writeForever(path string) {
	s, err := bolt.Open(path, bolt.Options{})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for range 7 {
		go writeOn(s)
	}
	writeOn(s)
}

func writeOn(s *bolt.Store) {
	ctx := context.Background()
	check := func(err error) {
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
	for n := 0; ; n++ {
		i := newIdentity(3)
		check(s.Insert(ctx, i, newRecord(i)))
		fmt.Println(i.ID, i.Revision)
		check(s.Renew(ctx, i.ID, i.Revision, i.RenewedAt, newRecord(i)))
		check(s.Record(ctx, []identity.Record{newRecord(i)}, []store.Touch{{ID: i.ID, At: time.Now()}}))
		for range 2 {
			i.Revision++
			i.Keys = append(i.Keys[1:], newIdentity(1).Keys...)
			i.State = identity.StateActive
			i.Arm("hr", time.Now())
			check(s.Swap(ctx, i, newRecord(i)))
			fmt.Println(i.ID, i.Revision)
			i.OutboxVersion++
			i.Outbox[0].Due = i.Outbox[0].Due.Add(time.Minute)
			check(s.SetOutbox(ctx, i))
		}
		if n%3 == 0 {
			check(s.Delete(ctx, i.ID, i.Revision, i.RenewedAt, identity.Record{}))
			fmt.Println(i.ID, "gone")
		}
	}
}

func TestKilledWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "jithook.db")
	last := map[string]string{} // id → the last that the process said of it
	for round := range 4 {
		killWriter(t, path, 300+100*round, last)
		s := open(t, path)
		for id, said := range last {
			wantAtLeast(t, s, id, said)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		wantConsistent(t, path)
	}
}

// killWriter starts a writer, kills it after n acknowledgements, and notes
// those and all that came until the end. Meanwhile the file is the writer's.
func killWriter(t *testing.T, path string, n int, last map[string]string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), writerPath+"="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	count := 0
	for lines.Scan() {
		id, said, ok := strings.Cut(lines.Text(), " ")
		if !ok || len(id) != 36 {
			t.Errorf("writer: %s", lines.Text())
		}
		last[id] = said
		if count++; count == 1 {
			if _, err := bolt.Open(path, bolt.Options{LockTimeout: 60 * time.Millisecond}); !errors.Is(err, bolt.ErrLocked) {
				t.Errorf("Open of another process's file: %v, want ErrLocked", err)
			}
		}
		if count == n {
			if err := cmd.Process.Kill(); err != nil {
				t.Error(err)
			}
		}
	}
	_ = cmd.Wait() // killed
	if count < n {
		t.Fatalf("the writer ended by itself after %d writes", count)
	}
}

func wantAtLeast(t *testing.T, s *bolt.Store, id, said string) {
	t.Helper()
	i, err := s.Get(t.Context(), id)
	switch {
	case said == "gone":
		if !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s was removed and is there again: %v", id, err)
		}
	case said == "3" && errors.Is(err, store.ErrNotFound):
		// The removal was written and its acknowledgement not.
	case err != nil:
		t.Errorf("%s was acknowledged in revision %s: %v", id, said, err)
	case fmt.Sprint(i.Revision) < said:
		t.Errorf("%s was acknowledged in revision %s and has %d", id, said, i.Revision)
	}
}

// wantConsistent compares documents, keys, indexes and records in the file.
func wantConsistent(t *testing.T, path string) {
	t.Helper()
	view(t, path, func(tx *bbolt.Tx) error {
		for err := range tx.Check() {
			t.Errorf("file: %v", err)
		}
		keys, terms, due := 0, 0, 0
		decisions := tx.Bucket([]byte("decisions"))
		err := tx.Bucket([]byte("identities")).ForEach(func(id, doc []byte) error {
			var i identity.Identity
			if err := json.Unmarshal(doc, &i); err != nil {
				return err
			}
			for _, k := range i.Keys {
				if by := tx.Bucket([]byte("keys")).Get([]byte(k)); !slices.Equal(by, id) {
					t.Errorf("%s lists a key that %q holds", id, by)
				}
			}
			keys, terms = keys+len(i.Keys), terms+3
			for _, d := range i.Outbox {
				if i.Released(d) {
					due++
				}
			}
			return nil
		})
		held := 0
		err = errors.Join(err, tx.Bucket([]byte("keys")).ForEach(func(_, row []byte) error {
			if !bytes.HasPrefix(row, []byte("~")) { // a pin
				held++
			}
			return nil
		}))
		if held != keys {
			t.Errorf("%d keys in the file, %d in the identities", held, keys)
		}
		if n := tx.Bucket([]byte("identities_by")).Stats().KeyN; n != terms {
			t.Errorf("%d index entries of identities, want %d", n, terms)
		}
		if n := tx.Bucket([]byte("due")).Stats().KeyN; n != due {
			t.Errorf("%d index entries of deliveries, want %d", n, due)
		}
		// A record of the writer has a decision, an identity and a flow.
		if n, want := tx.Bucket([]byte("decisions_by")).Stats().KeyN, 3*decisions.Stats().KeyN; n != want {
			t.Errorf("%d index entries of records, want %d", n, want)
		}
		return err
	})
}
