package kratos

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/jithook/jithook/hook"
	"github.com/jithook/jithook/identity"
)

// check refuses to connect or disconnect a provider in Kratos's settings. The
// payload names neither a subject nor which of the two is asked, and account
// linking is disabled: a link that jithook did not decide would be a way in
// that no policy saw.
func (h *Handler) check(c echo.Context) error {
	if _, err := decode(c); err != nil {
		return err
	}
	return c.JSON(http.StatusForbidden, denial(identity.Because(identity.CodeLinkingDisabled), ""))
}

// profile gives the profile form's traits back what jithook decides about
// them; the rest is the person's own.
func (h *Handler) profile(c echo.Context) error {
	p, err := decode(c)
	if err != nil {
		return err
	}
	e := identity.ExternalID{System: identity.SystemKratos, Instance: hook.CallerOf(c).Instance, ID: p.Identity.ID}
	i, known, err := h.Service.Known(c.Request().Context(), e)
	switch {
	case err != nil:
		h.Log.ErrorContext(c.Request().Context(), "profile not checked", "request_id", hook.RequestID(c), "error", err)
		return c.JSON(http.StatusFailedDependency, denial(identity.Because(identity.CodeStoreUnavailable), hook.RequestID(c)))
	case known && i.State != identity.StateActive:
		return c.JSON(http.StatusForbidden, denial(identity.Because(identity.CodeSuspended), ""))
	}
	m, _ := p.metadata()
	r := restorer{mapped: m.traits, paths: h.RestoreTraits}
	if known {
		r.identity = &i
	}
	return c.JSON(http.StatusOK, reply{Identity: replyIdentity{Traits: r.profile(p.Identity.Traits)}})
}
