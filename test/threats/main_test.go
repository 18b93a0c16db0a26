// These tests prove, through the real handlers of all hooks and of the admin API
// over one embedded store, that the attacks of test/house/threats.txt which need
// more than one door fail: whatever is tried first, in whatever order. This file
// holds what they share.
package threats_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jithook/jithook/admin"
	"github.com/jithook/jithook/hook"
	"github.com/jithook/jithook/hook/generic"
	"github.com/jithook/jithook/hook/kratos"
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/provider"
	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/test/service"
)

// acme vouches for its domain, social for nobody's address, whatever it says.
const (
	acme = `
version: 1
provider: acme
issuer: https://acme.example
trust: {authoritative_domains: [acme.example]}
jit: {enabled: true}
traits:
  email: {value: claims.email, verified: claims.email_verified, canonical: email, unique: true}
  name: {value: claims.name}
groups: {from: claims.groups, allow: [staff], map: {eng: engineering}, absent: clear}
`
	social = `
version: 1
provider: social
issuer: https://social.example
trust: {authoritative_domains: [social.example]}
jit: {enabled: true}
traits:
  email: {value: claims.email, verified: claims.email_verified, canonical: email, unique: true}
  name: {value: claims.name}
`
)

const (
	nobody     = "00000000-0000-0000-0000-000000000000" // Kratos's id of who is not persisted
	hookKey    = "the-hook-key-of-the-tests"
	adminToken = "the-admin-token-of-the-tests"
)

type object = map[string]any

type world struct {
	t *testing.T
	service.Service
	hooks, admin http.Handler
}

func open(t *testing.T, files ...string) world {
	t.Helper()
	return openLogged(t, slog.New(slog.DiscardHandler), files...)
}

func openLogged(t *testing.T, log *slog.Logger, files ...string) world {
	t.Helper()
	w := world{t: t, Service: service.Open(t, io.Discard, files...)}
	w.Service.Log = log
	caller := hook.Caller{Name: "server", Endpoints: []hook.Endpoint{hook.EndpointKratos, hook.EndpointLogin}, Providers: []string{"acme", "social"}, Instance: "main"}
	auth, err := hook.NewAuth(hook.Credentials{Now: time.Now, APIKeys: []hook.APIKey{{Caller: caller, Header: "X-API-Key", Values: []string{hookKey}}}})
	if err != nil {
		t.Fatal(err)
	}
	o := hook.Options{Auth: auth, Log: log, Ready: w.Bolt.Ping}
	e := hook.New(o)
	kratos.Mount(e, o, &kratos.Handler{Service: w.Service.Service, Log: o.Log})
	generic.Mount(e, o, &generic.Handler{Service: w.Service.Service})
	w.hooks = e
	w.admin = (&admin.API{
		Store: w.Bolt, Service: w.Service.Service, Providers: func() *provider.Set { return w.Providers() }, Token: adminToken, Log: o.Log,
		Metrics: http.NotFoundHandler(),
	}).Handler()
	return w
}

// send asks with the right credential, and returns status and body.
func (w world) send(method, path, body string) (int, object) {
	w.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Host = "127.0.0.1"
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	h := w.hooks
	if strings.HasPrefix(path, "/admin/") {
		h = w.admin
		r.Header.Set("Authorization", "Bearer "+adminToken)
		if method == http.MethodPatch {
			r.Header.Set("If-Match", `"1"`)
		}
	} else {
		r.Header.Set("X-API-Key", hookKey)
	}
	got := httptest.NewRecorder()
	h.ServeHTTP(got, r)
	var reply object
	if got.Body.Len() > 0 {
		if err := json.Unmarshal(got.Body.Bytes(), &reply); err != nil {
			w.t.Fatalf("%s %s: %v", method, path, err)
		}
	}
	return got.Code, reply
}

func (w world) post(path string, body object) (int, object) {
	w.t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.send(http.MethodPost, path, string(data))
}

// all are the identities of the store.
func (w world) all() []identity.Identity {
	w.t.Helper()
	page, err := w.Bolt.List(w.t.Context(), store.Query{PageSize: 100})
	if err != nil {
		w.t.Fatal(err)
	}
	return page.Identities
}

// find returns the one identity with a key, or nil.
func (w world) find(k identity.Key) *identity.Identity {
	w.t.Helper()
	found, err := w.Bolt.Find(w.t.Context(), k)
	if err != nil || len(found) > 1 {
		w.t.Fatalf("%d identities, %v", len(found), err)
	}
	if len(found) == 0 {
		return nil
	}
	return &found[0]
}

// person is somebody at a provider; in Kratos they are "k-" and their subject.
type person struct {
	provider, subject string
	claims            object
}

func (p person) issuer() string    { return "https://" + p.provider + ".example" }
func (p person) key() identity.Key { return identity.FedKey(p.issuer(), p.subject) }
func (p person) kratosID() string  { return "k-" + p.subject }

// payload is what Kratos's template sends about p, as the mapper left it.
func (p person) payload(id string, traits object, methods ...object) object {
	mapped := maps.Clone(p.claims)
	delete(mapped, "email_verified")
	delete(mapped, "groups")
	ours := object{"provider": p.provider, "issuer": p.issuer(), "subject": p.subject, "traits": mapped}
	if id == nobody {
		ours["claims"] = p.claims
	}
	body := object{
		"version": 1, "flow": object{"id": "f-1", "type": "browser"},
		"identity": object{"id": id, "state": "active", "traits": traits, "metadata_public": object{"jithook": ours}},
	}
	if len(methods) > 0 {
		body["session"] = object{"authentication_methods": methods}
	}
	return body
}

func oidc(provider string) object { return object{"method": "oidc", "provider": provider} }

// register is a first sign-in in Kratos: prepare, and commit if that passes.
func (w world) register(p person) (int, object) {
	w.t.Helper()
	status, reply := w.post("/hooks/kratos/registration/prepare", p.payload(nobody, object{}))
	if status == http.StatusOK {
		w.post("/hooks/kratos/registration/commit", p.payload(p.kratosID(), object{}))
	}
	return status, reply
}

// login is a later sign-in in Kratos.
func (w world) login(p person, methods ...object) (int, object) {
	w.t.Helper()
	return w.post("/hooks/kratos/login", p.payload(p.kratosID(), object{}, methods...))
}

// generic is a sign-in by the generic contract.
func (w world) generic(p person) (int, object) {
	w.t.Helper()
	return w.post("/hooks/login", object{"version": 1, "provider": p.provider, "subject": p.subject, "claims": p.claims})
}

// edit is an administrator's edit of an identity.
func (w world) edit(id, what string) {
	w.t.Helper()
	if status, reply := w.send(http.MethodPost, "/admin/v1/identities/"+id+"/"+what, ""); status != http.StatusOK {
		w.t.Fatalf("%s: %d %v", what, status, reply)
	}
}

// reason is the code of a refusal, in either contract.
func reason(reply object) string {
	if reasons, ok := reply["reasons"].([]any); ok {
		return reasons[0].(object)["code"].(string)
	}
	if fields, ok := reply["messages"].([]any); ok {
		return fields[0].(object)["messages"].([]any)[0].(object)["context"].(object)["reason"].(string)
	}
	return strconv.Quote("")
}
