package admin

import (
	"context"
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/jithook/jithook/hook"
	"github.com/jithook/jithook/internal/problem"
	"github.com/jithook/jithook/provision"
)

// Adopted is a step of taking over the people whom a Kratos has already.
type Adopted struct {
	People        []provision.Adoptee `json:"people"`
	NextPageToken string              `json:"next_page_token"`
}

// adoptPath is how the route ends. Like those below /store it limits itself:
// Kratos is asked about every identity of a step.
const adoptPath = "/import"

func (a *API) adopt(c echo.Context) error {
	if err := known(c, "apply", "userstore", "page_token"); err != nil {
		return err
	}
	apply, err := oneOf(c, "apply", "true", "false")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(unhurried(c), stepTime)
	defer cancel()
	step, err := a.Service.Adopt(ctx, provision.Adoption{
		Instance: c.Param("instance"), Apply: apply == "true", Userstore: c.QueryParam("userstore"),
		PageToken: c.QueryParam("page_token"), RequestID: hook.RequestID(c),
	})
	if err != nil {
		return kratosFault(err)
	}
	return c.JSON(http.StatusOK, Adopted{step.People, step.NextPageToken})
}

// kratosFault is fault where a Kratos was asked.
func kratosFault(err error) error {
	switch {
	case errors.Is(err, provision.ErrNoKratos):
		return problem.New(http.StatusNotFound, provision.ErrNoKratos.Error())
	case errors.Is(err, provision.ErrUserstore):
		return problem.New(http.StatusBadRequest, provision.ErrUserstore.Error())
	case errors.Is(err, provision.ErrUnheard):
		return problem.New(http.StatusServiceUnavailable, err.Error()) // in the words of package kratos, which show nobody
	}
	return fault(err)
}
