package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/jithook/jithook/admin"
	"github.com/jithook/jithook/store"
)

func newOutboundCmd() *cobra.Command {
	return group("outbound", "What other systems have yet to learn", newOutboundStatusCmd(), newOutboundListCmd(), newOutboundShowCmd(),
		newOutboundRetryCmd(), newOutboundDropCmd(), newOutboundReconcileCmd())
}

func newOutboundStatusCmd() *cobra.Command {
	var from access
	var out format
	cmd := &cobra.Command{
		Use: "status", Short: "What waits for each target", Args: cobra.NoArgs,
		Long: `What waits for each target, since when the longest due has been waiting, how
many deliveries were given up, and what a target that fails failed at last, as
the server that is asked has seen it. Exit code 2 while any is given up.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return from.with(func(c *client) error {
				reply, err := c.get(cmd.Context(), "/outbound", nil)
				if err != nil {
					return explained(err)
				}
				var all admin.Targets
				if err := decode(reply, &all); err != nil {
					return err
				}
				if err := out.print(cmd.OutOrStdout(), reply, func(w io.Writer) error { return targets(w, all.Targets) }); err != nil {
					return err
				}
				for _, t := range all.Targets {
					if t.GivenUp > 0 {
						return errNo
					}
				}
				return nil
			})
		},
	}
	from.bind(cmd)
	out.bind(cmd)
	return cmd
}

func targets(w io.Writer, all []admin.Target) error {
	t := newTable(w)
	t.whole = true
	t.row("TARGET", "WAITING", "DUE SINCE", "GIVEN UP", "LEFT ALONE UNTIL", "LAST FAILURE")
	for _, one := range all {
		since, rests := "", ""
		if !one.Due.IsZero() {
			since = when(one.Due)
		}
		if !one.Rests.IsZero() {
			rests = when(one.Rests)
		}
		t.row(one.Name, backlog(one.Waiting), since, backlog(one.GivenUp), rests, one.Failure)
	}
	return t.flush()
}

// backlog is a number of deliveries, of which no more than store.MaxBacklog are
// counted.
func backlog(n int) string {
	if n >= store.MaxBacklog {
		return strconv.Itoa(store.MaxBacklog) + "+"
	}
	return strconv.Itoa(n)
}

func newOutboundListCmd() *cobra.Command {
	var from access
	var out format
	var page paging
	var givenUp bool
	cmd := &cobra.Command{
		Use: "list TARGET", Short: "List whom a target has yet to learn of", Args: cobra.ExactArgs(1),
		Long: `List whom a target has yet to learn of, the longest due first, 500 at most; or
with --given-up, whose delivery was given up and waits for a person.`,
		Example: "  jithook outbound list hr --given-up",
		RunE: func(cmd *cobra.Command, args []string) error {
			query := filters(cmd, "page-size", "given-up")
			return from.with(func(c *client) error {
				reply, err := page.fetch(cmd, c, "/outbound/"+url.PathEscape(args[0]), "deliveries", query)
				if err != nil {
					return err
				}
				var list admin.Deliveries
				if err := decode(reply, &list); err != nil {
					return err
				}
				return out.print(cmd.OutOrStdout(), reply, func(w io.Writer) error {
					defer more(cmd, list.NextPageToken)
					return deliveries(w, list.Deliveries)
				})
			})
		},
	}
	cmd.Flags().BoolVar(&givenUp, "given-up", false, "those that were given up")
	page.bind(cmd)
	from.bind(cmd)
	out.bind(cmd)
	return cmd
}

func deliveries(w io.Writer, list []admin.Waiting) error {
	t := newTable(w)
	t.whole = true // a failure ends with what to do
	t.row("IDENTITY", "STATE", "SINCE", "DUE", "ATTEMPTS", "FAILURE")
	for _, d := range list {
		t.row(d.IdentityID, string(d.State), when(d.Since), due(d.Delivery), strconv.Itoa(d.Attempts), d.Failure)
	}
	return t.flush()
}

func due(d admin.Delivery) string {
	if d.Dead {
		return "given up"
	}
	return when(d.Due)
}

func newOutboundShowCmd() *cobra.Command {
	var from access
	var out format
	cmd := &cobra.Command{
		Use: "show ID", Short: "Show what other systems have of an identity, and have yet to learn", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := identityPath(args[0])
			if err != nil {
				return err
			}
			return from.with(func(c *client) error {
				reply, err := c.get(cmd.Context(), path+"/outbox", nil)
				return showOutbox(cmd, out, reply, err)
			})
		},
	}
	from.bind(cmd)
	out.bind(cmd)
	return cmd
}

// showOutbox prints an outbox, or why there is none.
func showOutbox(cmd *cobra.Command, out format, reply []byte, err error) error {
	if err != nil {
		return explained(err)
	}
	var o admin.Outbox
	if err := decode(reply, &o); err != nil {
		return err
	}
	return out.print(cmd.OutOrStdout(), reply, func(w io.Writer) error { return outbox(w, o) })
}

func outbox(w io.Writer, o admin.Outbox) error {
	t := newTable(w)
	t.whole = true // a failure ends with what to do
	t.row("TARGET", "SINCE", "DUE", "ATTEMPTS", "FAILURE")
	for _, d := range o.Outbox {
		t.row(d.Target, when(d.Since), due(d), strconv.Itoa(d.Attempts), d.Failure)
	}
	has := [][]string{{"HAS IT", "AS", "GROUPS"}}
	for _, r := range o.Resources {
		has = append(has, []string{r.Target, r.ID, strings.Join(r.Groups, ", ")})
	}
	return t.sections(has)
}

func newOutboundRetryCmd() *cobra.Command {
	var from access
	var out format
	var givenUp bool
	cmd := &cobra.Command{
		Use: "retry TARGET [ID]", Short: "Have a target told again, or of somebody it has not been told of", Args: cobra.RangeArgs(1, 2),
		Long: `Have a target told of an identity, at once and as if nothing had failed, whether
it was owed that or not; or with --given-up of all whose delivery was given up.`,
		Example: "  jithook outbound retry hr 01997fd1-…\n  jithook outbound retry hr --given-up",
		RunE: func(cmd *cobra.Command, args []string) error {
			if givenUp != (len(args) == 1) {
				return errors.New("name one identity, or say --given-up")
			}
			return from.with(func(c *client) error {
				if givenUp {
					return retryGivenUp(cmd, c, args[0])
				}
				path, err := deliveryPath(args[1], args[0])
				if err != nil {
					return err
				}
				reply, err := c.post(cmd.Context(), path+"/retry", nil, nil)
				return showOutbox(cmd, out, reply, err)
			})
		},
	}
	cmd.Flags().BoolVar(&givenUp, "given-up", false, "all whose delivery was given up")
	from.bind(cmd)
	out.bind(cmd)
	return cmd
}

// retryGivenUp asks for all that were given up, page by page.
func retryGivenUp(cmd *cobra.Command, c *client, target string) error {
	query, done := url.Values{"given_up": {"true"}}, 0
	for {
		reply, err := c.get(cmd.Context(), "/outbound/"+url.PathEscape(target), query)
		if err != nil {
			return explained(err)
		}
		var page admin.Deliveries
		if err := decode(reply, &page); err != nil {
			return err
		}
		for _, d := range page.Deliveries {
			path, err := deliveryPath(d.IdentityID, target)
			if err != nil {
				return err
			}
			if _, err := c.post(cmd.Context(), path+"/retry", nil, nil); err != nil && !missing(err) {
				return fmt.Errorf("after %d: %w", done, explained(err))
			}
			done++
		}
		if page.NextPageToken == "" {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "asked for again:", done)
			return err
		}
		query.Set("page_token", page.NextPageToken)
	}
}

func newOutboundDropCmd() *cobra.Command {
	var from access
	var out format
	cmd := &cobra.Command{
		Use: "drop TARGET ID", Short: "Take a delivery back: the target is not told", Args: cobra.ExactArgs(2),
		Long: `Take a delivery back: the target is not told, until the identity changes again.
What the target has of it stays noted.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := deliveryPath(args[1], args[0])
			if err != nil {
				return err
			}
			return from.with(func(c *client) error {
				reply, err := c.do(cmd.Context(), http.MethodDelete, path, nil)
				return showOutbox(cmd, out, reply, err)
			})
		},
	}
	from.bind(cmd)
	out.bind(cmd)
	return cmd
}

// deliveryPath is the path of a delivery below /admin/v1.
func deliveryPath(id, target string) (string, error) {
	path, err := identityPath(id)
	if err != nil {
		return "", err
	}
	if target == "" {
		return "", errors.New("there is no target with an empty name")
	}
	return path + "/outbox/" + url.PathEscape(target), nil
}
