//go:build unix

// These tests prove that no process outlives its test, not even one whose test
// binary was killed, and that no secret reaches a test's log.
package process_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jithook/jithook/test/process"
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
		p := process.Start(t, "sleeper", exec.Command("sh", "-c", script))
		pid = p.Pid()
		for p.LogTail() != "armed" && t.Context().Err() == nil {
			time.Sleep(10 * time.Millisecond) // a poll; go test's own deadline ends it
		}
	})
	gone(t, pid)
}

const childEnv = "PROCESS_TEST_CHILD"

func TestProcessEndsWithAKilledTestBinary(t *testing.T) {
	if os.Getenv(childEnv) != "" {
		p := process.Start(t, "sleeper", exec.Command("sleep", "1000"))
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
	p := process.Start(t, "talker", exec.Command("echo", "key=s3cret other=visible"), "s3cret", "")
	<-p.Exited()
	if got, want := p.LogTail(), "key=[secret] other=visible"; got != want {
		t.Errorf("log = %q, want %q", got, want)
	}
}

func TestWaits(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux says what its threads wait for")
	}
	p := process.Start(t, "sleeper", exec.Command("sleep", "1000"))
	want := regexp.MustCompile(`^1 threads; [RSD] \d+\+\d+ \w+$`)
	if got := p.Waits(); !want.MatchString(got) {
		t.Errorf("waits = %q, want %v", got, want)
	}
}
