package admin

import (
	"encoding/json"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/claimlog"
	"github.com/jithook/jithook/store"
)

// Decisions is a page of records, newest first.
type Decisions struct {
	Decisions     []identity.Record `json:"decisions"`
	NextPageToken string            `json:"next_page_token"`
}

// Decision is one record with what it keeps of the claims.
type Decision struct {
	identity.Record
	Claims *Claims `json:"claims,omitempty"`
}

// Claims are what a record keeps of the claims: values if they were kept and
// their key is there, hashes, or a note that says why there is neither.
type Claims struct {
	Mode   identity.ClaimsMode `json:"mode"`
	KeyID  string              `json:"key_id"`
	Values json.RawMessage     `json:"values,omitempty"`
	// Subject is whom the values are about.
	Subject string          `json:"subject,omitempty"`
	Hashes  []claimlog.Hash `json:"hashes,omitempty"`
	Note    string          `json:"note,omitempty"`
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
	list := append([]identity.Record{}, page.Records...)
	for n := range list {
		list[n].Claims = nil // one record shows them
	}
	return c.JSON(http.StatusOK, Decisions{list, page.NextPageToken})
}

func decisionQuery(c echo.Context) (q store.DecisionQuery, err error) {
	if err := known(c, "identity", "issuer", "subject", "flow_id", "decision", "page_size", "page_token"); err != nil {
		return q, err
	}
	q.IdentityID, q.FlowID, q.PageToken = c.QueryParam("identity"), c.QueryParam("flow_id"), c.QueryParam("page_token")
	q.Decision, err = oneOf(c, "decision", identity.Created, identity.Linked, identity.Updated, identity.Unchanged,
		identity.Activated, identity.Denied, identity.Prompt, identity.Error, identity.Deleted, identity.Shadowed)
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
	return c.JSON(http.StatusOK, a.opened(r))
}

// opened is r with its claims as far as they can be read here.
func (a *API) opened(r identity.Record) Decision {
	d := Decision{Record: r}
	if r.Claims == nil {
		return d
	}
	d.Claims = &Claims{Mode: r.Claims.Mode, KeyID: r.Claims.KeyID}
	o, err := a.Service.ClaimLog.Open(r)
	if err != nil {
		d.Claims.Note = err.Error()
	}
	d.Claims.Values, d.Claims.Subject, d.Claims.Hashes = o.Values, o.Subject, o.Hashes
	return d
}
