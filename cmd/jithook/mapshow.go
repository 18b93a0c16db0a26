package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jithook/jithook/internal/expr"
)

// stepView is a step in JSON: its column counts from 1, as in file:line:col.
type stepView struct {
	Text    string `json:"text"`
	Line    int    `json:"line"`
	Col     int    `json:"col"`
	Value   any    `json:"value"`
	Failure string `json:"failure,omitempty"`
}

// ruleView is an explanation in JSON.
type ruleView struct {
	Pos   string     `json:"pos"`
	Text  string     `json:"text"`
	Value any        `json:"value"`
	Error string     `json:"error,omitempty"`
	Steps []stepView `json:"steps"`
}

func viewOf(x expr.Explanation) ruleView {
	v := ruleView{Pos: x.Source.Pos(), Text: x.Source.Text, Value: x.Value, Steps: []stepView{}}
	if x.Err != nil {
		v.Error = x.Err.Error()
	}
	for _, s := range x.Steps {
		v.Steps = append(v.Steps, stepView{s.Text, s.Line, s.Col + 1, s.Value, s.Failure})
	}
	return v
}

// explanation writes an explanation.
func (f *format) explanation(w io.Writer, x expr.Explanation) error {
	if f.json {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		return e.Encode(viewOf(x))
	}
	_, err := fmt.Fprintln(w, strings.Join(picture(x), "\n"))
	return err
}

// picture is an expression with the values of its parts below it: below each
// line those of the parts that stand in it, each under its own. One without
// parts, such as a word, is followed by what it yields.
func picture(x expr.Explanation) []string {
	var lines []string
	for n, line := range strings.Split(strings.TrimRight(x.Source.Text, "\n"), "\n") {
		lines = append(lines, shownLine(line))
		lines = append(lines, under(slices.DeleteFunc(slices.Clone(x.Steps), func(s expr.Step) bool { return s.Line != n+1 }))...)
	}
	return lines
}

// under lays out the steps of one line: a bar under each, and its value at the
// end of the bar, in the first row that has room for it.
func under(steps []expr.Step) []string {
	var rows []row
	for _, s := range slices.Backward(steps) {
		at := 0
		for text := stepText(s); ; at++ {
			if at == len(rows) {
				rows = append(rows, row{})
			}
			if at > 0 && rows[at].put(s.Col, text) {
				break
			}
			rows[at].put(s.Col, "|")
		}
	}
	lines := make([]string, len(rows))
	for n, r := range rows {
		lines[n] = string(r)
	}
	return lines
}

// row is a line that is written from its end to its beginning.
type row []rune

// put writes text at a column unless it would touch what stands there or to the
// right of it.
func (r *row) put(col int, text string) bool {
	runes := []rune(text)
	for n := col; n <= col+len(runes) && n < len(*r); n++ {
		if (*r)[n] != ' ' {
			return false
		}
	}
	for len(*r) < col+len(runes) {
		*r = append(*r, ' ')
	}
	copy((*r)[col:], runes)
	return true
}

func stepText(s expr.Step) string {
	if s.Failure != "" {
		return "! " + cut(shown(s.Failure))
	}
	text, err := json.Marshal(s.Value)
	if err != nil {
		return "?"
	}
	return cut(shownLine(string(text)))
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
