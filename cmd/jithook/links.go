package main

import (
	"errors"
	"io"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/jithook/jithook/admin"
)

func newLinksCmd() *cobra.Command {
	cmd := group("links", "Decide whether a subject belongs to an identity", newLinksListCmd())
	cmd.AddCommand(newLinksDecideCmds()...)
	return cmd
}

func newLinksListCmd() *cobra.Command {
	var from access
	var out format
	var page paging
	cmd := &cobra.Command{
		Use: "list", Short: "List links that were proposed, rejected or removed", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			query := filters(cmd, "userstore", "state", "page-size")
			return from.with(func(c *client) error {
				reply, err := page.fetch(cmd, c, "/links", "links", query)
				if err != nil {
					return err
				}
				var list admin.ProposedLinks
				if err := decode(reply, &list); err != nil {
					return err
				}
				return out.print(cmd.OutOrStdout(), reply, func(w io.Writer) error {
					defer more(cmd, list.NextPageToken)
					return proposedLinks(w, list.Links)
				})
			})
		},
	}
	cmd.Flags().String("userstore", "", "only those of the userstore with this `NAME`")
	cmd.Flags().String("state", "", "only those in this state: proposed, rejected (an administrator's no, or an unlink), or awaiting_proof (of Kratos)")
	page.bind(cmd)
	from.bind(cmd)
	out.bind(cmd)
	return cmd
}

func proposedLinks(w io.Writer, list []admin.ProposedLink) error {
	t := newTable(w)
	t.row("ID", "STATE", "PROVIDER", "SUBJECT", "AT", "EXPIRES", "FOUND BY", "RULE")
	for _, l := range list {
		t.row(l.ID, string(l.State), l.Provider, l.Subject, when(l.At), when(l.Expires), l.Match.Path, l.Match.Rule)
	}
	return t.flush()
}

func newLinksDecideCmds() []*cobra.Command {
	var cmds []*cobra.Command
	for _, c := range []struct{ verb, short, long string }{
		{"approve", "Make a proposed link", `Make a proposed link: the subject signs in to that identity from now on. What
was rejected, or removed by identity unlink, may be approved as well. The first
part of the id is the identity's: look at it first (identity get), since whoever
holds the subject has the account.`},
		{"reject", "Reject a proposed link", `Reject a proposed link. The subject is refused from then on, and the link not
proposed again; approving it is still possible.`},
	} {
		var e editing
		cmds = append(cmds, e.bind(&cobra.Command{
			Use: c.verb + " ID", Short: c.short, Long: c.long, Args: cobra.ExactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				if args[0] == "" {
					return errors.New("there is no proposed link with an empty id")
				}
				return e.from.with(func(client *client) error {
					return e.run(cmd, client, http.MethodPost, "/links/"+url.PathEscape(args[0])+"/"+c.verb, nil)
				})
			},
		}))
	}
	return cmds
}
