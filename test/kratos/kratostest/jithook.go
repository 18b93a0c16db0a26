//go:build unix

package kratostest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/jithook/jithook/test/process"
)

// The secrets of a Jithook. It lives as long as one test, on the loopback
// interface.
const (
	hookKey    = "the-hook-key-of-a-test-0001"
	adminToken = "the-admin-token-of-a-test-0001"
)

// Jithook is jithook's binary with a folder of its own. It may be started and
// stopped as often as a test likes; the store stays.
type Jithook struct {
	// HookURL is where Kratos calls it, ListenURL where it listens; they differ
	// where JithookConfig.HookURL says so.
	HookURL, ListenURL string

	binary, config, adminURL string
	running                  *process.Process
}

// JithookConfig is what a test brings to a Jithook.
type JithookConfig struct {
	// Binary is the path of jithook's binary, Files are the providers' files by
	// name.
	Binary string
	Files  map[string]string
	// HookURL is where Kratos will call; empty picks a free port.
	HookURL string
	// Restore is kratos.restore_traits; nil leaves it unset.
	Restore []string
	// KratosAdmin is the URL of Kratos's Admin API; empty leaves it out.
	KratosAdmin string
	// Store is the section store; nil stands for an embedded file.
	Store map[string]any
	// Outbound is the section outbound; nil leaves it out.
	Outbound map[string]any
}

