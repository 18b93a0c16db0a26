package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/jithook/jithook/kratos/convert"
)

func newMapConvertCmd() *cobra.Command {
	return &cobra.Command{
		Use: "convert FILE.jsonnet", Short: "Turn a Jsonnet mapper of Ory Kratos into rules", Args: cobra.ExactArgs(1),
		Long: `Turn a simple Jsonnet mapper of Ory Kratos into rules, as the part of a
provider's file below its issuer and trust; - is the standard input. The rules
give the traits that the mapper gives, or refuse the login, but of claims that
are empty or null: Kratos takes empty ones away before its mapper runs, and here
null counts as missing. What cannot be shown to be so is left out and named,
with its place: exit code 2. Notes name what to look at.`,
		Example: `  jithook map convert google.jsonnet > google.yaml`,
		RunE: func(cmd *cobra.Command, args []string) error {
			data, err := readInput(cmd.InOrStdin(), args[0], "mapper")
			if err != nil {
				return err
			}
			rules, err := convert.Jsonnet(args[0], string(data))
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.ErrOrStderr(), "note:", convert.Differs)
			for _, note := range rules.Notes {
				fmt.Fprintln(cmd.ErrOrStderr(), "note:", note)
			}
			for _, left := range rules.Left {
				fmt.Fprintln(cmd.ErrOrStderr(), "left out:", left)
			}
			fmt.Fprint(cmd.OutOrStdout(), rules.YAML())
			if len(rules.Left) > 0 {
				return errNo
			}
			return nil
		},
	}
}
