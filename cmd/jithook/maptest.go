package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/jithook/jithook/internal/strictyaml"
	"github.com/jithook/jithook/provider"
	"github.com/jithook/jithook/rules"
)

// trial is what `map test` is asked to do.
type trial struct {
	config, run string
	given       bool // the configuration is
	report      report
	coverage    bool
	threshold   percent
	bench       bool
	watch       bool
	update      bool
}

// percent is a part of something, of 100; 0 is none given.
type percent float64

func (p *percent) String() string {
	if *p == 0 {
		return ""
	}
	return strconv.FormatFloat(float64(*p), 'f', -1, 64)
}

// Type is what the flag's help shows for a value.
func (p *percent) Type() string { return "PERCENT" }

// Set reads the flag's value.
func (p *percent) Set(text string) error {
	value, err := strconv.ParseFloat(text, 64)
	if err != nil || !(value > 0 && value <= 100) { // which NaN is not
		return errors.New("it is a number above 0, and at most 100")
	}
	*p = percent(value)
	return nil
}

func newMapTestCmd() *cobra.Command {
	var t trial
	cmd := &cobra.Command{
		Use: "test [FOLDER]", Short: "Test the providers' files with the cases beside them", Args: cobra.MaximumNArgs(1),
		Long: `Test the providers' files with the cases beside them (acme_test.yaml): each
gives claims, and perhaps whom they are about, and says what must become of the
login. No server is asked, and nothing is written but the cases with --update
(or -update, as Go's tests have it): those that fail are made to want what they
got, their comments stay. FOLDER stands for the providers' folder of the
configuration. Exit code 2 when a case fails, or less is covered than
--threshold.`,
		Example: `  jithook map test ./providers
  jithook map test -c jithook.yaml --run acme/guest --watch`,
		RunE: func(cmd *cobra.Command, args []string) error {
			t.given = cmd.Flags().Changed("config")
			again := func(ctx context.Context) error { return t.once(ctx, cmd, args) }
			if t.watch {
				return watching(cmd, func() (string, error) { return t.state(args) }, again)
			}
			return again(cmd.Context())
		},
	}
	cmd.Flags().StringVarP(&t.config, "config", "c", "jithook.yaml", "the server's configuration: its providers and userstores; not read with a FOLDER,\nunless it is given")
	cmd.Flags().StringVar(&t.run, "run", "", "only cases whose provider/name holds `TEXT`")
	cmd.Flags().BoolVar(&t.coverage, "coverage", false, "say which rules, branches and absences no case reached: of all providers, or of\nthose that --run names")
	cmd.Flags().Var(&t.threshold, "threshold", "how much has to be covered, in `PERCENT`; implies --coverage")
	cmd.Flags().BoolVar(&t.bench, "bench", false, "say how long a case takes")
	cmd.Flags().BoolVar(&t.watch, "watch", false, "test again whenever a file of the folder changes")
	cmd.Flags().BoolVar(&t.update, "update", false, "make failing cases want what they got; not those with a todo")
	cmd.MarkFlagsMutuallyExclusive("update", "watch")
	t.report.bind(cmd)
	return cmd
}

// where returns the configuration that counts.
func (t *trial) where(args []string) (config, error) {
	if len(args) > 0 && !t.given {
		return config{providersDir: args[0], providersShown: args[0], userstores: []string{provider.DefaultUserstore}}, nil
	}
	c, problems, err := readConfig(t.config)
	if err == nil && len(problems) > 0 {
		err = fmt.Errorf("the configuration has problems:\n%s", list(problems))
	}
	if len(args) > 0 {
		c.providersDir, c.providersShown, c.providersAt = args[0], args[0], strictyaml.Text{}
	}
	return c, err
}

