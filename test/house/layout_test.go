package house_test

import (
	"fmt"
	"go/ast"
	"go/token"
	"slices"
	"strings"
	"testing"
)

// maxLines bounds a file that is not a test.
const maxLines = 300

// longFiles lists the files that may be longer, each with the reason beside it.
var longFiles = []string{}

// vagueNames say nothing of what is inside, so everything ends up there.
var vagueNames = []string{"util", "utils", "helper", "helpers", "common", "misc"}

// selfEvident are methods whose meaning the standard library fixes.
var selfEvident = []string{"Error", "String", "Unwrap", "Is", "As", "Len", "Less", "Swap", "MarshalJSON", "UnmarshalJSON", "MarshalText", "UnmarshalText", "ServeHTTP"}

func TestLayout(t *testing.T) {
	for _, p := range tree(t) {
		for _, problem := range layoutProblems(p) {
			t.Error(problem)
		}
	}
}

func layoutProblems(p pkg) []string {
	var problems []string
	if slices.Contains(vagueNames, p.name) {
		problems = append(problems, fmt.Sprintf("%s: %q names no subject: put the code where it belongs", p.path, p.name))
	}
	if !hasPackageComment(p) {
		problems = append(problems, fmt.Sprintf("%s: no package comment that says what the package owns and what it must not know", p.path))
	}
	for _, f := range p.files {
		if f.lines > maxLines && !f.test && !slices.Contains(longFiles, f.path) {
			problems = append(problems, fmt.Sprintf("%s: %d lines, more than %d: split it by subject", f.path, f.lines, maxLines))
		}
		problems = append(problems, initProblems(f)...)
		if !f.test && p.name != "main" {
			problems = append(problems, docProblems(f)...)
		}
	}
	return problems
}

// hasPackageComment looks into the test files of a package that has no others.
func hasPackageComment(p pkg) bool {
	testsOnly := !slices.ContainsFunc(p.files, func(f file) bool { return !f.test })
	return slices.ContainsFunc(p.files, func(f file) bool {
		doc := strings.TrimSpace(f.ast.Doc.Text())
		if testsOnly || p.name == "main" {
			return doc != ""
		}
		return !f.test && strings.HasPrefix(doc, "Package "+p.name+" ")
	})
}

func initProblems(f file) []string {
	var problems []string
	for _, d := range f.ast.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
			problems = append(problems, fmt.Sprintf("%s: func init runs where nobody sees it: call it from where it is needed", f.at(fn)))
		}
	}
	return problems
}

// docProblems returns the exported identifiers that no comment explains.
func docProblems(f file) []string {
	var problems []string
	missing := func(n ast.Node, name string) {
		problems = append(problems, fmt.Sprintf("%s: exported %s has no doc comment", f.at(n), name))
	}
	for _, d := range f.ast.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Name.IsExported() && d.Doc.Text() == "" && !excused(d) {
				missing(d, d.Name.Name)
			}
		case *ast.GenDecl:
			for _, name := range undocumented(f, d) {
				missing(name, name.Name)
			}
		}
	}
	return problems
}

// excused reports whether a function needs no comment: a method of an
// unexported type, or one whose meaning everybody knows.
func excused(fn *ast.FuncDecl) bool {
	if fn.Recv == nil {
		return false
	}
	t := fn.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return !x.IsExported() || slices.Contains(selfEvident, fn.Name.Name)
		default:
			return false
		}
	}
}

// undocumented returns the exported names of a declaration that lack a comment.
// The comment of a group speaks for the group; one inside it speaks for the
// lines below it, up to a blank one.
func undocumented(f file, d *ast.GenDecl) []*ast.Ident {
	if d.Tok == token.IMPORT || (d.Doc.Text() != "" && d.Tok != token.TYPE) {
		return nil
	}
	var names []*ast.Ident
	last, covered := 0, false // the line of the spec before, and whether it was explained
	for _, s := range d.Specs {
		doc, idents := specOf(s)
		first := f.fset.Position(s.Pos()).Line
		covered = doc || (d.Tok != token.TYPE && covered && first == last+1) || (!d.Lparen.IsValid() && d.Doc.Text() != "")
		last = f.fset.Position(s.End()).Line
		for _, id := range idents {
			if id.IsExported() && !covered {
				names = append(names, id)
			}
		}
	}
	return names
}

