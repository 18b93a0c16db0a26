package admin

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/jithook/jithook/internal/problem"
	"github.com/jithook/jithook/outbound"
	"github.com/jithook/jithook/store"
)

// Reconciled is a step of a comparison with a target: first of the identities,
// then of the accounts that the target has.
type Reconciled struct {
	// Identities are those that the target has otherwise than it should.
	Identities []outbound.Drift `json:"identities"`
	// Foreign are ids, at the target, of accounts that are none of jithook's.
	Foreign []string `json:"foreign"`
	// Checked is how many identities were looked at, Accounts how many accounts.
	Checked       int    `json:"checked"`
	Accounts      int    `json:"accounts"`
	NextPageToken string `json:"next_page_token"`
}

const (
	// reconcilePath is how the route of a comparison ends. Like those below
	// /store it limits itself: the target is asked about every identity of a step.
	reconcilePath = "/reconcile"
	// reconcileStep is how many identities a step compares, accountsStep how many
	// accounts it looks at. Where requests are spaced out, both are less.
	reconcileStep, accountsStep = 20, 50
	// maxRate bounds how many requests in a second may be asked for.
	maxRate = 1000

	// Page tokens begin with what the step is about.
	ofIdentities, ofAccounts = "identities.", "accounts."
)

// reconciliation is what a step is asked for.
type reconciliation struct {
	target   string
	comparer outbound.Comparer
	mend     outbound.Mend
	accounts bool // look at the target's accounts, too
	rate     int
	token    string
}

func (a *API) reconcile(c echo.Context) error {
	r, err := a.reconciliation(c)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(unhurried(c), stepTime)
	defer cancel()
	ctx = outbound.Pace(ctx, r.rate)
	out := Reconciled{Identities: []outbound.Drift{}, Foreign: []string{}}
	if behind, ok := strings.CutPrefix(r.token, ofAccounts); ok {
		err = a.strangers(ctx, r, behind, &out)
	} else {
		err = a.compare(ctx, r, &out)
	}
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, out)
}

func (a *API) reconciliation(c echo.Context) (r reconciliation, err error) {
	if err := known(c, "mend", "orphans", "accounts", "rate", "page_token"); err != nil {
		return r, err
	}
	for name, into := range map[string]*bool{"mend": &r.mend.Tell, "orphans": &r.mend.Orphans, "accounts": &r.accounts} {
		said, err := oneOf(c, name, "true", "false")
		if err != nil {
			return r, err
		}
		*into = said == "true" || said == "" && name == "accounts"
	}
	if text := c.QueryParam("rate"); text != "" {
		if r.rate, err = strconv.Atoi(text); err != nil || r.rate < 0 || r.rate > maxRate {
			return r, problem.New(http.StatusBadRequest, fmt.Sprintf("rate is a number of requests in a second, up to %d; 0 does not limit them", maxRate))
		}
	}
	r.target, r.token = c.Param("target"), c.QueryParam("page_token")
	var ok bool
	if r.comparer, ok = a.Comparers[r.target]; !ok {
		return r, problem.New(http.StatusNotFound, "there is no target with this name that this process can compare with")
	}
	return r, nil
}

// step is how many are looked at, so that a step ends in time: an identity may take
// a request for each of its groups, and has as many as there are seconds.
func (r reconciliation) step(most, atOnce int) int {
	if r.rate == 0 {
		return most
	}
	return min(most, r.rate*atOnce)
}

// compare is a step over identities.
func (a *API) compare(ctx context.Context, r reconciliation, out *Reconciled) error {
	token, ok := strings.CutPrefix(r.token, ofIdentities)
	if !ok && token != "" {
		return fault(store.ErrPageToken)
	}
	page, err := a.Store.List(ctx, store.Query{PageSize: r.step(reconcileStep, 1), PageToken: token})
	if err != nil {
		return fault(err)
	}
	out.Identities, err = outbound.Reconcile(ctx, a.Userstore, r.comparer, r.target, page.Identities, r.mend.Tell, a.Service.Now())
	if err != nil {
		return a.brokeOff(ctx, r, err)
	}
	out.Checked = len(page.Identities)
	_, lists := r.comparer.(outbound.Lister)
	switch {
	case page.NextPageToken != "":
		out.NextPageToken = ofIdentities + page.NextPageToken
	case lists && r.accounts:
		out.NextPageToken = ofAccounts + "0"
	}
	return nil
}

// strangers is a step over the target's accounts.
func (a *API) strangers(ctx context.Context, r reconciliation, text string, out *Reconciled) error {
	behind, err := strconv.Atoi(text)
	lister, lists := r.comparer.(outbound.Lister)
	if err != nil || behind < 0 || !lists {
		return fault(store.ErrPageToken)
	}
	census, err := outbound.Strangers(ctx, a.Userstore, lister, r.target, behind, r.step(accountsStep, 10), r.mend, a.Service.Now())
	if err != nil {
		return a.brokeOff(ctx, r, err)
	}
	out.Identities, out.Foreign, out.Accounts = census.Drifts, census.Foreign, census.Checked
	if census.Next >= 0 {
		out.NextPageToken = ofAccounts + strconv.Itoa(census.Next)
	}
	return nil
}

func (a *API) brokeOff(ctx context.Context, r reconciliation, err error) error {
	a.Log.WarnContext(ctx, "a comparison with a target broke off", "target", r.target, "error", err)
	return problem.New(http.StatusServiceUnavailable, fmt.Sprintf("it cannot be done right now: %s", err))
}