// NewJithook writes a configuration.
func NewJithook(t testing.TB, c JithookConfig) *Jithook {
	t.Helper()
	ends, err := freePorts()
	if err != nil {
		t.Fatalf("ports for jithook: %v", err)
	}
	j := &Jithook{HookURL: ends.public(), ListenURL: ends.public(), binary: c.Binary, adminURL: ends.admin()}
	if c.HookURL != "" {
		j.HookURL = c.HookURL
	}
	if c.Store == nil {
		c.Store = map[string]any{"bolt": map[string]any{"path": "jithook.db"}}
	}
	dir := t.TempDir()
	hooks := map[string]any{"hook_url": j.HookURL}
	if c.Restore != nil {
		hooks["restore_traits"] = c.Restore
	}
	if c.KratosAdmin != "" {
		hooks["instances"] = object("main", object("admin_url", c.KratosAdmin))
	}
	config := map[string]any{
		"listen": fmt.Sprintf("127.0.0.1:%d", ends.publicPort),
		"admin":  map[string]any{"listen": fmt.Sprintf("127.0.0.1:%d", ends.adminPort), "token": "env:JITHOOK_ADMIN_TOKEN"},
		"auth": map[string]any{"api_keys": []any{map[string]any{
			"name": "kratos", "value": "env:KRATOS_HOOK_KEY", "endpoints": []string{"kratos", "login"}, "providers": []string{"*"},
		}}},
		"store":     c.Store,
		"providers": "providers",
		"kratos":    hooks,
		// The providers of tests are on this machine.
		"network": map[string]any{"allow_addresses": []string{"127.0.0.1", "::1"}},
	}
	if c.Outbound != nil {
		config["outbound"] = c.Outbound
	}
	text, err := json.Marshal(config) // JSON is YAML
	if err != nil {
		t.Fatal(err)
	}
	j.config = filepath.Join(dir, "jithook.yaml")
	write := map[string]string{j.config: string(text)}
	for name, file := range c.Files {
		write[filepath.Join(dir, "providers", name)] = file
	}
	if err := os.Mkdir(filepath.Join(dir, "providers"), 0o700); err != nil {
		t.Fatal(err)
	}
	for path, content := range write {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return j
}

// WriteProvider writes a provider's file anew.
func (j *Jithook) WriteProvider(t testing.TB, name, file string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(filepath.Dir(j.config), "providers", name), []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (j *Jithook) command(args ...string) *exec.Cmd {
	cmd := exec.Command(j.binary, append(args, "-c", j.config)...)
	cmd.Env = append(os.Environ(), "JITHOOK_ADMIN_TOKEN="+adminToken, "KRATOS_HOOK_KEY="+hookKey)
	return cmd
}

// KratosDocument returns what `jithook kratos config` prints.
func (j *Jithook) KratosDocument(t testing.TB) map[string]any {
	t.Helper()
	cmd := j.command("kratos", "config", "--with-key", "-o", "json")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("jithook kratos config: %v", err)
	}
	doc, err := ParseDocument(out)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// Register runs `jithook kratos register` on the file of a Kratos.
func (j *Jithook) Register(file string, args ...string) error {
	out, err := j.command(append([]string{"kratos", "register", "--file", file, "--write"}, args...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("jithook kratos register: %w: %s", err, out)
	}
	return nil
}

// Finding is what `jithook kratos doctor` finds.
type Finding struct {
	Code, Path, File, Text, Mend, Page string
	Line, Col                          int
}

// Doctor runs `jithook kratos doctor` on the file of a Kratos and returns what it
// finds, and its exit code.
func (j *Jithook) Doctor(t testing.TB, file string, args ...string) ([]Finding, int) {
	t.Helper()
	cmd := j.command(append([]string{"kratos", "doctor", "--file", file, "-o", "json"}, args...)...)
	out, err := cmd.Output()
	var found struct{ Findings []Finding }
	if jsonErr := json.Unmarshal(out, &found); jsonErr != nil {
		t.Fatalf("jithook kratos doctor: %v: %s", err, out)
	}
	return found.Findings, cmd.ProcessState.ExitCode()
}

// Start runs `jithook serve` and returns once it is ready.
func (j *Jithook) Start(t testing.TB) {
	t.Helper()
	j.running = process.Start(t, "jithook", j.command("serve"), hookKey, adminToken)
	until := time.Now().Add(90 * time.Second)
	for {
		if reply, err := http.Get(j.ListenURL + "/readyz"); err == nil {
			reply.Body.Close()
			if reply.StatusCode == http.StatusOK {
				return
			}
		}
		if j.running.HasExited() || time.Now().After(until) {
			t.Fatalf("jithook did not get ready:\n%s", j.running.LogTail())
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// Stop ends the server and returns once it has.
func (j *Jithook) Stop(t testing.TB) {
	t.Helper()
	if err := j.running.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-j.running.Exited():
	case <-time.After(20 * time.Second):
		t.Fatal("jithook did not stop")
	}
	if code := j.running.State().ExitCode(); code != 0 {
		t.Errorf("jithook ended with exit code %d", code)
	}
}

// Run runs a command of jithook's that opens the store by itself, which needs the
// server stopped, and returns what it prints.
func (j *Jithook) Run(t testing.TB, args ...string) string {
	t.Helper()
	out, err := j.command(args...).CombinedOutput()
	if err != nil {
		t.Fatalf("jithook %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// Try is Run of a command that may end with another exit code than 0.
func (j *Jithook) Try(t testing.TB, args ...string) (out string, code int) {
	t.Helper()
	cmd := j.command(args...)
	text, err := cmd.Output()
	if cmd.ProcessState == nil {
		t.Fatalf("jithook %v: %v", args, err)
	}
	return string(text), cmd.ProcessState.ExitCode()
}

// Admin asks the admin API and decodes the answer into out.
func (j *Jithook) Admin(t testing.TB, path string, out any) {
	t.Helper()
	j.admin(t, http.MethodGet, path, out)
}

// Post posts to the admin API and decodes the answer into out.
func (j *Jithook) Post(t testing.TB, path string, out any) {
	t.Helper()
	j.admin(t, http.MethodPost, path, out)
}

// Edit posts to the admin API, such as "/admin/v1/identities/ID/suspend".
func (j *Jithook) Edit(t testing.TB, path string) {
	t.Helper()
	var edited json.RawMessage
	j.admin(t, http.MethodPost, path, &edited)
}

func (j *Jithook) admin(t testing.TB, method, path string, out any) {
	t.Helper()
	status, err := j.ask(t.Context(), method, path, out)
	if err != nil {
		t.Fatal(err)
	}
	if status != http.StatusOK {
		t.Fatalf("%s %s: status %d", method, path, status)
	}
}

// Ask is Admin for whoever is no test: the status is the answer's, and out is
// left alone unless it is 200.
func (j *Jithook) Ask(ctx context.Context, path string, out any) (status int, err error) {
	return j.ask(ctx, http.MethodGet, path, out)
}

func (j *Jithook) ask(ctx context.Context, method, path string, out any) (status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, j.adminURL+path, nil)
	if err != nil {
		return 0, err
	}
	r.Header.Set("Authorization", "Bearer "+adminToken)
	reply, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err
	}
	defer reply.Body.Close()
	if reply.StatusCode != http.StatusOK {
		return reply.StatusCode, nil
	}
	return reply.StatusCode, json.NewDecoder(reply.Body).Decode(out)
}

// HookKey is the key with which Kratos calls.
func (j *Jithook) HookKey() string { return hookKey }
