//go:build linux

package bench

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// The lines between which the page has what the runs wrote.
const (
	begins = "<!-- make bench writes from here -->\n"
	ends   = "<!-- to here -->\n"
)

func insert(page, section string) error {
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	before, rest, one := bytes.Cut(text, []byte(begins))
	_, after, two := bytes.Cut(rest, []byte(ends))
	if !one || !two {
		return fmt.Errorf("%s has no section for this between %q and %q", page, strings.TrimSpace(begins), strings.TrimSpace(ends))
	}
	return os.WriteFile(page, slices.Concat(before, []byte(begins), []byte(section), []byte(ends), after), 0o644)
}

// Markdown is what was asked and came out, in a table, and then each scenario: what A
// and B are, all that was measured, when, and its plot.
func (r Result) Markdown() string {
	var b strings.Builder
	b.WriteString("\n| scenario | measured | A | B | B to A | asked | |\n|---|---|---:|---:|---:|---|---|\n")
	for _, run := range r.Runs {
		for _, row := range run.Rows {
			if row.Met != nil {
				fmt.Fprintf(&b, "| [%s](#%s) | %s | %s | %s | %s | %s | %s |\n", run.Scenario, run.Scenario, row.What, row.A, row.B, row.ratio(), row.Asked, row.met())
			}
		}
	}
	var missing []string
	for _, s := range Scenarios() {
		n := slices.IndexFunc(r.Runs, func(run Run) bool { return run.Scenario == s.Name })
		if n < 0 {
			missing = append(missing, s.Name)
			continue
		}
		s.section(&b, r.Runs[n])
	}
	if len(missing) > 0 {
		fmt.Fprintf(&b, "\nNot measured yet: %s.\n", strings.Join(missing, ", "))
	}
	return b.String()
}

// section is what stands of one scenario.
func (s Scenario) section(b *strings.Builder, run Run) {
	fmt.Fprintf(b, "\n### %s\n\nA: %s. B: %s.\n\n", s.Name, s.A, s.B)
	b.WriteString("| measured | A | B | B to A | asked | |\n|---|---:|---:|---:|---|---|\n")
	for _, row := range run.Rows {
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s |\n", row.What, row.A, row.B, row.ratio(), row.Asked, row.met())
	}
	fmt.Fprintf(b, "\n`make bench ONLY=%s`, commit %s, %s UTC, %s; load %s, processors %.0f %% busy in the second before; %s; took %s.\n",
		s.Name, cmp.Or(run.Program, "unknown"), run.When.Format(time.DateOnly+" 15:04"), run.Machine, run.Load, run.Busy, run.Size, run.Took)
	for _, p := range run.Plots {
		fmt.Fprintf(b, "\n![%s](benchmarks/%s.svg)\n", p.Title, p.Name)
	}
}

func (row Row) ratio() string {
	if row.Ratio == nil {
		return ""
	}
	return fmt.Sprintf("%.2f", *row.Ratio)
}

func (row Row) met() string {
	switch {
	case row.Met == nil:
		return ""
	case *row.Met:
		return "met"
	}
	return "**missed**"
}
