package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/text/unicode/norm"

	"github.com/jithook/jithook/rules"
)

// difference writes one thing that is not as wanted, with words for both sides.
func difference(w io.Writer, d rules.Diff, wanted, came string) {
	word := !strings.HasPrefix(d.Path, "/traits/") // of a closed list: it needs no quotes
	left, right := diffValue(d.Want, word), diffValue(d.Got, word)
	if a, ok := d.Want.(string); ok {
		if b, ok := d.Got.(string); ok && norm.NFKC.String(a) == norm.NFKC.String(b) {
			left, right = strconv.QuoteToASCII(a), strconv.QuoteToASCII(b) // they look alike
		}
	}
	fmt.Fprintf(w, "      %s\n        %s %s\n        %s %s\n", shown(d.Path), wanted, left, came, right)
	if a, ok := d.Want.([]string); ok {
		b, _ := d.Got.([]string)
		for _, side := range []struct {
			word        string
			these, less []string
		}{{"missing", a, b}, {"besides", b, a}} {
			rest := slices.DeleteFunc(slices.Clone(side.these), func(name string) bool { return slices.Contains(side.less, name) })
			if len(rest) > 0 && len(a)+len(b) > 2 {
				fmt.Fprintf(w, "        %s %s\n", side.word, diffValue(rest, false))
			}
		}
	}
}

// because writes why a difference is there, below it.
func because(w io.Writer, d rules.Diff) {
	for _, b := range d.Because {
		text := shown(b.Why)
		if b.Outcome != d.Got {
			text = strings.ReplaceAll(shown(b.Outcome), "_", " ") + ": " + text
		}
		if b.Path != d.Path {
			text = shown(b.Path) + " " + text
		}
		fmt.Fprintln(w, strings.TrimRight("        "+text+"  "+shown(b.Place), " "))
	}
}

// diffValue is one side of a difference, whole: as JSON, so that 3 is told apart
// from "3".
func diffValue(v any, word bool) string {
	if v == nil || v == "" {
		return "nothing"
	}
	if s, ok := v.(string); ok && word {
		return shown(s)
	}
	var b strings.Builder
	if err := writeDocument(&b, v); err != nil {
		return "?"
	}
	return jsonLine(strings.TrimRight(b.String(), "\n"))
}
