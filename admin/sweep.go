package admin

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/jithook/jithook/hook"
	"github.com/jithook/jithook/internal/problem"
	"github.com/jithook/jithook/provision"
)

// Swept is a step of a sweep.
type Swept struct {
	// Identities are those whose time is over, and what became of them.
	Identities []provision.Expired `json:"identities"`
	// Checked is how many were looked at.
	Checked       int    `json:"checked"`
	NextPageToken string `json:"next_page_token"`
}

// sweepPath is the route of a sweep. Like those below /store it limits itself:
// Kratos may be asked about every identity of a step.
const sweepPath = "/sweep"

func (a *API) sweep(c echo.Context) error {
	if err := known(c, "rule", "apply", "instance", "page_token"); err != nil {
		return err
	}
	rule, err := oneOf(c, "rule", provision.Rules()...)
	if err != nil {
		return err
	}
	if rule == "" {
		return problem.New(http.StatusBadRequest, "rule is missing")
	}
	if c.QueryParam("instance") != "" && rule != provision.RuleGone {
		return problem.New(http.StatusBadRequest, "instance goes with the rule gone")
	}
	if rule == provision.RuleGone && len(a.Service.Kratos) == 0 { // nobody left would mean that somebody was asked
		return kratosFault(provision.ErrNoKratos)
	}
	apply, err := oneOf(c, "apply", "true", "false")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(unhurried(c), stepTime)
	defer cancel()
	swept, err := a.Service.Sweep(ctx, provision.Sweep{
		Rule: rule, Apply: apply == "true", Instance: c.QueryParam("instance"),
		PageToken: c.QueryParam("page_token"), RequestID: hook.RequestID(c),
	})
	if err != nil {
		return kratosFault(err)
	}
	return c.JSON(http.StatusOK, Swept{swept.Found, swept.Checked, swept.NextPageToken})
}