func specOf(s ast.Spec) (documented bool, names []*ast.Ident) {
	switch s := s.(type) {
	case *ast.ValueSpec:
		return s.Doc.Text() != "" || s.Comment.Text() != "", s.Names
	case *ast.TypeSpec:
		return s.Doc.Text() != "", []*ast.Ident{s.Name}
	}
	return true, nil
}

// TestLayoutRules proves that each rule bites.
func TestLayoutRules(t *testing.T) {
	const head = "// Package a is a test's.\npackage a\n\n"
	for name, c := range map[string]struct {
		file, src, want string
	}{
		"clean":                    {"a/a.go", head + "// F does.\nfunc F() {}\n\nfunc g() {}\n", ""},
		"command":                  {"a/a.go", "// Command a does.\npackage main\n\nfunc F() {}\n", ""},
		"tests only":               {"a/a_test.go", "// What these prove.\npackage a_test\n", ""},
		"no package comment":       {"a/a.go", "package a\n", "no package comment"},
		"comment of something":     {"a/a.go", "// Something.\npackage a\n", "no package comment"},
		"command without comment":  {"a/a.go", "package main\n", "no package comment"},
		"tests without comment":    {"a/a_test.go", "package a_test\n", "no package comment"},
		"long file":                {"a/a.go", head + strings.Repeat("\n", maxLines), "more than 300"},
		"long test":                {"a/a_test.go", head + strings.Repeat("\n", maxLines), ""},
		"vague name":               {"util/a.go", "// Package util is.\npackage util\n", "names no subject"},
		"init":                     {"a/a.go", head + "func init() {}\n", "a/a.go:4: func init"},
		"init in a test":           {"a/a_test.go", head + "func init() {}\n", "func init"},
		"method named init":        {"a/a.go", head + "type t int\n\nfunc (t) init() {}\n", ""},
		"function":                 {"a/a.go", head + "func F() {}\n", "a/a.go:4: exported F"},
		"method":                   {"a/a.go", head + "// T is.\ntype T[P any] int\n\nfunc (*T[P]) M() {}\n", "exported M"},
		"method of a hidden type":  {"a/a.go", head + "type t int\n\nfunc (t) M() {}\n", ""},
		"method of the library":    {"a/a.go", head + "// T is.\ntype T int\n\nfunc (T) Error() string { return \"\" }\n", ""},
		"type":                     {"a/a.go", head + "type T int\n", "exported T"},
		"type in a group":          {"a/a.go", head + "// Types.\ntype (\n\t// T is.\n\tT int\n\tU int\n)\n", "exported U"},
		"variable":                 {"a/a.go", head + "var V = 1\n", "exported V"},
		"group comment":            {"a/a.go", head + "// All.\nconst (\n\tA = 1\n\n\tB = 2\n)\n", ""},
		"comment above two":        {"a/a.go", head + "const (\n\t// A and B are.\n\tA = 1\n\tB = 2\n)\n", ""},
		"comment ends at the gap":  {"a/a.go", head + "const (\n\t// A is.\n\tA = 1\n\n\tB = 2\n)\n", "exported B"},
		"comment at the line":      {"a/a.go", head + "const (\n\tA = 1 // is\n)\n", ""},
		"exported of a test":       {"a/a_test.go", head + "func F() {}\n", ""},
		"directive is no comment":  {"a/a.go", head + "//go:noinline\nfunc F() {}\n", "exported F"},
		"build tag is no comment":  {"a/a.go", "//go:build linux\n\npackage a\n", "no package comment"},
		"package comment and tag":  {"a/a.go", "//go:build linux\n\n" + head, ""},
		"package comment of tests": {"a/a_test.go", "// Package a is.\npackage a\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, p := range sources(t, map[string]string{c.file: c.src}) {
				got = append(got, layoutProblems(p)...)
			}
			expect(t, got, c.want)
		})
	}
}
