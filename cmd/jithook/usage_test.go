package main

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// TestHelpIsNarrow: every help can be read on a terminal of 80 columns, examples
// aside, which are copied whole; and no word of it is lost on the way.
func TestHelpIsNarrow(t *testing.T) {
	pages := 0
	eachBelow(newRoot(), func(cmd *cobra.Command) {
		pages++
		var help bytes.Buffer
		cmd.SetOut(&help)
		if err := cmd.Help(); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(help.String()) {
			line = strings.TrimRight(line, "\n")
			if utf8.RuneCountInString(line) > 80 && !strings.HasPrefix(line, "  jithook ") && !strings.HasPrefix(line, "  echo ") {
				t.Errorf("%s: %s", cmd.CommandPath(), line)
			}
		}
		words := strings.Join(strings.Fields(help.String()), " ")
		if flags := strings.Join(strings.Fields(cmd.LocalFlags().FlagUsages()), " "); !strings.Contains(words, flags) {
			t.Errorf("%s lacks some of %s", cmd.CommandPath(), flags)
		}
	})
	if pages < 40 {
		t.Errorf("%d pages", pages)
	}
}
