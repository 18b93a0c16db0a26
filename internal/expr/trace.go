package expr

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
)

// Trace is an Explanation as a document, for who may see the claims. It is
// bounded: of what is too long to be of use it has the beginning.
type Trace struct {
	Pos  string `json:"pos"` // file:line:col
	Text string `json:"text"`
	// Reads are the places that the expression may read, as JSON Pointers:
	// /claims/hd, /identity/traits/name, /login.
	Reads []string `json:"reads,omitempty"`
	Value any      `json:"value"`
	// Cut says that Value is but the beginning of the value's JSON.
	Cut   bool   `json:"cut,omitempty"`
	Error string `json:"error,omitempty"`
	// Missing is the place of the claim (a JSON Pointer into the claims) for want
	// of which there is no value.
	Missing string `json:"missing,omitempty"`
	Steps   []Mark `json:"steps,omitempty"`
}

// Mark is a Step in a Trace. Its column counts from 1, in characters.
type Mark struct {
	Text    string `json:"text"`
	Line    int    `json:"line"`
	Col     int    `json:"col"`
	Value   any    `json:"value"`
	Cut     bool   `json:"cut,omitempty"` // as a Trace's
	Failure string `json:"failure,omitempty"`
}

// Limits on what a Trace shows, in bytes of JSON.
const (
	maxShownValue = 16 << 10
	maxShownStep  = 1 << 10
)

// Trace returns the explanation as a document. It shares nothing that is large
// with the explanation.
func (x Explanation) Trace() Trace {
	t := Trace{Pos: x.Source.Pos(), Text: x.Source.Text, Reads: x.Reads}
	t.Value, t.Cut = short(x.Value, maxShownValue)
	if x.Err != nil {
		t.Error = x.Err.Error()
	}
	if missing, ok := errors.AsType[*MissingError](x.Err); ok {
		t.Missing = missing.Path
	}
	for _, s := range x.Steps {
		m := Mark{Text: s.Text, Line: s.Line, Col: s.Col + 1, Failure: s.Failure}
		m.Value, m.Cut = short(s.Value, maxShownStep)
		t.Steps = append(t.Steps, m)
	}
	return t
}

// Trace is what can be said of an expression that was not evaluated.
func (p *Program) Trace() Trace {
	return Trace{Pos: p.source.Pos(), Text: p.source.Text, Reads: p.uses.reads}
}

// short returns a value, or the beginning of one that is too long.
func short(v any, limit int) (shown any, cut bool) {
	text, err := json.Marshal(v)
	switch {
	case err != nil:
		return nil, true
	case len(text) <= limit:
		return v, false
	}
	return strings.ToValidUTF8(string(text[:limit]), ""), true
}

// places returns what is read, as pointers. A claim of which no more is asked
// than whether it is there is read, too.
func (u *uses) places(login bool) []string {
	var all []string
	for _, c := range u.chains {
		all = append(all, "/"+c.root+c.path.pointer())
	}
	for _, name := range u.names {
		at := "/" + claimsVar + path{name}.pointer()
		if !slices.ContainsFunc(all, func(p string) bool { return p == at || len(p) > len(at) && p[:len(at)+1] == at+"/" }) {
			all = append(all, at)
		}
	}
	if u.all {
		all = append(all, "/"+claimsVar)
	}
	if login {
		all = append(all, "/"+loginVar)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
