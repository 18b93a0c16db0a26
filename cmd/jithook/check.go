package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/jithook/jithook/internal/strictyaml"
	"github.com/jithook/jithook/provider"
)

// checked is what `check -o json` prints.
type checked struct {
	Problems  []problemView `json:"problems"`
	Findings  []findingView `json:"findings"`
	Providers int           `json:"providers"`
}

type problemView struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Col     int    `json:"col"`
	Message string `json:"message"`
}

// findingView is what --lint finds.
type findingView struct {
	problemView
	Code provider.LintCode `json:"code"`
}

func newCheckCmd() *cobra.Command {
	var path string
	var lint bool
	var out format
	cmd := &cobra.Command{
		Use: "check", Short: "Check the configuration and the providers' files", Args: cobra.NoArgs,
		Long: `Check the configuration and every provider's file, and print all problems as
file:line:col. Secrets are not read. Exit code 2 when there are problems.

--lint also names what loads and is most likely not meant, each with a code that
docs/lint.md explains, once a provider's file has no problems. A comment in the
line, or above it, silences one: # lint:ignore CODE reason. Exit code 2 when
there are findings.`,
		Example: "  jithook check -c jithook.yaml --lint",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, problems, err := readConfig(path)
			if err != nil {
				return err
			}
			if c.providersDir == "" {
				return out.report(cmd, checkResult{problems: problems})
			}
			set, found, err := loadProviders(c)
			if err != nil {
				return err
			}
			result := checkResult{problems: append(problems, found...)}
			if set != nil {
				result.problems, result.providers = append(result.problems, c.unmatched(set)...), set.Len()
			}
			if found, err = shadowProblems(c); err != nil {
				return err
			}
			result.problems = append(result.problems, found...)
			sortByPlace(result.problems, path)
			if lint {
				if result.findings, err = lintProviders(cmd.Context(), c); err != nil {
					return err
				}
			}
			return out.report(cmd, result)
		},
	}
	cmd.Flags().StringVarP(&path, "config", "c", "jithook.yaml", "the server's configuration")
	cmd.Flags().BoolVar(&lint, "lint", false, "also name what loads and is most likely not meant")
	out.bindAs(cmd, "table", "table or json")
	return cmd
}

// checkResult is what a check found.
type checkResult struct {
	problems  []strictyaml.Problem
	findings  []provider.Finding
	providers int
}

// lintProviders looks at the providers' files that have no problems.
func lintProviders(ctx context.Context, c config) ([]provider.Finding, error) {
	loader, err := newLoader(c, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	findings, err := loader.Lint(ctx, os.DirFS(c.providersDir))
	if err != nil {
		return nil, err
	}
	for i, f := range findings {
		findings[i].File = filepath.Join(c.providersShown, f.File)
	}
	return findings, nil
}

// sortByPlace puts the problems into the order of their places, those of the
// configuration first.
func sortByPlace(problems []strictyaml.Problem, config string) {
	slices.SortStableFunc(problems, func(a, b strictyaml.Problem) int {
		return cmp.Or(inFile(a, config)-inFile(b, config), strings.Compare(a.File, b.File), a.Line-b.Line, a.Col-b.Col)
	})
}

func inFile(p strictyaml.Problem, file string) int {
	if p.File == file {
		return 0
	}
	return 1
}

func (f *format) report(cmd *cobra.Command, r checkResult) error {
	w := cmd.OutOrStdout()
	switch {
	case f.json:
		out := checked{Problems: []problemView{}, Findings: []findingView{}, Providers: r.providers}
		for _, p := range r.problems {
			out.Problems = append(out.Problems, viewProblem(p))
		}
		for _, found := range r.findings {
			out.Findings = append(out.Findings, findingView{viewProblem(found.Problem), found.Code})
		}
		if err := json.NewEncoder(w).Encode(out); err != nil {
			return err
		}
	case len(r.problems)+len(r.findings) == 0:
		fmt.Fprintln(w, "no problems; providers:", r.providers)
	default:
		for _, p := range r.problems {
			fmt.Fprintln(w, p)
		}
		for _, found := range r.findings {
			fmt.Fprintln(w, found)
		}
	}
	if len(r.problems)+len(r.findings) > 0 {
		return errNo
	}
	return nil
}

func viewProblem(p strictyaml.Problem) problemView {
	return problemView{p.File, p.Line, p.Col, p.Message}
}
