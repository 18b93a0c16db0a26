package expr

import (
	"runtime"
	"sync"
	"weak"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
)

// compiled is what a text becomes, wherever it stands: it knows the lines and
// columns of the text, of no file. Programs of one text share it.
type compiled struct {
	text      string
	yields    *cel.Type
	evaluator cel.Program
	tree      *ast.AST
	uses      *uses
	// loops says that the expression has a loop.
	loops bool
	// chain are the steps of an expression that is one claim; else nil.
	chain []string
	// explainer returns what keeps the steps, made when it is first asked for.
	explainer func() (*explainer, error)
}

// shared are the texts that are compiled and in use. It keeps none of them: what
// no program uses any more is collected, and then forgotten here.
type shared struct {
	mu    sync.Mutex
	texts map[string]weak.Pointer[compiled]
}

// of returns what the text was compiled to, or nil.
func (s *shared) of(text string) *compiled {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.texts[text].Value()
}

// share returns c, or what somebody else made of the text meanwhile.
func (s *shared) share(c *compiled) *compiled {
	s.mu.Lock()
	defer s.mu.Unlock()
	if first := s.texts[c.text].Value(); first != nil {
		return first
	}
	s.texts[c.text] = weak.Make(c)
	runtime.AddCleanup(c, s.forget, c.text)
	return c
}

// forget drops a text that nobody uses. It may have been compiled again since.
func (s *shared) forget(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.texts[text].Value() == nil {
		delete(s.texts, text)
	}
}
