//go:build unix

package server

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const program = "github.com/jithook/jithook/cmd/jithook"

// Build builds the program and returns its path.
func Build(t testing.TB) string {
	t.Helper()
	return build(t)
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
	return build(t, "-overlay", filepath.Join(dir, "overlay.json"))
}

func build(t testing.TB, flags ...string) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "jithook")
	args := append(append([]string{"build"}, flags...), "-o", binary, program)
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		t.Fatalf("build jithook: %v\n%s", err, out)
	}
	return binary
}
