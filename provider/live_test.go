package provider_test

// What a load writes into the log is bounded, however many files are broken; and
// the folder that has the name is the one that counts, whatever had it before.

import (
	"bytes"
	"context"
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

// TestAnotherFolderInItsPlace: deployments do not edit files, they put a folder in
// the place of another one. What changes in it afterwards counts as well.
func TestAnotherFolderInItsPlace(t *testing.T) {
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	folder := func(dir, id string) {
		t.Helper()
		must(os.Mkdir(dir, 0o700))
		must(os.WriteFile(filepath.Join(dir, "b.yaml"), named(id).Data, 0o600))
	}
	for name, put := range map[string]func(dir, next string){
		"another one renamed": func(dir, next string) {
			must(os.Rename(dir, next+".last"))
			must(os.Rename(next, dir))
		},
		"removed, and made again later": func(dir, next string) {
			must(os.RemoveAll(dir))
			must(os.Rename(next, dir))
		},
		"a link that leads elsewhere": func(dir, next string) {
			must(os.Symlink(next, next+".link"))
			if info, err := os.Lstat(dir); err == nil && info.IsDir() {
				must(os.Rename(dir, dir+".first"))
			}
			must(os.Rename(next+".link", dir))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "providers")
			must(os.Mkdir(dir, 0o700))
			l := watchAt(t, dir)
			for n := range 2 { // the second time it is one that was put there
				next := fmt.Sprint(dir, n)
				folder(next, "globex")
				put(dir, next)
				l.until(t, "the new folder", func(bool) bool { return l.has("globex") && !l.has("acme") })
				l.write(t, "b.yaml", "initech")
				l.until(t, "an edit in it", func(bool) bool { return l.has("initech") && !l.has("globex") })
			}
		})
	}
}

// TestChangedBeforeItIsWatched: what changes while the server starts counts, too.
func TestChangedBeforeItIsWatched(t *testing.T) {
	l := live{dir: t.TempDir(), loads: make(chan bool, 100)}
	l.write(t, "a.yaml", "acme")
	l.Live = provider.NewLive(l.dir, loader(t), slog.New(slog.DiscardHandler), func(_ *provider.Set, good bool) { l.loads <- good })
	if problems := l.Load(); len(problems) > 0 {
		t.Fatal(problems)
	}
	<-l.loads
	l.write(t, "b.yaml", "globex")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- l.Watch(ctx) }()
	l.until(t, "the file", func(bool) bool { return l.has("globex") })
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
