package kratos

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/jithook/jithook/hook"
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/problem"
	"github.com/jithook/jithook/provision"
)

// reply is all that Kratos is ever told about an identity. Kratos applies
// schema_id, state, recovery addresses and metadata_admin from a reply
// verbatim, so none of them exists here (the class of CVE-2026-27946).
type reply struct {
	Identity replyIdentity `json:"identity"`
}

type replyIdentity struct {
	// Traits are never omitted: without them Kratos would keep what the browser
	// posted. An empty object removes all.
	Traits              map[string]any `json:"traits"`
	MetadataPublic      map[string]any `json:"metadata_public,omitempty"`
	VerifiableAddresses []address      `json:"verifiable_addresses,omitempty"`
}

type address struct {
	Value    string `json:"value"`
	Via      string `json:"via"`
	Verified bool   `json:"verified"`
	Status   string `json:"status"`
}

// prepared is the reply to a registration that may go on.
func (h *Handler) prepared(p payload, out provision.Outcome) reply {
	m, _ := p.metadata()
	r := restorer{identity: out.Identity, mapped: m.traits, paths: h.RestoreTraits}
	if out.Unproved {
		r.paths = nil // which address the traits have decides whose proof Kratos asks for
	}
	traits := r.registration(p.Identity.Traits)
	return reply{Identity: replyIdentity{
		Traits:              traits,
		MetadataPublic:      published(p.Identity.MetadataPublic, out.Identity.ID),
		VerifiableAddresses: addresses(traits, out.Emails),
	}}
}

// published is the received metadata without the claims, which metadata_public
// would show to the browser, and with our id of the person if they have one.
func published(received any, id string) map[string]any {
	public := map[string]any{}
	if m, ok := received.(map[string]any); ok {
		public = maps.Clone(m)
	}
	ours := map[string]any{}
	if m, ok := public["jithook"].(map[string]any); ok {
		ours = maps.Clone(m)
	}
	delete(ours, "claims")
	delete(ours, "identity_id")
	if id != "" {
		ours["identity_id"] = id
	}
	public["jithook"] = ours
	return public
}

// addresses says of every e-mail among the traits whether it is verified: what
// is not said here would keep whatever the mapper said. Kratos drops an address
// that no trait of the reply yields, and has one only once.
func addresses(traits map[string]any, emails []provision.Email) []address {
	var out []address
	for _, e := range emails {
		at := slices.IndexFunc(out, func(a address) bool { return a.Value == e.Address })
		switch {
		case at < 0 && holds(traits, e.Address):
			out = append(out, newAddress(e))
		case at >= 0 && e.Verified:
			out[at] = newAddress(e)
		}
	}
	slices.SortFunc(out, func(a, b address) int { return strings.Compare(a.Value, b.Value) })
	return out
}

// holds reports whether a value of the traits, or of an object in them, is this
// text.
func holds(traits map[string]any, text string) bool {
	for _, v := range traits {
		object, _ := v.(map[string]any)
		if v == any(text) || holds(object, text) {
			return true
		}
	}
	return false
}

func newAddress(e provision.Email) address {
	a := address{Value: e.Address, Via: "email", Verified: e.Verified, Status: "pending"}
	if e.Verified {
		a.Status = "completed"
	}
	return a
}

// messages is Kratos's form of a refusal; without at least one message it
// shows an error page.
type messages struct {
	Messages []fieldMessages `json:"messages"`
}

type fieldMessages struct {
	InstancePtr string    `json:"instance_ptr"`
	Messages    []message `json:"messages"`
}

type message struct {
	ID      int            `json:"id"`
	Text    string         `json:"text"`
	Type    string         `json:"type"`
	Context messageContext `json:"context"`
}

type messageContext struct {
	Reason     identity.Code `json:"reason"`
	DecisionID string        `json:"decision_id,omitempty"`
}

// deny refuses a flow. A fault of our own is no 5xx, which Kratos would repeat
// three times, for three seconds, and then show with the hook's URL; unless the
// provider's file wants just that of a store that fails.
func (h *Handler) deny(c echo.Context, r identity.Record) error {
	if r.Decision == identity.Error {
		why := r.Reasons[0]
		why.Text += " (reference " + r.ID + ")"
		if h.repeats(r) {
			return c.JSON(http.StatusServiceUnavailable, denial(why, r.ID))
		}
		return c.JSON(http.StatusFailedDependency, denial(why, r.ID))
	}
	return c.JSON(http.StatusForbidden, denial(r.Reasons[0], r.ID))
}

// repeats reports whether Kratos is to repeat a call. It may: what a login has
// written, the next attempt finds.
func (h *Handler) repeats(r identity.Record) bool {
	transient := []identity.Code{identity.CodeStoreUnavailable, identity.CodeConflict, identity.CodeDeadlineExceeded}
	prov, ok := h.Service.Providers().Get(r.Provider)
	return ok && prov.Policy.RetriesStoreErrors() && slices.Contains(transient, r.Reasons[0].Code)
}

func denial(why identity.Reason, decisionID string) messages {
	return messages{[]fieldMessages{{"#/", []message{newMessage(why.Code, why.Text, decisionID)}}}}
}

// questions puts a message to each field that the person is to fill in: Kratos
// shows its form, and what they fill in comes with the next prepare. The place
// need not be read where it is seen.
func questions(r identity.Record) messages {
	var m messages
	for _, why := range r.Reasons {
		m.Messages = append(m.Messages, fieldMessages{"#" + why.Path, []message{newMessage(why.Code, why.Code.Text(), r.ID)}})
	}
	return m
}

func newMessage(code identity.Code, text, decisionID string) message {
	info, _ := code.Info()
	return message{
		ID: info.Number, Text: text, Type: "error",
		Context: messageContext{Reason: code, DecisionID: decisionID},
	}
}

// refused is a problem that Kratos can show: without a message it would answer
// the person with a bare error page.
type refused struct {
	problem.Problem
	messages
}

// explain adds a message for the person to a request that could not be
// understood, and a line for the operator, since no decision records it. The
// place stands in the reply alone: its names are the sender's.
func (h *Handler) explain(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		err := next(c)
		var p *problem.Problem
		if !errors.As(err, &p) {
			return err
		}
		h.Log.WarnContext(c.Request().Context(), "request of Kratos refused", "path", c.Path(), "status", p.Status,
			"detail", p.Detail, "request_id", hook.RequestID(c))
		why := identity.Because(identity.CodeMalformed)
		why.Text += " (reference " + hook.RequestID(c) + ")"
		r := refused{*p, denial(why, "")}
		r.RequestID = hook.RequestID(c)
		c.Response().Header().Set(echo.HeaderContentType, problem.ContentType)
		return c.JSON(p.Status, r)
	}
}

// fault is the answer to a panic, and to a call for which there is no place. Kratos has persisted the person by the time of
// a commit, as it has their settings before links, and would show them an error
// page for nothing.
func fault(c echo.Context, code identity.Code) error {
	if c.Path() == prefix+commitPath || c.Path() == prefix+linksPath {
		return c.NoContent(http.StatusNoContent)
	}
	why := identity.Because(code)
	why.Text += " (reference " + hook.RequestID(c) + ")"
	return c.JSON(http.StatusFailedDependency, denial(why, ""))
}
