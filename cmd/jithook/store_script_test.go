package main

// The script commands of `jithook store`: many logins, spoilt files, processes
// that are killed and streams that are cut at a named moment, and a terminal.

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"
	"go.etcd.io/bbolt"
)

// logins is the script command "logins N SEED": N first logins and some later
// ones, of people with whatever names and levels.
func logins(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: logins N SEED")
	}
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	seed, err := strconv.ParseUint(args[1], 10, 64)
	ts.Check(err)
	r := rand.New(rand.NewPCG(seed, 0))
	var bodies [][]byte
	for k := range n {
		for range 1 + r.IntN(2) {
			bodies = append(bodies, randomLogin(r, fmt.Sprintf("s-%s-%d", args[1], k)))
		}
	}
	var all sync.WaitGroup
	errs, room := make([]error, len(bodies)), make(chan struct{}, 16)
	for k, body := range bodies {
		room <- struct{}{}
		all.Go(func() {
			defer func() { <-room }()
			errs[k] = signIn(ts.Getenv("HOOKS"), body)
		})
	}
	all.Wait()
	for _, err := range errs {
		ts.Check(err)
	}
}

func randomLogin(r *rand.Rand, subject string) []byte {
	levels := []string{`3`, `3.0`, `1e21`, `-0.0`, `9007199254740993`, `0.1`, `"3"`, `["a",1,1.0,{"b":2.50}]`, `{"x":{"y":[]}}`, `null`}
	names := []string{"Zoë 👩‍💻", "<b>&amp;\u2028", "tab\t\"quoted\" \\", "ключ", "\x7f\u202e", "Ann"}
	name, err := json.Marshal(names[r.IntN(len(names))] + strconv.Itoa(r.IntN(1000)))
	if err != nil {
		panic(err)
	}
	return fmt.Appendf(nil, `{"version":1,"provider":"acme","subject":%q,"external_id":%q,"flow_id":"f-%d","claims":{"hd":"acme.example",`+
		`"email":%q,"email_verified":%t,"name":%s,"level":%s,"groups":["engineering"]}}`,
		subject, "x-"+subject, r.IntN(9), subject+"@acme.example", r.IntN(2) == 0, name, levels[r.IntN(len(levels))])
}

// signIn takes any decision: two logins of one person race here.
func signIn(hooks string, body []byte) error {
	r, err := http.NewRequest(http.MethodPost, hooks+"/hooks/login", bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-API-Key", testHookKey)
	reply, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	if err == nil && !bytes.Contains(text, []byte(`"decision_id"`)) {
		err = fmt.Errorf("the login was not decided: %d", reply.StatusCode)
	}
	return err
}

// spoil is the script command "spoil FILE WHAT": it damages a store behind its
// back: key (a look-up finds nobody), lost (an identity is gone), stranger (a
// look-up finds somebody else).
func spoil(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: spoil FILE WHAT")
	}
	db, err := bbolt.Open(ts.MkAbs(args[0]), 0o600, nil)
	ts.Check(err)
	ts.Check(db.Update(func(tx *bbolt.Tx) error {
		keys, people := tx.Bucket([]byte("keys")), tx.Bucket([]byte("identities"))
		first, _ := people.Cursor().First()
		last, _ := people.Cursor().Last()
		var key []byte
		c := keys.Cursor()
		for k, id := c.Seek([]byte("fed:")); key == nil; k, id = c.Next() {
			if bytes.Equal(id, first) {
				key = bytes.Clone(k)
			}
		}
		switch args[1] {
		case "key":
			return keys.Delete(key)
		case "lost":
			return people.Delete(bytes.Clone(first))
		case "stranger":
			return keys.Put(key, bytes.Clone(last))
		}
		return fmt.Errorf("spoil %s?", args[1])
	}))
	ts.Check(db.Close())
}

// breakOff is the script command "breakoff N COMMAND…": it runs the command with --admin
// of a proxy that breaks off the reply to an export or a backup behind N bytes.
// The command must fail with exit code 1.
func breakOff(ts *testscript.TestScript, neg bool, args []string) {
	n, rest := number(ts, neg, args)
	proxy := newBreaker(ts, n, 0, func() {})
	exit(ts, false, append([]string{"1"}, append(rest, "--admin", proxy)...))
}

