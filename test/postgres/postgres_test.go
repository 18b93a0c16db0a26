//go:build unix

// These tests prove that a server is alone on its socket, that two databases do
// not know each other, that nothing of it is left behind, not even by a test
// binary that was killed, and that a missing PostgreSQL skips a test or fails it.
package postgres_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jithook/jithook/test/peers"
	"github.com/jithook/jithook/test/postgres"
)

// settled are the settings without which a stranger could come in, or a test
// would wait for disks.
const settled = "select name, setting from pg_settings where name in ('listen_addresses', 'fsync') order by name"

func TestServer(t *testing.T) {
	var dir string
	var pid int
	t.Run("running", func(t *testing.T) {
		s := postgres.Start(t)
		one, other := s.Database(t), s.Database(t)
		s.Query(t, one, "create table t as select 1 as c")
		if got := s.Query(t, one, "select c, c + 1 from t"); got != "1|2" {
			t.Errorf("read %q", got)
		}
		if got := s.Query(t, other, "select count(*) from pg_tables where tablename = 't'"); got != "0" {
			t.Errorf("the other database has %s tables t", got)
		}
		if got, want := s.Query(t, one, settled), "fsync|off\nlisten_addresses|"; got != want {
			t.Errorf("settings %q, want %q", got, want)
		}
		if !strings.HasPrefix(s.About, "PostgreSQL ") {
			t.Errorf("it is %q", s.About)
		}
		dir, pid = where(t, s, one)
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("others can reach the socket: %v, %v", info, err)
		}
	})
	gone(t, dir, pid)
}

// where returns the server's folder and its process.
func where(t *testing.T, s *postgres.Server, uri string) (dir string, pid int) {
	t.Helper()
	data := s.Query(t, uri, "select setting from pg_settings where name = 'data_directory'")
	text, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	if pid, err = strconv.Atoi(line); err != nil {
		t.Fatal(err)
	}
	return filepath.Dir(data), pid
}

// gone waits until neither the folder nor the process is left.
func gone(t *testing.T, dir string, pid int) {
	t.Helper()
	for until := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) { // a poll with a deadline
		_, files := os.Stat(dir)
		if errors.Is(files, os.ErrNotExist) && !runs(pid) {
			return
		}
		if time.Now().After(until) {
			t.Fatalf("left behind: %s (%v), process %d (runs: %v)", dir, files, pid, runs(pid))
		}
	}
}

// runs reports whether a process has not ended. In a container whose first process
// reaps nobody, one that has stays a zombie.
func runs(pid int) bool {
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return false
	}
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)) // Linux only
	_, state, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(state, "Z")
}

const killedEnv = "POSTGRES_TEST_KILLED"

// TestKilledTestBinary: one that is killed runs no cleanup.
func TestKilledTestBinary(t *testing.T) {
	postgres.Require(t)
	if os.Getenv(killedEnv) != "" {
		s := postgres.Start(t)
		dir, pid := where(t, s, s.Database(t))
		fmt.Printf("left=%s %d\n", dir, pid)
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.CommandContext(t.Context(), self, "-test.run=^"+t.Name()+"$")
	child.Env = append(os.Environ(), killedEnv+"=1")
	out, err := child.CombinedOutput()
	left := regexp.MustCompile(`left=(\S+) (\d+)`).FindSubmatch(out)
	if err == nil || left == nil {
		t.Fatalf("the child was not killed: %s", out)
	}
	pid, err := strconv.Atoi(string(left[2]))
	if err != nil {
		t.Fatal(err)
	}
	gone(t, string(left[1]), pid)
}

// stand stands for a test that Require ends.
type stand struct {
	testing.TB
	skipped, failed string
}

func (s *stand) Skipf(format string, args ...any) {
	s.skipped = fmt.Sprintf(format, args...)
	panic(s)
}

func (s *stand) Fatalf(format string, args ...any) {
	s.failed = fmt.Sprintf(format, args...)
	panic(s)
}

// TestRequire: a folder without the programs skips a test, or fails it where
// PostgreSQL is required, and the reason says what to do; a named folder is used.
func TestRequire(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(postgres.BinEnv, dir)
	for require, fails := range map[string]bool{"": false, "kratos,mongo": false, "kratos,mongo,postgres": true} {
		t.Setenv(peers.RequireEnv, require)
		s := &stand{TB: t}
		func() {
			defer func() { _ = recover() }()
			postgres.Require(s)
		}()
		said, silent := s.skipped, s.failed
		if fails {
			said, silent = s.failed, s.skipped
		}
		if silent != "" || !strings.Contains(said, "postgresql-15") || !strings.Contains(said, dir) {
			t.Errorf("%q required: skipped %q, failed %q", require, s.skipped, s.failed)
		}
	}
	for _, program := range []string{"initdb", "pg_ctl", "postgres", "psql"} {
		if err := os.WriteFile(filepath.Join(dir, program), nil, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if got := postgres.Require(t); got != dir {
		t.Errorf("took %s, %s is named", got, dir)
	}
}
