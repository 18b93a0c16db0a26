// These tests hold the files of deploy to those who read them: Helm, Kubernetes,
// Prometheus, Docker's and Compose's own parsers, systemd; every configuration in
// them to `jithook check`; and every metric that a dashboard or an alert names to
// those that jithook exports. They are a module of their own, since what they
// need is larger than jithook.
package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

const (
	root = "../.."
	dir  = root + "/deploy"
)

// binary builds jithook as the Dockerfile does, once.
var binary = sync.OnceValues(func() (string, error) {
	where, err := os.MkdirTemp("", "jithook-deploy")
	if err != nil {
		return "", err
	}
	out := filepath.Join(where, "jithook")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w -X main.version=test", "-o", out, "./cmd/jithook")
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	return out, cmd.Run()
})

func TestMain(m *testing.M) {
	code := m.Run()
	if out, err := binary(); err == nil {
		_ = os.RemoveAll(filepath.Dir(out))
	}
	os.Exit(code)
}

func jithook(t *testing.T) string {
	t.Helper()
	out, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// checked holds a configuration and the providers' files beside it to `jithook
// check --lint`.
func checked(t *testing.T, config string) {
	t.Helper()
	if out, err := exec.Command(jithook(t), "check", "--lint", "-c", config).CombinedOutput(); err != nil || !strings.Contains(string(out), "providers: 1") {
		t.Errorf("%s: %v\n%s", config, err, out)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
