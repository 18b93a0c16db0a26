//go:build unix

package kratos_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/jithook/jithook/test/kratos/kratostest"
)

// standIn answers Kratos's hooks the way a test says, and records the calls.
type standIn struct {
	url string

	mu    sync.Mutex
	calls []call
	reply map[string]reply
}

// call is one call of a hook.
type call struct {
	Hook     string
	Identity kratostest.Identity `json:"identity"`
	Session  *kratostest.Session `json:"session"`
}

// reply is what a hook answers; a json.RawMessage body goes out as it is.
type reply struct {
	status int
	body   any
}

// standInBody sends what the tests look at; never the whole ctx, which holds
// cookies and the provider's code.
const standInBody = `function(ctx) {
  identity: { id: ctx.identity.id, traits: ctx.identity.traits, metadata_public: ctx.identity.metadata_public },
  [if 'session' in ctx then 'session']: { authentication_methods: ctx.session.authentication_methods },
}`

func startStandIn(t *testing.T) *standIn {
	h := &standIn{reply: map[string]reply{}}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	h.url = server.URL
	return h
}

func (h *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(r.Body)
	c := call{Hook: r.URL.Path[1:]}
	if err == nil {
		err = json.Unmarshal(text, &c)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	h.mu.Lock()
	h.calls = append(h.calls, c)
	answer, ok := h.reply[c.Hook]
	h.mu.Unlock()
	if !ok {
		answer = reply{http.StatusOK, map[string]any{}}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(answer.status)
	_ = json.NewEncoder(w).Encode(answer.body)
}

// answer sets the reply of one hook.
func (h *standIn) answer(hook string, status int, body any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.reply[hook] = reply{status, body}
}

// take returns the calls since the last take.
func (h *standIn) take() []call {
	h.mu.Lock()
	defer h.mu.Unlock()
	calls := h.calls
	h.calls = nil
	return calls
}

// hook is the entry for Kratos's list of hooks.
func (h *standIn) hook(name string, parse bool) map[string]any {
	config := map[string]any{"url": h.url + "/" + name, "method": "POST", "body": kratostest.Base64URL(standInBody)}
	if parse {
		config["response"] = map[string]any{"parse": true}
	}
	return map[string]any{"hook": "web_hook", "config": config}
}

// documents registers the stand-in under the three hooks that a sign-in runs.
func (h *standIn) documents() []map[string]any {
	return []map[string]any{
		kratostest.Hooks("registration", "oidc", h.hook("prepare", true), h.hook("commit", false), map[string]any{"hook": "session"}),
		kratostest.Hooks("login", "oidc", h.hook("login", true)),
	}
}

// standInMapper puts every claim into the public metadata, as a careless mapper
// would: the tests see there what a reply replaced.
const standInMapper = `local claims = std.extVar('claims');
{ identity: {
  traits: { email: claims.email, name: claims.name },
  metadata_public: { provider: 'acme', raw: claims.raw_claims },
} }`

// hookNames lists the hooks of some calls in their order.
func hookNames(calls []call) []string {
	names := make([]string, len(calls))
	for i, c := range calls {
		names[i] = c.Hook
	}
	return names
}

// denial is a hook's refusal in Kratos's form.
func denial(pointer, text string) map[string]any {
	return map[string]any{"messages": []any{map[string]any{"instance_ptr": pointer, "messages": []any{
		map[string]any{"id": 4990013, "text": text, "type": "error", "context": map[string]any{"decision_id": "d-1"}},
	}}}}
}

// standInWorld is a provider and a Kratos that calls the stand-in.
func standInWorld(t *testing.T, schema string) (*kratostest.Provider, *standIn, *kratostest.Kratos) {
	t.Helper()
	op := kratostest.StartProvider(t, kratostest.ProviderOptions{})
	h := startStandIn(t)
	acme := op.ForKratos("acme")
	acme.MapperURL = kratostest.Base64URL(standInMapper)
	k := kratostest.StartKratos(t, kratostest.Config{
		Providers: []kratostest.OIDCProvider{acme}, Documents: h.documents(), IdentitySchema: schema,
	})
	return op, h, k
}

// ada returns claims of a person whose e-mail address nobody else has.
func ada(subject string) map[string]any {
	return map[string]any{"email": subject + "@acme.example", "email_verified": true, "name": "Ada", "groups": []string{"eng"}}
}
