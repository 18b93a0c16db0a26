package kratos

import (
	"log/slog"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/jithook/jithook/hook"
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/problem"
	"github.com/jithook/jithook/provision"
)

// Handler answers Kratos's hooks.
type Handler struct {
	Service *provision.Service
	Log     *slog.Logger
	// RestoreTraits are the traits of Kratos's identity that jithook decides;
	// nil stands for all of them.
	RestoreTraits []string
}

const (
	prefix     = "/hooks/kratos"
	commitPath = "/registration/commit"
	linksPath  = "/settings/links"
)

// Mount adds the hooks below /hooks/kratos.
func Mount(e *echo.Echo, o hook.Options, h *Handler) {
	g := hook.Group(e, o, prefix, hook.EndpointKratos, fault)
	g.Use(h.explain)
	g.POST("/registration/prepare", h.prepare)
	g.POST(commitPath, h.commit)
	g.POST("/login", h.login)
	g.POST("/settings/check", h.check)
	g.POST(linksPath, h.links)
	g.POST("/settings/profile", h.profile)
}

// prepare decides a registration before Kratos persists it.
func (h *Handler) prepare(c echo.Context) error {
	p, err := decode(c)
	if err != nil {
		return err
	}
	if p.Identity.ID != nobody {
		return problem.At("/identity/id", "Kratos has persisted this identity already: register prepare with response.parse: true under registration.after.oidc")
	}
	out := h.Service.Provision(c.Request().Context(), p.login(c, identity.HookPrepare))
	switch {
	case out.Record.Decision == identity.Prompt:
		return c.JSON(http.StatusUnprocessableEntity, questions(out.Record))
	case !out.Record.Decision.Allowed():
		return h.deny(c, out.Record)
	}
	return c.JSON(http.StatusOK, h.prepared(p, out))
}

// commit acknowledges what Kratos persisted. It answers 204 whatever became of
// it: a failure here would show the person an error page while Kratos keeps
// both identity and session, and the next login repairs.
func (h *Handler) commit(c echo.Context) error {
	p, err := decode(c)
	if err != nil {
		return err
	}
	if p.Identity.ID == nobody {
		return problem.At("/identity/id", "Kratos has not persisted this identity: register commit without response.parse under registration.after.oidc")
	}
	h.Service.Commit(c.Request().Context(), p.login(c, identity.HookCommit))
	return c.NoContent(http.StatusNoContent)
}

// login checks the state of whoever signs in, by any method, and for a
// federated sign-in brings the identity up to date. Kratos ignores an identity
// in the reply.
func (h *Handler) login(c echo.Context) error {
	p, err := decode(c)
	if err != nil {
		return err
	}
	if p.Identity.ID == nobody {
		return problem.At("/identity/id", "a login has an identity: register this hook under login.after")
	}
	out := h.Service.Provision(c.Request().Context(), p.login(c, identity.HookLogin))
	if !out.Record.Decision.Allowed() {
		return h.deny(c, out.Record)
	}
	return c.NoContent(http.StatusNoContent)
}
