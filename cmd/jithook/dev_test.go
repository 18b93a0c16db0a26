package main

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestDev: the first thing that a newcomer does works, with what it writes alone:
// a server, the login that it prints, rules whose cases pass; what it writes is its
// owner's, what is there already stays, and the server ends with the terminal.
func TestDev(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	anyPort := strings.NewReplacer("127.0.0.1:4480", "127.0.0.1:0", "127.0.0.1:4481", "127.0.0.1:0").Replace(devConfig)
	write(t, filepath.Join(dir, "jithook.yaml"), anyPort)
	cmd := exec.Command("jithook", "dev", "--dir", dir)
	var out, log output
	cmd.Stdout, cmd.Stderr = &out, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill() })

	banner := heard(t, &out, exited, &log, `(?s)-d '([^']+)' http://127.0.0.1:0/hooks/login.*admin-token.*identity list.*decisions list`)
	hooks := heard(t, &log, exited, &log, `msg=listening hooks=(\S+)`)
	key, err := os.ReadFile(filepath.Join(dir, "hook-key"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"created", "unchanged"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+hooks+"/hooks/login", strings.NewReader(banner))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-API-Key", string(key))
		reply, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		var body bytes.Buffer
		_, err = body.ReadFrom(reply.Body)
		reply.Body.Close()
		if err != nil || !strings.Contains(body.String(), fmt.Sprintf(`"decision":%q`, want)) {
			t.Errorf("want %s: %v %s", want, err, body.String())
		}
	}
	for _, args := range [][]string{{"check", "--lint", "-c", filepath.Join(dir, "jithook.yaml")}, {"map", "test", filepath.Join(dir, "providers")}} {
		if text, err := exec.Command("jithook", args...).CombinedOutput(); err != nil {
			t.Errorf("jithook %s: %v\n%s", strings.Join(args, " "), err, text)
		}
	}
	if config, err := os.ReadFile(filepath.Join(dir, "jithook.yaml")); err != nil || string(config) != anyPort {
		t.Errorf("the configuration was overwritten: %v", err)
	}
	err = filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("others may do with %s: %s", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil { // the terminal is closed
		t.Fatal(err)
	}
	select {
	case err := <-exited:
		if err != nil {
			t.Errorf("it ended with %v\n%s", err, log.String())
		}
	case <-time.After(patience):
		t.Error("it goes on without a terminal")
	}
}

// heard waits for what the group in the expression matches in a process's output.
func heard(t *testing.T, o *output, exited chan error, log *output, expression string) string {
	t.Helper()
	for wait := time.Now().Add(patience); time.Now().Before(wait); time.Sleep(20 * time.Millisecond) {
		if found := regexp.MustCompile(expression).FindStringSubmatch(o.String()); found != nil {
			return found[1]
		}
		select {
		case err := <-exited:
			exited <- err
			t.Fatalf("it ended: %v\n%s", err, log.String())
		default:
		}
	}
	t.Fatalf("it never says %s\n%s", expression, o.String())
	return ""
}

// output is what a process has written until now.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
