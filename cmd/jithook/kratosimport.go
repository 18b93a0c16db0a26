package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/jithook/jithook/admin"
	"github.com/jithook/jithook/provision"
)

func newKratosImportCmd() *cobra.Command {
	from := access{rules: true, create: true} // to try what comes first, before any server ran
	var out format
	var instance, userstore, token string
	var dry bool
	cmd := &cobra.Command{
		Use: "import --instance NAME", Short: "Take over the people whom a Kratos has already", Args: cobra.NoArgs,
		Long: `Make an identity for everybody in a Kratos who signs in by one of the providers
and has none yet: linked to the subjects that Kratos lets in, with those of
Kratos's traits that the providers' files map. Nobody has verified these, so no
address is taken by them; the next login with claims replaces them. Nobody is
made for whom that would not be certain: they are listed with the reason code,
and the exit code is 2.

Who has an identity stays as they are: after an interruption the same command
goes on, faster with --page-token. Kratos must be among kratos.instances of the
configuration; nothing is written there.

A dry run sees what is in the userstore, and so not that two of the people to be
imported have one name: the second one is refused then.`,
		Example: "  jithook kratos import --instance main --dry-run\n  jithook kratos import --instance main -c jithook.yaml",
		RunE: func(cmd *cobra.Command, _ []string) error {
			query := url.Values{"apply": {strconv.FormatBool(!dry)}, "page_token": {token}}
			if userstore != "" {
				query.Set("userstore", userstore)
			}
			return from.with(func(c *client) error { return adopt(cmd, c, out, instance, query) })
		},
	}
	cmd.Flags().StringVar(&instance, "instance", "", "the `NAME` of the Kratos in kratos.instances")
	_ = cmd.MarkFlagRequired("instance") // fails only for a flag that is not there
	cmd.Flags().StringVar(&userstore, "userstore", "", "the `NAME` of the userstore for whom the providers' files do not name one")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "write nothing")
	cmd.Flags().StringVar(&token, "page-token", "", "go on where an earlier one broke off")
	from.bind(cmd)
	out.bind(cmd)
	return cmd
}

// adopted is the end of what `kratos import` prints.
type adopted struct {
	Imported int `json:"imported"`
	Due      int `json:"due"`
	Known    int `json:"known"`
	Other    int `json:"not_federated"`
	Refused  int `json:"refused_people"`
}

func (n *adopted) count(s provision.Standing) {
	switch s {
	case provision.StandingImported:
		n.Imported++
	case provision.StandingDue:
		n.Due++
	case provision.StandingKnown:
		n.Known++
	case provision.StandingOther:
		n.Other++
	default: // whatever it is, there is no identity
		n.Refused++
	}
}

func (n *adopted) all() int { return n.Imported + n.Due + n.Known + n.Other + n.Refused }

func adopt(cmd *cobra.Command, c *client, out format, instance string, query url.Values) error {
	bar := newProgress(cmd.ErrOrStderr(), out, "importing", "people")
	defer bar.end()
	list := newResults(cmd.OutOrStdout(), out, "refused")
	var n adopted
	err := eachPage(cmd, bar, query, func(ctx context.Context, query url.Values) (string, error) {
		reply, err := c.slow().post(ctx, "/kratos/"+url.PathEscape(instance)+"/import", query, nil)
		if err != nil {
			return "", explained(err)
		}
		var step admin.Adopted
		if err := decode(reply, &step); err != nil {
			return "", err
		}
		for _, one := range step.People {
			before := n.Refused
			if n.count(one.Standing); n.Refused == before {
				continue
			}
			bar.clear()
			if err := list.add(one, fmt.Sprintf("%-36s  %s", shown(one.KratosID), shown(string(one.Code)+" "+one.Path))); err != nil {
				return "", err
			}
		}
		bar.to(int64(n.all()))
		return step.NextPageToken, nil
	})
	if err != nil {
		return err
	}
	bar.end()
	summary := fmt.Sprintf("%d people of Kratos: %d imported, %d to be imported, %d known, %d not of a provider, %d refused",
		n.all(), n.Imported, n.Due, n.Known, n.Other, n.Refused)
	if err := list.end(n, summary); err != nil {
		return err
	}
	if n.Refused > 0 {
		return errNo
	}
	return nil
}

// eachPage asks for one page after the other, and says how to go on where that
// breaks off.
func eachPage(cmd *cobra.Command, bar *progress, query url.Values, ask func(context.Context, url.Values) (next string, err error)) error {
	for {
		next, err := ask(cmd.Context(), query)
		token := query.Get("page_token")
		if err == nil && next == token && token != "" {
			err = errors.New("the server repeats a page")
		}
		if err != nil {
			bar.clear()
			goOn(cmd.ErrOrStderr(), token)
			return err
		}
		if next == "" {
			return nil
		}
		query.Set("page_token", next)
	}
}

func goOn(w io.Writer, token string) {
	if token != "" {
		fmt.Fprintf(w, "Broken off: go on with --page-token %s\n", strconv.Quote(token))
	}
}
