//go:build unix

// Package server runs `jithook serve` for tests: the real program, in a process
// of its own, on whatever store a test has. It owns the configuration, the ports
// and the secrets; it must not know what a test proves with it.
package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jithook/jithook/test/process"
)

// Secret is every secret of a Server that is sent: the callers' and the administrator's. A
// log or an answer that holds it has a leak.
const Secret = "a-secret-of-the-tests-0001"

// WebhookSecret signs the requests of the caller that signs.
const WebhookSecret = "whsec_dGhlLXdlYmhvb2stc2VjcmV0LW9mLXRoZS10ZXN0cw=="

// Instance is the name of the Kratos that calls with the secret.
const Instance = "main"

// Config is what a test brings.
type Config struct {
	// Binary is the program's path; see Build.
	Binary string
	// Store is the section store of the configuration.
	Store map[string]any
	// Providers are the providers' files by name.
	Providers map[string]string
	// Outbound is the section outbound; targets are on this machine.
	Outbound map[string]any
	// Kratos and Telemetry are the sections of these names.
	Kratos, Telemetry map[string]any
	// LogFormat is json, unless it says text.
	LogFormat string
}

// Server is a running server.
type Server struct {
	// Hooks and Admin are where it listens, as URLs.
	Hooks, Admin string
	// Process is the server's own.
	Process *process.Process
	// Folder is where the providers' files are.
	Folder string

	log    string
	client *http.Client
}

// startLimit bounds how long a server may take until it listens, or is ready;
// callLimit how long one call may take.
const (
	startLimit = 30 * time.Second
	callLimit  = 20 * time.Second
)

// Start starts a server, which ends with the test, and returns when it listens.
func Start(t testing.TB, c Config) *Server {
	t.Helper()
	dir := t.TempDir()
	s := &Server{
		Folder: filepath.Join(dir, "providers"), log: filepath.Join(dir, "jithook.log"),
		client: &http.Client{Timeout: callLimit, Transport: &http.Transport{MaxIdleConnsPerHost: 32}},
	}
	s.configure(t, dir, c)
	cmd := exec.Command(c.Binary, "serve", "-c", filepath.Join(dir, "jithook.yaml"))
	cmd.Env = append(os.Environ(), "JITHOOK_TEST_SECRET="+Secret, "JITHOOK_TEST_WEBHOOK_SECRET="+WebhookSecret)
	p, err := process.Launch(dir, "jithook", cmd, Secret, WebhookSecret)
	if err != nil {
		t.Fatal(err)
	}
	s.Process = p
	t.Cleanup(func() {
		s.client.CloseIdleConnections()
		if err := p.Stop(); err != nil {
			t.Log(err)
		}
		if t.Failed() {
			t.Logf("end of the log of jithook:\n%s", p.LogTail())
		}
	})
	s.listening(t)
	return s
}

