package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/jithook/jithook/admin"
	"github.com/jithook/jithook/provision"
)

// sweepCaller is who asks, in the records of what the server does by itself.
const sweepCaller = "timer"

// stepTimeout bounds one step of a sweep.
const stepTimeout = time.Minute

// sweeps does, now and then, what time does to identities. Replicas may do so
// side by side; each begins at a moment of its own.
func (a *app) sweeps(ctx context.Context) {
	every := a.config.sweepEvery
	if every == 0 {
		return
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(every/2 + rand.N(every)):
		}
		for _, rule := range provision.Rules() {
			if !rule.Timed() {
				continue
			}
			if err := a.sweepAll(ctx, rule); err != nil && ctx.Err() == nil {
				a.log.Error("a sweep broke off; the next one goes on", "rule", rule, "error", err)
			}
		}
	}
}

func (a *app) sweepAll(ctx context.Context, rule provision.Rule) error {
	fates := map[provision.Fate]int{}
	for token, more := "", true; more; more = token != "" {
		step, cancel := context.WithTimeout(ctx, stepTimeout)
		out, err := a.service.Sweep(step, provision.Sweep{Rule: rule, Apply: true, PageToken: token, Caller: sweepCaller})
		cancel()
		if err != nil {
			return err
		}
		for _, e := range out.Found {
			fates[e.Fate]++
			if e.Fate == provision.FateDamaged {
				a.log.Error("an identity cannot be read: restore a backup", "identity_id", e.IdentityID)
			}
		}
		token = out.NextPageToken
	}
	for _, f := range provision.Fates() {
		if fates[f] > 0 {
			a.log.Info("identities whose time is over", "rule", rule, "outcome", f, "count", fates[f])
		}
	}
	return nil
}

func newIdentitySweepCmd() *cobra.Command {
	from := access{rules: true}
	var out format
	var apply bool
	only := map[provision.Rule]*bool{}
	cmd := &cobra.Command{
		Use: "sweep", Short: "List whose time is over, and with --apply do what follows", Args: cobra.NoArgs,
		Long: `List whose time is over and, with --apply, do what follows:

  pending     who began to sign in a day ago and did not come back is deleted,
              so that their name is free again; but only if every Kratos that
              may have the person says that it has not
  quarantine  who was deprovisioned for lifecycle.quarantine lets go of names
              and addresses; the identity stays, and keeps the person out
  inactive    who has not signed in for the jit.inactive_after of all their
              providers is suspended; never whose state an administrator has set

The server does the same by itself, every lifecycle.sweep. No matter of time,
and only done where it is named:

  orphaned    groups whose provider has no file any more are revoked, as the
              person's next login would
  gone        the same as jithook kratos reconcile

Exit code 2 while somebody is left.`,
		Example: "  jithook identity sweep\n  jithook identity sweep --inactive --apply -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			var rules []provision.Rule
			for _, r := range provision.Rules() {
				if *only[r] {
					rules = append(rules, r)
				}
			}
			if len(rules) == 0 {
				rules = slices.DeleteFunc(provision.Rules(), func(r provision.Rule) bool { return !r.Timed() })
			}
			return from.with(func(c *client) error { return sweepIdentities(cmd, c, out, rules, apply, "") })
		},
	}
	for _, r := range provision.Rules() {
		only[r] = cmd.Flags().Bool(string(r), false, "this rule, and others that are named")
	}
	cmd.Flags().BoolVar(&apply, "apply", false, "do it; without this flag nothing is written")
	from.bind(cmd)
	out.bind(cmd)
	return cmd
}

func newKratosReconcileCmd() *cobra.Command {
	from := access{rules: true}
	var out format
	var apply bool
	var instance string
	cmd := &cobra.Command{
		Use: "reconcile", Short: "Find who was deleted in Kratos", Args: cobra.NoArgs,
		Long: `Ask every Kratos that has an Admin API here, or the one of --instance, about
each identity that is bound to one of its own, and list those that it has
deleted. With --apply they are bound to it no longer: the person's next sign-in
is a first one for Kratos, and finds the identity by its subject. Whoever is
suspended or deprovisioned stays bound, and out.

A Kratos at a wrong address has deleted everybody: look at the list first. Exit
code 2 while somebody is left.`,
		Example: "  jithook kratos reconcile\n  jithook kratos reconcile --apply",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return from.with(func(c *client) error {
				return sweepIdentities(cmd, c, out, []provision.Rule{provision.RuleGone}, apply, instance)
			})
		},
	}
	cmd.Flags().StringVar(&instance, "instance", "", "only the Kratos with this `NAME` in kratos.instances")
	cmd.Flags().BoolVar(&apply, "apply", false, "unbind them; without this flag nothing is written")
	from.bind(cmd)
	out.bind(cmd)
	return cmd
}

// expired is one result of `identity sweep`.
type expired struct {
	Rule provision.Rule `json:"rule"`
	provision.Expired
}

// swept is the end of what `identity sweep` prints.
type swept struct {
	Checked int `json:"checked"`
	Done    int `json:"done"`
	Left    int `json:"left"`
}

func sweepIdentities(cmd *cobra.Command, c *client, out format, rules []provision.Rule, apply bool, instance string) error {
	bar := newProgress(cmd.ErrOrStderr(), out, "looking at", "identities")
	defer bar.end()
	list := newResults(cmd.OutOrStdout(), out, "identities")
	var n swept
	for _, rule := range rules {
		for token, more := "", true; more; more = token != "" {
			query := url.Values{"rule": {string(rule)}, "apply": {strconv.FormatBool(apply)}, "page_token": {token}}
			if instance != "" {
				query.Set("instance", instance)
			}
			reply, err := c.slow().post(cmd.Context(), "/sweep", query, nil)
			if err != nil {
				return explained(err)
			}
			var step admin.Swept
			if err := decode(reply, &step); err != nil {
				return err
			}
			n.Checked += step.Checked
			bar.to(int64(n.Checked))
			for _, e := range step.Identities {
				if e.Fate == provision.FateDone {
					n.Done++
				} else {
					n.Left++
				}
				bar.clear()
				line := fmt.Sprintf("%-10s  %-36s  since %s  %s", rule, shown(e.IdentityID), when(e.Since), shown(string(e.Fate)))
				if err := list.add(expired{rule, e}, line); err != nil {
					return err
				}
			}
			if step.NextPageToken == token && token != "" {
				return errors.New("the server repeats a page")
			}
			token = step.NextPageToken
		}
	}
	bar.end()
	if err := list.end(n, fmt.Sprintf("%d identities looked at, %d done, %d left", n.Checked, n.Done, n.Left)); err != nil {
		return err
	}
	if n.Left > 0 {
		return errNo
	}
	return nil
}
