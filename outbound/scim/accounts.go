package scim

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"github.com/jithook/jithook/outbound"
)

// maxAccounts bounds how many a target may say that it has.
const maxAccounts = 10_000_000

// Accounts implements outbound.Lister (RFC 7644, section 3.4.2.4). It asks for
// what it needs to know of an account, and no more.
func (c *Connector) Accounts(ctx context.Context, behind, count int) ([]outbound.Account, int, error) {
	const what = "list users"
	query := url.Values{
		"startIndex": {strconv.Itoa(behind + 1)}, "count": {strconv.Itoa(count)},
		"attributes": {"externalId,active"},
	}
	answer, err := c.client.call(ctx, call{what: what, method: http.MethodGet, path: users.endpoint + "?" + query.Encode()})
	if err != nil {
		return nil, 0, err
	}
	var list struct {
		Total     int        `json:"totalResults"`
		Start     int        `json:"startIndex"`
		Resources []resource `json:"Resources"`
	}
	if err := json.Unmarshal(answer.body, &list); err != nil {
		return nil, 0, errors.New(what + ": the reply is no list in JSON")
	}
	if behind > 0 && list.Start != behind+1 && len(list.Resources) > 0 {
		// It would be the same accounts again and again.
		return nil, 0, errors.New(what + ": the target does not list by startIndex; its accounts cannot all be seen")
	}
	page := []outbound.Account{}
	for _, r := range list.Resources {
		if !usable(r.id()) {
			return nil, 0, errors.New(what + ": an account has no id that can be used")
		}
		// One that does not say that it is closed may be used.
		page = append(page, outbound.Account{ID: r.id(), ExternalID: r.text("externalId"), Active: !same(false, r.value("active"))})
	}
	next := behind + len(page)
	switch {
	case len(page) == 0 || next >= list.Total:
		return page, -1, nil
	case next >= maxAccounts:
		return nil, 0, errors.New(what + ": the target says that it has more accounts than can be looked at")
	}
	return page, next, nil
}
