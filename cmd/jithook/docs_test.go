package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// pages are all pages of the project, by their path from its root.
func pages(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules") {
			return fs.SkipDir
		}
		if err != nil || !strings.HasSuffix(path, ".md") {
			return err
		}
		text, err := os.ReadFile(path)
		name, relErr := filepath.Rel(root, path)
		all[filepath.ToSlash(name)] = string(text)
		return errors.Join(err, relErr)
	})
	if err != nil || len(all) < 20 {
		t.Fatalf("%d pages, %v", len(all), err)
	}
	return all
}

var (
	fenced  = regexp.MustCompile("(?ms)^ *```([a-z]*)[^\n]*\n(.*?)^ *```")
	inline  = regexp.MustCompile("`([^`\n]+)`")
	link    = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ +(.+)$`)
	anchor  = regexp.MustCompile(`<a id="([^"]+)">`)
)

// anchors are what a link into the page may name, as GitHub makes them.
func anchors(page string) []string {
	var all []string
	for _, a := range anchor.FindAllStringSubmatch(page, -1) {
		all = append(all, a[1])
	}
	for _, h := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(page, ""), -1) {
		all = append(all, strings.Map(func(r rune) rune {
			switch {
			case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
				return unicode.ToLower(r)
			case r == ' ':
				return '-'
			}
			return -1
		}, strings.TrimSpace(h[1])))
	}
	return all
}

// TestDocsLinks: every link within the project leads somewhere, and every one with
// an anchor to it.
func TestDocsLinks(t *testing.T) {
	all, tried := pages(t), 0
	for name, page := range all {
		for _, l := range link.FindAllStringSubmatch(inline.ReplaceAllString(fenced.ReplaceAllString(page, ""), ""), -1) {
			target, at, _ := strings.Cut(l[1], "#")
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			tried++
			path := name
			if target != "" {
				path = filepath.ToSlash(filepath.Join(filepath.Dir(name), target))
			}
			if _, err := os.Stat(filepath.Join("..", "..", path)); err != nil {
				t.Errorf("%s: %s leads nowhere", name, l[1])
			} else if to, isPage := all[path]; at != "" && isPage && !slices.Contains(anchors(to), at) {
				t.Errorf("%s: %s has no such section", name, l[1])
			}
		}
	}
	if tried < 100 {
		t.Errorf("only %d links", tried)
	}
}

// TestDocsCommands: every command line is one that this version takes.
func TestDocsCommands(t *testing.T) {
	tried := 0
	for name, page := range pages(t) {
		if name == "CHANGELOG.md" {
			continue // of other versions, too
		}
		for _, line := range commandLines(page) {
			tried++
			if err := understood(line); err != nil {
				t.Errorf("%s: jithook %s: %v", name, strings.Join(line, " "), err)
			}
		}
	}
	if tried < 120 {
		t.Errorf("only %d command lines", tried)
	}
}

// start is where the program is called: at the beginning of a line, or of what a
// shell begins anew.
var start = regexp.MustCompile(`(?:^|[;&|(!] *|\bsudo |"\$\()(?:jithook|bin/jithook|go run \./cmd/jithook) (.*)`)

// commandLines are the words behind the program's name: in blocks, indented ones
// too, and in what stands between backquotes.
func commandLines(page string) [][]string {
	var lines [][]string
	add := func(text string) {
		if found := start.FindStringSubmatch(strings.TrimPrefix(strings.TrimSpace(text), "$ ")); found != nil {
			lines = append(lines, words(found[1]))
		}
	}
	for _, block := range fenced.FindAllStringSubmatch(page, -1) {
		for line := range strings.Lines(block[2]) {
			switch block[1] {
			case "", "sh":
				add(line)
			case "console": // the rest is what it prints
				if strings.HasPrefix(line, "$ ") {
					add(line)
				}
			}
		}
	}
	rest := fenced.ReplaceAllString(page, "")
	for line := range strings.Lines(rest) {
		if strings.HasPrefix(line, "    ") {
			add(line)
			continue
		}
		for _, code := range inline.FindAllStringSubmatch(line, -1) {
			add(code[1])
		}
	}
	return lines
}

// words splits a command line like a shell, up to where another command or a
// remark begins.
func words(line string) []string {
	var all []string
	var quote rune
	word, open := "", false
	for _, r := range line + " " {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word += string(r)
		case r == '\'' || r == '"':
			quote, open = r, true
		case strings.ContainsRune(" \t)", r):
			if word != "" || open {
				if !open && strings.ContainsAny(word[:1], "#|&>;<\\") || strings.HasPrefix(word, "2>") {
					return all
				}
				all = append(all, word)
			}
			word, open = "", false
			if r == ')' {
				return all
			}
		default:
			word += string(r)
		}
	}
	return all
}

// understood returns why the program would not take the line. Words such as
// suspend|activate stand for several commands, and … for whatever may follow.
func understood(line []string) error {
	for n, w := range line {
		if w == "…" {
			line = line[:n]
			break
		}
		if alternatives := strings.Split(w, "|"); len(alternatives) > 1 {
			for _, a := range alternatives {
				if err := understood(slices.Concat(line[:n], []string{a}, line[n+1:])); err != nil {
					return err
				}
			}
			return nil
		}
	}
	cmd, rest, err := newRoot().Find(line)
	if err != nil {
		return err
	}
	cmd.InitDefaultHelpFlag()
	if err := cmd.ParseFlags(rest); err != nil && !strings.Contains(err.Error(), "flag needs an argument") {
		return err
	}
	if args := cmd.Flags().Args(); cmd.HasSubCommands() && len(args) > 0 {
		return errors.New("no command " + args[0])
	}
	return nil
}

// TestDocsBlocks: what is called JSON or YAML is.
func TestDocsBlocks(t *testing.T) {
	for name, page := range pages(t) {
		for _, block := range fenced.FindAllStringSubmatch(page, -1) {
			var v any
			var err error
			switch block[1] {
			case "json":
				err = json.Unmarshal([]byte(block[2]), &v)
			case "yaml":
				err = yaml.Unmarshal([]byte(block[2]), &v)
			}
			if err != nil {
				t.Errorf("%s: %v in\n%s", name, err, block[2])
			}
		}
	}
}

// TestDocsAreListed: the index names every page.
func TestDocsAreListed(t *testing.T) {
	all := pages(t)
	for name := range all {
		if page, ok := strings.CutPrefix(name, "docs/"); ok && !strings.Contains(page, "/") && page != "README.md" && !strings.Contains(all["docs/README.md"], "]("+page+")") {
			t.Errorf("docs/README.md does not name %s", page)
		}
	}
}