func (s *Server) configure(t testing.TB, dir string, c Config) {
	t.Helper()
	key := func(name, header string, endpoints ...string) any {
		return map[string]any{"name": name, "header": header, "value": "env:JITHOOK_TEST_SECRET",
			"endpoints": endpoints, "providers": []string{"*"}, "instance": Instance}
	}
	sections := map[string]any{
		"listen": "127.0.0.1:0",
		"admin":  map[string]any{"listen": "127.0.0.1:0", "token": "env:JITHOOK_TEST_SECRET"},
		"auth": map[string]any{
			"api_keys":        []any{key("test", "X-API-Key", "login", "kratos")},
			"webhook_secrets": []any{map[string]any{"name": "signer", "value": "env:JITHOOK_TEST_WEBHOOK_SECRET", "providers": []string{"*"}}},
		},
		"store":     c.Store,
		"providers": "providers",
	}
	if c.Outbound != nil {
		sections["outbound"], sections["network"] = c.Outbound, map[string]any{"allow_addresses": []string{"127.0.0.0/8"}}
	}
	for name, section := range map[string]map[string]any{"kratos": c.Kratos, "telemetry": c.Telemetry} {
		if section != nil {
			sections[name] = section
		}
	}
	if c.LogFormat != "" {
		sections["log"] = map[string]any{"format": c.LogFormat}
	}
	config, err := json.Marshal(sections) // JSON is YAML
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(s.Folder, 0o700); err != nil {
		t.Fatal(err)
	}
	files := map[string]string{filepath.Join(dir, "jithook.yaml"): string(config)}
	for name, content := range c.Providers {
		files[filepath.Join(s.Folder, name)] = content
	}
	for path, content := range files {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// listens is the line of a log, in either format, that says where the server is.
var listens = regexp.MustCompile(`\bmsg"?[=:]"?listening"?[ ,]"?hooks"?[=:]"?([0-9.:]+)"?[ ,]"?admin"?[=:]"?([0-9.:]+)`)

// listening reads from the log where the server listens.
func (s *Server) listening(t testing.TB) {
	t.Helper()
	until := time.Now().Add(startLimit)
	for ; ; time.Sleep(5 * time.Millisecond) {
		for line := range strings.Lines(s.Log(t)) {
			if found := listens.FindStringSubmatch(line); found != nil {
				s.Hooks, s.Admin = "http://"+found[1], "http://"+found[2]
				return
			}
		}
		if s.Process.HasExited() || time.Now().After(until) {
			t.Fatalf("jithook does not listen:\n%s", s.Process.LogTail())
		}
	}
}

// Log returns all that the server has logged.
func (s *Server) Log(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(s.log)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// AwaitReady returns when /readyz is green.
func (s *Server) AwaitReady(t testing.TB) {
	t.Helper()
	for until := time.Now().Add(startLimit); s.Get(t, "/readyz").Status != http.StatusOK; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal("jithook does not get ready")
		}
	}
}

// Answer is what a caller gets; Status is 0 if it hears nothing.
type Answer struct {
	Status int
	Body   []byte
	Took   time.Duration
}

// Decode decodes the answer's body.
func (a Answer) Decode(t testing.TB, into any) {
	t.Helper()
	if err := json.Unmarshal(a.Body, into); err != nil {
		t.Fatalf("status %d: %v: %s", a.Status, err, a.Body)
	}
}

// Post calls a hook, as a caller with the credential. A server that is gone is
// an Answer, too.
func (s *Server) Post(t testing.TB, path string, body any) Answer {
	t.Helper()
	return s.PostWith(t, path, body, nil)
}

// PostWith is Post with headers besides.
func (s *Server) PostWith(t testing.TB, path string, body any, header http.Header) Answer {
	t.Helper()
	all := http.Header{"X-Api-Key": {Secret}}
	maps.Copy(all, header)
	return s.call(t, http.MethodPost, s.Hooks+path, body, all)
}

// Get asks one of the open endpoints of the hooks' port.
func (s *Server) Get(t testing.TB, path string) Answer {
	t.Helper()
	return s.call(t, http.MethodGet, s.Hooks+path, nil, nil)
}

// Ask calls the admin API, as the administrator.
func (s *Server) Ask(t testing.TB, method, path string, body any) Answer {
	t.Helper()
	return s.call(t, method, s.Admin+path, body, http.Header{"Authorization": {"Bearer " + Secret}})
}

// Edit changes an identity of a revision, as the administrator.
func (s *Server) Edit(t testing.TB, id string, revision, body any) Answer {
	t.Helper()
	return s.call(t, http.MethodPatch, s.Admin+"/admin/v1/identities/"+id, body, http.Header{
		"Authorization": {"Bearer " + Secret}, "If-Match": {fmt.Sprint(revision)},
	})
}

// Metric returns the value of a metric without labels.
func (s *Server) Metric(t testing.TB, name string) float64 {
	t.Helper()
	for line := range strings.Lines(string(s.Ask(t, http.MethodGet, "/metrics", nil).Body)) {
		var v float64
		if n, _ := fmt.Sscanf(line, name+" %g", &v); n == 1 {
			return v
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

func (s *Server) call(t testing.TB, method, url string, body any, header http.Header) Answer {
	t.Helper()
	var content io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			t.Error(err)
			return Answer{}
		}
		content = bytes.NewReader(data)
	}
	r, err := http.NewRequest(method, url, content)
	if err != nil {
		t.Error(err)
		return Answer{}
	}
	if header != nil {
		r.Header = header
	}
	r.Header.Set("Content-Type", "application/json")
	start := time.Now()
	reply, err := s.client.Do(r)
	if err != nil {
		return Answer{Took: time.Since(start)}
	}
	defer reply.Body.Close()
	data, err := io.ReadAll(reply.Body)
	if err != nil {
		return Answer{Took: time.Since(start)}
	}
	return Answer{reply.StatusCode, data, time.Since(start)}
}
