package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/jithook/jithook/internal/strictyaml"
)

// checked is what `check -o json` prints.
type checked struct {
	Problems  []problemView `json:"problems"`
	Providers int           `json:"providers"`
}

type problemView struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Col     int    `json:"col"`
	Message string `json:"message"`
}

func newCheckCmd() *cobra.Command {
	var path string
	var out format
	cmd := &cobra.Command{
		Use: "check", Short: "Check the configuration and the providers' files", Args: cobra.NoArgs,
		Long: `Check the configuration and every provider's file, and print all problems as
file:line:col. Secrets are not read. Exit code 2 when there are problems.`,
		Example: "  jithook check -c jithook.yaml",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, problems, err := readConfig(path)
			if err != nil {
				return err
			}
			if c.providersDir == "" {
				return out.report(cmd, problems, 0)
			}
			set, found, err := loadProviders(c)
			if err != nil {
				return err
			}
			problems, providers := append(problems, found...), 0
			if set != nil {
				problems, providers = append(problems, c.unmatched(set)...), set.Len()
			}
			sortByPlace(problems, path)
			return out.report(cmd, problems, providers)
		},
	}
	cmd.Flags().StringVarP(&path, "config", "c", "jithook.yaml", "the server's configuration")
	out.bindAs(cmd, "table", "table or json")
	return cmd
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

func (f *format) report(cmd *cobra.Command, problems []strictyaml.Problem, providers int) error {
	if f.json {
		out := checked{Problems: []problemView{}, Providers: providers}
		for _, p := range problems {
			out.Problems = append(out.Problems, problemView{p.File, p.Line, p.Col, p.Message})
		}
		if err := json.NewEncoder(cmd.OutOrStdout()).Encode(out); err != nil {
			return err
		}
	} else if len(problems) > 0 {
		fmt.Fprintln(cmd.OutOrStdout(), list(problems))
	} else {
		fmt.Fprintln(cmd.OutOrStdout(), "no problems; providers:", providers)
	}
	if len(problems) > 0 {
		return errNo
	}
	return nil
}
