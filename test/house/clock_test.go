package house_test

import (
	"fmt"
	"go/ast"
	"strings"
	"testing"
)

// clocks are the files that read the machine's time, each with the reason beside
// it. Whatever else the server decides by the time reads cmd/jithook's clock, so
// that the tests can run a replica whose clock is off.
var clocks = map[string]bool{
	"cmd/jithook/clock.go":         true, // it is the clock
	"cmd/jithook/storeprogress.go": true, // draws a bar
	"admin/storestream.go":         true, // deadlines of a connection
}

func TestOneClock(t *testing.T) {
	for _, p := range tree(t) {
		for _, f := range p.files {
			if f.test || strings.HasPrefix(f.path, "test/") || clocks[f.path] {
				continue
			}
			for _, problem := range clockProblems(f) {
				t.Error(problem)
			}
		}
	}
}

func clockProblems(f file) []string {
	var problems []string
	ast.Inspect(f.ast, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok && s.Sel.Name == "Now" {
			if of, ok := s.X.(*ast.Ident); ok && of.Name == "time" {
				problems = append(problems, fmt.Sprintf("%s: time.Now reads another clock than the server's: take it as a field", f.at(s)))
			}
		}
		return true
	})
	return problems
}
