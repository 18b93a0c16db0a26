//go:build unix

package crash_test

// The process that dies: this test binary, started again. It opens the store, says
// so, waits for its word, runs one operation and says how it went.

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/jithook/jithook/store/mongo"
	"github.com/jithook/jithook/test/process"
)

// What the process is told.
const (
	uriEnv       = "JITHOOK_TEST_CRASH_URI"
	databaseEnv  = "JITHOOK_TEST_CRASH_DATABASE"
	operationEnv = "JITHOOK_TEST_CRASH_OPERATION" // empty: to open the store is all
	subjectEnv   = "JITHOOK_TEST_CRASH_SUBJECT"
)

// What both say to each other, a line each.
const (
	ready = "ready"
	goOn  = "go on"
	done  = "done"
)

// limit bounds every wait of these tests, and the process's life.
const limit = 30 * time.Second

func TestMain(m *testing.M) {
	if os.Getenv(uriEnv) == "" {
		os.Exit(peer.Run(m))
	}
	if err := live(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// live is the process's life, if nobody ends it.
func live() error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	s, err := mongo.Open(ctx, mongo.Options{URI: os.Getenv(uriEnv), Database: os.Getenv(databaseEnv)})
	if err != nil {
		return err
	}
	defer s.Close()
	in := bufio.NewReader(os.Stdin)
	if name := os.Getenv(operationEnv); name != "" {
		h, err := newHouse(s)
		if err != nil {
			return err
		}
		if err := s.Ping(ctx); err != nil {
			return err
		}
		fmt.Println(ready)
		if _, err := in.ReadString('\n'); err != nil {
			return err
		}
		if _, err := operations[name].run(ctx, h, os.Getenv(subjectEnv)); err != nil {
			return err
		}
		fmt.Println(done)
	}
	// What runs in the background has its time until the test lets go.
	_, err = io.Copy(io.Discard, in)
	return err
}

// victim is a running process.
type victim struct {
	*process.Process
	t    *testing.T
	in   *os.File
	says chan string // its lines; closed when it has ended
}

// start starts the process on a database as it is seen through a proxy.
func start(t *testing.T, uri, database, operation, subject string) victim {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), uriEnv+"="+uri, databaseEnv+"="+database, operationEnv+"="+operation, subjectEnv+"="+subject)
	stdin, in, err := os.Pipe()
	must(t, err)
	out, stdout, err := os.Pipe()
	must(t, err)
	cmd.Stdin, cmd.Stdout = stdin, stdout
	v := victim{process.Start(t, "victim", cmd, uri), t, in, make(chan string, 8)}
	must(t, stdin.Close()) // the process has its own
	must(t, stdout.Close())
	go func() {
		defer out.Close()
		defer close(v.says)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			v.says <- lines.Text()
		}
	}()
	t.Cleanup(func() { in.Close() })
	return v
}

// wait waits for a line of the process.
func (v victim) wait(want string) {
	v.t.Helper()
	select {
	case got := <-v.says:
		if got != want {
			v.t.Fatalf("the process said %q, want %q", got, want)
		}
	case <-time.After(limit):
		v.t.Fatalf("the process did not say %q within %v", want, limit)
	}
}

// begin gives the word.
func (v victim) begin() {
	v.t.Helper()
	_, err := fmt.Fprintln(v.in, goOn)
	must(v.t, err)
}

// kill ends the process as `kill -9` does, once something has happened.
func (v victim) kill(what string, happened <-chan struct{}) {
	v.t.Helper()
	v.await(what, happened)
	must(v.t, v.Kill())
}

// await waits for what the process must bring about.
func (v victim) await(what string, happened <-chan struct{}) {
	v.t.Helper()
	select {
	case <-happened:
	case <-v.Exited():
		v.t.Fatalf("the process ended before: %s", what)
	case <-time.After(limit):
		v.t.Fatalf("not within %v: %s", limit, what)
	}
}

// end lets the process end by itself, and wants it to be content.
func (v victim) end() {
	v.t.Helper()
	must(v.t, v.in.Close())
	select {
	case <-v.Exited():
	case <-time.After(limit):
		v.t.Fatalf("the process did not end within %v", limit)
	}
	if !v.State().Success() {
		v.t.Errorf("the process ended with %v", v.State())
	}
}
