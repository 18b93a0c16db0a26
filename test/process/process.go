//go:build unix

// Package process runs programs for tests so that none outlives its test: not
// after a failure, and not after the test binary was killed. It owns the child,
// its process group and its log; it must not know what the program is.
package process

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

// Process is a child in a process group of its own, with its output in a file.
type Process struct {
	name    string
	cmd     *exec.Cmd
	logPath string
	secrets []string
	exited  chan struct{} // closed once Wait returned
	guard   *Guard
}

// Start starts cmd, ends it with the test, and prints the end of its output if
// the test failed. The strings in secrets never reach the test's log. Standard
// output goes to the same file unless cmd has one already.
func Start(t testing.TB, name string, cmd *exec.Cmd, secrets ...string) *Process {
	t.Helper()
	p, err := Launch(t.TempDir(), name, cmd, secrets...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Log(err)
		}
		if t.Failed() {
			t.Logf("end of the log of %s:\n%s", name, p.LogTail())
		}
	})
	return p
}

// Launch is Start for a process that several tests share: whoever calls it calls
// Stop. dir is the folder for its log; the next process of that name and folder
// writes on at the end of the same file.
func Launch(dir, name string, cmd *exec.Cmd, secrets ...string) (*Process, error) {
	p := &Process{name: name, cmd: cmd, secrets: secrets, exited: make(chan struct{}), logPath: filepath.Join(dir, name+".log")}
	log, err := os.OpenFile(p.logPath, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("log of %s: %w", name, err)
	}
	defer log.Close() // the child has its own descriptor
	cmd.Stderr = log
	if cmd.Stdout == nil {
		cmd.Stdout = log
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		_ = cmd.Wait() // the exit status is read from ProcessState
		close(p.exited)
	}()
	// A server left behind would hold its port for ever.
	if p.guard, err = NewGuard(`kill -s KILL -- "-$1" 2>/dev/null`, strconv.Itoa(p.Pid())); err != nil {
		return nil, errors.Join(fmt.Errorf("guard of %s: %w", name, err), p.Stop())
	}
	return p, nil
}

// Stop ends the process group: politely, then by force. It returns once the
// process is gone; stopping twice is fine. Not for concurrent use.
func (p *Process) Stop() error {
	p.guard.End()
	if !p.HasExited() {
		_ = p.Signal(syscall.SIGTERM)
		select {
		case <-p.exited:
		case <-time.After(stopGrace):
		}
	}
	return p.Kill()
}

// Kill ends the process group by force and returns once the process is gone.
func (p *Process) Kill() error {
	// First the guard, so that it cannot fire at a process id that somebody else
	// has got meanwhile.
	p.guard.End()
	err := p.Signal(syscall.SIGKILL)
	<-p.exited
	if err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("kill %s: %w", p.name, err)
	}
	return nil
}

// Signal sends a signal to the whole process group.
func (p *Process) Signal(s syscall.Signal) error { return syscall.Kill(-p.Pid(), s) }

// Pid is the process's id, which is its group's, too.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Exited is closed when the process has ended.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// HasExited reports whether the process has ended.
func (p *Process) HasExited() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// State says how the process ended; nil while it runs.
func (p *Process) State() *os.ProcessState {
	if !p.HasExited() {
		return nil
	}
	return p.cmd.ProcessState
}

// Waits says, on Linux, how much processor time the process has had in ticks, and
// what the kernel has each of its threads wait for: what a process that hangs is
// asked first.
func (p *Process) Waits() string {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", p.Pid()))
	said := fmt.Sprintf("%d threads", len(tasks))
	for _, task := range tasks {
		stat, _ := os.ReadFile(filepath.Join(task, "stat"))
		wchan, _ := os.ReadFile(filepath.Join(task, "wchan"))
		// The name stands in brackets and may hold anything; then the state is
		// field 3, time in user and kernel mode are 14 and 15.
		_, rest, _ := strings.Cut(string(stat), ") ")
		if fields := strings.Fields(rest); len(fields) > 12 {
			said += fmt.Sprintf("; %s %s+%s %s", fields[0], fields[11], fields[12], wchan)
		}
	}
	return said
}

// LogTail returns the last lines of the output without the secrets.
func (p *Process) LogTail() string {
	tail := Tail(filepath.Dir(p.logPath), p.name)
	for _, secret := range p.secrets {
		if secret != "" {
			tail = strings.ReplaceAll(tail, secret, "[secret]")
		}
	}
	return tail
}

// Tail returns the last lines that processes of this name wrote in dir, those
// that have ended included. Only LogTail hides secrets.
func Tail(dir, name string) string {
	const lines = 60
	text, err := os.ReadFile(filepath.Join(dir, name+".log"))
	if err != nil {
		return fmt.Sprintf("(no log: %v)", err)
	}
	all := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return string(bytes.Join(all[max(0, len(all)-lines):], []byte("\n")))
}