// once loads everything and plays every case.
func (t *trial) once(ctx context.Context, cmd *cobra.Command, args []string) error {
	start := now()
	c, err := t.where(args)
	if err != nil {
		return err
	}
	set, problems, err := loadProviders(c)
	if err != nil {
		return err
	}
	files, found := rules.Load(os.DirFS(c.providersDir))
	if len(problems) > 0 { // once is enough for a folder that is not there
		found = slices.DeleteFunc(found, func(p strictyaml.Problem) bool { return p.Line == 0 })
	}
	if problems = append(problems, c.located(found)...); len(problems) > 0 {
		return providerProblems(problems)
	}
	cases := rules.Find(files, t.run)
	if len(cases) == 0 && t.run != "" && len(files) > 0 {
		return fmt.Errorf("no case to play in %s: no provider/name holds %q", c.providersDir, t.run)
	}
	if len(cases) == 0 {
		return fmt.Errorf("no case to play in %s: cases stand in files like acme_test.yaml", c.providersDir)
	}
	runner := rules.Runner{Providers: set, Userstores: c.userstores, Now: now}
	results, all, err := t.play(ctx, runner, cases)
	if err != nil {
		return err
	}
	if t.update {
		if err := rewrite(ctx, runner, c.providersDir, files, results, all); err != nil {
			return err
		}
	}
	summary := rules.Sum(results)
	summary.Duration = now().Sub(start)
	if t.coverage || t.threshold > 0 {
		covered := rules.Cover(t.counted(set, cases), results)
		summary.Coverage = &covered
	}
	if err := t.report.write(cmd.OutOrStdout(), all, summary, t.threshold); err != nil {
		return err
	}
	if summary.Failed > 0 || summary.Coverage != nil && summary.Coverage.Percent() < float64(t.threshold) {
		return errNo
	}
	return nil
}

// counted are the providers whose coverage counts: all, or with --run those of
// the cases that it names.
func (t *trial) counted(set *provider.Set, cases []*rules.Case) []*provider.Provider {
	return slices.DeleteFunc(slices.Clone(set.All()), func(p *provider.Provider) bool {
		return t.run != "" && !slices.ContainsFunc(cases, func(c *rules.Case) bool { return c.File.Provider.Value == p.ID })
	})
}

// benchTime is how long each case is played with --bench.
const benchTime = 200 * time.Millisecond

func (t *trial) play(ctx context.Context, r rules.Runner, cases []*rules.Case) (results []rules.Result, all []played, err error) {
	for _, c := range cases {
		result, err := r.Run(ctx, c)
		if err != nil {
			return nil, nil, err
		}
		p := newPlayed(r.Providers, result)
		if t.bench {
			if p.perLogin, err = r.Bench(ctx, c, benchTime); err != nil {
				return nil, nil, err
			}
		}
		results, all = append(results, result), append(all, p)
	}
	return results, all, nil
}

// watchEvery is how often a watched folder is looked at.
const watchEvery = 500 * time.Millisecond

// watching does it again whenever what look sees has changed, until the command
// is interrupted. That it cannot be done is told, and then waited out: a file
// that is being edited is broken now and then.
func watching(cmd *cobra.Command, look func() (string, error), do func(context.Context) error) error {
	ctx := cmd.Context()
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for last := ""; ; {
		state, err := look()
		if err != nil && last == "" {
			return err
		}
		if err != nil {
			state = err.Error()
		}
		if state != last {
			last = state
			err := do(ctx)
			if ctx.Err() != nil {
				return nil // interrupted in the middle of it
			}
			if err != nil && !errors.Is(err, errNo) {
				fmt.Fprintln(cmd.ErrOrStderr(), "jithook:", err)
			}
			fmt.Fprintln(cmd.OutOrStdout())
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// state is that of all files that count.
func (t *trial) state(args []string) (string, error) {
	c, err := t.where(args)
	if err != nil {
		return "", err
	}
	state := stateOf(c.providersDir)
	if info, err := os.Stat(t.config); err == nil {
		state += fmt.Sprintln(info.Size(), info.ModTime().UnixNano())
	}
	return state, nil
}

// stateOf is the names, sizes and times of a folder's files.
func stateOf(dir string) string {
	entries, _ := os.ReadDir(dir)
	var b strings.Builder
	for _, e := range entries {
		if info, err := os.Stat(filepath.Join(dir, e.Name())); err == nil {
			fmt.Fprintln(&b, e.Name(), info.Size(), info.ModTime().UnixNano())
		}
	}
	return b.String()
}
