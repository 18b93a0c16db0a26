package main

import (
	"fmt"
	"io"
	"slices"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// printing writes JSON to a log or a terminal. JSON escapes line ends, but lets
// stand what moves a terminal's cursor in one character (U+009B), and what turns
// the writing around: here strings have \u escapes for all that does not print.
// The document is the same.
type printing struct{ to io.Writer }

// Write takes whole characters.
func (p printing) Write(text []byte) (int, error) {
	if !slices.ContainsFunc(text, func(b byte) bool { return b >= '\x7f' }) {
		return p.to.Write(text)
	}
	escaped := make([]byte, 0, len(text))
	for rest := text; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		switch {
		case r < utf8.RuneSelf && r != '\x7f', unicode.IsPrint(r) && (r != utf8.RuneError || size > 1):
			escaped = append(escaped, rest[:size]...)
		default:
			for _, unit := range utf16.Encode([]rune{r}) {
				escaped = fmt.Appendf(escaped, `\u%04x`, unit)
			}
		}
		rest = rest[size:]
	}
	if _, err := p.to.Write(escaped); err != nil {
		return 0, err
	}
	return len(text), nil
}
