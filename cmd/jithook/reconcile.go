package main

import (
	"cmp"
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
	var r reconciliation
	cmd := &cobra.Command{
		Use: "reconcile TARGET", Short: "Compare the userstore with a target, and with --mend tell it again", Args: cobra.MaximumNArgs(1),
		Long: `Compare every identity with what a target has of it, one after the other, and
list where they differ: by what would be written, never by values. Then look at
the target's own list for accounts that no identity answers for: one that is an
identity's no more is listed as orphan. Accounts that are none of jithook's are
counted, listed with --foreign, and never touched.

With --mend the worker tells the target again of identities that differ, and
orphans are closed there: those that a decision record names. With --orphans
those, too, that only look like ours; make sure that no other installation uses
the target. Needs a running server, which has the target's credentials. Exit
code 2 where something differs that is not mended.

What was broken off goes on with --page-token.`,
		Example: "  jithook outbound reconcile hr\n  jithook outbound reconcile hr --mend --rate 20",
		RunE: func(cmd *cobra.Command, args []string) error {
			if (len(args) == 1) == (r.target != "") {
				return errors.New("name one target")
			}
			r.target = cmp.Or(r.target, strings.Join(args, ""))
			if r.orphans && !r.mend {
				return errors.New("--orphans says what --mend closes: say both")
			}
			return from.with(func(c *client) error { return r.run(cmd, c, out) })
		},
	}
	cmd.Flags().StringVar(&r.target, "target", "", "the target's `NAME`, instead of an argument")
	cmd.Flags().BoolVar(&r.mend, "mend", false, "have the target told again, and close orphans there")
	cmd.Flags().BoolVar(&r.orphans, "orphans", false, "with --mend: close orphans, too, that no decision record names")
	cmd.Flags().BoolVar(&r.foreign, "foreign", false, "list the target's accounts that are none of jithook's")
	cmd.Flags().BoolVar(&r.identities, "identities-only", false, "do not look at the target's own list of accounts")
	cmd.Flags().IntVar(&r.rate, "rate", 0, "at most so many requests to the target in a second; 0 is one after the other, without a pause")
	cmd.Flags().StringVar(&r.token, "page-token", "", "go on where an earlier one broke off")
	cmd.Flags().StringVar(&from.admin, "admin", defaultAdmin, "the `URL` of a running server's admin API; its token is read from "+adminTokenEnv)
	out.bind(cmd)
	return cmd
}

// reconciliation is what `outbound reconcile` is asked for.
type reconciliation struct {
	target, token                      string
	mend, orphans, foreign, identities bool
	rate                               int
}

// reconciled is the end of what it prints.
type reconciled struct {
	Checked  int `json:"checked"`
	Accounts int `json:"accounts"`
	Foreign  int `json:"foreign"`
	Mended   int `json:"mended"`
	Left     int `json:"left"`
}

func (r reconciliation) run(cmd *cobra.Command, c *client, out format) error {
	bar := newProgress(cmd.ErrOrStderr(), out, "comparing", "identities and accounts")
	defer bar.end()
	list := newResults(cmd.OutOrStdout(), out, "identities")
	var n reconciled
	for token, more := r.token, true; more; more = token != "" {
		query := url.Values{
			"mend": {strconv.FormatBool(r.mend)}, "orphans": {strconv.FormatBool(r.orphans)}, "accounts": {strconv.FormatBool(!r.identities)},
			"rate": {strconv.Itoa(r.rate)}, "page_token": {token},
		}
		reply, err := c.slow().post(cmd.Context(), "/outbound/"+url.PathEscape(r.target)+"/reconcile", query, nil)
		if err != nil {
			bar.clear()
			if token == "" { // nothing was done yet
				return explained(err)
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "Broken off after %d: go on with --page-token %s\n", n.Checked+n.Accounts, strconv.Quote(token))
			return explained(err)
		}
		var step admin.Reconciled
		if err := decode(reply, &step); err != nil {
			return err
		}
		bar.clear()
		mended, err := r.report(list, step)
		if err != nil {
			return err
		}
		n.Checked += step.Checked
		n.Accounts += step.Accounts
		n.Foreign += len(step.Foreign)
		n.Mended += mended
		n.Left += len(step.Identities) - mended
		bar.to(int64(n.Checked + n.Accounts))
		if step.NextPageToken == token && token != "" && mended == 0 {
			return errors.New("the server repeats a page")
		}
		token = step.NextPageToken
	}
	bar.end()
	text := fmt.Sprintf("%d identities compared, %d accounts looked at, of which %d are none of jithook's; %d will be told again or are closed, %d left",
		n.Checked, n.Accounts, n.Foreign, n.Mended, n.Left)
	if err := list.end(n, text); err != nil {
		return err
	}
	if n.Left > 0 {
		return errNo
	}
	return nil
}

// report prints a step, and returns how much of it is mended.
func (r reconciliation) report(list *results, step admin.Reconciled) (mended int, err error) {
	for _, d := range step.Identities {
		if d.Mended {
			mended++
		}
		if err := list.add(d, fmt.Sprintf("%-36s  %s", shown(d.IdentityID), shown(differs(d)))); err != nil {
			return 0, err
		}
	}
	if !r.foreign {
		return mended, nil
	}
	for _, id := range step.Foreign {
		one := struct {
			Kind    string `json:"kind"`
			Account string `json:"account"`
		}{"foreign", id}
		if err := list.add(one, fmt.Sprintf("%-36s  %s", "-", shown("foreign: account "+id))); err != nil {
			return 0, err
		}
	}
	return mended, nil
}

// differs is a drift in one line.
func differs(d outbound.Drift) string {
	kind := ""
	if d.Kind != outbound.DriftDiffers {
		kind = string(d.Kind) + ": account " + d.Account + ": "
	}
	if d.Failure != "" {
		return kind + d.Failure
	}
	var parts []string
	for _, one := range d.Differences {
		part := one.What
		if len(one.Attributes) > 0 {
			part += " (" + strings.Join(one.Attributes, ", ") + ")"
		}
		parts = append(parts, part)
	}
	return kind + strings.Join(parts, "; ")
}
