package admin

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

// Decisions is a page of records, newest first.
type Decisions struct {
	Decisions     []identity.Record `json:"decisions"`
	NextPageToken string            `json:"next_page_token"`
}

func (a *API) decisions(c echo.Context) error {
	q, err := decisionQuery(c)
	if err != nil {
		return err
	}
	page, err := a.Store.Decisions(c.Request().Context(), q)
	if err != nil {
		return fault(err)
	}
	return c.JSON(http.StatusOK, Decisions{append([]identity.Record{}, page.Records...), page.NextPageToken})
}

func decisionQuery(c echo.Context) (q store.DecisionQuery, err error) {
	if err := known(c, "identity", "issuer", "subject", "flow_id", "decision", "page_size", "page_token"); err != nil {
		return q, err
	}
	q.IdentityID, q.FlowID, q.PageToken = c.QueryParam("identity"), c.QueryParam("flow_id"), c.QueryParam("page_token")
	q.Decision, err = oneOf(c, "decision", identity.Created, identity.Linked, identity.Updated, identity.Unchanged,
		identity.Activated, identity.Denied, identity.Prompt, identity.Error, identity.Deleted)
	if err != nil {
		return q, err
	}
	if q.SubjectKey, err = subjectKey(c); err != nil {
		return q, err
	}
	q.PageSize, err = pageSize(c)
	return q, err
}

func (a *API) decision(c echo.Context) error {
	if err := known(c); err != nil {
		return err
	}
	r, err := a.Store.Decision(c.Request().Context(), c.Param("id"))
	if err != nil {
		return fault(err)
	}
	return c.JSON(http.StatusOK, r)
}
