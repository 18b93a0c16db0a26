package main

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/jithook/jithook/admin"
)

func newHoldsCmd() *cobra.Command {
	return group("holds", "Changes of groups that wait for an administrator", newHoldsListCmd(), newHoldsReleaseCmd())
}

func newHoldsListCmd() *cobra.Command {
	var from access
	var out format
	var page paging
	cmd := &cobra.Command{
		Use: "list", Short: "List what is held, by identity, oldest first", Args: cobra.NoArgs,
		Long: `List the changes of groups that are held, because a login would have revoked
more memberships of one person than jit.limits.max_group_removals. A page has so
many identities. Long lists of groups are cut; -o json has them whole.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			query := filters(cmd, "userstore", "page-size")
			return from.with(func(c *client) error {
				reply, err := page.fetch(cmd, c, "/holds", "holds", query)
				if err != nil {
					return err
				}
				var list admin.Holds
				if err := decode(reply, &list); err != nil {
					return err
				}
				return out.print(cmd.OutOrStdout(), reply, func(w io.Writer) error {
					defer more(cmd, list.NextPageToken)
					return holds(w, list.Holds)
				})
			})
		},
	}
	cmd.Flags().String("userstore", "", "only those of the userstore with this `NAME`")
	page.bind(cmd)
	from.bind(cmd)
	out.bind(cmd)
	return cmd
}

func holds(w io.Writer, list []admin.Hold) error {
	t := newTable(w)
	t.row("ID", "SINCE", "GRANTED BY", "GROUPS THAT WOULD GO")
	for _, h := range list {
		t.row(h.ID, when(h.At), h.Source, strings.Join(h.Groups, ", "))
	}
	return t.flush()
}

func newHoldsReleaseCmd() *cobra.Command {
	var e editing
	return e.bind(&cobra.Command{
		Use: "release ID", Short: "Revoke what a hold keeps", Args: cobra.ExactArgs(1),
		Long: `Revoke the memberships that a hold names, and no others: if the person's logins
have come to want another change, that one has another id. What the provider
grants beside comes with the next login. To keep the memberships, put right what
the provider sends, or its file: the hold goes with the next login that does not
want the change any more.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if args[0] == "" {
				return errors.New("there is no hold with an empty id")
			}
			return e.from.with(func(c *client) error {
				return e.run(cmd, c, http.MethodPost, "/holds/"+url.PathEscape(args[0])+"/release", nil)
			})
		},
	})
}
