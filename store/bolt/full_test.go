//go:build unix

package bolt_test

// A full disk: every write of the commit that failed is refused, none is
// half-there, and once there is room again the store goes on by itself.

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

// limitFiles lets no file of this process grow beyond size until the returned
// function is called.
func limitFiles(t *testing.T, size int64) (lift func()) {
	t.Helper()
	signal.Ignore(syscall.SIGXFSZ) // the write then fails with EFBIG
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	limit := before
	limit.Cur = uint64(size)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	return sync.OnceFunc(func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
			t.Error(err)
		}
		signal.Reset(syscall.SIGXFSZ)
	})
}

// TestFullDisk runs in a process of its own: the limit holds for every file of
// the process, the test runner's log included.
func TestFullDisk(t *testing.T) {
	const alone = "JITHOOK_TEST_FULL_DISK"
	if os.Getenv(alone) == "" {
		child := exec.Command(os.Args[0], "-test.run=^TestFullDisk$", "-test.v")
		child.Env = append(os.Environ(), alone+"=1")
		if out, err := child.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("--- PASS: TestFullDisk")) {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	path := filepath.Join(t.TempDir(), "jithook.db")
	s := open(t, path)
	insert(t, s, newIdentity(1))
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	lift := limitFiles(t, info.Size())
	defer lift()

	var mu sync.Mutex
	written, refused := map[string]identity.Record{}, map[string]identity.Record{}
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			for range 20 {
				i := newIdentity(3)
				r := newRecord(i)
				err := s.Insert(context.Background(), i, r)
				mu.Lock()
				if err == nil {
					written[i.ID] = r
				} else {
					refused[i.ID] = r
					wantFailure(t, err, "cannot be written", i.ID)
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if len(written) == 0 || len(refused) == 0 {
		t.Fatalf("%d writes succeeded and %d were refused, want some of both", len(written), len(refused))
	}
	lift()
	insert(t, s, newIdentity(3))
	for id, r := range written {
		if _, err := s.Get(t.Context(), id); err != nil {
			t.Errorf("acknowledged before the disk was full: %v", err)
		}
		if _, err := s.Decision(t.Context(), r.ID); err != nil {
			t.Errorf("record of an acknowledged write: %v", err)
		}
	}
	for id, r := range refused {
		if _, err := s.Get(t.Context(), id); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("Get of a refused identity: %v, want ErrNotFound", err)
		}
		if _, err := s.Decision(t.Context(), r.ID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("record of a refused write: %v, want ErrNotFound", err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wantConsistent(t, path)
}
