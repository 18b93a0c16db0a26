//go:build unix

package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// guards are those of the userstore's contract; see store.Store.
var guards = []string{
	"unique index",
	"compare-and-swap",
	"an unclear insert is read back",
	"an unclear change is a conflict",
	"deletion on what was read",
	"the barred keep their keys",
	"prepare renews",
	"a pending identity yields first",
	"the claims' time is that of what is swapped",
	"the overtaken take turns",
}

// storeRow is a mutation that takes a guard out.
type storeRow struct {
	Guard string `json:"guard"`
	// Test is what must go red: "package Test", or a row of it.
	Test string `json:"test"`
	change
	// Also are further changes, where guards stand behind each other.
	Also []change `json:"also"`
}

// stores reads the table of the userstore's guards, and returns what is wrong
// with it: a mutation that does not apply any more, one of no guard, and a guard
// without one.
func stores(root string) (all []mutation, problems []string, err error) {
	var rows []storeRow
	if err := read(filepath.Join(root, "test/mutate/store.yaml"), &rows); err != nil {
		return nil, nil, err
	}
	for _, r := range rows {
		pkg, name, _ := strings.Cut(r.Test, " ")
		m := mutation{breaks: r.Guard, test: test{pkg, name}, changes: append([]change{r.change}, r.Also...)}
		if !slices.Contains(guards, r.Guard) {
			problems = append(problems, fmt.Sprintf("store.yaml: %s: there is no such guard", r.Guard))
		}
		if _, why := m.changed(root); why != "" {
			problems = append(problems, fmt.Sprintf("store.yaml: %s: %s: %s", r.Guard, r.Test, why))
		}
		all = append(all, m)
	}
	for _, g := range guards {
		if !slices.ContainsFunc(all, func(m mutation) bool { return m.breaks == g }) {
			problems = append(problems, fmt.Sprintf("store.yaml: no mutation takes out %q", g))
		}
	}
	return all, problems, nil
}
