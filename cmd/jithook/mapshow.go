package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"

	"github.com/jithook/jithook/internal/expr"
)

// explanation writes an explanation.
func (f *format) explanation(w io.Writer, x expr.Trace) error {
	if f.json {
		return writeDocument(w, x)
	}
	_, err := fmt.Fprintln(w, strings.Join(newPainter(w).picture(x), "\n"))
	return err
}

// writeDocument writes JSON with <, > and & as they are.
func writeDocument(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// picture is an expression with the values of its parts below it: below each
// line those of the parts that stand in it, each under its own. One without
// parts, such as a word, is followed by what it yields.
func (p painter) picture(x expr.Trace) []string {
	var lines []string
	for n, line := range strings.Split(strings.TrimRight(x.Text, "\n"), "\n") {
		lines = append(lines, p.bold(shownLine(line)))
		lines = append(lines, p.under(line, slices.DeleteFunc(slices.Clone(x.Steps), func(m expr.Mark) bool { return m.Line != n+1 }))...)
	}
	return lines
}

// under lays out the steps of one line: a bar under each, and its value at the
// end of the bar, in the first row that has room for it.
func (p painter) under(line string, steps []expr.Mark) []string {
	var rows []row
	for _, s := range slices.Backward(steps) {
		col, text := columns(line, s.Col-1), stepText(s)
		for at := 0; ; at++ {
			if at == len(rows) {
				rows = append(rows, row{})
			}
			if at > 0 && rows[at].put(col, text) {
				break
			}
			rows[at].put(col, "|")
		}
	}
	lines := make([]string, len(rows))
	for n, r := range rows {
		lines[n] = p.dim(strings.Join(r, ""))
	}
	return lines
}

// row is a line that is written from its end to its beginning: what stands in
// each column of the terminal.
type row []string

// put writes text at a column unless it would touch what stands there or to the
// right of it.
func (r *row) put(col int, text string) bool {
	var cells row
	for _, c := range text {
		switch n := columnsOf(c); {
		case n == 0 && len(cells) > 0:
			cells[len(cells)-1] += string(c)
		case n == 2:
			cells = append(cells, string(c), "")
		default:
			cells = append(cells, string(c))
		}
	}
	for n := col; n <= col+len(cells) && n < len(*r); n++ {
		if (*r)[n] != " " {
			return false
		}
	}
	for len(*r) < col+len(cells) {
		*r = append(*r, " ")
	}
	copy((*r)[col:], cells)
	return true
}

func stepText(m expr.Mark) string {
	if m.Failure != "" {
		return "! " + cut(shown(m.Failure))
	}
	return jsonText(m.Value, m.Cut)
}

// jsonText is a value as JSON, on one line and not too long; of one that was cut
// already it is the beginning.
func jsonText(v any, begun bool) string {
	if text, ok := v.(string); ok && begun {
		return cut(jsonLine(text))
	}
	var b strings.Builder
	if err := writeDocument(&b, v); err != nil {
		return "?"
	}
	return cut(jsonLine(strings.TrimRight(b.String(), "\n")))
}

// jsonLine is shown for JSON, in which what does not print has an escape.
func jsonLine(s string) string {
	var b strings.Builder
	for _, c := range strings.ToValidUTF8(s, "\uFFFD") {
		if unicode.IsPrint(c) {
			b.WriteRune(c)
			continue
		}
		for _, unit := range utf16.Encode([]rune{c}) {
			fmt.Fprintf(&b, "\\u%04x", unit)
		}
	}
	return b.String()
}

// shownLine is shown for text in which quotes are what they are, and a tab takes
// one column.
func shownLine(s string) string {
	s = strings.ReplaceAll(s, "\t", " ")
	if strings.HasPrefix(s, `"`) {
		if rest := shown(s[1:]); rest == s[1:] {
			return s
		}
	}
	return shown(s)
}
