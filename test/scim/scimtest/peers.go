//go:build unix

package scimtest

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jithook/jithook/test/peers"
	"github.com/jithook/jithook/test/process"
)

// Token is what the services of other hands let in, if they ask for one.
const Token = "scim-token-0001"

// startTime is how long such a service may take to start.
const startTime = 30 * time.Second

// StartPeer starts the service made with elimity-com/scim and returns its URL;
// without patch it takes only PUT. It ends with the test.
func StartPeer(t testing.TB, patch bool) string {
	t.Helper()
	_, where := require(t)
	cmd := exec.Command(where["peer"])
	if !patch {
		cmd.Env = append(os.Environ(), "PEER_NO_PATCH=1")
	}
	return start(t, "scim-peer", cmd)
}

// StartSCIMMY starts the service made with scimmy-routers and returns its URL. It
// ends with the test.
func StartSCIMMY(t testing.TB) string {
	t.Helper()
	source, where := require(t)
	dir := t.TempDir()
	// Node looks for modules from the script's own folder upwards, and the cache
	// holds modules only.
	script, err := os.ReadFile(filepath.Join(source, "scimmy", "server.mjs"))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "server.mjs"), script, 0o600)
	}
	if err == nil {
		err = os.Symlink(where["scimmy_modules"], filepath.Join(dir, "node_modules"))
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", filepath.Join(dir, "server.mjs"))
	cmd.Dir, cmd.Env = dir, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}
	cmd.Stdin = strings.NewReader(Token)
	return start(t, "scimmy", cmd)
}

// require returns where the services are. Without them it skips the test and
// names the make target, or fails it where peers.RequireEnv lists scim.
func require(t testing.TB) (source string, where map[string]string) {
	t.Helper()
	source, where, err := peers.Where(t.Context(), "scim", "peer", "scimmy_modules")
	if err != nil {
		peers.Missing(t, "scim", "SCIM services of other hands not available: run `make peers` (needs Go, Node and npm)", err)
	}
	return source, where
}

// start starts a service and waits for the line with its URL.
func start(t testing.TB, name string, cmd *exec.Cmd) string {
	t.Helper()
	stdout, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = w
	p := process.Start(t, name, cmd, Token)
	_ = w.Close() // the child has its own descriptor; so reading ends with it
	line := make(chan string, 1)
	go func() {
		out := bufio.NewReader(stdout)
		first, _ := out.ReadString('\n')
		line <- strings.TrimSpace(first)
		_, _ = io.Copy(io.Discard, out) // it must never block on a full pipe
	}()
	select {
	case first := <-line:
		if url, ok := strings.CutPrefix(first, "url="); ok {
			return url
		}
		err = fmt.Errorf("its first line is %q", first)
	case <-time.After(startTime):
		err = fmt.Errorf("no URL after %v", startTime)
	}
	t.Fatalf("%s: %v\n%s", name, err, p.LogTail())
	return ""
}
