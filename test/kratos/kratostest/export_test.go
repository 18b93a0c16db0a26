//go:build unix

package kratostest

// What only this package's own tests may see.

// Render is Config.render for a Kratos at the given ports.
func Render(c Config, public, admin int) (any, error) {
	doc, err := c.render(endpoints{publicPort: public, adminPort: admin}, "memory")
	return any(doc), err
}

// SecretsOf is secretsOf.
var SecretsOf = secretsOf

// LogTail is logTail.
func (p *process) LogTail() string { return p.logTail() }

// Pid is the process's id, which is its group's, too.
func (p *process) Pid() int { return p.cmd.Process.Pid }

// Exited is closed when the process has ended.
func (p *process) Exited() <-chan struct{} { return p.exited }

// StartProcess is startProcess.
var StartProcess = startProcess
