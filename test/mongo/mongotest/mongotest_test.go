//go:build unix

// These tests prove that the server is what its users believe: two of them do
// not know each other, an acknowledged write survives a kill, a client sees that
// it is down and finds it again at the same address, databases are dropped, and
// nothing of it is left behind.
package mongotest_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/jithook/jithook/test/mongo/mongotest"
	"github.com/jithook/jithook/test/peers"
)

var shared mongotest.Shared

func TestMain(m *testing.M) { os.Exit(shared.Run(m)) }

func insert(t *testing.T, c *mongo.Collection, id string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err := c.InsertOne(ctx, bson.D{{Key: "_id", Value: id}})
	return err
}

func count(t *testing.T, c *mongo.Collection) int64 {
	t.Helper()
	n, err := c.CountDocuments(t.Context(), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestDatabase: each test has a database of its own, gone afterwards.
func TestDatabase(t *testing.T) {
	s := shared.Server(t)
	client := s.Client(t)
	var names []string
	for range 2 {
		t.Run("test", func(t *testing.T) {
			name := s.Database(t)
			if slices.Contains(names, name) {
				t.Errorf("two tests got %s", name)
			}
			names = append(names, name)
			if err := insert(t, client.Database(name).Collection("c"), "a"); err != nil {
				t.Fatal(err)
			}
		})
	}
	left, err := client.ListDatabaseNames(t.Context(), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if slices.Contains(left, name) {
			t.Errorf("%s is still there", name)
		}
	}
	if again := shared.Server(t); again != s {
		t.Error("a second shared server")
	}
}

// TestUniqueMultikey: the guard that the store rests on holds here.
func TestUniqueMultikey(t *testing.T) {
	s := shared.Server(t)
	c := s.Client(t).Database(s.Database(t)).Collection("c")
	_, err := c.Indexes().CreateOne(t.Context(), mongo.IndexModel{Keys: bson.D{{Key: "keys", Value: 1}}, Options: options.Index().SetUnique(true)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.InsertOne(t.Context(), bson.D{{Key: "_id", Value: 1}, {Key: "keys", Value: bson.A{"a", "b"}}}); err != nil {
		t.Fatal(err)
	}
	_, err = c.InsertOne(t.Context(), bson.D{{Key: "_id", Value: 2}, {Key: "keys", Value: bson.A{"c", "b"}}})
	if !mongo.IsDuplicateKeyError(err) {
		t.Errorf("a second document with the key b: %v", err)
	}
}

// TestKillAndRestart needs a server of its own.
func TestKillAndRestart(t *testing.T) {
	s := mongotest.Start(t)
	c := s.Client(t).Database(s.Database(t)).Collection("c")
	for name, end := range map[string]func(testing.TB){"killed": s.Kill, "stopped": s.Stop} {
		before := count(t, c)
		if err := insert(t, c, name); err != nil {
			t.Fatal(err)
		}
		end(t)
		down, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		_, err := c.InsertOne(down, bson.D{{Key: "_id", Value: name + " while down"}})
		cancel()
		if err == nil {
			t.Errorf("a %s server took a write", name)
		}
		uri := s.URI
		s.Restart(t)
		if s.URI != uri {
			t.Errorf("%s, then at another address", name)
		}
		if got := count(t, c); got != before+1 {
			t.Errorf("after being %s it has %d documents, want %d", name, got, before+1)
		}
	}
}

// TestNothingIsLeft: no process and no file outlives the test.
func TestNothingIsLeft(t *testing.T) {
	if mongotest.Require(t).URI != "" {
		t.Skip("about the peer's processes and files")
	}
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	t.Run("test", func(t *testing.T) {
		s := mongotest.Start(t)
		if got := processesNaming(t, dir); len(got) != 3 { // PostgreSQL, FerretDB, the guard
			t.Errorf("processes %q: this test would see nothing", got)
		}
		if err := insert(t, s.Client(t).Database(s.Database(t)).Collection("c"), "a"); err != nil {
			t.Fatal(err)
		}
	})
	if got := processesNaming(t, dir); len(got) > 0 {
		t.Errorf("left behind: %q", got)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) > 0 {
		t.Errorf("left behind: %v, %v", files, err)
	}
}

const killedEnv = "MONGOTEST_KILLED"

// TestNothingIsLeftOfAKilledTest: a test binary that is killed runs no cleanup.
func TestNothingIsLeftOfAKilledTest(t *testing.T) {
	if mongotest.Require(t).URI != "" {
		t.Skip("about the peer's processes and files")
	}
	if os.Getenv(killedEnv) != "" {
		mongotest.Start(t)
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.CommandContext(t.Context(), self, "-test.run=^"+t.Name()+"$")
	child.Env = append(os.Environ(), killedEnv+"=1", "TMPDIR="+dir)
	if out, err := child.CombinedOutput(); err == nil || strings.Contains(string(out), "FAIL") {
		t.Fatalf("the child was not killed: %s", out)
	}
	until := time.Now().Add(20 * time.Second)
	for {
		files, err := filepath.Glob(filepath.Join(dir, "jithook-mongo-*"))
		running := processesNaming(t, dir)
		if err == nil && len(files) == 0 && len(running) == 0 {
			return
		}
		if time.Now().After(until) {
			t.Fatalf("left behind: %q, %q, %v", files, running, err)
		}
		time.Sleep(20 * time.Millisecond) // a poll with a deadline
	}
}

// processesNaming returns the command lines with this text.
func processesNaming(t *testing.T, text string) []string {
	t.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, file := range lines {
		line, err := os.ReadFile(file)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			continue // it has just ended
		}
		if strings.Contains(string(line), text) {
			found = append(found, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return found
}

// stand stands for a test that Require ends.
type stand struct {
	testing.TB
	skipped, failed bool
}

func (s *stand) Skipf(string, ...any)  { s.skipped = true; panic(s) }
func (s *stand) Fatalf(string, ...any) { s.failed = true; panic(s) }

// TestRequire: a missing peer is skipped, or fails where it is required; a named
// server takes its place.
func TestRequire(t *testing.T) {
	t.Setenv("JITHOOK_CACHE", t.TempDir())
	t.Setenv(mongotest.URIEnv, "")
	for require, fails := range map[string]bool{"": false, "kratos": false, "kratos,mongo": true} {
		t.Setenv(peers.RequireEnv, require)
		s := &stand{TB: t}
		func() {
			defer func() { _ = recover() }()
			mongotest.Require(s)
		}()
		if s.failed != fails || s.skipped == fails {
			t.Errorf("%q required: failed %v, skipped %v", require, s.failed, s.skipped)
		}
	}
	t.Setenv(mongotest.URIEnv, "mongodb://db.example/")
	if got := mongotest.Require(t); got != (mongotest.Peers{URI: "mongodb://db.example/"}) {
		t.Errorf("with a server named: %+v", got)
	}
}
