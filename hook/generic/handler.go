// Package generic is POST /hooks/login, the contract for any identity server
// that is not Kratos: one call, one decision.
//
// The body's claims are the caller's word; its credential answers for them.
package generic

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/jithook/jithook/claims"
	"github.com/jithook/jithook/hook"
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/problem"
	"github.com/jithook/jithook/internal/strictjson"
	"github.com/jithook/jithook/provision"
)

// maxName bounds provider, flow and external ids and the paths of answers, in
// bytes.
const maxName = 255

// maxAnswers bounds the answers of one request.
const maxAnswers = 64

// Request is the body of POST /hooks/login.
type Request struct {
	Version  int            `json:"version"`
	Provider string         `json:"provider"`
	Subject  string         `json:"subject"`
	Claims   map[string]any `json:"claims"`
	// IDToken is the provider's ID token, which counts where the provider's file
	// names id_token among its claims sources. One token is good for one flow:
	// without a flow_id it is good for one request. Nonce, if the caller knows
	// it, must be in the token.
	IDToken    string `json:"id_token"`
	Nonce      string `json:"nonce"`
	ExternalID string `json:"external_id"`
	FlowID     string `json:"flow_id"`
	// Answers are what the person has said to the questions of a prompt, by the
	// paths of its reasons. What was not asked for is ignored.
	Answers map[string]any `json:"answers"`
	// At is the caller's time of the claims; more than claims.MaxSkew ahead of ours
	// is refused, older than what the link has seen leaves the identity as it
	// is.
	At time.Time `json:"at"`
}

// Check returns a problem with the place of what is wrong with r.
func (r Request) Check(now time.Time) error {
	switch {
	case r.Version != 1:
		return problem.At("/version", "only version 1 is known")
	case r.Provider == "" || len(r.Provider) > maxName:
		return problem.At("/provider", "a provider id of 1 to 255 bytes is needed")
	case identity.CheckSubject(r.Subject) != nil:
		return problem.At("/subject", identity.ErrSubject.Error())
	case r.ExternalID != "" && identity.CheckSubject(r.ExternalID) != nil:
		return problem.At("/external_id", "an external id has at most 255 bytes, no control characters and no padding")
	case len(r.Nonce) > maxName:
		return problem.At("/nonce", "a nonce has at most 255 bytes")
	case r.Nonce != "" && r.IDToken == "":
		return problem.At("/nonce", "a nonce means something only with the id_token that it must be in")
	case len(r.FlowID) > maxName:
		return problem.At("/flow_id", "a flow id has at most 255 bytes")
	case !answerable(r.Answers):
		return problem.At("/answers", fmt.Sprintf("answers are at most %d, each under the path of a trait such as /traits/username", maxAnswers))
	case r.At.After(now.Add(claims.MaxSkew)):
		return problem.At("/at", fmt.Sprintf("the time is more than %s ahead of the server's", claims.MaxSkew))
	}
	return nil
}

// Login is r in the words of the domain.
func (r Request) Login(c hook.Caller) identity.Login {
	offers := []identity.Offer{{Source: identity.SourceHookBody, Provider: r.Provider, Subject: r.Subject, Claims: r.Claims}}
	if r.IDToken != "" {
		offers = append(offers, identity.Offer{
			Source: identity.SourceIDToken, Provider: r.Provider, Subject: r.Subject, Token: r.IDToken, Nonce: r.Nonce,
		})
	}
	return identity.Login{
		Hook: identity.HookGeneric, Caller: c.Name, Providers: c.Providers, Provider: r.Provider,
		Offers:   offers,
		External: identity.ExternalID{System: identity.SystemGeneric, Instance: c.Instance, ID: r.ExternalID},
		At:       r.At, FlowID: r.FlowID, Answers: r.Answers,
	}
}

// answerable reports whether all are answers about traits.
func answerable(answers map[string]any) bool {
	for path := range answers {
		names, ok := strings.CutPrefix(path, "/traits/")
		if !ok || len(path) > maxName || slices.Contains(strings.Split(names, "/"), "") {
			return false
		}
	}
	return len(answers) <= maxAnswers
}

// Response is the answer: 200 with the identity, 403 denied, 422 prompt, 503
// error.
type Response struct {
	Decision   identity.Decision `json:"decision"`
	DecisionID string            `json:"decision_id"`
	Identity   *Identity         `json:"identity,omitempty"`
	Changes    []identity.Change `json:"changes"`
	Reasons    []identity.Reason `json:"reasons"`
}

// Identity is what a caller learns about a person.
type Identity struct {
	ID        string         `json:"id"`
	Userstore string         `json:"userstore"`
	State     identity.State `json:"state"`
	Traits    map[string]any `json:"traits"`
	Groups    []string       `json:"groups"`
}

// Respond returns the answer to an outcome.
func Respond(o provision.Outcome) Response {
	r := Response{
		Decision: o.Record.Decision, DecisionID: o.Record.ID,
		Changes: append([]identity.Change{}, o.Record.Change...), Reasons: o.Record.Reasons,
	}
	if i := o.Identity; i != nil {
		r.Identity = &Identity{ID: i.ID, Userstore: i.Userstore, State: i.State, Traits: i.Traits, Groups: i.GroupNames()}
	}
	return r
}

// Handler answers POST /hooks/login.
type Handler struct {
	Service *provision.Service
}

// Mount adds the endpoint.
func Mount(e *echo.Echo, o hook.Options, h *Handler) {
	hook.Group(e, o, "/hooks", hook.EndpointLogin, fault).POST("/login", h.login)
}

func (h *Handler) login(c echo.Context) error {
	var r Request
	if err := strictjson.Decode(c.Request().Body, &r); err != nil {
		return problem.OfBody(err)
	}
	if err := r.Check(h.Service.Now()); err != nil {
		return err
	}
	l := r.Login(hook.CallerOf(c))
	l.RequestID = hook.RequestID(c)
	out, err := h.decide(c, l)
	if errors.Is(err, provision.ErrReused) {
		return problem.New(http.StatusConflict, "this webhook-id came before with another body: a new message needs a new id")
	}
	return c.JSON(status(c, out.Record.Decision), Respond(out))
}

// decide decides a signed message once and any other request each time.
func (h *Handler) decide(c echo.Context, l identity.Login) (provision.Outcome, error) {
	if d := hook.DeliveryOf(c); d != nil {
		return h.Service.Deliver(c.Request().Context(), *d, l)
	}
	return h.Service.Provision(c.Request().Context(), l), nil
}

// status is the one table from decisions to HTTP.
func status(c echo.Context, d identity.Decision) int {
	switch d {
	case identity.Denied:
		return http.StatusForbidden
	case identity.Prompt:
		return http.StatusUnprocessableEntity
	case identity.Error:
		c.Response().Header().Set(echo.HeaderRetryAfter, "1")
		return http.StatusServiceUnavailable
	}
	return http.StatusOK
}

// fault is the answer to a panic, and to a request for which there is no place.
func fault(c echo.Context, code identity.Code) error {
	return c.JSON(status(c, identity.Error), Response{
		Decision: identity.Error, DecisionID: hook.RequestID(c),
		Changes: []identity.Change{}, Reasons: []identity.Reason{identity.Because(code)},
	})
}
