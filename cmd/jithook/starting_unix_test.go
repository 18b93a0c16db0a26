//go:build unix

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestReloadWhileStarting: a SIGHUP that comes while the providers are being read,
// as of a reload right after a restart, ends nothing.
func TestReloadWhileStarting(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "jithook.yaml"), `listen: 127.0.0.1:0
admin: {listen: 127.0.0.1:0, token: some-token}
auth: {api_keys: [{name: a, value: some-key, endpoints: [login], providers: [acme]}]}
store: {bolt: {path: jithook.db}}
providers: providers
log: {format: text}
`)
	const rules = "version: 1\nprovider: acme\nissuer: https://acme.example\njit: {enabled: true}\ntraits: {name: {value: claims.name}}\n"
	slow := filepath.Join(dir, "providers", "acme.yaml") // reading it takes until we have written it
	write(t, filepath.Join(dir, "next.yaml"), rules)
	if err := os.Mkdir(filepath.Dir(slow), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(slow, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("jithook", "serve", "-c", filepath.Join(dir, "jithook.yaml"))
	var log output
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-exited
	})
	pipe, err := os.OpenFile(slow, os.O_WRONLY, 0) // once the server reads it
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir, "next.yaml"), slow); err != nil { // for the next time
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if _, err := pipe.WriteString(rules); err != nil && !strings.Contains(err.Error(), "broken pipe") {
		t.Fatal(err)
	}
	if err := pipe.Close(); err != nil {
		t.Fatal(err)
	}
	heard(t, &log, exited, &log, `msg=(listening) `)
	heard(t, &log, exited, &log, `msg="(providers reloaded)"`)
}
