package strictyaml

import "fmt"

// Problem is one thing wrong with a file. It is an error.
type Problem struct {
	File      string
	Line, Col int // both count from 1; Col in characters
	Message   string
}

// String returns file:line:col: message.
func (p Problem) String() string {
	if p.Line == 0 { // all of the file, or a folder
		return p.File + ": " + p.Message
	}
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Col, p.Message)
}

func (p Problem) Error() string { return p.String() }

// Pos is a place in a file. A struct that embeds it learns where its mapping
// begins.
type Pos struct {
	File      string
	Line, Col int
}

// Problemf returns a problem at this place.
func (p Pos) Problemf(format string, args ...any) Problem {
	return Problem{File: p.File, Line: p.Line, Col: p.Col, Message: fmt.Sprintf(format, args...)}
}

// Text is a scalar with its place: that of the first character of its content,
// after the quote. A block scalar's is the line after its header and the column
// of its indentation, so that line N of a literal one is line Line+N of the
// file. Text of an expression is never empty; a plain true, null or 1 is its own
// letters.
type Text struct {
	Value     string
	File      string
	Line, Col int
}

// Problemf returns a problem at the place of t.
func (t Text) Problemf(format string, args ...any) Problem {
	return Pos{File: t.File, Line: t.Line, Col: t.Col}.Problemf(format, args...)
}

// OneOrMany is a scalar or mapping on its own, or a list of them.
type OneOrMany[T any] []T

// DecodeYAML implements Decoder.
func (m *OneOrMany[T]) DecodeYAML(n Node) []Problem {
	nodes := []Node{n}
	if n.Kind() == List {
		nodes = n.Items()
	}
	var problems []Problem
	*m = make(OneOrMany[T], len(nodes))
	for i, item := range nodes {
		problems = append(problems, item.Decode(&(*m)[i])...)
	}
	return problems
}

// Map is a mapping whose keys are not fixed, in the order of the file.
type Map[T any] []Entry[T]

// Entry is one key of a Map and its value.
type Entry[T any] struct {
	Key   Text
	Value T
}

// DecodeYAML implements Decoder.
func (m *Map[T]) DecodeYAML(n Node) []Problem {
	if n.Kind() != Mapping {
		return []Problem{n.want("a mapping")}
	}
	var problems []Problem
	entries := n.Entries()
	*m = make(Map[T], len(entries))
	for i, e := range entries {
		(*m)[i].Key = e.Key
		problems = append(problems, e.Value.Decode(&(*m)[i].Value)...)
	}
	return problems
}
