//go:build unix

package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"sigs.k8s.io/yaml"
)

// sentenceRow is a mutation that breaks a sentence of docs/policy.md.
type sentenceRow struct {
	Sentence string `json:"sentence"`
	// Case is the one that must notice.
	Case string `json:"case"`
	change
	// Also are further changes, where two places guard the sentence.
	Also []change `json:"also"`
}

var anchor = regexp.MustCompile(`(?m)^- <a id="([a-z0-9-]+)"></a>`)

// sentences reads the tables of test/cases/mutate, and returns what is wrong with
// them: a mutation that does not apply any more, one of no sentence or case,
// and a sentence without one.
func sentences(root string) (all []mutation, problems []string, err error) {
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
		var some []sentenceRow
		if err := read(file, &some); err != nil {
			return nil, nil, err
		}
		for _, s := range some {
			wrong := func(why string) {
				problems = append(problems, fmt.Sprintf("%s: %s: %s", filepath.Base(file), s.Sentence, why))
			}
			if _, there := broken[s.Sentence]; !there {
				wrong("docs/policy.md has no such sentence")
				continue
			}
			broken[s.Sentence] = true
			if proves[s.Case] != s.Sentence {
				wrong(fmt.Sprintf("there is no case %q of this sentence", s.Case))
			}
			m := mutation{breaks: s.Sentence, test: test{"test/cases", "TestBolt/case/" + s.Case}, changes: append([]change{s.change}, s.Also...)}
			if _, why := m.changed(root); why != "" {
				wrong(why)
			}
			all = append(all, m)
		}
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
