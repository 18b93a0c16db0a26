package admin

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/jithook/jithook/hook"
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/problem"
	"github.com/jithook/jithook/internal/strictjson"
	"github.com/jithook/jithook/provision"
	"github.com/jithook/jithook/store"
)

// Edited is what became of an edit: 200 where the identity is as was asked, 409
// where the edit was refused.
type Edited struct {
	Decision   identity.Decision `json:"decision"`
	DecisionID string            `json:"decision_id"`
	// Identity is the identity after the edit; none where the edit was refused
	// or the identity is gone.
	Identity *Identity         `json:"identity,omitempty"`
	Changes  []identity.Change `json:"changes"`
	Reasons  []identity.Reason `json:"reasons"`
}

// mountEdits mounts what changes identities.
func (a *API) mountEdits(v1 *echo.Group) {
	v1.POST("/identities/:id/suspend", a.edit(provision.Suspend()))
	v1.POST("/identities/:id/deprovision", a.edit(provision.Deprovision()))
	v1.POST("/identities/:id/activate", a.edit(provision.Activate()))
	v1.PATCH("/identities/:id", a.amend)
	v1.DELETE("/identities/:id", a.edit(provision.Delete()))
	v1.DELETE("/identities/:id/links/:provider", func(c echo.Context) error { return a.edit(provision.Unlink(c.Param("provider")))(c) })
}

// Amendment is the body of a PATCH of an identity.
type Amendment struct {
	// Traits are values by name; null removes the trait.
	Traits map[string]*any `json:"traits,omitempty"`
	Groups Memberships     `json:"groups,omitzero"`
}

// Memberships are groups to grant and to revoke.
type Memberships struct {
	Add    []string `json:"add,omitempty"`
	Remove []string `json:"remove,omitempty"`
}

// amend needs the revision that its sender has seen: a value is written over
// another one.
func (a *API) amend(c echo.Context) error {
	if err := known(c); err != nil {
		return err
	}
	var b Amendment
	if err := strictjson.Decode(c.Request().Body, &b); err != nil {
		return problem.OfBody(err)
	}
	if len(c.Request().Header.Values(headerIfMatch)) == 0 {
		return problem.New(http.StatusPreconditionRequired, "If-Match is needed: the identity's revision, such as \"7\"")
	}
	return a.carryOut(c, c.Param("id"), provision.Amend(provision.Patch{Traits: b.Traits, Add: b.Groups.Add, Remove: b.Groups.Remove}))
}

// edit handles an edit that needs no body.
func (a *API) edit(e provision.Edit) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := cmp.Or(known(c), bodiless(c)); err != nil {
			return err
		}
		return a.carryOut(c, c.Param("id"), e)
	}
}

// bodiless refuses a body that asks for something.
func bodiless(c echo.Context) error {
	data, err := io.ReadAll(c.Request().Body)
	if err != nil {
		return problem.OfBody(err)
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return nil
	}
	if err := strictjson.Unmarshal(data, &struct{}{}); err != nil {
		return problem.OfBody(err)
	}
	return nil
}

func (a *API) carryOut(c echo.Context, id string, e provision.Edit) error {
	revision, err := ifMatch(c)
	if err != nil {
		return err
	}
	out, err := a.Service.Edit(c.Request().Context(), provision.Target{
		ID: id, Revision: revision, RequestID: hook.RequestID(c),
	}, e)
	var invalid *provision.InvalidError
	switch {
	case errors.As(err, &invalid):
		return problem.At(invalid.Path, invalid.Why)
	case errors.Is(err, provision.ErrNoLink):
		return problem.New(http.StatusNotFound, provision.ErrNoLink.Error())
	case errors.Is(err, provision.ErrNoProposal):
		return problem.New(http.StatusNotFound, provision.ErrNoProposal.Error())
	case errors.Is(err, provision.ErrNoHold):
		return problem.New(http.StatusNotFound, provision.ErrNoHold.Error())
	case errors.Is(err, provision.ErrRevision):
		return problem.New(http.StatusPreconditionFailed, "the identity is not at the revision in If-Match: read it again")
	case errors.Is(err, store.ErrConflict):
		return problem.New(http.StatusServiceUnavailable, "other writers keep changing this identity: try again")
	case errors.Is(err, store.ErrUnavailable):
		return problem.New(http.StatusServiceUnavailable, "the userstore failed, or cannot say whether it wrote: look, and try again")
	case err != nil:
		return fault(err)
	}
	reply := Edited{
		Decision: out.Record.Decision, DecisionID: out.Record.ID,
		Changes: append([]identity.Change{}, out.Record.Change...), Reasons: out.Record.Reasons,
	}
	if out.Identity != nil {
		v := view(*out.Identity)
		reply.Identity = &v
		tag(c, out.Identity)
	}
	if out.Record.Decision == identity.Denied {
		return c.JSON(http.StatusConflict, reply)
	}
	return c.JSON(http.StatusOK, reply)
}

// headerIfMatch and headerETag are those of RFC 9110: the entity tag of an
// identity is its revision.
const (
	headerIfMatch = "If-Match"
	headerETag    = "ETag"
)

// tag sets the entity tag of the reply.
func tag(c echo.Context, i *identity.Identity) {
	c.Response().Header().Set(headerETag, strconv.Quote(strconv.FormatInt(i.Revision, 10)))
}

// ifMatch is the revision in If-Match, in quotation marks or without; 0 where
// there is no such header.
func ifMatch(c echo.Context) (int64, error) {
	values := c.Request().Header.Values(headerIfMatch)
	if len(values) == 0 {
		return 0, nil
	}
	text, closed := values[0], true
	if open, quoted := strings.CutPrefix(text, `"`); quoted {
		text, closed = strings.CutSuffix(open, `"`)
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 || !closed || len(values) > 1 {
		return 0, problem.New(http.StatusBadRequest, "If-Match is one revision of the identity, such as \"7\"")
	}
	return n, nil
}
