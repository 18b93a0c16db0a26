package admin

import (
	"cmp"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/problem"
	"github.com/jithook/jithook/provision"
	"github.com/jithook/jithook/store"
)

// Hold is a change of groups that waits for an administrator.
type Hold struct {
	ID         string `json:"id"`
	IdentityID string `json:"identity_id"`
	Userstore  string `json:"userstore"`
	// Source is whose claims are held back.
	Source string    `json:"source"`
	At     time.Time `json:"at"`
	// Groups are those that a release revokes.
	Groups []string `json:"groups"`
}

// Holds is a page: all that is held of so many identities.
type Holds struct {
	Holds         []Hold `json:"holds"`
	NextPageToken string `json:"next_page_token"`
}

// mountHolds mounts what is about held changes.
func (a *API) mountHolds(v1 *echo.Group) {
	v1.GET("/holds", a.holds)
	v1.POST("/holds/:id/release", a.release)
}

func (a *API) holds(c echo.Context) error {
	if err := known(c, "userstore", "page_size", "page_token"); err != nil {
		return err
	}
	size, err := pageSize(c)
	if err != nil {
		return err
	}
	page, err := a.Store.List(c.Request().Context(), store.Query{
		Userstore: c.QueryParam("userstore"), Having: identity.HavingHold, PageSize: size, PageToken: c.QueryParam("page_token"),
	})
	if err != nil {
		return fault(err)
	}
	out := Holds{Holds: []Hold{}, NextPageToken: page.NextPageToken}
	for _, i := range page.Identities {
		for _, h := range i.Holds {
			out.Holds = append(out.Holds, heldOf(i, h))
		}
	}
	return c.JSON(http.StatusOK, out)
}

func heldOf(i identity.Identity, h identity.Hold) Hold {
	v := Hold{ID: h.ID, IdentityID: i.ID, Userstore: i.Userstore, Source: h.Source, At: h.At, Groups: []string{}}
	for _, g := range h.Groups {
		v.Groups = append(v.Groups, g.Name)
	}
	return v
}

// release carries out what is held. A hold's id begins with its identity's.
func (a *API) release(c echo.Context) error {
	if err := cmp.Or(known(c), bodiless(c)); err != nil {
		return err
	}
	id, _, ok := strings.Cut(c.Param("id"), ".")
	if !ok {
		return problem.New(http.StatusNotFound, provision.ErrNoHold.Error())
	}
	return a.carryOut(c, id, provision.Release(c.Param("id")))
}
