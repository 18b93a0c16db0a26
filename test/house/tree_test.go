// What these tests prove: the tree is the house that CONTRIBUTING.md describes.
// Imports run downwards only (imports_test.go), and every package is laid out
// so that a reader finds the way (layout_test.go). Each rule is itself proved
// to bite, on small made-up packages.
//
// The tests ask `go list` about files that Go's test cache does not watch: run
// them with -count=1, as `make house` and `make test` do.
package house_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// module is the import path that every package of the project starts with.
const module = "github.com/jithook/jithook"

// pkg is one package of the project, all its files whatever their build tags.
type pkg struct {
	path  string // below the module: "store/bolt"
	name  string
	files []file
}

// file is one Go file, parsed.
type file struct {
	path  string // below the module's root
	test  bool
	lines int
	fset  *token.FileSet
	ast   *ast.File
}

// imports returns the import paths of the file.
func (f file) imports() []string {
	var paths []string
	for _, spec := range f.ast.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			panic(err) // the parser let it through
		}
		paths = append(paths, path)
	}
	return paths
}

// at is the place of a node, for people.
func (f file) at(n ast.Node) string {
	return fmt.Sprintf("%s:%d", f.path, f.fset.Position(n.Pos()).Line)
}

// parse reads a file. path is the one below the module's root.
func parse(path string, src []byte) (file, error) {
	fset := token.NewFileSet()
	syntax, err := parser.ParseFile(fset, path, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return file{}, err
	}
	return file{
		path:  path,
		test:  strings.HasSuffix(path, "_test.go"),
		lines: bytes.Count(src, []byte("\n")),
		fset:  fset,
		ast:   syntax,
	}, nil
}

// tree returns the packages of the project as `go list` sees them. Files that
// build constraints leave out on this machine are in it: a rule that only holds
// on one system is none.
func tree(t *testing.T) []pkg {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	// -find: the files, without resolving their imports.
	cmd := exec.Command("go", "list", "-find", "-json", "./...")
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.Bytes())
	}
	var pkgs []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var l listed
		if err := dec.Decode(&l); errors.Is(err, io.EOF) {
			return pkgs
		} else if err != nil {
			t.Fatalf("go list: %v", err)
		}
		p, err := l.load(root)
		if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
}

// listed is what `go list -json` prints of a package.
type listed struct {
	ImportPath, Name, Dir                                        string
	GoFiles, CgoFiles, IgnoredGoFiles, TestGoFiles, XTestGoFiles []string
}

func (l listed) load(root string) (pkg, error) {
	p := pkg{path: strings.TrimPrefix(strings.TrimPrefix(l.ImportPath, module), "/"), name: l.Name}
	for _, names := range [][]string{l.GoFiles, l.CgoFiles, l.IgnoredGoFiles, l.TestGoFiles, l.XTestGoFiles} {
		for _, name := range names {
			full := filepath.Join(l.Dir, name)
			src, err := os.ReadFile(full)
			if err != nil {
				return pkg{}, err
			}
			rel, err := filepath.Rel(root, full)
			if err != nil {
				return pkg{}, err
			}
			f, err := parse(filepath.ToSlash(rel), src)
			if err != nil {
				return pkg{}, err
			}
			p.files = append(p.files, f)
		}
	}
	return p, nil
}

// sources makes packages of file paths and their text, for the tests of the
// rules themselves.
func sources(t *testing.T, files map[string]string) []pkg {
	t.Helper()
	byPath := map[string]*pkg{}
	for path, src := range files {
		f, err := parse(path, []byte(src))
		if err != nil {
			t.Fatal(err)
		}
		dir := strings.TrimSuffix(path, "/"+filepath.Base(path))
		if byPath[dir] == nil {
			byPath[dir] = &pkg{path: dir, name: strings.TrimSuffix(f.ast.Name.Name, "_test")}
		}
		byPath[dir].files = append(byPath[dir].files, f)
	}
	var pkgs []pkg
	for _, p := range byPath {
		pkgs = append(pkgs, *p)
	}
	return pkgs
}