// killed is the script command "killed N COMMAND…": like breakoff, but the command is
// killed behind N bytes, or after its N-th import has been done and before it
// learns of that.
func killed(ts *testscript.TestScript, neg bool, args []string) {
	n, rest := number(ts, neg, args)
	started := make(chan *os.Process, 1)
	proxy := newBreaker(ts, n, n, func() { _ = (<-started).Kill() })
	cmd := exec.Command(rest[0], append(rest[1:], "--admin", proxy)...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(os.Environ(), "JITHOOK_ADMIN_TOKEN="+testToken)
	ts.Check(cmd.Start())
	started <- cmd.Process
	_ = cmd.Wait()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() {
		ts.Fatalf("the command ended before it was killed: %v", cmd.ProcessState)
	}
}

func number(ts *testscript.TestScript, neg bool, args []string) (int64, []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: breakoff|killed N COMMAND...")
	}
	n, err := strconv.ParseInt(args[0], 10, 64)
	ts.Check(err)
	return n, args[1:]
}

// newBreaker returns the URL of a proxy to $ADMIN. It breaks off the reply to
// an export or a backup behind n bytes, and, where imports is not 0, that to
// the import of that number; it calls broken first.
func newBreaker(ts *testscript.TestScript, n, imports int64, broken func()) string {
	to, err := url.Parse(ts.Getenv("ADMIN"))
	ts.Check(err)
	var seen atomic.Int64
	p := &httputil.ReverseProxy{
		FlushInterval: -1,
		ErrorLog:      log.New(io.Discard, "", 0), // that a reply breaks off is what is wanted
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(to) },
		ModifyResponse: func(r *http.Response) error {
			switch r.Request.URL.Path {
			case "/admin/v1/store/export", "/admin/v1/store/backup":
				r.Body = &breaking{r.Body, n, broken}
			case "/admin/v1/store/import":
				if imports > 0 && seen.Add(1) == imports {
					r.Body = &breaking{r.Body, 0, broken}
				}
			}
			return nil
		},
	}
	s := httptest.NewServer(p)
	ts.Defer(s.Close)
	return s.URL
}

// breaking is a body that ends in an error behind a number of bytes.
type breaking struct {
	io.ReadCloser
	left   int64
	broken func()
}

func (b *breaking) Read(p []byte) (int, error) {
	if b.left <= 0 {
		b.broken()
		return 0, io.ErrUnexpectedEOF
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// onTerminal is the script command "onterminal FILE COMMAND…": it runs the
// command with a terminal as its standard error, and writes to FILE what
// appeared there.
func onTerminal(ts *testscript.TestScript, neg bool, args []string) {
	withTerminal(ts, neg, args, func(cmd *exec.Cmd, terminal *os.File) { cmd.Stderr = terminal })
}

// onScreen is the script command "onscreen FILE COMMAND…": as onterminal, of the
// standard output.
func onScreen(ts *testscript.TestScript, neg bool, args []string) {
	withTerminal(ts, neg, args, func(cmd *exec.Cmd, terminal *os.File) { cmd.Stdout = terminal })
}

func withTerminal(ts *testscript.TestScript, neg bool, args []string, attach func(*exec.Cmd, *os.File)) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: onterminal|onscreen FILE COMMAND...")
	}
	screen, terminal, err := openTerminal()
	ts.Check(err)
	shown := make(chan []byte)
	go func() {
		text, _ := io.ReadAll(screen) // ends with an error once nobody has the terminal
		shown <- text
	}()
	cmd := exec.Command(args[1], args[2:]...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(os.Environ(), "JITHOOK_ADMIN_TOKEN="+testToken, "TERM=xterm", "NO_COLOR="+ts.Getenv("NO_COLOR"))
	attach(cmd, terminal)
	err = cmd.Run()
	terminal.Close()
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), <-shown, 0o600))
	screen.Close()
	ts.Check(err)
}

// mode is the script command "mode OCTAL FILE": the file has these permissions.
func mode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: mode OCTAL FILE")
	}
	info, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := fmt.Sprintf("%o", info.Mode().Perm()); got != args[0] {
		ts.Fatalf("mode %s, want %s", got, args[0])
	}
}

// truncate is the script command "truncate FILE N": the last N bytes go.
func truncate(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: truncate FILE N")
	}
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	text := ts.ReadFile(args[0])
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text[:len(text)-n]), 0o600))
}
