//go:build linux

package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Row is one line of a table: what was measured of A and of B, and what of B is
// to A. Ratio is nil where a row only reports.
type Row struct {
	What  string   `json:"what"`
	A     string   `json:"a"`
	B     string   `json:"b"`
	Ratio *float64 `json:"ratio,omitempty"`
	// Rounds are the ratios of which Ratio is the median.
	Rounds []float64 `json:"rounds,omitempty"`
	Asked  string    `json:"asked,omitempty"`
	Met    *bool     `json:"met,omitempty"`
}

// Run is what one scenario came to, with what else the machine did meanwhile.
type Run struct {
	Scenario string    `json:"scenario"`
	When     time.Time `json:"when"`
	Took     string    `json:"took"`
	Machine  string    `json:"machine"`
	// Program is the commit that was measured, with -dirty if files had changed.
	Program string `json:"program,omitempty"`
	// Load is the machine's average of one minute when the scenario began, which
	// the one before it may have made.
	Load string `json:"load"`
	// Busy is how busy the processors were in the second before, in percent.
	Busy  float64 `json:"busy"`
	Size  string  `json:"size"`
	Rows  []Row   `json:"rows"`
	Plots []Plot  `json:"plots,omitempty"`
}

// newRun returns a Run without rows, which says what machine it is and how quiet.
func newRun(scenario string) Run {
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
	return Run{
		Scenario: scenario, Program: program(), When: time.Now().UTC().Truncate(time.Second), Load: one, Busy: busy(),
		Machine: fmt.Sprintf("%s/%s, %d × %s, %s", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), model, runtime.Version()),
	}
}

// program is the commit that is there, with -dirty if files of it have changed since,
// other than the page and its data; empty where there is no git.
func program() string {
	commit, err := exec.Command("git", "rev-parse", "--short", "HEAD").Output()
	if err != nil {
		return ""
	}
	name := strings.TrimSpace(string(commit))
	if exec.Command("git", "diff", "--quiet", "HEAD", "--", ":/", ":(top,exclude)docs/benchmarks*").Run() != nil {
		name += "-dirty"
	}
	return name
}

// look is how long the machine is looked at before a scenario.
const look = time.Second

// busy is which part of the machine's processors is in use, in percent.
func busy() float64 {
	idle, all := processors()
	time.Sleep(look)
	idleThen, allThen := processors()
	if allThen <= all {
		return 0
	}
	return 100 * (1 - float64(idleThen-idle)/float64(allThen-all))
}

// processors is how long all of them were idle so far, and how long there were.
func processors() (idle, all int64) {
	stat, _ := os.ReadFile("/proc/stat") // without it the page says 0
	line, _, _ := strings.Cut(string(stat), "\n")
	for n, field := range strings.Fields(line) {
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil || n > 8 { // the name; what guests had is within another
			continue
		}
		all += ticks
		if n == 4 || n == 5 { // idle, and waiting for the disk
			idle += ticks
		}
	}
	return idle, all
}

// Result is the newest run of each scenario.
type Result struct {
	Runs []Run `json:"runs"`
}

// dataFile has the result, below the folder of the plots.
const dataFile = "results.json"

// Add writes a run into the folder: into benchmarks/results.json, where it takes the
// place of an earlier run of its scenario and leaves all others, its plots beside
// that, and the section of benchmarks.md between its markers, which must be there.
func Add(folder string, run Run) error {
	below := filepath.Join(folder, "benchmarks")
	if err := os.MkdirAll(below, 0o755); err != nil {
		return err
	}
	r, err := read(filepath.Join(below, dataFile))
	if err != nil {
		return err
	}
	r.add(run)
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	files := map[string][]byte{dataFile: append(text, '\n')}
	for _, p := range run.Plots {
		files[p.Name+".svg"] = p.SVG()
	}
	if err := insert(filepath.Join(folder, "benchmarks.md"), r.Markdown()); err != nil {
		return err
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(below, name), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// read returns the result in a file; without the file nothing was measured yet.
func read(path string) (r Result, err error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Result{}, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	if err != nil {
		return Result{}, fmt.Errorf("earlier results, %s: %w", path, err)
	}
	return r, nil
}

// add has the run take the place of an earlier one, keeps the order of the table, and
// drops what is no scenario any more.
func (r *Result) add(run Run) {
	all := append(slices.DeleteFunc(r.Runs, func(old Run) bool { return old.Scenario == run.Scenario }), run)
	r.Runs = nil
	for _, s := range Scenarios() {
		if n := slices.IndexFunc(all, func(one Run) bool { return one.Scenario == s.Name }); n >= 0 {
			r.Runs = append(r.Runs, all[n])
		}
	}
}
