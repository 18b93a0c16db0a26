package house_test

import (
	"fmt"
	"go/ast"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// threat is one attack or fault of threats.txt.
type threat struct {
	item   string // "S10"
	proofs []proof
}

// proof is a test function or a benchmark, or a row of one.
type proof struct{ pkg, test, row string }

func TestThreats(t *testing.T) {
	list, err := os.ReadFile("threats.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range threatProblems(string(list), tree(t)) {
		t.Error(problem)
	}
}

// TestNothingIsSkipped: what CI runs leaves no test out, whatever its name.
func TestNothingIsSkipped(t *testing.T) {
	for file, lines := range map[string][]string{
		"../../.ci/run": {`make test`},
		"../../Makefile": {
			`REQUIRED = kratos,mongo,postgres,scim,systemd`,
			`test: export JITHOOK_TEST_REQUIRE = \$\(REQUIRED\)`,
			`test:( \w+)* deploy\b.*`,
			`\t\$\(GO\) test -race (-(p|parallel) \d+ )*-timeout \w+ \./\.\.\.`,
		},
	} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range lines {
			if !regexp.MustCompile(`(?m)^` + want + `$`).Match(text) {
				t.Errorf("%s has no line like %s: every test must run in CI, and none may skip for want of a peer", file, want)
			}
		}
	}
}

var (
	itemLine  = regexp.MustCompile(`^([A-Z]\d+) \S`)
	namedTest = regexp.MustCompile(`^(?:Test|Benchmark)([SFPML]\d+)(_?)`)
)

func readThreats(list string) (threats []threat, problems []string) {
	for n, line := range strings.Split(list, "\n") {
		wrong := func(what string) { problems = append(problems, fmt.Sprintf("threats.txt:%d: %s", n+1, what)) }
		under, indented := strings.CutPrefix(line, "\t")
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case !indented:
			m := itemLine.FindStringSubmatch(line)
			if m == nil {
				wrong("neither an attack nor a proof")
				continue
			}
			if slices.ContainsFunc(threats, func(t threat) bool { return t.item == m[1] }) {
				wrong(m[1] + " stands here twice")
			}
			threats = append(threats, threat{item: m[1]})
		case len(threats) == 0:
			wrong("a proof of nothing")
		default:
			last := &threats[len(threats)-1]
			pkg, name, _ := strings.Cut(under, " ")
			test, row, _ := strings.Cut(name, "/")
			last.proofs = append(last.proofs, proof{pkg, test, row})
		}
	}
	return threats, problems
}

// threatProblems holds the list to the tests, and the tests to the list.
func threatProblems(list string, pkgs []pkg) []string {
	threats, problems := readThreats(list)
	for _, t := range threats {
		if len(t.proofs) == 0 {
			problems = append(problems, t.item+" needs a test that proves it")
		}
		for _, p := range t.proofs {
			if what := p.problem(t.item, pkgs); what != "" {
				problems = append(problems, fmt.Sprintf("%s: %s %s: %s", t.item, p.pkg, p.test, what))
			}
		}
	}
	for _, p := range pkgs {
		for _, fn := range testsOf(p) {
			m := namedTest.FindStringSubmatch(fn.Name.Name)
			if m == nil {
				continue
			}
			listed := slices.ContainsFunc(threats, func(t threat) bool {
				return t.item == m[1] && slices.ContainsFunc(t.proofs, func(of proof) bool { return of.pkg == p.path && of.test == fn.Name.Name })
			})
			if m[2] == "" || !listed {
				problems = append(problems, fmt.Sprintf("%s %s: name it %s%s_… and list it in test/house/threats.txt", p.path, fn.Name.Name, kind(fn.Name.Name), m[1]))
			}
		}
	}
	return problems
}

// problem says why p proves nothing about an item.
func (p proof) problem(item string, pkgs []pkg) string {
	at := slices.IndexFunc(pkgs, func(in pkg) bool { return in.path == p.pkg })
	if at < 0 {
		return "no such package"
	}
	tests := testsOf(pkgs[at])
	fn := slices.IndexFunc(tests, func(fn *ast.FuncDecl) bool { return fn.Name.Name == p.test })
	switch {
	case fn < 0:
		return "no such test"
	case skips(tests[fn]):
		return "the test skips itself"
	case p.row == "" && !strings.HasPrefix(p.test, kind(p.test)+item+"_"):
		return fmt.Sprintf("name the test %s%s_…, or the row of it that proves this", kind(p.test), item)
	case p.row != "" && !strings.HasPrefix(p.row, item+" ") && !strings.HasPrefix(p.row, item+"-"):
		return fmt.Sprintf("name the row %q after %s", p.row, item)
	case p.row != "" && !says(tests[fn], p.row) && !isData(p.pkg, p.row):
		return fmt.Sprintf("the test has no row %q", p.row)
	}
	return ""
}

