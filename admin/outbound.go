package admin

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/jithook/jithook/hook"
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/problem"
	"github.com/jithook/jithook/outbound"
	"github.com/jithook/jithook/store"
)

// Targets are the systems that are told of identities, and what waits for them.
type Targets struct {
	Targets []Target `json:"targets"`
}

// Target is one of them. Of more than store.MaxBacklog identities no more are
// counted.
type Target struct {
	Name    string `json:"name"`
	Waiting int    `json:"waiting"`
	GivenUp int    `json:"given_up"`
	// Due is when the delivery that has been due longest came to be; absent if
	// none waits.
	Due time.Time `json:"due,omitzero"`
	// Failure is what the target failed at last, for this process and since it last
	// answered; until Rests it is left alone.
	Failure string    `json:"failure,omitempty"`
	Rests   time.Time `json:"rests_until,omitzero"`
}

// Deliveries is a page of what waits for one target.
type Deliveries struct {
	Deliveries    []Waiting `json:"deliveries"`
	NextPageToken string    `json:"next_page_token"`
}

// Waiting is an entry of an outbox, and whose it is.
type Waiting struct {
	IdentityID string         `json:"identity_id"`
	Userstore  string         `json:"userstore"`
	State      identity.State `json:"state"`
	Delivery
}

// Outbox is what other systems have yet to learn of an identity, and what they
// have.
type Outbox struct {
	Outbox    []Delivery `json:"outbox"`
	Resources []Resource `json:"resources"`
}

// farAhead is when all that waits is due: leases, pauses and the times that
// targets ask for end within hours.
const farAhead = 365 * 24 * time.Hour

// mountOutbound mounts what concerns deliveries.
func (a *API) mountOutbound(v1 *echo.Group) {
	v1.GET("/outbound", a.targets)
	v1.GET("/outbound/:target", a.deliveries)
	v1.POST("/outbound/:target"+reconcilePath, a.reconcile)
	v1.GET("/identities/:id/outbox", a.outbox)
	v1.POST("/identities/:id/outbox/:target/retry", a.retry)
	v1.DELETE("/identities/:id/outbox/:target", a.drop)
}

func (a *API) targets(c echo.Context) error {
	if err := known(c); err != nil {
		return err
	}
	out := Targets{Targets: []Target{}}
	for _, name := range a.Targets {
		b, err := a.Userstore.Backlog(c.Request().Context(), name)
		if err != nil {
			return fault(err)
		}
		t := Target{Name: name, Waiting: b.Waiting, GivenUp: b.Dead, Due: b.Due}
		if a.Failing != nil {
			t.Failure, t.Rests = a.Failing(name)
		}
		out.Targets = append(out.Targets, t)
	}
	return c.JSON(http.StatusOK, out)
}

// deliveries lists what waits for a target, the longest due first and no more than
// a page, or page by page what was given up.
func (a *API) deliveries(c echo.Context) error {
	if err := known(c, "given_up", "page_size", "page_token"); err != nil {
		return err
	}
	target, out := c.Param("target"), Deliveries{Deliveries: []Waiting{}}
	givenUp, err := oneOf(c, "given_up", "true", "false")
	if err != nil {
		return err
	}
	size, err := pageSize(c)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	var found []identity.Identity
	if givenUp == "true" {
		page, err := a.Store.List(ctx, store.Query{Having: identity.HavingGivenUp(target), PageSize: size, PageToken: c.QueryParam("page_token")})
		if err != nil {
			return fault(err)
		}
		found, out.NextPageToken = page.Identities, page.NextPageToken
	} else if found, err = a.Userstore.Due(ctx, target, a.Service.Now().Add(farAhead), store.PageSize(size)); err != nil {
		return fault(err)
	}
	if len(found) == 0 && c.QueryParam("page_token") == "" && !slices.Contains(a.Targets, target) {
		return a.noTarget() // of one that was configured once, entries may be left
	}
	for _, i := range found {
		if n := i.DeliveryTo(target); n >= 0 {
			out.Deliveries = append(out.Deliveries, Waiting{i.ID, i.Userstore, i.State, delivery(i.Outbox[n])})
		}
	}
	return c.JSON(http.StatusOK, out)
}

func (a *API) noTarget() error {
	return problem.New(http.StatusNotFound, fmt.Sprintf("there is no target with this name; there are %q", a.Targets))
}

func (a *API) outbox(c echo.Context) error {
	if err := known(c); err != nil {
		return err
	}
	i, err := a.Store.Get(c.Request().Context(), c.Param("id"))
	if err != nil {
		return fault(err)
	}
	return c.JSON(http.StatusOK, outbox(i))
}

func outbox(i identity.Identity) Outbox {
	out := Outbox{Outbox: []Delivery{}, Resources: []Resource{}}
	for _, d := range i.Outbox {
		out.Outbox = append(out.Outbox, delivery(d))
	}
	for _, r := range i.Resources {
		out.Resources = append(out.Resources, Resource{r.Target, r.ID, append([]string{}, r.Groups...)})
	}
	return out
}

func delivery(d identity.Delivery) Delivery {
	return Delivery{d.Target, d.Revision, d.Since, d.Due, d.Attempts, d.Failure, d.Dead}
}

// retry has a target told again, or for the first time.
func (a *API) retry(c echo.Context) error {
	if target := c.Param("target"); !slices.Contains(a.Targets, target) {
		return a.noTarget()
	}
	return a.settle(c, "delivery is asked for again", func() error {
		return outbound.Retry(c.Request().Context(), a.Userstore, c.Param("id"), c.Param("target"), a.Service.Now())
	})
}

// drop takes a delivery back; that of a target which is not configured any more,
// too.
func (a *API) drop(c echo.Context) error {
	return a.settle(c, "delivery is dropped", func() error {
		return outbound.Drop(c.Request().Context(), a.Userstore, c.Param("id"), c.Param("target"), a.Service.Now())
	})
}

// settle changes an outbox, logs that, and answers with the outbox.
func (a *API) settle(c echo.Context, done string, change func() error) error {
	if err := known(c); err != nil {
		return err
	}
	if err := bodiless(c); err != nil {
		return err
	}
	switch err := change(); {
	case errors.Is(err, outbound.ErrUnderWay):
		return problem.New(http.StatusConflict, err.Error())
	case errors.Is(err, store.ErrConflict):
		return problem.New(http.StatusServiceUnavailable, "other writers keep changing this identity: try again")
	case err != nil:
		return fault(err)
	}
	a.Log.InfoContext(c.Request().Context(), "outbox edited", "what", done, "identity_id", c.Param("id"), "target", c.Param("target"), "request_id", hook.RequestID(c))
	i, err := a.Store.Get(c.Request().Context(), c.Param("id"))
	if err != nil && !errors.Is(err, store.ErrNotFound) { // it was the last that somebody deleted was kept for
		return fault(err)
	}
	return c.JSON(http.StatusOK, outbox(i))
}
