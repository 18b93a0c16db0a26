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
// that no trait of the reply yields.
func addresses(traits map[string]any, emails []provision.Email) []address {
	var out []address
	for _, name := range slices.Sorted(maps.Keys(traits)) {
		for _, e := range emails {
			if traits[name] == any(e.Address) {
				out = append(out, newAddress(e))
			}
		}
	}
	return out
}

func newAddress(e provision.Email) address {
	a := address{Value: e.Address, Via: "email", Verified: e.Verified, Status: "pending"}
	if e.Verified {
		a.Status = "completed"
	}
	return a
}

// restorer undoes what a browser can do to the traits in a payload: whatever
// it posts with a flow wins over Kratos's mapper (seen on v1.3.1).
type restorer struct {
	identity *identity.Identity // nil if nobody is known
	mapped   map[string]any     // what the mapper wrote, out of the client's reach
	paths    []string           // nil: all
}

// groups is the trait in which Kratos keeps memberships, where its schema has
// one: it gets the groups that were granted, not those that were claimed.
const groups = "groups"

// truth returns what the trait must be, and whether jithook or the mapper
// says anything about it.
func (r restorer) truth(name string) (any, bool) {
	if r.identity != nil {
		if v, ok := r.identity.Traits[name]; ok {
			return v, true
		}
		if name == groups {
			return groupNames(r.identity), true
		}
	}
	v, ok := r.mapped[name]
	return v, ok
}

// decides reports whether the trait is one that jithook restores.
func (r restorer) decides(name string) bool { return r.paths == nil || slices.Contains(r.paths, name) }

// registration returns the traits to persist at a first sign-in. A trait that
// neither we nor the mapper know is the client's invention and goes.
func (r restorer) registration(received map[string]any) map[string]any {
	traits := r.restored(received)
	for name := range received {
		if _, known := r.truth(name); !known && r.decides(name) {
			delete(traits, name)
		}
	}
	for _, name := range r.answered() {
		traits[name] = r.identity.Traits[name]
	}
	return traits
}

// answered are the traits that the person has answered. Kratos's form had them,
// whatever the configuration says, and may have forgotten them since.
func (r restorer) answered() []string {
	if r.identity == nil {
		return nil
	}
	var names []string
	for _, by := range r.identity.Provenance {
		if by.Source == identity.SourceUser {
			name, _, _ := strings.Cut(by.Path[1:], "/")
			names = append(names, name)
		}
	}
	return names
}

// profile returns the traits to persist from the profile form. A trait that
// neither we nor the mapper know is the person's own to edit.
func (r restorer) profile(received map[string]any) map[string]any { return r.restored(received) }

// restored returns the received traits with those put right about which there
// is a truth: what was received, what the mapper wrote, what the person answered,
// and what the configuration says that Kratos's schema has.
func (r restorer) restored(received map[string]any) map[string]any {
	traits := map[string]any{}
	maps.Copy(traits, received)
	names := slices.AppendSeq(slices.Collect(maps.Keys(received)), maps.Keys(r.mapped))
	names = append(names, r.answered()...)
	for _, name := range append(names, r.paths...) {
		if v, known := r.truth(name); known && r.decides(name) {
			traits[name] = v
		}
	}
	return traits
}

func groupNames(i *identity.Identity) []string {
	names := make([]string, 0, len(i.Groups))
	for _, g := range i.Groups {
		names = append(names, g.Name)
	}
	return slices.Compact(slices.Sorted(slices.Values(names)))
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
// three times and then show with the hook's URL.
func deny(c echo.Context, r identity.Record) error {
	if r.Decision == identity.Error {
		why := r.Reasons[0]
		why.Text += " (reference " + r.ID + ")"
		return c.JSON(http.StatusFailedDependency, denial(why, r.ID))
	}
	return c.JSON(http.StatusForbidden, denial(r.Reasons[0], r.ID))
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

// fault is the answer to a panic. Kratos has persisted the person by the time of
// a commit, as it has their settings before links, and would show them an error
// page for nothing.
func fault(c echo.Context) error {
	if c.Path() == prefix+commitPath || c.Path() == prefix+linksPath {
		return c.NoContent(http.StatusNoContent)
	}
	why := identity.Because(identity.CodeInternal)
	why.Text += " (reference " + hook.RequestID(c) + ")"
	return c.JSON(http.StatusFailedDependency, denial(why, ""))
}
