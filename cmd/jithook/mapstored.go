package main

import (
	"errors"
	"fmt"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/jithook/jithook/admin"
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/replay"
)

// stored returns what a decision's record keeps of the claims, and the login as
// a replay has it.
func (o *over) stored(cmd *cobra.Command) (claims map[string]any, login *identity.Login, err error) {
	d, err := o.record(cmd)
	if err != nil {
		return nil, nil, err
	}
	if o.provider != "" && d.Provider != o.provider {
		return nil, nil, fmt.Errorf("the decision is about a login of the provider %q, not of %q", d.Provider, o.provider)
	}
	if claims, err = object(d.Claims.Values, "claims"); err != nil {
		return nil, nil, err
	}
	if o.identity == "" && o.provider != "" && d.IdentityID != "" && d.Decision != identity.Created {
		fmt.Fprintf(cmd.ErrOrStderr(), "tried as a first login, which it was not: --identity says whom it is about (jithook identity get %s -o json)\n", shown(d.IdentityID))
	}
	l := replay.Login{Record: d.Record, Subject: d.Claims.Subject, Claims: claims}.Again()
	return claims, &l, nil
}

// record reads the decision, which keeps claims that can be read.
func (o *over) record(cmd *cobra.Command) (d admin.Decision, err error) {
	err = o.with(func(c *client) error {
		reply, err := c.get(cmd.Context(), "/decisions/"+url.PathEscape(o.decision), nil)
		if err != nil {
			return explained(err)
		}
		return decode(reply, &d)
	})
	switch {
	case err != nil:
		return d, err
	case d.Claims == nil:
		return d, errors.New("the record keeps no claims: decisions.record_claims was off")
	case d.Claims.Note != "":
		return d, errors.New(shown(d.Claims.Note))
	case d.Claims.Values == nil:
		return d, errors.New("the record keeps only hashes of the claims: decisions.record_claims was not full")
	}
	return d, nil
}
