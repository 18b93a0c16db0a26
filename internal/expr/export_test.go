package expr

// What only this package's own tests may see.

// Shares reports whether two programs are one, but for their places.
func Shares(a, b *Program) bool { return a.compiled == b.compiled }

// Texts returns how many texts are known to be in use.
func (e *Env) Texts() int {
	e.shared.mu.Lock()
	defer e.shared.mu.Unlock()
	return len(e.shared.texts)
}

// Forget is what happens, some time or other, after nobody uses a text any more.
func (e *Env) Forget(text string) { e.shared.forget(text) }
