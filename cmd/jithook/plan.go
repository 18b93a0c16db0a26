package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/jithook/jithook/admin"
)

func newPlanCmd() *cobra.Command {
	from := access{rules: true}
	var out format
	var login string
	cmd := &cobra.Command{
		Use: "plan --login FILE", Short: "Say what a login would become, without doing it", Args: cobra.NoArgs,
		Long: `Say what POST /hooks/login would answer to the login in FILE (its body), and
why, as of now. Nothing is written. Exit code 2 when the login would not pass.`,
		Example: `  jithook plan --login login.json
  echo '{"version":1,"provider":"acme","subject":"s-1","claims":{"hd":"acme.example"}}' | jithook plan --login -`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			body, err := readInput(cmd.InOrStdin(), login, "login")
			if err != nil {
				return err
			}
			return from.with(func(c *client) error {
				reply, err := c.post(cmd.Context(), "/plan", filters(cmd, "instance"), body)
				if err != nil {
					return explained(err)
				}
				var p admin.Plan
				if err := decode(reply, &p); err != nil {
					return err
				}
				if err := out.print(cmd.OutOrStdout(), reply, func(w io.Writer) error { return planned(w, p) }); err != nil {
					return err
				}
				if !p.Decision.Allowed() {
					return errNo
				}
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&login, "login", "", "the body of POST /hooks/login, as a `FILE`; - is the standard input")
	cmd.Flags().String("instance", "", "the instance that an external_id in it belongs to (default main)")
	_ = cmd.MarkFlagRequired("login") // fails only for a flag that is not there
	from.bind(cmd)
	out.bind(cmd)
	return cmd
}

// planned lays out a plan for people.
func planned(w io.Writer, p admin.Plan) error {
	t := newTable(w)
	t.row("Decision", string(p.Decision))
	if p.Rule != "" {
		t.row("Rule", p.Rule)
	}
	if p.Match.Path != "" {
		t.row("Found", p.IdentityID)
		t.row("Found by", fmt.Sprintf("%s, verified there by %s and here by %s", p.Match.Path, p.Match.ClaimedBy, p.Match.StoredBy))
	}
	traits := [][]string{{"TRAIT", "VALUE"}}
	if i := p.Identity; i != nil {
		id := i.ID
		if id == "" {
			id = "(new)"
		}
		t.row("Identity", id)
		t.row("Userstore", i.Userstore)
		t.row("State", string(i.State))
		t.row("Groups", strings.Join(i.Groups, ", "))
		for _, name := range slices.Sorted(maps.Keys(i.Traits)) {
			traits = append(traits, []string{name, value(i.Traits[name])})
		}
	}
	if err := t.sections(traits); err != nil {
		return err
	}
	reasons(w, p.Reasons)
	changes(w, p.Changes)
	return nil
}
