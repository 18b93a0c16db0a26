package expr

import (
	"fmt"
	"strconv"
	"strings"
)

// MaxTextLength is the longest expression accepted, in bytes.
const MaxTextLength = 4096

// Source is the text of an expression and where it stands.
type Source struct {
	Text string
	File string
	// Line and Col are those of the text's first character, counted from 1.
	// Line l of the text is at Line+l-1, and every line starts at Col.
	Line, Col int
}

// Pos returns the place of the text's first character as file:line:col.
func (s Source) Pos() string { return s.at(1, 0) }

// at returns the place of a line (from 1) and a column (from 0) of the text.
func (s Source) at(line, column int) string {
	return s.File + ":" + strconv.Itoa(s.Line+line-1) + ":" + strconv.Itoa(s.Col+column)
}

// problem places a message at a line (from 1) and a column (from 0) of the text.
func (s Source) problem(line, column int, message string) Problem {
	return Problem{File: s.File, Line: s.Line + line - 1, Col: s.Col + column, Message: message}
}

// Problem is one reason why an expression does not compile.
type Problem struct {
	File      string
	Line, Col int
	Message   string
}

// String returns the problem as file:line:col: message.
func (p Problem) String() string {
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Col, p.Message)
}

// CompileError says why an expression does not compile: every problem in it,
// at least one, in the order of their places.
type CompileError struct {
	Problems []Problem
}

// Error returns the problems, one a line.
func (e *CompileError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// MissingError says that the expression needs a claim that is not there.
type MissingError struct {
	// Path is a JSON Pointer (RFC 6901) into the claims to the first part that
	// is missing: /address where claims.address.country has no address.
	Path string
	// Pos is the place of the claim in the expression, file:line:col.
	Pos string
}

func (e *MissingError) Error() string {
	return fmt.Sprintf("%s: the claim %s is missing; guard it with has() if it may be", e.Pos, e.Path)
}

// RuntimeError says that the expression could not be evaluated for another
// reason than a missing claim: a wrong type, a value out of range, a limit.
type RuntimeError struct {
	Pos     string // file:line:col
	Message string // names functions and types, never values
}

func (e *RuntimeError) Error() string { return e.Pos + ": " + e.Message }

// UnsetError is the RuntimeError of an expression that needs a part of the
// identity which it does not have, such as a trait.
type UnsetError struct {
	// Path is a JSON Pointer (RFC 6901) into the identity: /traits/title.
	Path string
	Pos  string // file:line:col
}

func (e *UnsetError) Error() string { return e.Unwrap().Error() }

// Unwrap returns the same as a RuntimeError.
func (e *UnsetError) Unwrap() error {
	return &RuntimeError{Pos: e.Pos, Message: "the identity has no " + e.Path + "; guard it with has() if it may lack it"}
}
