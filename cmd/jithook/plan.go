package main

import (
	"cmp"
	"errors"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/jithook/jithook/admin"
	"github.com/jithook/jithook/provision"
)

func newPlanCmd() *cobra.Command {
	from := access{rules: true}
	var out format
	var login string
	var full bool
	cmd := &cobra.Command{
		Use: "plan --login FILE", Short: "Say what a login would become, without doing it", Args: cobra.NoArgs,
		Long: `Say what POST /hooks/login would answer to the login in FILE (its body), and
why, as of now: whom it is about and how they are found, what becomes of each
trait and group, who learns of it, and the lines of the provider's file that say
so. --explain shows each of its rules with the values of its parts, as map
explain does, and -o json has all of that. Nothing is written. Exit code 2 when
the login would not pass.`,
		Example: `  jithook plan --login login.json
  echo '{"version":1,"provider":"acme","subject":"s-1","claims":{"hd":"acme.example"}}' | jithook plan --login -`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			body, err := readInput(cmd.InOrStdin(), login, "login")
			if err != nil {
				return err
			}
			query := filters(cmd, "instance")
			query.Set("explain", "true")
			return from.with(func(c *client) error {
				reply, err := c.post(cmd.Context(), "/plan", query, body)
				if err != nil {
					return explained(err)
				}
				var p admin.Plan
				if err := decode(reply, &p); err != nil {
					return err
				}
				if err := out.print(cmd.OutOrStdout(), reply, func(w io.Writer) error { return planned(w, p, full) }); err != nil {
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
	cmd.Flags().BoolVar(&full, "explain", false, "show each rule with the values of its parts")
	_ = cmd.MarkFlagRequired("login") // fails only for a flag that is not there
	from.bind(cmd)
	out.bind(cmd)
	return cmd
}

// planned lays out a plan for people, and why it is so: in tables, or in full.
func planned(w io.Writer, p admin.Plan, full bool) error {
	if p.Explanation == nil {
		return errors.New("the server's reply has no explanation: is it of another version than this command?")
	}
	if full {
		if err := newTeller(w).plan(p); err != nil {
			return err
		}
	} else if err := tables(w, p, *p.Explanation); err != nil {
		return err
	}
	reasons(w, p.Reasons)
	changes(w, p.Changes)
	return nil
}

func tables(w io.Writer, p admin.Plan, x provision.Explanation) error {
	t := newTable(w)
	t.whole = true // sentences; values are cut here
	t.row("Decision", string(p.Decision))
	if p.Rule != "" {
		t.row("Rule", p.Rule)
	}
	t.row("Found", cmp.Or(x.Match.IdentityID, "nobody"))
	if x.Match.IdentityID != "" {
		t.row("Found by", wayText(x.Match))
	}
	if x.Link.Outcome != "" {
		t.row("Link", effectText(x.Link))
	}
	if i := p.Identity; i != nil {
		t.row("Identity", cmp.Or(i.ID, "(new)"))
		t.row("Userstore", i.Userstore)
		t.row("State", string(i.State))
		t.row("Groups", strings.Join(i.Groups, ", "))
	}
	rules := [][]string{{"RULE", "LINE", "YIELDS"}}
	for _, r := range x.Rules {
		if r.Asked {
			rules = append(rules, []string{ruleName(r), r.Pos, yieldText(r)})
		}
	}
	return t.sections(rules, traitTable(x, p.Decision.Allowed()), groupTable(x), targetTable(x))
}

func yieldText(r provision.RuleStory) string {
	switch {
	case r.Missing != "":
		return "no value: the claim " + r.Missing + " is missing"
	case r.Error != "":
		return "fails: " + r.Error
	case r.Note != "":
		return cut(value(r.Value)) + " (" + r.Note + ")"
	}
	return cut(value(r.Value))
}

// traitTable has the traits of a login that passes, and of one that does not
// those that it came to.
func traitTable(x provision.Explanation, all bool) [][]string {
	rows := [][]string{{"TRAIT", "VALUE", "OUTCOME", "LINE", "WHY"}}
	for _, s := range x.Traits {
		if !all && s.Outcome == "not_asked" {
			continue
		}
		shows := ""
		if s.After != nil {
			shows = cut(value(s.After))
		}
		rows = append(rows, []string{s.Path[1:], shows, strings.ReplaceAll(s.Outcome, "_", " "), s.Place, s.Why})
	}
	return rows
}

func groupTable(x provision.Explanation) [][]string {
	rows := [][]string{{"GROUP", "SOURCE", "OUTCOME", "WHY"}}
	if x.Groups == nil {
		return rows
	}
	if g := x.Groups; g.Outcome != "known" && g.Outcome != "not_asked" {
		rows = append(rows, []string{"", "", g.Outcome, strings.TrimSpace(g.Why + " " + g.Place)})
	}
	for _, m := range x.Groups.Memberships {
		rows = append(rows, []string{m.Name, m.Source, m.Outcome, m.Why})
	}
	for _, s := range x.Groups.Said {
		if s.Grants == "" {
			rows = append(rows, []string{s.Name, "", "not granted", "neither allowed nor mapped by the file"})
		}
	}
	return rows
}

func targetTable(x provision.Explanation) [][]string {
	rows := [][]string{{"TARGET", "LINE", "WAITS"}}
	for _, target := range x.Outbound {
		rows = append(rows, []string{target.Name, target.Place, waitText(target)})
	}
	return rows
}

// effectText is what becomes of something, why, and which line says so.
func effectText(e provision.Effect) string {
	text := strings.ReplaceAll(e.Outcome, "_", " ")
	if e.Why != "" {
		text += ": " + e.Why
	}
	if e.Place != "" {
		text += " (" + e.Place + ")"
	}
	return text
}
