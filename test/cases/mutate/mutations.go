//go:build unix

package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// mutation is a change of the code that breaks a sentence.
type mutation struct {
	Sentence string `json:"sentence"`
	// Case is the one that must notice.
	Case string `json:"case"`
	change
	// Also are further changes, where two places guard the sentence.
	Also []change `json:"also"`
}

// change is one of the code: File has Old once; New stands there instead.
type change struct {
	File string `json:"file"`
	Old  string `json:"old"`
	New  string `json:"new"`
}

var anchor = regexp.MustCompile(`(?m)^- <a id="([a-z0-9-]+)"></a>`)

// load reads the tables of the module at root, and returns what is wrong with
// them: a mutation that does not apply any more, one of no sentence or case,
// and a sentence without one.
func load(root string) (all []mutation, problems []string, err error) {
	proves, err := cases(root)
	if err != nil {
		return nil, nil, err
	}
	policy, err := os.ReadFile(filepath.Join(root, "docs/policy.md"))
	if err != nil {
		return nil, nil, err
	}
	broken := map[string]bool{} // whether a mutation breaks the sentence
	for _, m := range anchor.FindAllSubmatch(policy, -1) {
		broken[string(m[1])] = false
	}
	files, err := filepath.Glob(filepath.Join(root, "test/cases/mutate/*.yaml"))
	if err != nil {
		return nil, nil, err
	}
	for _, file := range files {
		var some []mutation
		if err := read(file, &some); err != nil {
			return nil, nil, err
		}
		for _, m := range some {
			if _, there := broken[m.Sentence]; !there {
				problems = append(problems, fmt.Sprintf("%s: docs/policy.md has no sentence %q", filepath.Base(file), m.Sentence))
				continue
			}
			broken[m.Sentence] = true
			if why := m.problem(root, proves); why != "" {
				problems = append(problems, fmt.Sprintf("%s: %s: %s", filepath.Base(file), m.Sentence, why))
			}
		}
		all = append(all, some...)
	}
	for _, sentence := range slices.Sorted(maps.Keys(broken)) {
		if !broken[sentence] {
			problems = append(problems, fmt.Sprintf("no mutation breaks %q", sentence))
		}
	}
	return all, problems, nil
}

// cases returns the sentence of each case.
func cases(root string) (map[string]string, error) {
	files, err := filepath.Glob(filepath.Join(root, "test/cases/*.yaml"))
	if err != nil {
		return nil, err
	}
	proves := map[string]string{}
	for _, file := range files {
		var some []struct{ Case, Sentence string }
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if err := yaml.Unmarshal(data, &some); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		for _, c := range some {
			proves[c.Case] = c.Sentence
		}
	}
	return proves, nil
}

// problem returns why a mutation means nothing, or "".
func (m mutation) problem(root string, proves map[string]string) string {
	if proves[m.Case] != m.Sentence {
		return fmt.Sprintf("there is no case %q of this sentence", m.Case)
	}
	_, why := m.changed(root)
	return why
}

// changed returns the files that the mutation changes, or why it does not apply.
func (m mutation) changed(root string) (files map[string]string, why string) {
	files = map[string]string{}
	for _, c := range append([]change{m.change}, m.Also...) {
		text, begun := files[c.File]
		if !begun {
			data, err := os.ReadFile(filepath.Join(root, c.File))
			if err != nil {
				return nil, fmt.Sprintf("%s cannot be read", c.File)
			}
			text = string(data)
		}
		if n := strings.Count(text, c.Old); n != 1 || c.Old == c.New {
			return nil, fmt.Sprintf("%s has %q %d times, and once is needed", c.File, c.Old, n)
		}
		files[c.File] = strings.Replace(text, c.Old, c.New, 1)
	}
	return files, ""
}

// read decodes a file strictly.
func read(file string, into any) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := yaml.UnmarshalStrict(data, into); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}
