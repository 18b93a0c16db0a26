//go:build unix

// Package postgres runs a PostgreSQL server for tests, from the machine's own
// packages. It owns the cluster, which it makes anew in a folder of its own, and
// the server's end; it must not know what is kept there. A server that runs on
// the machine already is never touched.
package postgres

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jithook/jithook/test/process"
)

// startLimit bounds making the cluster and starting it, callLimit one statement.
const (
	startLimit = 60 * time.Second
	callLimit  = 20 * time.Second
)

// settings are added to initdb's postgresql.conf; %s is the socket's folder.
const settings = `
# No TCP port: nobody else on the machine comes in.
listen_addresses = ''
unix_socket_directories = '%s'
# The cluster ends with the test, so nothing has to outlive a crash.
fsync = off
synchronous_commit = off
full_page_writes = off
# A test's statements hold what a real one's would: keep values out of the log.
log_min_error_statement = panic
log_error_verbosity = terse
`

// end stops the server of the folder $1, if it runs, and removes the folder. QUIT
// is PostgreSQL's immediate shutdown: it waits for no client and, unlike a kill,
// takes its shared memory along. The file goes last, when nothing writes any more.
const end = `
file="$1/data/postmaster.pid"
if [ -e "$file" ]; then
	pid=$(head -n 1 "$file")
	kill -s QUIT "$pid"
	n=0
	while [ -e "$file" ] && [ $n -lt 100 ] && kill -s 0 "$pid"; do sleep 0.1; n=$((n + 1)); done
	[ ! -e "$file" ] || kill -s KILL "$pid"
fi
rm -rf "$1"`

// Server is a running server.
type Server struct {
	// About is the server's own word on its version.
	About string

	bin, dir string
	as       *syscall.Credential // nil stands for the user of the test
}

// Start starts a server that ends with the test, or with the test binary if that
// is killed. Without PostgreSQL it skips or fails the test, as Require does.
func Start(t testing.TB) *Server {
	t.Helper()
	s := &Server{bin: Require(t)}
	// Not a test's own folder: its name would be too long for a socket, and
	// only the test's user may enter it.
	var err error
	if s.dir, err = os.MkdirTemp("", "jithook-postgres-"); err != nil {
		t.Fatalf("folder for PostgreSQL: %v", err)
	}
	guard, err := process.NewGuard(end, s.dir)
	t.Cleanup(func() {
		guard.End()
		if t.Failed() {
			t.Logf("end of the log of PostgreSQL:\n%s", process.Tail(s.dir, "postgres"))
		}
		if out, err := exec.Command("sh", "-c", end, "end", s.dir).CombinedOutput(); err != nil {
			t.Errorf("end PostgreSQL: %v: %s", err, out)
		}
	})
	if err != nil {
		t.Fatalf("guard of PostgreSQL: %v", err)
	}
	if err := s.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.About = s.Query(t, s.uri("postgres"), "select version()")
	t.Logf("this test runs on %s", s.About)
	return s
}

// start makes the cluster and returns when the server answers.
func (s *Server) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	if err := s.stepDown(); err != nil {
		return err
	}
	data := filepath.Join(s.dir, "data")
	// Whoever reaches the socket is let in: that is who may enter the folder.
	err := s.run(ctx, "initdb", "--pgdata="+data, "--username=postgres", "--auth=trust",
		"--encoding=UTF8", "--no-locale", "--no-sync")
	if err != nil {
		return err
	}
	file, err := os.OpenFile(filepath.Join(data, "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("configure PostgreSQL: %w", err)
	}
	_, err = fmt.Fprintf(file, settings, s.dir)
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("configure PostgreSQL: %w", err)
	}
	return s.run(ctx, "pg_ctl", "start", "--pgdata="+data, "--wait", "--silent",
		"--timeout="+strconv.Itoa(int(startLimit.Seconds())), "--log="+filepath.Join(s.dir, "postgres.log"))
}

// stepDown gives the folder to the user that root's packages made for the server:
// PostgreSQL refuses to run as root.
func (s *Server) stepDown() error {
	if os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return fmt.Errorf("PostgreSQL does not run as root: add a user postgres, as its packages do, or run the test as another user: %w", err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return fmt.Errorf("user postgres: %w", err)
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return fmt.Errorf("user postgres: %w", err)
	}
	s.as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	if err := os.Chown(s.dir, int(uid), int(gid)); err != nil {
		return fmt.Errorf("folder for PostgreSQL: %w", err)
	}
	return nil
}

// run runs one of PostgreSQL's programs as the server's user.
func (s *Server) run(ctx context.Context, program string, args ...string) error {
	cmd := s.command(ctx, program, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.as}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", program, err, bytes.TrimSpace(out))
	}
	return nil
}

// command is one of PostgreSQL's programs. Its environment is empty because they
// take settings from there.
func (s *Server) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, program), args...)
	cmd.Dir = s.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "LC_ALL=C"}
	return cmd
}

// Database makes an empty database that no other test has, and returns its URI.
// There is no password in it. It ends with the server.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	name := "jithook_test_" + strings.ToLower(rand.Text())
	s.Query(t, s.uri("postgres"), "create database "+name)
	return s.uri(name)
}

// Query runs one statement and returns what psql prints of its result: a row a
// line, the columns separated by |.
func (s *Server) Query(t testing.TB, uri, statement string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), callLimit)
	defer cancel()
	cmd := s.command(ctx, "psql", "--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--command="+statement, uri)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("psql: %v: %s", err, bytes.TrimSpace(stderr.Bytes()))
	}
	return strings.TrimSpace(string(out))
}

func (s *Server) uri(database string) string {
	u := url.URL{Scheme: "postgres", User: url.User("postgres"), Path: "/" + database, RawQuery: url.Values{"host": {s.dir}}.Encode()}
	return u.String()
}
