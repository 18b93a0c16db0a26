package main

import (
	"io"
	"os"
	"unicode"

	"golang.org/x/text/width"
)

// painter colours text where a terminal shows it, and nobody has said NO_COLOR
// (no-color.org).
type painter struct{ on bool }

func newPainter(w io.Writer) painter {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return painter{}
	}
	info, err := f.Stat()
	return painter{err == nil && info.Mode()&os.ModeCharDevice != 0}
}

// paint wraps text in a rendition (ECMA-48, SGR).
func (p painter) paint(code, text string) string {
	if !p.on || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (p painter) bold(text string) string { return p.paint("1", text) }
func (p painter) dim(text string) string  { return p.paint("2", text) }
func (p painter) good(text string) string { return p.paint("32", text) }
func (p painter) bad(text string) string  { return p.paint("31", text) }

// columns is how many columns of a terminal the first characters of a text take:
// some letters take two, and accents that follow theirs none.
func columns(text string, characters int) int {
	n, at := 0, 0
	for _, r := range text {
		if at == characters {
			break
		}
		at++
		n += columnsOf(r)
	}
	return n
}

func columnsOf(r rune) int {
	switch {
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) && r != '\u00ad':
		return 0
	case width.LookupRune(r).Kind() == width.EastAsianWide, width.LookupRune(r).Kind() == width.EastAsianFullwidth:
		return 2
	}
	return 1
}
