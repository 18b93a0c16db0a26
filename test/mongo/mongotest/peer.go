//go:build unix

package mongotest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/jithook/jithook/test/process"
)

// stopLimit bounds PostgreSQL's shutdown in good order.
const stopLimit = 20 * time.Second

// peer is FerretDB over a PostgreSQL with data of its own. A field of a process
// is nil while it does not run.
type peer struct {
	where Peers
	dir   string // data, socket, logs
	addr  string // FerretDB's, from its first start on

	postgres, ferretdb *process.Process
	guard              *process.Guard // removes dir when the test binary is killed
}

// newPeer makes the data. Copying a cluster is much faster than making one.
func newPeer(where Peers) (*peer, error) {
	// Not a test's own folder: its name would be too long for a socket.
	dir, err := os.MkdirTemp("", "jithook-mongo-")
	if err != nil {
		return nil, fmt.Errorf("folder for the Mongo peer: %w", err)
	}
	p := &peer{where: where, dir: dir}
	// Twice: the processes' own guards run at the same time.
	if p.guard, err = process.NewGuard(`rm -rf "$1" 2>/dev/null || { sleep 1; rm -rf "$1"; }`, dir); err != nil {
		return nil, errors.Join(fmt.Errorf("guard of the Mongo peer: %w", err), os.RemoveAll(dir))
	}
	if err := os.Mkdir(filepath.Join(dir, "state"), 0o700); err != nil {
		return nil, errors.Join(err, p.remove())
	}
	// cp, since the files belong to a user that only the system inside knows.
	out, err := exec.Command("cp", "-a", filepath.Join(where.Root, "template"), p.data()).CombinedOutput()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("copy the database's template: %w: %s", err, out), p.remove())
	}
	return p, nil
}

func (p *peer) data() string { return filepath.Join(p.dir, "data") }

func (p *peer) uri() string { return "mongodb://" + p.addr + "/" }

func (p *peer) running() bool { return p.ferretdb != nil && p.postgres != nil }

// start starts both processes and returns when FerretDB listens.
func (p *peer) start(ctx context.Context) error {
	if p.postgres != nil || p.ferretdb != nil {
		return errors.New("the Mongo peer is running already")
	}
	if err := p.startPostgres(ctx); err != nil {
		return errors.Join(fmt.Errorf("PostgreSQL for the Mongo peer: %w\n%s", err, p.logs()), p.kill())
	}
	if err := p.startFerretDB(ctx); err != nil {
		return errors.Join(fmt.Errorf("FerretDB: %w\n%s", err, p.logs()), p.kill())
	}
	return nil
}

func (p *peer) startPostgres(ctx context.Context) error {
	// A killed one left it, with a state that would be taken for the new one's.
	status := filepath.Join(p.data(), "pg", "postmaster.pid")
	if err := os.Remove(status); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	cmd := exec.Command("bash", filepath.Join(p.where.Folder, "inside.sh"), p.where.Root, p.data(),
		"/usr/lib/postgresql/18/bin/postgres", "-D", "/data/pg")
	var err error
	if p.postgres, err = process.Launch(p.dir, "postgres", cmd); err != nil {
		return err
	}
	for {
		// The last line is PostgreSQL's word on itself; pg_ctl goes by it, too.
		text, err := os.ReadFile(status)
		if lines := strings.Split(string(text), "\n"); err == nil && len(lines) > 7 && strings.TrimSpace(lines[7]) == "ready" {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not ready: %w", ctx.Err())
		case <-p.postgres.Exited():
			return fmt.Errorf("ended early: %v", p.postgres.State())
		case <-time.After(10 * time.Millisecond): // a poll with a deadline
		}
	}
}

func (p *peer) startFerretDB(ctx context.Context) error {
	listen := p.addr
	if listen == "" {
		listen = "127.0.0.1:0"
	}
	socket := url.URL{Scheme: "postgres", User: url.User("postgres"), Path: "/postgres",
		RawQuery: url.Values{"host": {filepath.Join(p.data(), "run")}}.Encode()}
	cmd := exec.Command(p.where.FerretDB, "-listen", listen, "-state", filepath.Join(p.dir, "state"))
	cmd.Env = []string{"PEER_POSTGRES_URL=" + socket.String(), "DO_NOT_TRACK=1"}
	out, in, err := os.Pipe()
	if err != nil {
		return err
	}
	cmd.Stdout = in
	p.ferretdb, err = process.Launch(p.dir, "ferretdb", cmd)
	_ = in.Close() // the child has its own descriptor; so reading ends with it
	if err != nil {
		return errors.Join(err, out.Close())
	}
	lines := make(chan string, 1)
	go func() {
		r := bufio.NewReader(out)
		line, _ := r.ReadString('\n')
		lines <- strings.TrimSpace(line)
		_, _ = io.Copy(io.Discard, r) // it can never block on a full pipe
		_ = out.Close()
	}()
	select {
	case line := <-lines:
		addr, ok := strings.CutPrefix(line, "uri=mongodb://")
		if !ok {
			return errors.New("did not say where it listens")
		}
		p.addr = strings.TrimSuffix(addr, "/")
		return nil
	case <-ctx.Done():
		return fmt.Errorf("does not listen: %w", ctx.Err())
	}
}

// kill ends both by force. Clients lose their connections first, as they would
// when a machine goes down, whatever the database was about to do.
func (p *peer) kill() error {
	var errs []error
	for _, one := range []**process.Process{&p.ferretdb, &p.postgres} {
		if *one != nil {
			errs = append(errs, (*one).Kill())
			*one = nil
		}
	}
	return errors.Join(errs...)
}

// stop ends both in good order.
func (p *peer) stop() error {
	if !p.running() {
		return errors.New("the Mongo peer is not running")
	}
	err := p.ferretdb.Stop()
	p.ferretdb = nil
	// SIGINT: do not wait for clients.
	err = errors.Join(err, p.postgres.Signal(syscall.SIGINT))
	select {
	case <-p.postgres.Exited():
	case <-time.After(stopLimit):
		err = errors.Join(err, fmt.Errorf("PostgreSQL did not stop within %v", stopLimit))
	}
	return errors.Join(err, p.kill())
}

// remove removes the data of a peer that does not run.
func (p *peer) remove() error {
	p.guard.End()
	return os.RemoveAll(p.dir)
}

// logs returns the ends of both logs, also after the processes have ended.
func (p *peer) logs() string {
	var b strings.Builder
	for _, name := range []string{"postgres", "ferretdb"} {
		fmt.Fprintf(&b, "end of the log of %s:\n%s\n", name, process.Tail(p.dir, name))
	}
	return b.String()
}
