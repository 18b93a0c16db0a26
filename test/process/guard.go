//go:build unix

package process

import (
	"io"
	"os/exec"
	"syscall"
)

// Guard does what a cleanup would, when this test binary is gone without one: a
// panic, a `go test -timeout` and a SIGKILL run none.
type Guard struct {
	cmd   *exec.Cmd
	stdin io.Closer
}

// NewGuard starts a shell that runs script with these arguments ($1, …) once this
// binary is gone. Its standard input is a pipe whose other end only this binary
// has. Whoever starts a guard ends it.
func NewGuard(script string, args ...string) (*Guard, error) {
	cmd := exec.Command("sh", append([]string{"-c", "cat >/dev/null; " + script, "guard"}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &Guard{cmd, stdin}, nil
}

// End ends the guard; its script does not run. Ending it twice is fine, and so is
// a guard that is nil. Not for concurrent use.
func (g *Guard) End() {
	if g == nil || g.cmd == nil {
		return
	}
	_ = syscall.Kill(-g.cmd.Process.Pid, syscall.SIGKILL)
	_ = g.cmd.Wait()
	_ = g.stdin.Close()
	g.cmd = nil
}
