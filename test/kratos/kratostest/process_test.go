//go:build unix

// These tests prove that no process outlives its test, not even one whose test
// binary was killed, that no secret reaches a test's log, and that a missing
// peer skips or fails as RequireEnv says.
package kratostest_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jithook/jithook/test/kratos/kratostest"
)

// gone waits until no process of the group is left.
func gone(t *testing.T, pid int) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !errors.Is(syscall.Kill(-pid, 0), syscall.ESRCH) {
		if time.Now().After(deadline) {
			t.Fatalf("process group %d is still there", pid)
		}
		time.Sleep(10 * time.Millisecond) // a poll with a deadline
	}
}

func TestProcessEndsWithItsTest(t *testing.T) {
	var pid int
	t.Run("test", func(t *testing.T) {
		// The grandchild is in the same group, and deaf to a polite request.
		script := `(trap "" TERM; echo armed; exec sleep 1000) & exec sleep 1000`
		p := kratostest.StartProcess(t, "sleeper", exec.Command("sh", "-c", script), nil)
		pid = p.Pid()
		for p.LogTail() != "armed" && t.Context().Err() == nil {
			time.Sleep(10 * time.Millisecond) // a poll; go test's own deadline ends it
		}
	})
	gone(t, pid)
}

const childEnv = "KRATOSTEST_CHILD"

func TestProcessEndsWithAKilledTestBinary(t *testing.T) {
	if os.Getenv(childEnv) != "" {
		p := kratostest.StartProcess(t, "sleeper", exec.Command("sleep", "1000"), nil)
		fmt.Printf("pid=%d\n", p.Pid())
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		return
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.CommandContext(t.Context(), self, "-test.run=^"+t.Name()+"$")
	child.Env = append(os.Environ(), childEnv+"=1")
	out, err := child.Output()
	if err == nil {
		t.Fatal("the child was not killed")
	}
	_, rest, _ := strings.Cut(string(out), "pid=")
	line, _, _ := strings.Cut(rest, "\n")
	pid, err := strconv.Atoi(line)
	if err != nil {
		t.Fatalf("the child started nothing: %q", out)
	}
	gone(t, pid)
}

func TestLogTailHidesSecrets(t *testing.T) {
	p := kratostest.StartProcess(t, "talker", exec.Command("echo", "key=s3cret other=visible"), []string{"s3cret", ""})
	<-p.Exited()
	if got, want := p.LogTail(), "key=[secret] other=visible"; got != want {
		t.Errorf("log = %q, want %q", got, want)
	}
}

// verdict stands for a test whose Require stops it.
type verdict struct {
	testing.TB
	skipped, failed string
}

func (v *verdict) Skipf(format string, args ...any) {
	v.skipped = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func (v *verdict) Fatalf(format string, args ...any) {
	v.failed = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func TestRequireWithoutPeers(t *testing.T) {
	for name, tc := range map[string]struct {
		require string
		fails   bool
	}{
		"nothing required":    {require: "", fails: false},
		"something else":      {require: "mongo,kratosx", fails: false},
		"kratos":              {require: "kratos", fails: true},
		"kratos among others": {require: "mongo, kratos", fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("JITHOOK_CACHE", t.TempDir())
			t.Setenv(kratostest.RequireEnv, tc.require)
			v := &verdict{TB: t}
			done := make(chan struct{})
			go func() {
				defer close(done)
				kratostest.Require(v)
			}()
			<-done
			got, silent := v.skipped, v.failed
			if tc.fails {
				got, silent = v.failed, v.skipped
			}
			if !strings.Contains(got, "make peers") || silent != "" {
				t.Errorf("skipped %q, failed %q", v.skipped, v.failed)
			}
		})
	}
}
