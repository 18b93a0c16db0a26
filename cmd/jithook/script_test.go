// The scripts in testdata/script prove what the command line does: what it
// prints where, with which exit code, against a real server or on its own. Each
// starts in a folder with the files of testdata/world.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

const (
	testToken   = "the-admin-token-of-the-scripts"
	testHookKey = "the-hook-key-of-the-scripts"
	// patience is how long a server may take to start or stop on a busy machine.
	patience = 30 * time.Second
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"jithook": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("JITHOOK_ADMIN_TOKEN", testToken)
			e.Setenv("HOOK_KEY", testHookKey)
			return os.CopyFS(e.WorkDir, os.DirFS("testdata/world"))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"server": startServer, "stop": stopServer, "login": login, "stranger": startStranger, "exit": exitCode,
		},
	})
}

// running is the server of a script.
type running struct {
	cmd    *exec.Cmd
	exited chan error
}

// startServer is the script command "server": it runs `jithook serve` with
// jithook.yaml, and sets ADMIN and HOOKS to the URLs where it listens.
func startServer(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: server")
	}
	cmd := exec.Command("jithook", "serve", "-c", "jithook.yaml")
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(os.Environ(), "JITHOOK_ADMIN_TOKEN="+testToken, "HOOK_KEY="+testHookKey)
	stderr, err := cmd.StderrPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	listening, exited := make(chan []string, 1), make(chan error, 1)
	go func() {
		place := regexp.MustCompile(`msg=listening hooks=(\S+) admin=(\S+)`)
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			if found := place.FindStringSubmatch(lines.Text()); found != nil {
				listening <- found[1:]
			}
		}
		exited <- cmd.Wait()
	}()
	r := &running{cmd, exited}
	ts.Defer(func() { r.stop() })
	select {
	case at := <-listening:
		ts.Setenv("HOOKS", "http://"+at[0])
		ts.Setenv("ADMIN", "http://"+at[1])
		ts.Setenv("SERVER", fmt.Sprint(cmd.Process.Pid))
	case err := <-exited:
		exited <- err
		ts.Fatalf("the server ended: %v", err)
	case <-time.After(patience):
		ts.Fatalf("the server does not listen")
	}
}

// stop ends the server as an operator would, and waits for it.
func (r *running) stop() error {
	_ = r.cmd.Process.Signal(os.Interrupt) // it may have ended already
	select {
	case err := <-r.exited:
		r.exited <- err
		return err
	case <-time.After(patience):
		_ = r.cmd.Process.Kill()
		return fmt.Errorf("the server did not end within %s", patience)
	}
}
