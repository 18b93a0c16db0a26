package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestReadme checks every YAML block of the README as a reader would: the
// providers' files in the folder that the configurations name.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	configs := map[string]string{}
	for i, block := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		name := strconv.Itoa(i) + ".yaml"
		if strings.Contains(block[1], "\nprovider: ") {
			write(t, filepath.Join(dir, "providers", name), block[1])
			write(t, filepath.Join(dir, "candidate", name), block[1])
			continue
		}
		configs[name] = block[1]
		write(t, filepath.Join(dir, name), block[1])
	}
	if len(configs) < 2 {
		t.Fatalf("%d configurations in the README", len(configs))
	}
	for name, config := range configs {
		var out bytes.Buffer
		root := newRoot()
		root.SetOut(&out)
		root.SetArgs([]string{"check", "--lint", "-c", filepath.Join(dir, name)})
		if err := root.Execute(); err != nil || !strings.HasPrefix(out.String(), "no problems; providers: 1") {
			t.Errorf("%v\n%s\nin\n%s", err, strings.ReplaceAll(out.String(), dir, ""), config)
		}
	}
}

// TestReadmeSaysEverything: the complete configuration has every key there is.
func TestReadmeSaysEverything(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	schema, err := os.ReadFile("configfile.go")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\n## Configuration\n")
	section, _, _ := strings.Cut(rest, "\n## ")
	keys := regexp.MustCompile(`yaml:"([a-z_]+)"`).FindAllStringSubmatch(string(schema), -1)
	if len(keys) == 0 {
		t.Fatal("no keys in configfile.go")
	}
	for _, key := range keys {
		if !regexp.MustCompile(`(?m)(^|[ {-])` + key[1] + `:`).MatchString(section) {
			t.Errorf("the README's Configuration lacks %s", key[1])
		}
	}
}

// TestStartedAs holds dev's banner to commands that the reader can type.
func TestStartedAs(t *testing.T) {
	for arg, want := range map[string]string{
		"/tmp/go-build123/b001/exe/jithook": "go run ./cmd/jithook",
		"bin/jithook":                       "bin/jithook",
		"jithook":                           "jithook",
	} {
		if got := startedAs(arg); got != want {
			t.Errorf("started as %s: %s", arg, got)
		}
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
