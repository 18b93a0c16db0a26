//go:build unix

package server

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const program = "github.com/jithook/jithook/cmd/jithook"

// Build builds the program and returns its path.
func Build(t testing.TB) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "jithook")
	if strings.Contains(os.Getenv("GOFLAGS"), "-overlay") { // not of the tree's sources: no other process may find it
		compile(t, binary)
		return binary
	}
	kept, err := keep()
	if err != nil {
		t.Fatalf("build jithook: %v", err)
	}
	if err := os.Link(kept, binary); err != nil { // on another disk
		compile(t, binary)
	}
	return binary
}

// BuildAhead builds a program whose clock is off: ahead, or behind where off is
// negative. The program itself has no way to say so, so another file takes the
// place of its clock.
func BuildAhead(t testing.TB, off time.Duration) string {
	t.Helper()
	dir := t.TempDir()
	folder, err := exec.Command("go", "list", "-f", "{{.Dir}}", program).Output()
	if err != nil {
		t.Fatalf("where is %s: %v", program, err)
	}
	clock := filepath.Join(strings.TrimSpace(string(folder)), "clock.go")
	if _, err := os.Stat(clock); err != nil {
		t.Fatalf("the program's clock: %v", err)
	}
	source := fmt.Sprintf("package main\n\nimport \"time\"\n\nfunc now() time.Time { return time.Now().Add(%d) }\n", off)
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{clock: filepath.Join(dir, "clock.go")}})
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"clock.go": []byte(source), "overlay.json": overlay} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	binary := filepath.Join(dir, "jithook")
	compile(t, binary, "-overlay", filepath.Join(dir, "overlay.json"))
	return binary
}

func compile(t testing.TB, binary string, flags ...string) {
	t.Helper()
	if err := goBuild(binary, flags...); err != nil {
		t.Fatalf("build jithook: %v", err)
	}
}

func goBuild(binary string, flags ...string) error {
	args := append(append([]string{"build", "-buildvcs=false"}, flags...), "-o", binary, program)
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}

// keep builds the program once for this process, below bin in the module: where
// it is there already, of these very sources, that takes no linking. Processes
// that want it at the same time take turns.
var keep = sync.OnceValues(func() (string, error) {
	root, err := watch()
	if err != nil {
		return "", err
	}
	folder := filepath.Join(root, "bin", "test")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	lock, err := os.OpenFile(filepath.Join(folder, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", err
	}
	kept := filepath.Join(folder, "jithook")
	return kept, goBuild(kept)
})

// sources prints, for each package of the module that the program consists of,
// its folder and what it embeds.
const sources = `{{with .Module}}{{if .Main}}{{.Dir}}{{"\n"}}{{$.Dir}}{{"\n"}}{{range $.EmbedFiles}}{{$.Dir}}/{{.}}{{"\n"}}{{end}}{{end}}{{end}}`

// watch looks at the sources of the program, so that go test, which knows what a
// test opens but not what it builds, takes no result from its cache that another
// program had. It returns the module's folder.
func watch() (root string, err error) {
	out, err := exec.Command("go", "list", "-deps", "-f", sources, program).Output()
	if err != nil {
		return "", fmt.Errorf("go list: %w", err)
	}
	for path := range strings.Lines(string(out)) {
		path = strings.TrimSpace(path)
		if root == "" {
			root = path // a line of each package
		}
		if path == root {
			continue
		}
		if err := look(path); err != nil {
			return "", err
		}
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		if err := look(filepath.Join(root, name)); err != nil {
			return "", err
		}
	}
	return root, nil
}

// look reads what go test notes of a path: the entries of a folder.
func look(path string) error {
	info, err := os.Stat(path)
	if err == nil && info.IsDir() {
		_, err = os.ReadDir(path)
	}
	return err
}
