//go:build unix

// Command mutate shows that the cases of test/cases prove what they say. For
// each sentence of docs/policy.md the tables beside it hold a change of the code
// that breaks it, and the case that must notice. It builds the cases with one
// change after the other (the tree stays as it is), plays the one case on the
// embedded store, and fails unless each goes red.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

func main() {
	pattern := flag.String("run", "", "only mutations of which this matches the sentence or the case")
	workers := flag.Int("workers", runtime.NumCPU(), "how many mutations at once")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := mutate(ctx, *pattern, *workers); err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		stop()
		os.Exit(1)
	}
}

func mutate(ctx context.Context, pattern string, workers int) error {
	chosen, err := regexp.Compile(pattern)
	if err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return fmt.Errorf("where is the module? %w", err)
	}
	root := strings.TrimSpace(string(out))
	mutations, problems, err := load(root)
	if err != nil {
		return err
	}
	mutations = slices.DeleteFunc(mutations, func(m mutation) bool { return !chosen.MatchString(m.Sentence) && !chosen.MatchString(m.Case) })
	dir, err := os.MkdirTemp("", "jithook-mutate-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	l := laboratory{root: root, dir: dir}
	if err := l.sound(ctx, mutations); err != nil {
		return err
	}
	err = l.all(ctx, mutations, workers)
	if len(problems) > 0 {
		err = errors.Join(err, fmt.Errorf("the tables have problems:\n%s", strings.Join(problems, "\n")))
	}
	return err
}
