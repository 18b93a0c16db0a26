// The tests prove that the admin API does what its OpenAPI document says, over a
// real store and real policies: every reply is validated against the document,
// as is every request that the API accepts. This file holds what they share.
package admin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"

	"github.com/jithook/jithook/admin"
	"github.com/jithook/jithook/hook"
	"github.com/jithook/jithook/hook/generic"
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/expr"
	"github.com/jithook/jithook/internal/problem"
	"github.com/jithook/jithook/provider"
	"github.com/jithook/jithook/provision"
	"github.com/jithook/jithook/store/bolt"
	"github.com/jithook/jithook/store/directory"
)

const (
	token = "the-admin-token-of-the-tests"
	// base is an address that the API accepts: an IP address.
	base = "http://127.0.0.1:4481"
)

// world is an API over a store of its own.
type world struct {
	api     *admin.API
	service *provision.Service
	store   *bolt.Store
	path    string // of the store's file
	log     *bytes.Buffer
	router  routers.Router
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{path: filepath.Join(t.TempDir(), "jithook.db"), log: &bytes.Buffer{}, router: documented(t)}
	var err error
	if w.store, err = bolt.Open(w.path, bolt.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.store.Close() })
	set := providers(t)
	log := slog.New(slog.NewTextHandler(w.log, nil))
	w.service = &provision.Service{
		Store: directory.New(w.store, nil), Editable: directory.New(w.store, nil), Journal: w.store, Later: provision.NewRecorder(w.store, log, func() { t.Error("a record was dropped") }),
		Providers: func() *provider.Set { return set }, Userstores: []string{"default", "partners"},
		Now: time.Now, Log: log,
	}
	w.api = &admin.API{
		Store: w.store, Userstore: directory.New(w.store, nil), Service: w.service, Providers: w.service.Providers, Token: token, Host: "jithook.internal",
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "a_metric 1") }),
		Log:     log, LoadProviders: loader(t).Load,
	}
	return w
}

func providers(t testing.TB) *provider.Set {
	t.Helper()
	set, problems := loader(t).Load(os.DirFS("testdata/providers"))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return set
}

func loader(t testing.TB) provider.Loader {
	t.Helper()
	env, err := expr.NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	return provider.Loader{Env: env, Userstores: []string{"default", "partners"}, Now: time.Now}
}

// documented routes requests to their place in the OpenAPI document, read more
// strictly than clients should: replies have no member that it does not name.
func documented(t testing.TB) routers.Router {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromFile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	doc.Servers = openapi3.Servers{{URL: base + doc.Servers[0].URL}} // the router knows absolute ones only
	for _, s := range doc.Components.Schemas {
		if s.Value.Type.Is("object") && s.Value.AdditionalProperties.Has == nil && s.Value.AdditionalProperties.Schema == nil {
			closed := false
			s.Value.AdditionalProperties.Has = &closed
		}
	}
	router, err := legacy.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	return router
}

// reply is what came back.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// get asks for a path below /admin/v1, with the token.
func (w *world) get(t testing.TB, path string) reply {
	t.Helper()
	return w.ask(t, request(http.MethodGet, path, ""))
}

// plan asks what a login would become.
func (w *world) plan(t testing.TB, body string) reply {
	t.Helper()
	return w.ask(t, request(http.MethodPost, "/plan", body))
}

func request(method, path, body string) *http.Request {
	r := httptest.NewRequest(method, base+"/admin/v1"+path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	return r
}

func serve(w *world, r *http.Request) reply {
	recorder := httptest.NewRecorder()
	w.api.Handler().ServeHTTP(recorder, r)
	return reply{recorder.Code, recorder.Header(), recorder.Body.Bytes()}
}

// ask sends a request and holds both sides to the document: the reply always,
// the request if it was accepted.
func (w *world) ask(t testing.TB, r *http.Request) reply {
	t.Helper()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	got := serve(w, r)

	r.Body = io.NopCloser(bytes.NewReader(body))
	route, params, err := w.router.FindRoute(r)
	if err != nil {
		t.Fatalf("%s %s is not in the document: %v", r.Method, r.URL.Path, err)
	}
	in := &openapi3filter.RequestValidationInput{
		Request: r, PathParams: params, Route: route,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true},
	}
	if got.status == http.StatusOK {
		if err := openapi3filter.ValidateRequest(context.Background(), in); err != nil {
			t.Errorf("the API accepts what the document does not: %v", err)
		}
	}
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: got.status, Header: got.header, Options: in.Options}
	if err := openapi3filter.ValidateResponse(context.Background(), out.SetBodyBytes(got.body)); err != nil {
		t.Errorf("%s %s answers what the document does not say: %v", r.Method, r.URL.Path, err)
	}
	return got
}

// into decodes a reply that must have succeeded.
func into[T any](t testing.TB, r reply) T {
	t.Helper()
	if r.status != http.StatusOK {
		t.Fatalf("status %d: %s", r.status, r.body)
	}
	var v T
	if err := json.Unmarshal(r.body, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// refused checks that a reply is a problem with this status, and returns it.
func refused(t testing.TB, r reply, status int) problem.Problem {
	t.Helper()
	var p problem.Problem
	if r.status != status || json.Unmarshal(r.body, &p) != nil {
		t.Fatalf("status %d, want %d: %s", r.status, status, r.body)
	}
	if p.Status != status || p.RequestID == "" || r.header.Get("Content-Type") != problem.ContentType {
		t.Errorf("not a whole problem: %s (%s)", r.body, r.header.Get("Content-Type"))
	}
	return p
}

// person is the claims of somebody at acme whom the policy lets in.
func person(name string, more map[string]any) map[string]any {
	c := map[string]any{
		"hd": "acme.example", "email": name + "@acme.example", "email_verified": true,
		"name": name, "groups": []any{"engineering"},
	}
	for k, v := range more {
		c[k] = v
	}
	return c
}

// login signs somebody in, for real.
func (w *world) login(t testing.TB, r generic.Request) identity.Record {
	t.Helper()
	r.Version, r.Provider = 1, "acme"
	out := w.service.Provision(context.Background(), r.Login(hook.Caller{Name: "tests", Providers: []string{"acme"}, Instance: "main"}))
	w.drain()
	return out.Record
}

// drain writes what is queued for later.
func (w *world) drain() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	w.service.Later.Run(ctx)
}

// body is the JSON of a login.
func body(t testing.TB, r generic.Request) string {
	t.Helper()
	out := map[string]any{"version": 1, "provider": "acme", "subject": r.Subject, "claims": r.Claims}
	if r.ExternalID != "" {
		out["external_id"] = r.ExternalID
	}
	data, err := json.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
