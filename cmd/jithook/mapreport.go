package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/jithook/jithook/internal/expr"
	"github.com/jithook/jithook/provider"
	"github.com/jithook/jithook/rules"
)

// report is the form in which results are shown.
type report string

func (r *report) String() string { return string(*r) }

// Type is what the flag's help shows for a value.
func (r *report) Type() string { return "FORMAT" }

// Set reads the flag's value.
func (r *report) Set(text string) error {
	if text != "pretty" && text != "json" && text != "junit" {
		return errors.New("there are pretty, json and junit")
	}
	*r = report(text)
	return nil
}

func (r *report) bind(cmd *cobra.Command) {
	*r = "pretty"
	cmd.Flags().VarP(r, "output", "o", "pretty, json, or junit for a CI server")
}

// played is a result with what is shown of it.
type played struct {
	rules.Result
	perLogin time.Duration // zero where nobody asked
	behind   []expr.Trace
	// updated is how the case was changed, left why it was not.
	updated []rules.Diff
	left    string
}

func (p played) outcome() string {
	switch {
	case p.updated != nil:
		return "updated"
	case p.Passed():
		return "pass"
	case p.Case.Todo != "":
		return "todo"
	}
	return "fail"
}

func (p played) name() string { return p.Case.File.Provider.Value + "/" + p.Case.Name.Value }

func newPlayed(set *provider.Set, r rules.Result) played {
	prov, _ := set.Get(r.Case.File.Provider.Value)
	p := played{Result: r}
	for _, x := range r.Behind(prov) {
		p.behind = append(p.behind, x.Trace())
	}
	return p
}

// write writes the report; less than threshold percent covered is a failure.
func (r report) write(w io.Writer, all []played, s rules.Summary, threshold percent) error {
	switch r {
	case "json":
		return writeJSON(w, all, s)
	case "junit":
		return writeJUnit(w, all, s, threshold)
	}
	updated := 0
	for _, p := range all {
		if p.perLogin > 0 {
			fmt.Fprintf(w, "%-9s %s\n", p.perLogin.Round(100*time.Nanosecond), shown(p.name()))
		}
		if !p.Passed() || p.Case.Todo != "" || p.updated != nil {
			p.pretty(w)
		}
		if p.updated != nil {
			updated++
		}
	}
	fmt.Fprintf(w, "%d passed, %d failed, %d todo", s.Passed, s.Failed, s.Todo)
	if updated > 0 {
		fmt.Fprintf(w, ", %d updated", updated)
	}
	fmt.Fprintf(w, " (%s)\n", s.Duration.Round(time.Millisecond))
	if s.Coverage != nil {
		return writeCoverage(w, *s.Coverage)
	}
	return nil
}

func writeCoverage(w io.Writer, c rules.Coverage) error {
	fmt.Fprintf(w, "covered %.1f %% (%d of %d)\n", c.Percent(), c.Reached, c.All)
	t := newTable(w)
	for _, m := range c.Missed {
		t.row("  "+m.Pos, "never "+m.Never, strings.Join(strings.Fields(m.Text), " "))
	}
	return t.flush()
}

// pretty shows a case that did not pass: what differs, and what the expressions
// behind that saw.
func (p played) pretty(w io.Writer) {
	fmt.Fprintf(w, "%s  %s  %s\n", strings.ToUpper(p.outcome()), shown(p.name()), p.Case.Pos())
	for _, d := range p.updated {
		difference(w, d, "was ", "is  ")
	}
	if p.left != "" {
		fmt.Fprintf(w, "      not updated: %s\n", shown(p.left))
	}
	if p.Case.Todo != "" {
		note := p.Case.Todo
		if p.Passed() {
			note += " (it passes: take its todo out)"
		}
		fmt.Fprintf(w, "      todo: %s\n", shown(note))
	}
	for _, d := range p.Diffs {
		if d.Aside() {
			fmt.Fprintf(w, "      %s: %s\n", shown(d.Path), shown(fmt.Sprint(d.Got)))
		} else {
			difference(w, d, "want", "got ")
		}
		because(w, d)
	}
	for _, x := range p.behind {
		fmt.Fprintf(w, "      %s\n", shown(x.Pos))
		newTeller(w).picture(4, x)
	}
}

type caseView struct {
	Provider string       `json:"provider"`
	Name     string       `json:"name"`
	Pos      string       `json:"pos"`
	Outcome  string       `json:"outcome"` // pass, fail, todo, updated
	Todo     string       `json:"todo,omitempty"`
	Diffs    []rules.Diff `json:"diffs,omitempty"`
	Updated  []rules.Diff `json:"updated,omitempty"`
	Left     string       `json:"not_updated,omitempty"`
	Rules    []expr.Trace `json:"rules,omitempty"`
	PerLogin int64        `json:"per_login_ns,omitempty"`
}

func writeJSON(w io.Writer, all []played, s rules.Summary) error {
	out := struct {
		Cases    []caseView `json:"cases"`
		Passed   int        `json:"passed"`
		Failed   int        `json:"failed"`
		Todo     int        `json:"todo"`
		Coverage any        `json:"coverage,omitempty"`
	}{Cases: []caseView{}, Passed: s.Passed, Failed: s.Failed, Todo: s.Todo}
	for _, p := range all {
		v := caseView{p.Case.File.Provider.Value, p.Case.Name.Value, p.Case.Pos(), p.outcome(), p.Case.Todo, p.Diffs, p.updated, p.left, p.behind, p.perLogin.Nanoseconds()}
		out.Cases = append(out.Cases, v)
	}
	if c := s.Coverage; c != nil {
		out.Coverage = map[string]any{"percent": c.Percent(), "reached": c.Reached, "all": c.All, "missed": append([]rules.Missed{}, c.Missed...)}
	}
	return writeDocument(w, out)
}
