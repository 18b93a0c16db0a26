// The scripts in testdata/script prove what the command line does: what it
// prints where, with which exit code, against a real server or on its own. Each
// starts in a folder with the files of testdata/world.
package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/jithook/jithook/kratos"
)

const (
	testToken   = "the-admin-token-of-the-scripts"
	testHookKey = "the-hook-key-of-the-scripts"
	// patience is how long a server may take to start or stop on a busy machine.
	patience = 30 * time.Second
	// deadline ends a script whose command hangs.
	deadline = 3 * time.Minute
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"jithook": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Deadline:            time.Now().Add(deadline),
		Setup: func(e *testscript.Env) error {
			e.Setenv("JITHOOK_ADMIN_TOKEN", testToken)
			e.Setenv("HOOK_KEY", testHookKey)
			e.Setenv("GORACE", os.Getenv("GORACE"))
			e.Values[serverKey{}] = &server{}
			e.Values[consoleKey{}] = new(*standInConsole)
			e.Values[targetKey{}] = new(*scriptTarget)
			return os.CopyFS(e.WorkDir, os.DirFS("testdata/world"))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"server": startServer, "shutdown": shutdown, "login": login, "stranger": stranger, "exit": exit, "mapper": mapper,
			"logins": logins, "spoil": spoil, "breakoff": breakOff, "killed": killed, "onterminal": onTerminal, "onscreen": onScreen, "mode": mode, "truncate": truncate, "capture": capture, "until": until, "console": startConsole, "asked": asked,
			"target": targetCommand(t), "crash": crash,
		},
	})
}

// server is what a script's Values hold under serverKey.
type server struct{ running *running }

type serverKey struct{}

// running is a server that was started.
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
	ts.Value(serverKey{}).(*server).running = r
	ts.Defer(func() { _ = r.stop() }) // the script's own failure counts
	select {
	case at := <-listening:
		ts.Setenv("HOOKS", "http://"+at[0])
		ts.Setenv("ADMIN", "http://"+at[1])
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

// shutdown is the script command "shutdown": it ends the server that "server"
// started, and takes no other end than a good one.
func shutdown(ts *testscript.TestScript, neg bool, args []string) {
	r := ts.Value(serverKey{}).(*server).running
	if neg || len(args) != 0 || r == nil {
		ts.Fatalf("usage: shutdown, after server")
	}
	ts.Check(r.stop())
}

// crash is the script command "crash": it ends the server that "server" started as a
// machine does that goes down.
func crash(ts *testscript.TestScript, neg bool, args []string) {
	r := ts.Value(serverKey{}).(*server).running
	if neg || len(args) != 0 || r == nil {
		ts.Fatalf("usage: crash, after server")
	}
	ts.Check(r.cmd.Process.Kill())
	r.exited <- <-r.exited
}

// login is the script command "login FILE": it signs somebody in and sets
// DECISION and IDENTITY to the ids in the answer.
func login(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: login FILE")
	}
	r, err := http.NewRequest(http.MethodPost, ts.Getenv("HOOKS")+"/hooks/login", strings.NewReader(ts.ReadFile(args[0])))
	ts.Check(err)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-API-Key", testHookKey)
	reply, err := http.DefaultClient.Do(r)
	ts.Check(err)
	defer reply.Body.Close()
	var answer struct {
		DecisionID string `json:"decision_id"`
		Identity   struct {
			ID string `json:"id"`
		} `json:"identity"`
	}
	ts.Check(json.NewDecoder(reply.Body).Decode(&answer))
	if answer.DecisionID == "" {
		ts.Fatalf("the login was not decided: %d", reply.StatusCode)
	}
	ts.Setenv("DECISION", answer.DecisionID)
	ts.Setenv("IDENTITY", answer.Identity.ID)
}

// stranger is the script command "stranger KIND": it sets ADMIN to the URL of
// something that is no admin API, or a hostile one.
func stranger(ts *testscript.TestScript, neg bool, args []string) {
	replies := map[string]http.HandlerFunc{
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/elsewhere" {
				w.Header().Set("Content-Type", "application/json")
				io.WriteString(w, `{"identities":[],"next_page_token":""}`)
				return
			}
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		},
		"page": func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>hello</html>") },
		"cut": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, `{"identities":[`)
		},
		"other": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, `{"identities":"none"}`)
		},
		"colours": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusBadRequest)
			io.WriteString(w, `{"status":400,"title":"Bad","detail":"\u001b[31mred\r\nline","place":"\u202eplace"}`)
		},
		"loop": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, `{"identities":[],"next_page_token":"again"}`)
		},
	}
	if neg || len(args) != 1 || replies[args[0]] == nil {
		ts.Fatalf("usage: stranger KIND")
	}
	s := httptest.NewServer(replies[args[0]])
	ts.Defer(s.Close)
	ts.Setenv("ADMIN", s.URL)
}

// mapper is the script command "mapper ID": it replaces the standard output, a
// document of `kratos config -o json`, by the mapper of the provider with the id.
func mapper(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: mapper ID")
	}
	var d kratos.Document
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &d))
	for _, p := range d.SelfService.Methods.OIDC.Config.Providers {
		if p.ID == args[0] {
			code, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(p.MapperURL, "base64://"))
			ts.Check(err)
			_, err = ts.Stdout().Write(code)
			ts.Check(err)
			return
		}
	}
	ts.Fatalf("there is no provider %s", args[0])
}

// exit is the script command "exit CODE COMMAND…": it runs a command that must
// end with this code.
func exit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exit CODE COMMAND...")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := "0"
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		code = strconv.Itoa(ended.ExitCode())
	} else {
		ts.Check(err)
	}
	if code != args[0] {
		ts.Fatalf("exit code %s, want %s", code, args[0])
	}
}

// until is the script command "until REGEXP COMMAND…": it runs a command again and
// again until its output matches, whatever its exit code, which what happens later
// than an answer needs.
func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until REGEXP COMMAND...")
	}
	want := regexp.MustCompile("(?m)" + args[0])
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		err := ts.Exec(args[1], args[2:]...)
		if _, ended := errors.AsType[*exec.ExitError](err); !ended {
			ts.Check(err)
		}
		if want.MatchString(ts.ReadFile("stdout")) {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("nothing has matched %s", args[0])
		}
	}
}

// capture is the script command "capture NAME REGEXP": it sets NAME to what the
// group in the expression matches in the last command's output, errors included.
func capture(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: capture NAME REGEXP")
	}
	found := regexp.MustCompile("(?m)" + args[1]).FindStringSubmatch(ts.ReadFile("stdout") + ts.ReadFile("stderr"))
	if len(found) != 2 {
		ts.Fatalf("nothing matches %s", args[1])
	}
	ts.Setenv(args[0], found[1])
}
