package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/jithook/jithook/admin"
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/problem"
	"github.com/jithook/jithook/kratos/doctor"
)

// recent is what the newest decisions say that this Kratos asked for, or that nobody
// can tell.
func (x examination) recent(ctx context.Context, c config, instance string) []doctor.Finding {
	records, err := x.decisions(ctx, c)
	if err != nil {
		return []doctor.Finding{{Code: doctor.CodeDecisionsUnread, Text: err.Error()}}
	}
	var callers []string
	for _, k := range c.apiKeys {
		if k.Instance == instance {
			callers = append(callers, k.Name)
		}
	}
	return doctor.Recent(records, callers)
}

// decisions are the newest and, where there are more, what became of first logins
// before: of a busy service the newest are logins that change nothing.
func (x examination) decisions(ctx context.Context, c config) ([]identity.Record, error) {
	token, err := c.adminToken.read()
	if err != nil {
		return nil, err
	}
	base, err := adminURL(cmp.Or(x.admin, "http://"+c.adminListen))
	if err != nil {
		return nil, err
	}
	api := newClient(base, token)
	newest, err := decisionPage(ctx, api, base, "")
	if err != nil || !newest.More {
		return newest.Records, err
	}
	var first []doctor.Page
	for _, d := range []identity.Decision{identity.Created, identity.Linked, identity.Prompt, identity.Denied, identity.Error} {
		page, err := decisionPage(ctx, api, base, d)
		if err != nil {
			return nil, err
		}
		first = append(first, page)
	}
	return doctor.WithFirst(newest, first), nil
}

func decisionPage(ctx context.Context, api *client, base string, of identity.Decision) (doctor.Page, error) {
	query := url.Values{"page_size": {"200"}}
	if of != "" {
		query.Set("decision", string(of))
	}
	reply, err := api.get(ctx, "/decisions", query)
	var refused *problem.Problem
	var none *noAnswer
	switch {
	case errors.As(err, &refused) && refused.Status == http.StatusUnauthorized:
		return doctor.Page{}, fmt.Errorf("the admin API at %s does not take admin.token", base)
	case errors.As(err, &refused):
		return doctor.Page{}, fmt.Errorf("the admin API at %s answers %d", base, refused.Status)
	case errors.As(err, &none):
		return doctor.Page{}, fmt.Errorf("no admin API answers at %s (%s)", base, none.why)
	case err != nil:
		return doctor.Page{}, err
	}
	var list admin.Decisions
	if err := decode(reply, &list); err != nil {
		return doctor.Page{}, err
	}
	return doctor.Page{Records: list.Decisions, More: list.NextPageToken != ""}, nil
}
