//go:build unix

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"
)

// mutation is a change of the code that breaks something that is promised.
type mutation struct {
	breaks string // a sentence, an attack
	// test is the one that must notice.
	test test
	// says is what it must say when it is red.
	says string
	// args are further flags of the test's binary.
	args    []string
	changes []change
}

// test is a test function, or a row of one: Test/row/row of row.
type test struct{ pkg, path string }

// String is as it stands in tables.
func (t test) String() string { return t.pkg + " " + t.path }

// change is one of the code: File has Old once; New stands there instead.
type change struct {
	File string `json:"file"`
	Old  string `json:"old"`
	New  string `json:"new"`
}

// changed returns the files that the mutation changes, or why it does not apply.
func (m mutation) changed(root string) (files map[string]string, why string) {
	files = map[string]string{}
	for _, c := range m.changes {
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
