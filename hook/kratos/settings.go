package kratos

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/jithook/jithook/hook"
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/problem"
)

// check refuses to connect or disconnect a provider in Kratos's settings. The
// payload names neither a subject nor which of the two is asked, and account
// linking is disabled: a link that jithook did not decide would be a way in
// that no policy saw.
func (h *Handler) check(c echo.Context) error {
	p, err := decode(c)
	if err != nil {
		return err
	}
	return h.refuse(c, p, identity.CodeLinkingDisabled)
}

// profile gives the profile form's traits back what jithook decides about
// them; the rest is the person's own.
func (h *Handler) profile(c echo.Context) error {
	p, err := decode(c)
	if err != nil {
		return err
	}
	if p.Identity.Traits == nil {
		return problem.At("/identity/traits", "the profile form has traits: register this hook under settings.after.profile")
	}
	m, _ := p.metadata()
	r := restorer{mapped: m.traits, paths: h.RestoreTraits}
	i, known, err := h.Service.Known(c.Request().Context(), p.login(c, identity.HookLogin))
	switch {
	case err != nil:
		h.Log.ErrorContext(c.Request().Context(), "profile not checked", "request_id", hook.RequestID(c), "error", err)
		why := identity.Because(identity.CodeStoreUnavailable)
		why.Text += " (reference " + hook.RequestID(c) + ")"
		return c.JSON(http.StatusFailedDependency, denial(why, ""))
	case known && i.State == identity.StateSuspended:
		return h.refuse(c, p, identity.CodeSuspended)
	case known && i.State == identity.StateDeprovisioned:
		return h.refuse(c, p, identity.CodeDeprovisioned)
	case known:
		r.identity = &i
	}
	// Who is unknown here has been granted no group, and what they had before
	// this form nobody can tell.
	if _, decided := r.truth(groups); !decided && r.decides(groups) && !isEmpty(p.Identity.Traits[groups]) {
		return h.refuse(c, p, identity.CodeIdentityMissing)
	}
	return c.JSON(http.StatusOK, reply{Identity: replyIdentity{Traits: r.profile(p.Identity.Traits)}})
}

// isEmpty reports whether a trait claims nothing, whatever its type.
func isEmpty(trait any) bool {
	switch v := trait.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

// refuse denies a settings flow, which leaves no decision record: the log says
// so.
func (h *Handler) refuse(c echo.Context, p payload, code identity.Code) error {
	h.Log.InfoContext(c.Request().Context(), "settings refused", "path", c.Path(), "reason", code,
		"flow_id", p.Flow.ID, "request_id", hook.RequestID(c))
	return c.JSON(http.StatusForbidden, denial(identity.Because(code), ""))
}
