// Package kratos is the contract with Ory Kratos's web_hook: what our body
// template sends, and what Kratos expects back. It decodes, hands over to
// package provision, and builds the reply field by field.
//
// What it must know about Kratos's payload: traits in it are the client's word;
// metadata_public is the mapper's, which the client cannot set; neither holds
// an ID token, and metadata of an earlier registration looks like that of this
// login.
package kratos

import (
	"fmt"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/jithook/jithook/hook"
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/problem"
	"github.com/jithook/jithook/internal/strictjson"
)

// payload is what deploy/kratos/body.jsonnet renders; the decoder refuses any
// other field, so that template and decoder cannot drift apart.
type payload struct {
	Version int `json:"version"`
	Flow    struct {
		ID   string `json:"id"`
		Type string `json:"type"`
		// Submitted says that the person sent the settings form itself rather
		// than came back from a provider.
		Submitted bool `json:"submitted"`
	} `json:"flow"`
	Identity struct {
		ID             string         `json:"id"`
		State          string         `json:"state"`
		Traits         map[string]any `json:"traits"`
		MetadataPublic any            `json:"metadata_public"`
	} `json:"identity"`
	Session struct {
		AuthenticationMethods []method `json:"authentication_methods"`
	} `json:"session"`
}

type method struct {
	Method      string    `json:"method"`
	Provider    string    `json:"provider"`
	CompletedAt time.Time `json:"completed_at"`
}

// nobody is the id of an identity that Kratos has not persisted.
const nobody = "00000000-0000-0000-0000-000000000000"

// maxID bounds the ids that we record, in bytes. Kratos's are UUIDs.
const maxID = 64

// maxName bounds a provider's id, in bytes.
const maxName = 255

func decode(c echo.Context) (payload, error) {
	var p payload
	if err := strictjson.Decode(c.Request().Body, &p); err != nil {
		return payload{}, problem.OfBody(err)
	}
	switch {
	case p.Version != 1:
		return payload{}, problem.At("/version", "only version 1 is known: render the hooks again with `jithook kratos config`")
	case p.Identity.ID == "" || len(p.Identity.ID) > maxID:
		return payload{}, problem.At("/identity/id", "an identity id of 1 to 64 bytes is needed")
	case len(p.Flow.ID) > maxID:
		return payload{}, problem.At("/flow/id", "a flow id has at most 64 bytes")
	}
	for i, m := range p.Session.AuthenticationMethods {
		if len(m.Provider) > maxName {
			return payload{}, problem.At(fmt.Sprintf("/session/authentication_methods/%d/provider", i), "a provider id has at most 255 bytes")
		}
	}
	if m, _ := p.metadata(); len(m.provider) > maxName {
		return payload{}, problem.At("/identity/metadata_public/jithook/provider", "a provider id has at most 255 bytes")
	}
	return p, nil
}

// metadata is the part of metadata_public that our mapper writes.
type metadata struct {
	provider, issuer, subject string
	credential, identityID    string
	normalised                bool
	claims, traits            map[string]any
}

// metadata returns the mapper's part; ok is false where there is none.
func (p payload) metadata() (m metadata, ok bool) {
	public, _ := p.Identity.MetadataPublic.(map[string]any)
	ours, ok := public["jithook"].(map[string]any)
	if !ok {
		return metadata{}, false
	}
	m.provider, _ = ours["provider"].(string)
	m.issuer, _ = ours["issuer"].(string)
	m.subject, _ = ours["subject"].(string)
	m.credential, _ = ours["credential"].(string)
	m.normalised, _ = ours["normalised"].(bool)
	m.identityID, _ = ours["identity_id"].(string)
	m.claims, _ = ours["claims"].(map[string]any)
	m.traits, _ = ours["traits"].(map[string]any)
	return m, true
}

// federated returns the provider of the session: the one oidc method that
// names any; none or several leave it unknown. A method without provider is how
// Kratos marks that this sign-in connected another one.
func (p payload) federated() (provider string, linking bool) {
	named := map[string]bool{}
	for _, m := range p.Session.AuthenticationMethods {
		switch {
		case m.Method != "oidc":
		case m.Provider == "":
			linking = true
		default:
			named[m.Provider] = true
			provider = m.Provider
		}
	}
	if len(named) > 1 {
		provider = ""
	}
	return provider, linking
}

// login is the payload in the words of the domain. The provider is the
// mapper's constant before there is a session, and the session's after.
func (p payload) login(c echo.Context, h identity.Hook) identity.Login {
	caller := hook.CallerOf(c)
	l := identity.Login{
		Hook: h, Caller: caller.Name, Providers: caller.Providers,
		External:  identity.ExternalID{System: identity.SystemKratos, Instance: caller.Instance},
		FlowID:    p.Flow.ID,
		RequestID: hook.RequestID(c), DeliveryID: deliveryID(c.Request().Header),
	}
	if p.Identity.ID != nobody {
		l.External.ID = p.Identity.ID
	}
	m, ok := p.metadata()
	if ok {
		l.Offers = []identity.Offer{{
			Source: identity.SourceKratosMetadata, Provider: m.provider,
			Issuer: m.issuer, Subject: m.subject, Credential: m.credential,
			Claims: m.claims, Normalised: m.normalised,
		}}
	}
	l.Provider, l.Known = m.provider, m.identityID
	switch h {
	case identity.HookPrepare:
		l.Answers = p.answers()
	case identity.HookLogin:
		l.Provider, l.Linking = p.federated()
	case identity.HookLinks:
		l.Provider, l.Linking = "", !p.Flow.Submitted
	}
	return l
}

// answers are the traits as what the person may have answered: whatever the
// browser posts with a registration stands there. Nothing else reads them.
func (p payload) answers() map[string]any {
	answers := map[string]any{}
	var within func(path string, traits map[string]any)
	within = func(path string, traits map[string]any) {
		for name, v := range traits {
			at := path + identity.Pointer(name)
			answers[at] = v
			if object, ok := v.(map[string]any); ok {
				within(at, object)
			}
		}
	}
	within("/traits", p.Identity.Traits)
	return answers
}

// deliveryID is Kratos's own id of the call: the trigger's, stable over
// retries, where it sends one.
func deliveryID(h http.Header) string {
	for _, name := range []string{"Ory-Webhook-Trigger-Id", "Ory-Webhook-Request-Id"} {
		if id := h.Get(name); id != "" && len(id) <= maxID {
			return id
		}
	}
	return ""
}
