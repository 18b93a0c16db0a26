//go:build unix

package kratostest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// stopGrace is how long a process may take to end by itself after SIGTERM.
const stopGrace = 5 * time.Second

// process is a child in a process group of its own, with its output in a file.
type process struct {
	name    string
	cmd     *exec.Cmd
	logPath string
	secrets []string
	exited  chan struct{} // closed once Wait returned
	guard   *exec.Cmd
}

// startProcess starts cmd, ends it with the test, and prints the end of its
// output if the test failed. The strings in secrets never reach the test's log.
// Standard output goes to the same file unless cmd has one already.
func startProcess(t testing.TB, name string, cmd *exec.Cmd, secrets []string) *process {
	t.Helper()
	p := &process{name: name, cmd: cmd, secrets: secrets, exited: make(chan struct{}),
		logPath: filepath.Join(t.TempDir(), name+".log")}
	log, err := os.OpenFile(p.logPath, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatalf("log of %s: %v", name, err)
	}
	defer log.Close() // the child has its own descriptor
	cmd.Stderr = log
	if cmd.Stdout == nil {
		cmd.Stdout = log
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	go func() {
		_ = cmd.Wait() // the exit status is read from ProcessState
		close(p.exited)
	}()
	t.Cleanup(func() { p.stop(t) })
	p.startGuard(t)
	return p
}

// startGuard starts a shell that kills the process group when this test binary
// is gone: a panic, a `go test -timeout` or a SIGKILL runs no cleanup, and a
// Kratos left behind would hold its port for ever. Its standard input is a pipe
// whose other end only this binary has.
func (p *process) startGuard(t testing.TB) {
	t.Helper()
	guard := exec.Command("sh", "-c", `cat >/dev/null; kill -s KILL -- "-$1" 2>/dev/null`, "guard", strconv.Itoa(p.cmd.Process.Pid))
	guard.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin, err := guard.StdinPipe()
	if err != nil {
		t.Fatalf("guard of %s: %v", p.name, err)
	}
	if err := guard.Start(); err != nil {
		t.Fatalf("guard of %s: %v", p.name, err)
	}
	p.guard = guard
	t.Cleanup(func() {
		// Runs before stop (last in, first out), so that the guard cannot fire
		// at a process id that somebody else has got meanwhile.
		_ = syscall.Kill(-guard.Process.Pid, syscall.SIGKILL)
		_ = guard.Wait()
		_ = stdin.Close()
	})
}

// stop ends the process group: politely, then by force.
func (p *process) stop(t testing.TB) {
	group := -p.cmd.Process.Pid
	if !p.hasExited() {
		_ = syscall.Kill(group, syscall.SIGTERM)
		select {
		case <-p.exited:
		case <-time.After(stopGrace):
		}
	}
	if err := syscall.Kill(group, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		t.Logf("kill %s: %v", p.name, err)
	}
	<-p.exited
	if t.Failed() {
		t.Logf("end of the log of %s:\n%s", p.name, p.logTail())
	}
}

// hasExited reports whether the process has ended.
func (p *process) hasExited() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// logTail returns the last lines of the output without the secrets.
func (p *process) logTail() string {
	const lines = 60
	text, err := os.ReadFile(p.logPath)
	if err != nil {
		return fmt.Sprintf("(no log: %v)", err)
	}
	all := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	tail := string(bytes.Join(all[max(0, len(all)-lines):], []byte("\n")))
	for _, secret := range p.secrets {
		if secret != "" {
			tail = strings.ReplaceAll(tail, secret, "[secret]")
		}
	}
	return tail
}
