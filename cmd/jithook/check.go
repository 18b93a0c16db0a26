package main

import (
	"encoding/json"
	"fmt"
	"os"

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
	var path, output string
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
			providers := 0
			if c.providersDir != "" {
				loader, err := newLoader(c)
				if err != nil {
					return err
				}
				set, found := loader.Load(os.DirFS(c.providersDir))
				for i := range found {
					found[i].File = c.providersDir + "/" + found[i].File
				}
				problems = append(problems, found...)
				if set != nil {
					providers = set.Len()
				}
			}
			return report(cmd, output, problems, providers)
		},
	}
	cmd.Flags().StringVarP(&path, "config", "c", "jithook.yaml", "the server's configuration")
	cmd.Flags().StringVarP(&output, "output", "o", "table", "table or json")
	return cmd
}

func report(cmd *cobra.Command, output string, problems []strictyaml.Problem, providers int) error {
	if output == "json" {
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
