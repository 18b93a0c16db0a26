package provider_test

// What a load writes into the log is bounded, however many files are broken.

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jithook/jithook/provider"
)

func TestManyProblemsAreFewLines(t *testing.T) {
	dir := t.TempDir()
	for n := range 250 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.yaml", n)), []byte("version: 2\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var text bytes.Buffer
	l := provider.NewLive(dir, loader(t), slog.New(slog.NewTextHandler(&text, nil)), nil)
	l.Reload()
	all := len(l.Load())
	if lines := strings.Count(text.String(), "\n"); all < 250 || lines != 101 {
		t.Errorf("%d problems in %d lines", all, lines)
	}
	if want := fmt.Sprintf("problems=%d", all); !strings.Contains(text.String(), want) {
		t.Errorf("the log does not say %s", want)
	}
}