// kind is what a function's name begins with: Test, Benchmark, or nothing.
func kind(name string) string {
	for _, k := range []string{"Test", "Benchmark"} {
		if strings.HasPrefix(name, k) {
			return k
		}
	}
	return ""
}

func testsOf(p pkg) []*ast.FuncDecl {
	var tests []*ast.FuncDecl
	for _, f := range p.files {
		for _, d := range f.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && f.test && fn.Recv == nil && kind(fn.Name.Name) != "" {
				tests = append(tests, fn)
			}
		}
	}
	return tests
}

// says reports whether a string stands in a function.
func says(fn *ast.FuncDecl, text string) bool {
	return within(fn, func(n ast.Node) bool {
		l, ok := n.(*ast.BasicLit)
		if !ok || l.Kind != token.STRING {
			return false
		}
		s, err := strconv.Unquote(l.Value)
		return err == nil && s == text
	})
}

// isData reports whether a row is a file of the package's testdata.
func isData(pkg, row string) bool {
	info, err := os.Stat(filepath.Join("..", "..", filepath.FromSlash(pkg), "testdata", filepath.FromSlash(row)))
	return err == nil && info.Mode().IsRegular()
}

func skips(fn *ast.FuncDecl) bool {
	return within(fn, func(n ast.Node) bool {
		s, ok := n.(*ast.SelectorExpr)
		return ok && slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, s.Sel.Name)
	})
}

func within(fn *ast.FuncDecl, is func(ast.Node) bool) (found bool) {
	ast.Inspect(fn, func(n ast.Node) bool {
		found = found || n != nil && is(n)
		return !found
	})
	return found
}

// TestThreatRules proves that each rule bites.
func TestThreatRules(t *testing.T) {
	const src = `// What these prove.
package a_test

func TestS1_Words(t *testing.T) {}

func TestTable(t *testing.T) { _ = "S2 row" }

func BenchmarkL1_Speed(b *testing.B) {}
`
	const list = "S1 one\n\ta TestS1_Words\nS2 two\n\ta TestTable/S2 row\nL1 fast\n\ta BenchmarkL1_Speed\n"
	for name, c := range map[string]struct{ list, src, want string }{
		"whole":              {list, src, ""},
		"no proof":           {list + "S4 four\n", src, "S4 needs a test"},
		"a reason, no proof": {list + "S4 four\n\tlater: why\n", src, "later: why"},
		"speed, not listed":  {list, src + "\nfunc BenchmarkL2_More(b *testing.B) {}\n", "name it BenchmarkL2_"},
		"no such package":    {strings.Replace(list, "\ta TestTable", "\tb TestTable", 1), src, "no such package"},
		"no such test":       {strings.Replace(list, "TestTable", "TestGone", 1), src, "no such test"},
		"no such row":        {strings.Replace(list, "S2 row", "S2 gone", 1), src, `no row "S2 gone"`},
		"another's row":      {strings.Replace(list, "S2 row", "S3 row", 1), strings.Replace(src, "S2 row", "S3 row", 1), "name the row"},
		"another's name":     {strings.Replace(list, "TestTable/S2 row", "TestTable", 1), src, "name the test TestS2_"},
		"skips itself":       {list, strings.Replace(src, `_ = "S2 row"`, `_ = "S2 row"; t.Skip()`, 1), "skips itself"},
		"not listed":         {list, src + "\nfunc TestS3_More(t *testing.T) {}\n", "name it TestS3_"},
		"name without words": {list, src + "\nfunc TestS3Quiet(t *testing.T) {}\n", "name it TestS3_"},
		"twice":              {list + "S1 one\n\ta TestS1_Words\n", src, "stands here twice"},
		"gibberish":          {"hello\n" + list, src, "neither an attack nor a proof"},
	} {
		t.Run(name, func(t *testing.T) {
			expect(t, threatProblems(c.list, sources(t, map[string]string{"a/a_test.go": c.src})), c.want)
		})
	}
}
