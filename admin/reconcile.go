package admin

import (
	"context"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/jithook/jithook/internal/problem"
	"github.com/jithook/jithook/outbound"
	"github.com/jithook/jithook/store"
)

// Reconciled is a step of a comparison with a target.
type Reconciled struct {
	// Identities are those that the target has otherwise than it should.
	Identities []outbound.Drift `json:"identities"`
	// Checked is how many were looked at.
	Checked       int    `json:"checked"`
	NextPageToken string `json:"next_page_token"`
}

const (
	// reconcilePath is how the route of a comparison ends. Like those below
	// /store it limits itself: the target is asked about every identity of a step.
	reconcilePath = "/reconcile"
	// reconcileStep is how many identities a step compares.
	reconcileStep = 20
)

func (a *API) reconcile(c echo.Context) error {
	if err := known(c, "mend", "page_token"); err != nil {
		return err
	}
	mend, err := oneOf(c, "mend", "true", "false")
	if err != nil {
		return err
	}
	target := c.Param("target")
	comparer, ok := a.Comparers[target]
	if !ok {
		return problem.New(http.StatusNotFound, "there is no target with this name that this process can compare with")
	}
	ctx, cancel := context.WithTimeout(unhurried(c), stepTime)
	defer cancel()
	page, err := a.Store.List(ctx, store.Query{PageSize: reconcileStep, PageToken: c.QueryParam("page_token")})
	if err != nil {
		return fault(err)
	}
	drifts, err := outbound.Reconcile(ctx, a.Userstore, comparer, target, page.Identities, mend == "true", a.Service.Now())
	if err != nil {
		a.Log.WarnContext(ctx, "a comparison with a target broke off", "target", target, "error", err)
		return problem.New(http.StatusServiceUnavailable, fmt.Sprintf("it cannot be done right now: %s", err))
	}
	return c.JSON(http.StatusOK, Reconciled{drifts, len(page.Identities), page.NextPageToken})
}
