package strictyaml

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/token"
)

// unreadable finds the first character that YAML 1.2, section 5.1, does not
// allow in a file, that starts a new line for some readers only, or that the
// library cannot handle.
func unreadable(data []byte) (line, col int, what string) {
	line, col = 1, 1
	indent := true
	for len(data) > 0 {
		r, size := utf8.DecodeRune(data)
		switch {
		case r == utf8.RuneError && size == 1:
			return line, col, "the file is not valid UTF-8"
		case r == '\n':
			line, col, indent = line+1, 0, true
		case r == '\t' && !indent:
			// The library drops some of them: "a\tb" without quotes is "ab".
			return line, col, "a tab within a line; write spaces, or \\t in double quotes"
		case isBlank(r):
		case r < ' ', 0x7f <= r && r < 0xa0, r == '\u2028', r == '\u2029', r == '\ufeff':
			return line, col, fmt.Sprintf("the character %U is not allowed", r)
		default:
			indent = false
		}
		col++
		data = data[size:]
	}
	return 0, 0, ""
}

// tooDeep returns the token that nests too deep for the parser, which calls
// itself for every level: a megabyte of brackets, of dashes on one line or of
// tags in a row would exhaust the stack, and that cannot be recovered from.
// Levels by indentation cost their square in bytes, and are counted by check.
func tooDeep(tokens token.Tokens) *token.Token {
	flow, run, line := 0, 0, 0
	for _, t := range tokens {
		switch t.Type {
		case token.MappingStartType, token.SequenceStartType:
			flow, run = flow+1, 0
		case token.MappingEndType, token.SequenceEndType:
			flow, run = flow-1, 0
		case token.SequenceEntryType, token.MappingKeyType:
			if t.Position.Line != line {
				run, line = 0, t.Position.Line // a sibling, or deeper by indentation
			}
			run++
		case token.TagType, token.AnchorType, token.AliasType:
			run++
		default:
			// The name of an anchor or alias is a token of its own.
			if t.PreviousType() != token.AnchorType && t.PreviousType() != token.AliasType {
				run = 0
			}
		}
		if flow > MaxDepth || run > MaxDepth {
			return t
		}
	}
	return nil
}

// checkTokens reports every tag, anchor, alias, merge key and stray comma, and
// returns the tokens without the first three, so that the rest of the file is
// read and reported as well: the parser takes the lines after a lone tag for the
// tag's value.
func (d *document) checkTokens(tokens token.Tokens) token.Tokens {
	var rest token.Tokens
	for i, t := range tokens {
		what := ""
		switch t.Type {
		case token.TagType:
			what = "tags are not allowed; an expression that begins with ! needs quotes"
		case token.AnchorType:
			what = "anchors are not allowed; a string that begins with & needs quotes"
		case token.AliasType:
			what = "aliases are not allowed; a string that begins with * needs quotes"
		case token.MergeKeyType:
			what = "merge keys are not allowed"
		case token.DocumentEndType:
			what = "the marker ... is not allowed; the file is one document and ends where it ends"
		case token.DocumentHeaderType:
			before, _, _ := strings.Cut(d.lines[t.Position.Line-1], " #")
			if strings.TrimRight(before, " ") != t.Value {
				what = "the marker --- stands alone on its line"
			}
		case token.CollectEntryType:
			if slices.Contains([]token.Type{token.CollectEntryType, token.MappingStartType, token.SequenceStartType}, t.PreviousType()) {
				what = "a comma has nothing before it"
			}
		}
		if what != "" {
			p := Pos{File: d.file, Line: t.Position.Line, Col: t.Position.Column}
			d.refused = append(d.refused, p.Problemf("%s", what))
		}
		switch {
		case t.Type == token.TagType, t.Type == token.AnchorType, t.Type == token.AliasType:
		case i > 0 && tokens[i-1].Type == token.AnchorType:
			// The anchor's name. An alias's stays as a scalar in its place.
		default:
			rest = append(rest, t)
		}
	}
	if len(d.refused) == 0 {
		return tokens
	}
	for i, t := range rest {
		t.Prev, t.Next = nil, nil
		if i > 0 {
			t.Prev, rest[i-1].Next = rest[i-1], t
		}
	}
	return rest
}
