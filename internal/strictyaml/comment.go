package strictyaml

import (
	"bytes"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/token"
)

// Comment is a comment and what it is about: the lines From to To. Behind a
// value it is that value's line; on a line of its own, the next line that holds
// more than a comment. Where that line begins a block, such as |, the block
// belongs to it.
type Comment struct {
	Text     Text // without the #
	From, To int
}

// opensBlock is a line that ends with the header of a block scalar.
var opensBlock = regexp.MustCompile(`(^|[ \t])[|>][-+1-9]{0,2}[ \t]*$`)

// Comments returns the comments of a file that Decode takes, in their order.
func Comments(file string, data []byte) []Comment {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
	lines := strings.Split(string(data), "\n")
	var comments []Comment
	for _, t := range lexer.Tokenize(string(data)) {
		if t.Type != token.CommentType {
			continue
		}
		// A comment ends its line; the library's column is not always its own.
		n := t.Position.Line
		before := lines[n-1][:max(strings.LastIndex(lines[n-1], "#"+t.Value), 0)]
		c := Comment{Text: Text{Value: strings.TrimSpace(t.Value), File: file, Line: n, Col: utf8.RuneCountInString(before) + 1}, From: n}
		for c.From < len(lines) && isNothing(lines[c.From-1]) {
			c.From++
		}
		c.To = blockEnd(lines, c.From)
		comments = append(comments, c)
	}
	return comments
}

func isNothing(line string) bool {
	line = strings.TrimSpace(line)
	return line == "" || line[0] == '#'
}

// blockEnd returns the last line of the block that a line opens, or the line
// itself.
func blockEnd(lines []string, line int) int {
	code, _, _ := strings.Cut(lines[line-1], " #")
	if !opensBlock.MatchString(code) {
		return line
	}
	indent := func(s string) int { return len(s) - len(strings.TrimLeft(s, " ")) }
	end := line
	for end < len(lines) && (strings.TrimSpace(lines[end]) == "" || indent(lines[end]) > indent(lines[line-1])) {
		end++
	}
	return end
}
