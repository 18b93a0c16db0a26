//go:build unix

// Command mutate shows that tests prove what they say. Tables hold changes of the
// code, each with what it breaks and the test that must notice: those of
// test/cases/mutate break sentences of docs/policy.md, those of
// test/threats/mutate take a guard out against an attack or fault of
// test/house/threats.txt, those of test/mutate/store.yaml one of the userstore's
// contract. It builds the test's package with one change after the
// other (the tree stays as it is), plays the one test, and fails unless each
// goes red.
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

// tables are all there are: name and how the table is read.
var tables = map[string]func(root string) ([]mutation, []string, error){
	"sentences": sentences,
	"threats":   threats,
	"store":     stores,
}

func main() {
	table := flag.String("table", "", "only one of the tables: sentences, threats or store")
	pattern := flag.String("run", "", "only mutations of which this matches what is broken or the test")
	workers := flag.Int("workers", runtime.NumCPU(), "how many mutations at once")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := mutate(ctx, *table, *pattern, *workers); err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		stop()
		os.Exit(1)
	}
}

func mutate(ctx context.Context, table, pattern string, workers int) error {
	chosen, err := regexp.Compile(pattern)
	if err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return fmt.Errorf("where is the module? %w", err)
	}
	root := strings.TrimSpace(string(out))
	var mutations []mutation
	var problems []string
	for name, load := range tables {
		if table != "" && table != name {
			continue
		}
		some, wrong, err := load(root)
		if err != nil {
			return err
		}
		mutations, problems = append(mutations, some...), append(problems, wrong...)
	}
	mutations = slices.DeleteFunc(mutations, func(m mutation) bool {
		return !chosen.MatchString(m.breaks) && !chosen.MatchString(m.test.String())
	})
	if len(mutations) == 0 {
		return fmt.Errorf("no mutation of the table %q matches %q", table, pattern)
	}
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
