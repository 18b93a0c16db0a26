package kratos

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/jithook/jithook/hook"
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/problem"
)

// check refuses to connect a provider in Kratos's settings, unless a subject is
// awaited: the payload names none, and a link that policy did not decide, with
// the claims before it, would be a way in that it never saw. Whether this is the
// one that is awaited links sees, at the Admin API. For want of that, to
// disconnect one is refused as well.
func (h *Handler) check(c echo.Context) error {
	p, err := decode(c)
	if err != nil {
		return err
	}
	if !h.hears(c) {
		return h.refuse(c, p, identity.CodeLinkingDisabled)
	}
	i, known, refused := h.person(c, p)
	switch {
	case refused != nil:
		return refused()
	case !p.Flow.Submitted && (!known || !h.Service.Awaits(i, p.login(c, identity.HookLinks).External)):
		return h.refuse(c, p, identity.CodeLinkingDisabled)
	}
	return c.NoContent(http.StatusNoContent)
}

// links brings our links to what Kratos holds after the person changed them. It
// answers 204 whatever became of it: Kratos has persisted the change, and the
// next login repairs.
func (h *Handler) links(c echo.Context) error {
	p, err := decode(c)
	if err != nil {
		return err
	}
	if !h.hears(c) {
		h.Log.WarnContext(c.Request().Context(), "links not reconciled: no kratos.instances has the Admin API of this caller's instance",
			"instance", hook.CallerOf(c).Instance, "request_id", hook.RequestID(c))
		return c.NoContent(http.StatusNoContent)
	}
	h.Service.Provision(c.Request().Context(), p.login(c, identity.HookLinks))
	return c.NoContent(http.StatusNoContent)
}

// hears reports whether the Kratos that called has an Admin API here.
func (h *Handler) hears(c echo.Context) bool {
	return h.Service.Kratos[hook.CallerOf(c).Instance] != nil
}

// person returns who the settings are about, and how the flow is refused if
// their state bars it or nobody can say.
func (h *Handler) person(c echo.Context, p payload) (i identity.Identity, known bool, refused func() error) {
	i, known, err := h.Service.Known(c.Request().Context(), p.login(c, identity.HookLogin))
	switch {
	case err != nil:
		h.Log.ErrorContext(c.Request().Context(), "settings not checked", "path", c.Path(), "request_id", hook.RequestID(c), "error", err)
		why := identity.Because(identity.CodeStoreUnavailable)
		why.Text += " (reference " + hook.RequestID(c) + ")"
		return i, false, func() error { return c.JSON(http.StatusFailedDependency, denial(why, "")) }
	case known && i.State == identity.StateSuspended:
		return i, true, func() error { return h.refuse(c, p, identity.CodeSuspended) }
	case known && i.State == identity.StateDeprovisioned:
		return i, true, func() error { return h.refuse(c, p, identity.CodeDeprovisioned) }
	}
	return i, known, nil
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
	i, known, refused := h.person(c, p)
	if refused != nil {
		return refused()
	}
	if known {
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
