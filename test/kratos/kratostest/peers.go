//go:build unix

// Package kratostest runs a real Ory Kratos and a real OpenID provider for
// tests, and signs people in without a browser through the redirects, forms and
// cookies that a browser would see.
//
// It owns the processes, Kratos's configuration around what a test brings, and
// the driver. It must not know jithook: a test hands it the hooks, or the
// document that `jithook kratos config -o json` prints, as Kratos's own
// structure. Nothing is shared between tests: every Start makes processes, ports
// and files of its own, and all of it ends with the test.
package kratostest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// RequireEnv names the environment variable that lists, separated by commas,
// the peers whose absence fails a test instead of skipping it. This package's
// name in the list is "kratos".
const RequireEnv = "JITHOOK_TEST_REQUIRE"

// Peers says where the programs are that test/kratos/peers.sh built.
type Peers struct {
	Kratos    string // the executable
	KratosDB  string // an empty SQLite file with Kratos's tables
	OPModules string // node_modules of the OpenID provider
	Source    string // the folder test/kratos of this checkout
}

// Require returns the peers. Without them it skips the test and names the make
// target that builds them, or fails it where RequireEnv lists kratos: a complete
// run must not pass because a peer was missing.
func Require(t testing.TB) Peers {
	t.Helper()
	peers, err := findPeers(t.Context())
	if err == nil {
		return peers
	}
	const hint = "real Kratos and OpenID provider not available: run `make peers` (needs Go, gcc, Node and npm)"
	required := func(name string) bool { return strings.TrimSpace(name) == "kratos" }
	if slices.ContainsFunc(strings.Split(os.Getenv(RequireEnv), ","), required) {
		t.Fatalf("%s: %v", hint, err)
	}
	t.Skipf("%s: %v", hint, err)
	return Peers{}
}

// findPeers asks peers.sh, which alone knows how the cache is laid out.
func findPeers(ctx context.Context) (Peers, error) {
	source, err := sourceFolder()
	if err != nil {
		return Peers{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, "bash", filepath.Join(source, "peers.sh"), "--where")
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return Peers{}, fmt.Errorf("peers.sh --where: %w: %s", err, bytes.TrimSpace(stderr.Bytes()))
	}
	peers := Peers{Source: source}
	for line := range strings.Lines(stdout.String()) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch name {
		case "kratos":
			peers.Kratos = value
		case "kratos_db":
			peers.KratosDB = value
		case "op_modules":
			peers.OPModules = value
		}
	}
	if peers.Kratos == "" || peers.KratosDB == "" || peers.OPModules == "" {
		return Peers{}, errors.New("peers.sh --where did not print kratos=, kratos_db= and op_modules=")
	}
	return peers, nil
}

// sourceFolder finds test/kratos upwards from the test's working directory,
// which is the folder of the package under test. (The path that the compiler
// recorded would be wrong under -trimpath.)
func sourceFolder() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		source := filepath.Join(dir, "test", "kratos")
		if _, err := os.Stat(filepath.Join(source, "peers.sh")); err == nil {
			return source, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("no folder test/kratos above %s", start)
		}
	}
}
