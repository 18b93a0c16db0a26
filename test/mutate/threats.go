//go:build unix

package main

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// attackRow is a mutation that takes a guard out against an attack or a fault of
// test/house/threats.txt, or says why there is none for a proof of it.
type attackRow struct {
	Attack string `json:"attack"`
	// Test is what must go red: "package Test", or a row of it with those around
	// it, "package Test/outer/row".
	Test string `json:"test"`
	// Says is a row that is no test of its own: what is red must name it.
	Says string `json:"says"`
	// Args are further flags of the test's binary.
	Args []string `json:"args"`
	change
	// Also are further changes, where guards stand behind each other.
	Also []change `json:"also"`
	// None says why nothing in this code can be broken that the test notices.
	None string `json:"none"`
}

// proof is a line of the list: a test of an attack, or a row of one.
type proof struct {
	attack, pkg, fn, row string
	broken, none         bool // a mutation breaks it; there can be none
}

// threats reads the tables of test/threats/mutate, and returns what is wrong with
// them: a mutation that does not apply any more, one of no attack or proof, and
// a proof without one.
func threats(root string) (all []mutation, problems []string, err error) {
	open, err := proofs(filepath.Join(root, "test/house/threats.txt"))
	if err != nil {
		return nil, nil, err
	}
	files, err := filepath.Glob(filepath.Join(root, "test/threats/mutate/*.yaml"))
	if err != nil {
		return nil, nil, err
	}
	for _, file := range files {
		var some []attackRow
		if err := read(file, &some); err != nil {
			return nil, nil, err
		}
		for _, a := range some {
			wrong := func(why string) {
				problems = append(problems, fmt.Sprintf("%s: %s: %s: %s", filepath.Base(file), a.Attack, a.Test, why))
			}
			m := a.mutation()
			at := slices.IndexFunc(open, a.breaks)
			switch {
			case at < 0:
				wrong("test/house/threats.txt has no such proof of it")
				continue
			case a.None != "":
				open[at].none = true
				continue
			}
			open[at].broken = true
			if _, why := m.changed(root); why != "" {
				wrong(why)
			}
			all = append(all, m)
		}
	}
	for _, p := range open {
		if p.broken == p.none {
			problems = append(problems, fmt.Sprintf("%s %s %s/%s: either a mutation turns it red, or the table says why none does", p.attack, p.pkg, p.fn, p.row))
		}
	}
	return all, problems, nil
}

// mutation returns the row's.
func (a attackRow) mutation() mutation {
	pkg, name, _ := strings.Cut(a.Test, " ")
	return mutation{breaks: a.Attack, test: test{pkg, name}, says: a.Says, args: a.Args, changes: append([]change{a.change}, a.Also...)}
}

// breaks reports whether a row is about this proof. Rows of tests may have words
// before the one that the list names, and files stand there without their ending.
func (a attackRow) breaks(p proof) bool {
	pkg, name, _ := strings.Cut(a.Test, " ")
	fn, rows, _ := strings.Cut(name, "/")
	if a.Attack != p.attack || pkg != p.pkg || fn != p.fn {
		return false
	}
	row := path.Base(rows)
	return p.row == "" || p.row == a.Says || row == p.row || strings.HasSuffix(row, " "+p.row) ||
		row == strings.TrimSuffix(p.row, path.Ext(p.row))
}

// proofs returns every proof of the list; measures refuse nothing and are no
// such.
func proofs(list string) ([]proof, error) {
	data, err := os.ReadFile(list)
	if err != nil {
		return nil, err
	}
	var all []proof
	attack := ""
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSuffix(line, "\n")
		under, indented := strings.CutPrefix(line, "\t")
		switch {
		case indented && !strings.HasPrefix(attack, "L"):
			pkg, name, _ := strings.Cut(under, " ")
			fn, row, _ := strings.Cut(name, "/")
			all = append(all, proof{attack: attack, pkg: pkg, fn: fn, row: row})
		case !indented && line != "" && line[0] != '#':
			attack, _, _ = strings.Cut(line, " ")
		}
	}
	return all, nil
}
