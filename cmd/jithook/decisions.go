package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/jithook/jithook/admin"
	"github.com/jithook/jithook/identity"
)

func newDecisionsCmd() *cobra.Command {
	return group("decisions", "Why was she let in, or kept out?", newDecisionsListCmd(), newDecisionsShowCmd())
}

func newDecisionsListCmd() *cobra.Command {
	var from access
	var out format
	var page paging
	var shadow bool
	cmd := &cobra.Command{
		Use: "list", Short: "List decisions, newest first", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			query := filters(cmd, "identity", "issuer", "subject", "flow-id", "decision", "page-size")
			if shadow {
				query.Set("decision", string(identity.Shadowed))
			}
			return from.with(func(c *client) error {
				reply, err := page.fetch(cmd, c, "/decisions", "decisions", query)
				if err != nil {
					return err
				}
				var list admin.Decisions
				if err := decode(reply, &list); err != nil {
					return err
				}
				return out.print(cmd.OutOrStdout(), reply, func(w io.Writer) error {
					defer more(cmd, list.NextPageToken)
					return decisions(w, list.Decisions)
				})
			})
		},
	}
	cmd.Flags().String("identity", "", "only those about the identity with this `ID`")
	cmd.Flags().String("issuer", "", "with --subject: only those about this subject")
	cmd.Flags().String("subject", "", "see --issuer")
	cmd.Flags().String("flow-id", "", "only those of the caller's sign-in with this `ID`")
	cmd.Flags().String("decision", "", "only these: created, linked, updated, unchanged, activated, denied, prompt, error, deleted or shadow")
	cmd.Flags().BoolVar(&shadow, "shadow", false, "only what candidate files would have decided otherwise")
	cmd.MarkFlagsMutuallyExclusive("shadow", "decision")
	cmd.MarkFlagsRequiredTogether("issuer", "subject")
	page.bind(cmd)
	from.bind(cmd)
	out.bind(cmd)
	return cmd
}

func decisions(w io.Writer, list []identity.Record) error {
	t := newTable(w)
	t.row("ID", "AT", "DECISION", "REASON", "PROVIDER", "HOOK", "IDENTITY")
	for _, r := range list {
		reason := ""
		if len(r.Reasons) > 0 {
			reason = string(r.Reasons[0].Code)
		}
		t.row(r.ID, when(r.At), string(r.Decision), reason, r.Provider, string(r.Hook), r.IdentityID)
	}
	return t.flush()
}

func newDecisionsShowCmd() *cobra.Command {
	var from access
	var out format
	cmd := &cobra.Command{
		Use: "show ID", Short: "Show one decision and what it rests on", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return from.with(func(c *client) error {
				if args[0] == "" {
					return errors.New("there is no decision with an empty id")
				}
				reply, err := c.get(cmd.Context(), "/decisions/"+url.PathEscape(args[0]), nil)
				if missing(err) {
					return errors.New("there is no decision with this id; records are kept for the time of decisions.retention")
				}
				if err != nil {
					return explained(err)
				}
				var r admin.Decision
				if err := decode(reply, &r); err != nil {
					return err
				}
				return out.print(cmd.OutOrStdout(), reply, func(w io.Writer) error { return record(w, r) })
			})
		},
	}
	from.bind(cmd)
	out.bind(cmd)
	return cmd
}

// record lays out one decision for people.
func record(w io.Writer, r admin.Decision) error {
	t := newTable(w)
	of := identity.Shadow{}
	if r.Shadow != nil {
		of = *r.Shadow
	}
	for _, line := range [][2]string{
		{"ID", r.ID},
		{"At", when(r.At)},
		{"Decision", string(r.Decision)},
		{"Login", of.Of},
		{"Candidate", string(of.Decision)},
		{"Differs in", strings.Join(of.Kinds, ", ")},
		{"Hook", string(r.Hook)},
		{"Caller", r.Caller},
		{"Provider", r.Provider},
		{"Issuer", r.Issuer},
		{"Claims from", r.Source},
		{"Rule", r.Rule},
		{"Policy", r.Policy},
		{"Identity", r.IdentityID},
		{"Userstore", r.Userstore},
		{"Committed", when(r.CommittedAt)},
		{"Decided in", r.Duration.Round(time.Microsecond).String()},
		{"Flow id", r.FlowID},
		{"Delivery id", r.DeliveryID},
		{"Request id", r.RequestID},
	} {
		if line[1] != "" {
			t.row(line[0], line[1])
		}
	}
	if err := t.flush(); err != nil {
		return err
	}
	reasons(w, r.Reasons)
	changes(w, r.Change)
	return keptClaims(w, r.Claims)
}

func keptClaims(w io.Writer, c *admin.Claims) error {
	if c == nil {
		return nil
	}
	fmt.Fprintf(w, "\nClaims, %s, key %s\n", c.Mode, shown(c.KeyID))
	t := newTable(w)
	switch {
	case c.Note != "":
		_, err := fmt.Fprintln(w, "  "+shown(c.Note))
		return err
	case c.Values != nil:
		var values map[string]any
		if err := decode(c.Values, &values); err != nil {
			return err
		}
		for _, name := range slices.Sorted(maps.Keys(values)) {
			t.row("  "+name, value(values[name]))
		}
	default:
		for _, h := range c.Hashes {
			t.row("  "+h.Path, h.HMAC)
		}
	}
	return t.flush()
}
