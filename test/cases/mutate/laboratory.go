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
	"strings"
	"sync"
	"time"
)

// laboratory builds and plays the cases with a change.
type laboratory struct {
	root string // of the module
	dir  string // of what is built
}

// limit bounds how long the cases of one build may play.
const limit = "60s"

// sound returns an error unless the cases pass with the code as it is.
func (l laboratory) sound(ctx context.Context, mutations []mutation) error {
	binary := filepath.Join(l.dir, "sound")
	if err := l.build(ctx, binary, nil); err != nil {
		return err
	}
	var names []string
	for _, m := range mutations {
		names = append(names, m.Case)
	}
	text, err := l.play(ctx, binary, names)
	if err != nil {
		return fmt.Errorf("the cases fail without a mutation: %w\n%s", err, text)
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
				start := time.Now()
				err := l.try(ctx, n, mutations[n])
				verdict := "red"
				if err != nil {
					verdict = err.Error()
				}
				mu.Lock()
				fmt.Printf("%-24s %-28s %5.1fs  %s: %s\n", mutations[n].Sentence, mutations[n].File, time.Since(start).Seconds(), mutations[n].Case, verdict)
				if err != nil {
					errs = append(errs, fmt.Errorf("%s: %w", mutations[n].Sentence, err))
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

// try returns nil if the case goes red with the mutation.
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
	replaced := map[string]string{}
	for file, text := range files {
		changed := filepath.Join(dir, strings.ReplaceAll(file, "/", "_"))
		if err := os.WriteFile(changed, []byte(text), 0o600); err != nil {
			return err
		}
		replaced[filepath.Join(l.root, file)] = changed
	}
	binary := filepath.Join(dir, "cases")
	if err := l.build(ctx, binary, replaced); err != nil {
		return err
	}
	text, err := l.play(ctx, binary, []string{m.Case})
	switch {
	case err == nil:
		return errors.New("SURVIVED")
	case !strings.Contains(text, "--- FAIL: "+path(m.Case)):
		return fmt.Errorf("the case did not go red: %w\n%s", err, text)
	}
	return nil
}

// build builds the cases with files in the place of others.
func (l laboratory) build(ctx context.Context, binary string, replaced map[string]string) error {
	overlay := binary + ".json"
	data, err := json.Marshal(map[string]any{"Replace": replaced})
	if err != nil {
		return err
	}
	if err := os.WriteFile(overlay, data, 0o600); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-ldflags=-s -w", "-overlay", overlay, "-o", binary, "./test/cases")
	cmd.Dir = l.root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("does not build: %w\n%s", err, out)
	}
	return nil
}

// play plays cases on the embedded store. The error says that one is red, or
// that there is none of these names.
func (l laboratory) play(ctx context.Context, binary string, names []string) (string, error) {
	for n, name := range names {
		names[n] = regexp.QuoteMeta(strings.ReplaceAll(name, " ", "_"))
	}
	pattern := "^TestBolt$/^case$/^(" + strings.Join(names, "|") + ")$"
	cmd := exec.CommandContext(ctx, binary, "-test.run", pattern, "-test.timeout", limit, "-test.v")
	cmd.Dir = filepath.Join(l.root, "test/cases")
	out, err := cmd.CombinedOutput()
	text := string(out)
	if err == nil && !strings.Contains(text, "--- PASS: TestBolt/case/") {
		err = errors.New("no case was played")
	}
	return text, err
}

// path is the name of the test that plays a case.
func path(name string) string { return "TestBolt/case/" + strings.ReplaceAll(name, " ", "_") }
