//go:build unix

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// laboratory builds and plays tests with a change.
type laboratory struct {
	root string // of the module
	dir  string // of what is built
}

// limit bounds how long one test may play, and soundLimit those of one package.
const (
	limit      = 5 * time.Minute
	soundLimit = 15 * time.Minute
)

// sound returns an error unless the tests pass with the code as it is.
func (l laboratory) sound(ctx context.Context, mutations []mutation) error {
	byPackage := map[string][]test{}
	var packages []string
	for _, m := range mutations {
		if byPackage[m.test.pkg] == nil {
			packages = append(packages, m.test.pkg)
		}
		if !slices.Contains(byPackage[m.test.pkg], m.test) {
			byPackage[m.test.pkg] = append(byPackage[m.test.pkg], m.test)
		}
	}
	for _, pkg := range packages {
		dir := filepath.Join(l.dir, "sound")
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
		start := time.Now()
		b, err := l.build(ctx, dir, pkg, nil)
		if err != nil {
			return err
		}
		text := b.play(ctx, soundLimit, nil, byPackage[pkg]...)
		for _, t := range byPackage[pkg] {
			if !t.passes(text) {
				return fmt.Errorf("without a mutation, %s does not pass; is a peer missing (make peers, make mongo)?\n%s", t, text)
			}
		}
		fmt.Printf("%-53s %5.1fs  passes without a mutation\n", pkg, time.Since(start).Seconds())
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	return nil
}

// all tries every mutation, several at once, and prints a line for each.
func (l laboratory) all(ctx context.Context, mutations []mutation, workers int) error {
	var mu sync.Mutex
	var errs []error
	todo := make(chan int)
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for n := range todo {
				m, start := mutations[n], time.Now()
				err := l.try(ctx, n, m)
				verdict := "red"
				if err != nil {
					verdict = err.Error()
				}
				mu.Lock()
				fmt.Printf("%-24s %-28s %5.1fs  %s: %s\n", m.breaks, m.changes[0].File, time.Since(start).Seconds(), m.test, verdict)
				if err != nil {
					errs = append(errs, fmt.Errorf("%s: %s: %w", m.breaks, m.test, err))
				}
				mu.Unlock()
			}
		})
	}
	for n := range mutations {
		if ctx.Err() != nil {
			break
		}
		todo <- n
	}
	close(todo)
	all.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	fmt.Printf("%d of %d mutations are noticed\n", len(mutations)-len(errs), len(mutations))
	return errors.Join(errs...)
}

// try returns nil if the test goes red with the mutation.
func (l laboratory) try(ctx context.Context, n int, m mutation) error {
	dir := filepath.Join(l.dir, fmt.Sprint(n))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	files, why := m.changed(l.root)
	if why != "" {
		return errors.New(why)
	}
	b, err := l.build(ctx, dir, m.test.pkg, files)
	if err != nil {
		return err
	}
	text := b.play(ctx, limit, m.args, m.test)
	switch {
	case m.test.passes(text):
		return errors.New("SURVIVED")
	case strings.Contains(text, "panic: test timed out"):
		return fmt.Errorf("the test did not end within %v", limit)
	case strings.Contains(text, "\npanic: "):
		return fmt.Errorf("a crash is no answer of a test\n%s", text)
	case !m.test.fails(text) || !strings.Contains(text, m.says):
		return fmt.Errorf("the test did not go red\n%s", text)
	}
	return nil
}

// built is a package's tests, built with an overlay.
type built struct{ binary, overlay, dir string }

// build builds the tests of a package, in dir, with files in the place of others.
func (l laboratory) build(ctx context.Context, dir, pkg string, files map[string]string) (built, error) {
	replaced := map[string]string{}
	for file, text := range files {
		changed := filepath.Join(dir, strings.ReplaceAll(file, "/", "_"))
		if err := os.WriteFile(changed, []byte(text), 0o600); err != nil {
			return built{}, err
		}
		replaced[filepath.Join(l.root, file)] = changed
	}
	data, err := json.Marshal(map[string]any{"Replace": replaced})
	if err != nil {
		return built{}, err
	}
	b := built{binary: filepath.Join(dir, "tests"), overlay: filepath.Join(dir, "overlay.json"), dir: filepath.Join(l.root, pkg)}
	if err := os.WriteFile(b.overlay, data, 0o600); err != nil {
		return built{}, err
	}
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-ldflags=-s -w", "-overlay", b.overlay, "-o", b.binary, "./"+pkg)
	cmd.Dir = l.root
	if out, err := cmd.CombinedOutput(); err != nil {
		return built{}, fmt.Errorf("does not build: %w\n%s", err, out)
	}
	return b, nil
}

// play plays tests, and returns what they print. Whether the whole is red says
// nothing about them: rows that are left out may be missed.
func (b built) play(ctx context.Context, most time.Duration, args []string, tests ...test) string {
	var patterns []string
	for _, t := range tests {
		parts := strings.Split(t.played(), "/")
		for n, part := range parts {
			parts[n] = "^" + regexp.QuoteMeta(part) + "$"
		}
		patterns = append(patterns, strings.Join(parts, "/"))
	}
	args = append(slices.Clone(args), "-test.run", strings.Join(patterns, "|"), "-test.count=1", "-test.timeout", most.String(), "-test.v")
	cmd := exec.CommandContext(ctx, b.binary, args...)
	cmd.Dir = b.dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-overlay="+b.overlay) // some tests build the programs that they try
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second // a process that the test left behind may hold the pipe
	out, err := cmd.CombinedOutput()
	return fmt.Sprintf("%s\n%v", out, err)
}

// played is the name of the test as testing prints it.
func (t test) played() string { return strings.ReplaceAll(t.path, " ", "_") }

func (t test) passes(text string) bool { return strings.Contains(text, "--- PASS: "+t.played()+" (") }
func (t test) fails(text string) bool  { return strings.Contains(text, "--- FAIL: "+t.played()+" (") }
