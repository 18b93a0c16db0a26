package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/jithook/jithook/admin"
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

func newIdentityCmd() *cobra.Command {
	cmd := group("identity", "Look at who is in the userstore, and edit them", newIdentityGetCmd(), newIdentityListCmd(),
		newIdentityEditCmd(), newIdentityUnlinkCmd(), newIdentityDeleteCmd(), newIdentityExportCmd(), newIdentitySweepCmd())
	cmd.AddCommand(newIdentityStateCmds()...)
	return cmd
}

func newIdentityGetCmd() *cobra.Command {
	var from access
	var out format
	cmd := &cobra.Command{
		Use: "get ID", Short: "Show one identity", Args: cobra.ExactArgs(1),
		Long: `Show one identity: its traits and who wrote them, its groups and who granted
them, its links and ids. Long values are cut; -o json has them whole.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return from.with(func(c *client) error {
				path, err := identityPath(args[0])
				if err != nil {
					return err
				}
				i, reply, err := getIdentity(cmd, c, path)
				if err != nil {
					return err
				}
				return out.print(cmd.OutOrStdout(), reply, func(w io.Writer) error { return card(w, i) })
			})
		},
	}
	from.bind(cmd)
	out.bind(cmd)
	return cmd
}

func newIdentityListCmd() *cobra.Command {
	var from access
	var out format
	var page paging
	var trait string
	cmd := &cobra.Command{
		Use: "list", Short: "List identities, oldest first", Args: cobra.NoArgs,
		Example: "  jithook identity list --state suspended\n  jithook identity list --trait /traits/email=ann@acme.example",
		RunE: func(cmd *cobra.Command, _ []string) error {
			query := filters(cmd, "userstore", "state", "issuer", "subject", "page-size")
			if cmd.Flags().Changed("trait") {
				path, text, ok := strings.Cut(trait, "=")
				if !ok || text == "" || !strings.HasPrefix(path, "/traits/") {
					return errors.New("--trait is PATH=TEXT, such as /traits/email=ann@acme.example")
				}
				page.all = page.token == "" // a page of such a list may have nobody
				query.Set("trait", path)
				query.Set("value", text)
				if !cmd.Flags().Changed("page-size") {
					query.Set("page_size", strconv.Itoa(store.MaxPageSize))
				}
			}
			return from.with(func(c *client) error {
				reply, err := page.fetch(cmd, c, "/identities", "identities", query)
				if err != nil {
					return err
				}
				var list admin.Identities
				if err := decode(reply, &list); err != nil {
					return err
				}
				return out.print(cmd.OutOrStdout(), reply, func(w io.Writer) error {
					defer more(cmd, list.NextPageToken)
					return identities(w, list.Identities)
				})
			})
		},
	}
	cmd.Flags().String("userstore", "", "only those of the userstore with this `NAME`")
	cmd.Flags().String("state", "", "only those in this state: pending, active, suspended, deprovisioned or deleted")
	cmd.Flags().String("issuer", "", "with --subject: only who is linked to this subject")
	cmd.Flags().String("subject", "", "see --issuer")
	cmd.MarkFlagsRequiredTogether("issuer", "subject")
	cmd.Flags().StringVar(&trait, "trait", "", "only whose trait is this text, in whatever case: `PATH=TEXT`; looks at everybody")
	page.bind(cmd)
	from.bind(cmd)
	out.bind(cmd)
	return cmd
}

func identities(w io.Writer, list []admin.Identity) error {
	t := newTable(w)
	t.row("ID", "USERSTORE", "STATE", "PROVIDER", "SUBJECT", "CREATED", "LAST LOGIN")
	for _, i := range list {
		provider, subject := "", ""
		if len(i.Links) > 0 {
			provider, subject = i.Links[0].Provider, i.Links[0].Subject
		}
		if n := len(i.Links) - 1; n > 0 {
			provider += fmt.Sprintf(" (and %d more)", n)
		}
		t.row(i.ID, i.Userstore, string(i.State), provider, subject, when(i.CreatedAt), when(i.LastLoginAt))
	}
	return t.flush()
}

// card lays out one identity for people.
func card(w io.Writer, i admin.Identity) error {
	t := newTable(w)
	t.row("ID", i.ID)
	t.row("State", string(i.State))
	t.row("State set by", i.StateSource)
	t.row("State since", when(i.StateAt))
	t.row("Userstore", i.Userstore)
	t.row("Revision", strconv.FormatInt(i.Revision, 10))
	t.row("Created", when(i.CreatedAt))
	t.row("Updated", when(i.UpdatedAt))
	t.row("Last login", when(i.LastLoginAt))
	t.row("Written by decision", i.DecisionID)

	written := map[string]identity.Provenance{}
	for _, p := range i.Provenance {
		written[p.Path] = p
	}
	traits := [][]string{{"TRAIT", "VALUE", "WRITTEN BY", "AT", "VERIFIED BY"}}
	traits = append(traits, traitRows("", i.Traits, written)...)
	groups := [][]string{{"GROUP", "GRANTED BY"}}
	for _, g := range i.Groups {
		groups = append(groups, []string{g.Name, g.Source})
	}
	links := [][]string{{"LINK", "ISSUER", "SUBJECT", "LINKED", "EVIDENCE"}}
	for _, l := range i.Links {
		links = append(links, []string{l.Provider, l.Issuer, l.Subject, when(l.LinkedAt), l.Evidence})
	}
	proposals := [][]string{{"PROPOSED LINK", "STATE", "SUBJECT", "AT", "EXPIRES", "ID"}}
	for _, p := range i.Proposals {
		proposals = append(proposals, []string{p.Provider, string(p.State), p.Subject, when(p.At), when(p.Expires), p.ID})
	}
	ids := [][]string{{"EXTERNAL SYSTEM", "ID"}}
	for _, system := range slices.Sorted(maps.Keys(i.ExternalIDs)) {
		ids = append(ids, []string{system, i.ExternalIDs[system]})
	}
	consents := [][]string{{"CONSENT", "VERSION", "ACCEPTED", "ASKED BY"}}
	for _, c := range i.Consents {
		consents = append(consents, []string{strings.TrimPrefix(c.Path, "/"), c.Version, when(c.At), c.Source})
	}
	held := [][]string{{"HELD", "SINCE", "GRANTED BY", "GROUPS THAT WOULD GO"}}
	for _, h := range i.Holds {
		held = append(held, []string{h.ID, when(h.At), h.Source, strings.Join(h.Groups, ", ")})
	}
	return t.sections(traits, groups, held, links, proposals, ids, consents)
}

// traitRows are a row for each trait. Of an object that nobody wrote as a whole,
// each member is a trait.
func traitRows(above string, traits map[string]any, written map[string]identity.Provenance) [][]string {
	var rows [][]string
	for _, name := range slices.Sorted(maps.Keys(traits)) {
		path := above + identity.Pointer(name)
		p, known := written[path]
		object, ok := traits[name].(map[string]any)
		inside := slices.ContainsFunc(slices.Collect(maps.Keys(written)), func(w string) bool { return identity.Below(w, path) })
		if ok && !known && inside {
			rows = append(rows, traitRows(path, object, written)...)
			continue
		}
		rows = append(rows, []string{path[1:], value(traits[name]), p.Source, when(p.At), p.VerifiedBy})
	}
	return rows
}
