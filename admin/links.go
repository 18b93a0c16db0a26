package admin

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/provision"
	"github.com/jithook/jithook/store"
)

// ProposedLink is a link that somebody has to decide about, or has said no to.
type ProposedLink struct {
	ID         string                 `json:"id"`
	State      identity.ProposalState `json:"state"`
	IdentityID string                 `json:"identity_id"`
	Userstore  string                 `json:"userstore"`
	Provider   string                 `json:"provider"`
	Issuer     string                 `json:"issuer"`
	Subject    string                 `json:"subject"`
	At         time.Time              `json:"at"`
	Expires    time.Time              `json:"expires,omitzero"`
	Match      identity.Match         `json:"match,omitzero"`
}

// ProposedLinks is a page. Its size counts identities, of which each may have
// several.
type ProposedLinks struct {
	Links         []ProposedLink `json:"links"`
	NextPageToken string         `json:"next_page_token"`
}

func (a *API) mountLinks(v1 *echo.Group) {
	v1.GET("/links", a.links)
	v1.POST("/links/:id/approve", a.decideLink(provision.Approve))
	v1.POST("/links/:id/reject", a.decideLink(provision.Reject))
}

func (a *API) links(c echo.Context) error {
	if err := known(c, "userstore", "state", "page_size", "page_token"); err != nil {
		return err
	}
	state, err := oneOf(c, "state", identity.ProposalStates()...)
	if err != nil {
		return err
	}
	q := store.Query{Userstore: c.QueryParam("userstore"), Having: identity.HavingProposal, PageToken: c.QueryParam("page_token")}
	if q.PageSize, err = pageSize(c); err != nil {
		return err
	}
	page, err := a.Store.List(c.Request().Context(), q)
	if err != nil {
		return fault(err)
	}
	out := ProposedLinks{Links: []ProposedLink{}, NextPageToken: page.NextPageToken}
	now := a.Service.Now()
	for _, i := range page.Identities {
		for _, p := range i.Proposals {
			if !p.Expired(now) && (state == "" || state == p.State) {
				out.Links = append(out.Links, proposedLink(&i, p))
			}
		}
	}
	return c.JSON(http.StatusOK, out)
}

func proposedLink(i *identity.Identity, p identity.Proposal) ProposedLink {
	return ProposedLink{
		ID: i.ProposalID(p), State: p.State, IdentityID: i.ID, Userstore: i.Userstore,
		Provider: p.Provider, Issuer: p.Issuer, Subject: p.Subject, At: p.At, Expires: p.Expires, Match: p.Match,
	}
}

// decideLink carries out an edit of the identity that the proposal belongs to.
func (a *API) decideLink(edit func(id string) provision.Edit) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := known(c); err != nil {
			return err
		}
		if err := bodiless(c); err != nil {
			return err
		}
		id := c.Param("id")
		return a.carryOut(c, identity.ProposalOwner(id), edit(id))
	}
}
