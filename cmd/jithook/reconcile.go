package main

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/jithook/jithook/admin"
	"github.com/jithook/jithook/outbound"
)

func newOutboundReconcileCmd() *cobra.Command {
	var from access
	var out format
	var mend bool
	var token string
	cmd := &cobra.Command{
		Use: "reconcile TARGET", Short: "Compare the whole userstore with a target, and with --mend tell it again", Args: cobra.ExactArgs(1),
		Long: `Compare every identity with what a target has of it, one after the other, and
list where they differ: by what would be written, never by values. With --mend
the worker tells the target again of those. Needs a running server, which has the
target's credentials. Exit code 2 where something differs that is not mended.

What was broken off goes on with --page-token.`,
		Example: "  jithook outbound reconcile hr\n  jithook outbound reconcile hr --mend",
		RunE: func(cmd *cobra.Command, args []string) error {
			return from.with(func(c *client) error { return reconcile(cmd, c, out, args[0], mend, token) })
		},
	}
	cmd.Flags().BoolVar(&mend, "mend", false, "have the target told again")
	cmd.Flags().StringVar(&token, "page-token", "", "go on where an earlier one broke off")
	cmd.Flags().StringVar(&from.admin, "admin", defaultAdmin, "the `URL` of a running server's admin API; its token is read from "+adminTokenEnv)
	out.bind(cmd)
	return cmd
}

// reconciled is the end of what `outbound reconcile` prints.
type reconciled struct {
	Checked int `json:"checked"`
	Mended  int `json:"mended"`
	Left    int `json:"left"`
}

func reconcile(cmd *cobra.Command, c *client, out format, target string, mend bool, token string) error {
	bar := newProgress(cmd.ErrOrStderr(), out, "comparing", "identities")
	defer bar.end()
	list := newResults(cmd.OutOrStdout(), out, "identities")
	var n reconciled
	for more := true; more; more = token != "" {
		query := url.Values{"mend": {strconv.FormatBool(mend)}, "page_token": {token}}
		reply, err := c.slow().post(cmd.Context(), "/outbound/"+url.PathEscape(target)+"/reconcile", query, nil)
		if err != nil {
			bar.clear()
			fmt.Fprintf(cmd.ErrOrStderr(), "Broken off after %d: go on with --page-token %s\n", n.Checked, strconv.Quote(token))
			return explained(err)
		}
		var step admin.Reconciled
		if err := decode(reply, &step); err != nil {
			return err
		}
		n.Checked += step.Checked
		bar.to(int64(n.Checked))
		for _, d := range step.Identities {
			if d.Mended {
				n.Mended++
			} else {
				n.Left++
			}
			bar.clear()
			if err := list.add(d, fmt.Sprintf("%-36s  %s", shown(d.IdentityID), shown(differs(d)))); err != nil {
				return err
			}
		}
		if step.NextPageToken == token && token != "" {
			return errors.New("the server repeats a page")
		}
		token = step.NextPageToken
	}
	bar.end()
	if err := list.end(n, fmt.Sprintf("%d identities compared, %d will be told again, %d left", n.Checked, n.Mended, n.Left)); err != nil {
		return err
	}
	if n.Left > 0 {
		return errNo
	}
	return nil
}

// differs is a drift in one line.
func differs(d outbound.Drift) string {
	if d.Failure != "" {
		return d.Failure
	}
	var parts []string
	for _, one := range d.Differences {
		part := one.What
		if len(one.Attributes) > 0 {
			part += " (" + strings.Join(one.Attributes, ", ") + ")"
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, "; ")
}
