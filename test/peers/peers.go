//go:build unix

// Package peers finds the servers that tests run, where scripts have built them.
// It owns the question whether a missing one skips a test or fails it; it must
// not know any of them.
package peers

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// RequireEnv names the environment variable that lists, separated by commas, the
// peers whose absence fails a test instead of skipping it.
const RequireEnv = "JITHOOK_TEST_REQUIRE"

// Missing ends a test whose peer is not there. It skips the test and says what to
// do, or fails it where RequireEnv lists the peer: a complete run must not pass
// because a peer was missing.
func Missing(t testing.TB, peer, hint string, err error) {
	t.Helper()
	required := func(name string) bool { return strings.TrimSpace(name) == peer }
	if slices.ContainsFunc(strings.Split(os.Getenv(RequireEnv), ","), required) {
		t.Fatalf("%s: %v", hint, err)
	}
	t.Skipf("%s: %v", hint, err)
}

// Where asks a peer's script, which alone knows how the cache is laid out: it
// runs test/PEER/peers.sh --where and returns the values that it prints as
// NAME=VALUE. Those in want must be there. folder is test/PEER.
func Where(ctx context.Context, peer string, want ...string) (folder string, values map[string]string, err error) {
	folder, err = sourceFolder(peer)
	if err != nil {
		return "", nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, "bash", filepath.Join(folder, "peers.sh"), "--where")
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", nil, fmt.Errorf("peers.sh --where: %w: %s", err, bytes.TrimSpace(stderr.Bytes()))
	}
	values = map[string]string{}
	for line := range strings.Lines(stdout.String()) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		values[name] = value
	}
	for _, name := range want {
		if values[name] == "" {
			return "", nil, fmt.Errorf("peers.sh --where did not print %s=", name)
		}
	}
	return folder, values, nil
}

// sourceFolder finds test/PEER upwards from the test's working directory, which
// is the folder of the package under test. (The path that the compiler recorded
// would be wrong under -trimpath.)
func sourceFolder(peer string) (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		source := filepath.Join(dir, "test", peer)
		if _, err := os.Stat(filepath.Join(source, "peers.sh")); err == nil {
			return source, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("no folder test/%s above %s", peer, start)
		}
	}
}
