//go:build linux

package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Row is one line of the table: what was measured of A and of B, and what of B is
// to A. Ratio is nil where a row only reports.
type Row struct {
	Scenario string   `json:"scenario"`
	What     string   `json:"what"`
	A        string   `json:"a"`
	B        string   `json:"b"`
	Ratio    *float64 `json:"ratio,omitempty"`
	Asked    string   `json:"asked,omitempty"`
	Met      *bool    `json:"met,omitempty"`
}

// Result is a whole run.
type Result struct {
	When    time.Time `json:"when"`
	Machine string    `json:"machine"`
	Load    string    `json:"load"`
	Size    string    `json:"size"`
	Rows    []Row     `json:"rows"`
	Plots   []Plot    `json:"plots"`
	// Missed names the scenarios of the table that were not measured.
	Missed []string `json:"missed"`
}

// NewResult returns a Result that says what machine it is, and what else ran on
// it when it began.
func NewResult(size string) *Result {
	model := "processor unknown"
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if _, rest, ok := strings.Cut(string(info), "model name"); ok {
			line, _, _ := strings.Cut(rest, "\n")
			_, name, _ := strings.Cut(line, ":")
			model = strings.TrimSpace(name)
		}
	}
	load, _ := os.ReadFile("/proc/loadavg")
	one, _, _ := strings.Cut(string(load), " ")
	return &Result{
		When: time.Now().UTC(), Load: one, Size: size,
		Machine: fmt.Sprintf("%s/%s, %d × %s, %s", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), model, runtime.Version()),
	}
}

// Write writes the result: results.json and a plot each below folder/benchmarks,
// and the section of folder/benchmarks.md between its markers, which must be there.
func (r *Result) Write(folder string) error {
	for _, s := range Scenarios() {
		if !slices.ContainsFunc(r.Rows, func(row Row) bool { return row.Scenario == s.Name }) {
			r.Missed = append(r.Missed, s.Name)
		}
	}
	below := filepath.Join(folder, "benchmarks")
	if err := os.MkdirAll(below, 0o755); err != nil {
		return err
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	files := map[string][]byte{"results.json": append(text, '\n')}
	for _, p := range r.Plots {
		files[p.Name+".svg"] = p.SVG()
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(below, name), content, 0o644); err != nil {
			return err
		}
	}
	return r.insert(filepath.Join(folder, "benchmarks.md"))
}

// The lines between which the page has what the run wrote.
const (
	begins = "<!-- make bench writes from here -->\n"
	ends   = "<!-- to here -->\n"
)

func (r *Result) insert(page string) error {
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	before, rest, one := bytes.Cut(text, []byte(begins))
	_, after, two := bytes.Cut(rest, []byte(ends))
	if !one || !two {
		return fmt.Errorf("%s has no section for this between %q and %q", page, strings.TrimSpace(begins), strings.TrimSpace(ends))
	}
	return os.WriteFile(page, slices.Concat(before, []byte(begins), []byte(r.Markdown()), []byte(ends), after), 0o644)
}

// Markdown is the table and its plots.
func (r *Result) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s, %s, load %s at the start; %s\n\n", r.When.Format(time.DateOnly), r.Machine, r.Load, r.Size)
	b.WriteString("| scenario | measured | A | B | B to A | asked |\n|---|---|---:|---:|---:|---|\n")
	for _, row := range r.Rows {
		ratio, asked := "", row.Asked
		if row.Ratio != nil {
			ratio = fmt.Sprintf("%.2f", *row.Ratio)
		}
		if row.Met != nil && !*row.Met {
			asked += ", **missed**"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", row.Scenario, row.What, row.A, row.B, ratio, asked)
	}
	if len(r.Missed) > 0 {
		fmt.Fprintf(&b, "\nNot measured in this run: %s.\n", strings.Join(r.Missed, ", "))
	}
	b.WriteString("\n")
	for _, p := range r.Plots {
		fmt.Fprintf(&b, "![%s](benchmarks/%s.svg)\n", p.Title, p.Name)
	}
	return b.String()
}
