package strictyaml

import (
	"fmt"
	"unicode/utf8"

	"github.com/goccy/go-yaml/token"
)

// unreadable finds the first character that YAML 1.2, section 5.1, does not
// allow in a file, or that starts a new line for some readers only.
func unreadable(data []byte) (line, col int, what string) {
	line, col = 1, 1
	for len(data) > 0 {
		r, size := utf8.DecodeRune(data)
		switch {
		case r == utf8.RuneError && size == 1:
			return line, col, "the file is not valid UTF-8"
		case r == '\n':
			line, col = line+1, 0
		case r == '\t':
		case r < ' ', 0x7f <= r && r < 0xa0, r == '\u2028', r == '\u2029', r == '\ufeff':
			return line, col, fmt.Sprintf("the character %U is not allowed", r)
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

// withoutProperties reports every tag, anchor, alias and merge key, and returns
// the tokens without the former, so that the rest of the file is read and
// reported as well: the parser takes the lines after a lone tag for the tag's value.
func (d *document) withoutProperties(tokens token.Tokens) token.Tokens {
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
		}
		if what != "" {
			p := Pos{File: d.file, Line: t.Position.Line, Col: t.Position.Column}
			d.properties = append(d.properties, p.Problemf("%s", what))
		}
		switch {
		case t.Type == token.TagType, t.Type == token.AnchorType, t.Type == token.AliasType:
		case i > 0 && tokens[i-1].Type == token.AnchorType:
			// The anchor's name. An alias's stays as a scalar in its place.
		default:
			rest = append(rest, t)
		}
	}
	if len(d.properties) == 0 {
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
