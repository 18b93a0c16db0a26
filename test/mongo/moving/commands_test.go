//go:build unix

package moving_test

// The commands themselves move a userstore into a database and back, while no
// server runs.

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jithook/jithook/store/bolt"
	"github.com/jithook/jithook/test/server"
)

// configure writes a configuration for a store and returns its path.
func configure(t *testing.T, name string, store map[string]any) string {
	t.Helper()
	dir := t.TempDir()
	config, err := json.Marshal(map[string]any{ // JSON is YAML
		"admin":     map[string]any{"token": "env:JITHOOK_ADMIN_TOKEN"},
		"auth":      map[string]any{"api_keys": []any{map[string]any{"name": "a", "value": "env:KEY", "endpoints": []string{"login"}, "providers": []string{"*"}}}},
		"store":     store,
		"providers": "providers",
	})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name+".yaml")
	if err := os.WriteFile(path, config, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCommands(t *testing.T) {
	home := filepath.Join(t.TempDir(), "first.db")
	first, err := bolt.Open(home, bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	populate(t, first)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	database := peer.Server(t)
	file := configure(t, "file", map[string]any{"bolt": map[string]any{"path": home}})
	mongo := configure(t, "mongo", map[string]any{"mongodb": map[string]any{"uri": "env:MONGODB_URI", "database": database.Database(t)}})
	back := configure(t, "back", map[string]any{"bolt": map[string]any{"path": filepath.Join(t.TempDir(), "back.db")}})

	binary := server.Build(t)
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.Command(binary, append([]string{"store"}, args...)...)
		cmd.Env = append(os.Environ(), "MONGODB_URI="+database.URI, "JITHOOK_ADMIN_TOKEN=unused", "KEY=unused")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("jithook store %s: %v\n%s", args[0], err, strings.ReplaceAll(string(out), database.URI, "URI"))
		}
		return string(out)
	}
	var files [3][]byte
	for n, config := range []string{file, mongo, back} {
		name := filepath.Join(t.TempDir(), "export.jsonl")
		if n > 0 {
			run("import", "-c", config, "--from", filepath.Join(filepath.Dir(file), "last.jsonl"))
		}
		if out := run("verify", "-c", config, "--mend=false"); !strings.Contains(out, "0 left") {
			t.Errorf("verify: %s", out)
		}
		run("export", "-c", config, "--to", name)
		if files[n], err = os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(filepath.Dir(file), "last.jsonl"), files[n], 0o600); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(files[0], files[n]) {
			t.Errorf("the export of the %d. store differs: %d bytes, %d before", n+1, len(files[n]), len(files[0]))
		}
	}
	if n := bytes.Count(files[2], []byte("\n")); n != 2*people+2 {
		t.Errorf("%d lines, want a header, %d identities, as many records, and the end", n, people)
	}
}
