//go:build unix

package cases_test

// The server under test: the real handlers of both ports, wired as serve wires
// them, over a store whose calls are counted and a clock that stands still.

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/jithook/jithook/admin"
	"github.com/jithook/jithook/hook"
	"github.com/jithook/jithook/hook/generic"
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/expr"
	"github.com/jithook/jithook/kratos"
	"github.com/jithook/jithook/provider"
	"github.com/jithook/jithook/provision"
	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/store/directory"
)

const (
	secret   = "a-secret-of-the-cases"
	instance = "main"
	// otherInstance is a second Kratos.
	otherInstance = "other"
	// quarantine is how long a closed account keeps its names.
	quarantine = 30 * 24 * time.Hour
)

// counted is a store that counts what is asked of it.
type counted struct {
	store.Store
	mu            sync.Mutex
	reads, writes []string
}

func (c *counted) read(what string)  { c.mu.Lock(); c.reads = append(c.reads, what); c.mu.Unlock() }
func (c *counted) write(what string) { c.mu.Lock(); c.writes = append(c.writes, what); c.mu.Unlock() }

func (c *counted) reset() { c.mu.Lock(); c.reads, c.writes = nil, nil; c.mu.Unlock() }

func (c *counted) Find(ctx context.Context, keys ...identity.Key) ([]identity.Identity, error) {
	c.read("find")
	return c.Store.Find(ctx, keys...)
}

func (c *counted) Get(ctx context.Context, id string) (identity.Identity, error) {
	c.read("get")
	return c.Store.Get(ctx, id)
}

func (c *counted) List(ctx context.Context, q store.Query) (store.Page, error) {
	c.read("list")
	return c.Store.List(ctx, q)
}

func (c *counted) Decision(ctx context.Context, id string) (identity.Record, error) {
	c.read("decision")
	return c.Store.Decision(ctx, id)
}

func (c *counted) Insert(ctx context.Context, i identity.Identity, r identity.Record) error {
	c.write("insert")
	return c.Store.Insert(ctx, i, r)
}

func (c *counted) Swap(ctx context.Context, i identity.Identity, r identity.Record) error {
	c.write("swap")
	return c.Store.Swap(ctx, i, r)
}

func (c *counted) Renew(ctx context.Context, id string, revision int64, at time.Time, r identity.Record) error {
	c.write("renew")
	return c.Store.Renew(ctx, id, revision, at, r)
}

func (c *counted) Delete(ctx context.Context, id string, revision int64, renewedAt time.Time, r identity.Record) error {
	c.write("delete")
	return c.Store.Delete(ctx, id, revision, renewedAt, r)
}

func (c *counted) Record(ctx context.Context, records []identity.Record, touched []store.Touch) error {
	c.write("record")
	return c.Store.Record(ctx, records, touched)
}

func (c *counted) Spend(ctx context.Context, b store.Budget) (bool, error) {
	c.write("spend")
	return c.Store.Spend(ctx, b)
}

// asked marks what a step waits for, and not what the store does by itself.
type asked struct{}

// house is the server of one case.
type house struct {
	*provision.Service
	store   *counted
	now     time.Time
	ctx     context.Context // of what the step asks for
	folder  string          // of the providers' files
	live    *provider.Live
	files   map[string]any    // the providers' files in force, by provider
	issuers map[string]string // of every provider there was
	people  map[string]any
	hooks   http.Handler
	admin   http.Handler
}

// newHouse returns the server of a case.
func newHouse(t testing.TB, s store.Store, c oneCase) *house {
	t.Helper()
	env, err := expr.NewEnv()
	must(t, err)
	h := &house{
		store: &counted{Store: s}, now: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC),
		ctx:    context.WithValue(t.Context(), asked{}, true),
		folder: t.TempDir(), files: map[string]any{}, issuers: map[string]string{},
	}
	clock := func() time.Time { return h.now }
	userstores := []string{provider.DefaultUserstore, "employees", "partners"}
	log, d := slog.New(slog.DiscardHandler), directory.New(h.store, nil)
	h.live = provider.NewLive(h.folder, provider.Loader{Env: env, Userstores: userstores, Now: clock}, log, nil)
	h.Service = &provision.Service{
		Store: d, Editable: d, Journal: d, Receipts: d, Budgets: d, Later: provision.NewRecorder(d, log, func() {}),
		Providers: h.live.Set, Userstores: userstores, Now: clock, Log: log,
		Instances: []string{instance}, Quarantine: quarantine,
	}
	if c.OtherKratos != nil {
		h.Instances = append(h.Instances, otherInstance)
	}
	h.Kratos = map[string]*kratos.Admin{}
	for name, credentials := range map[string][]string{instance: c.Kratos, otherInstance: c.OtherKratos} {
		if credentials != nil {
			h.Kratos[name] = standIn(t, credentials)
		}
	}
	auth, err := hook.NewAuth(hook.Credentials{Now: clock, APIKeys: []hook.APIKey{{
		Caller: hook.Caller{Name: "cases", Endpoints: []hook.Endpoint{hook.EndpointLogin}, Providers: []string{"*"}, Instance: instance},
		Header: "X-API-Key", Values: []string{secret},
	}}})
	must(t, err)
	o := hook.Options{Auth: auth, Log: log, Ready: d.Ping}
	e := hook.New(o)
	generic.Mount(e, o, &generic.Handler{Service: h.Service})
	h.hooks = e
	api := &admin.API{Store: d, Userstore: d, Service: h.Service, Providers: h.live.Set, Token: secret, Metrics: http.NotFoundHandler(), Log: log}
	h.admin = api.Handler()
	read(t, "base/people.yaml", &h.people)
	return h
}

// standIn is the Admin API of a Kratos, as far as a sweep asks it: who has a
// credential with this identifier (provider:subject).
func standIn(t testing.TB, credentials []string) *kratos.Admin {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		list := []any{}
		if slices.Contains(credentials, r.URL.Query().Get("credentials_identifier")) {
			list = append(list, map[string]any{"id": "k-1"})
		}
		_ = json.NewEncoder(w).Encode(list)
	}))
	t.Cleanup(srv.Close)
	a, err := kratos.NewAdmin(srv.URL, "")
	must(t, err)
	return a
}

// edit patches the providers' files and loads them. It returns what is wrong
// with them; then the last good ones stay in force.
func (h *house) edit(t testing.TB, patches map[string]any) []provider.Problem {
	t.Helper()
	files := maps.Clone(h.files)
	for id, patch := range patches {
		if patch == nil {
			delete(files, id)
			continue
		}
		if text, whole := patch.(string); whole {
			files[id] = text
			continue
		}
		if _, mapping := files[id].(map[string]any); !mapping {
			var base any
			data, err := os.ReadFile("base/" + id + ".yaml")
			must(t, err)
			must(t, yaml.Unmarshal(data, &base))
			files[id] = base
		}
		files[id] = patched(files[id], patch)
	}
	must(t, os.RemoveAll(h.folder))
	must(t, os.Mkdir(h.folder, 0o700))
	for id, file := range files {
		data, err := json.Marshal(file) // JSON is YAML
		must(t, err)
		name := id + ".yaml"
		if text, whole := file.(string); whole {
			data = []byte(text)
			if strings.HasPrefix(text, "{") {
				name = id + ".json"
			}
		}
		must(t, os.WriteFile(filepath.Join(h.folder, name), data, 0o600))
	}
	if problems := h.live.Load(); len(problems) > 0 {
		return problems
	}
	h.files = files
	for _, p := range h.live.Set().All() {
		h.issuers[p.ID] = p.Issuers[0]
	}
	return nil
}

// reply is what a caller hears.
type reply struct {
	status int
	body   []byte
	// The part that answers to logins and to edits have in common.
	Decision string            `json:"decision"`
	Changes  []identity.Change `json:"changes"`
	Reasons  []identity.Reason `json:"reasons"`
}

// login performs a step that is a login.
func (h *house) login(t testing.TB, s step) reply {
	t.Helper()
	id, subject := reference(s.Login)
	body := map[string]any{"version": 1, "provider": id, "subject": subject}
	if claims := h.says(t, s, subject); !s.Silent {
		body["claims"] = claims
	}
	if s.At != nil {
		body["at"] = h.now.Add(time.Duration(*s.At)).Format(time.RFC3339Nano)
	}
	maps.Copy(body, s.With)
	if s.Hook == "" {
		return h.call(t, h.hooks, http.MethodPost, "/hooks/login", body, http.Header{"X-Api-Key": {secret}})
	}
	return h.ofKratos(t, s, id, subject, body)
}

// password is the provider of who signs in with none.
const password = "password"

// says are the claims of the person that the step names, patched.
func (h *house) says(t testing.TB, s step, subject string) any {
	t.Helper()
	who := s.Person
	if who == "" {
		who = subject
	}
	claims, known := h.people[who]
	if !known && !s.Silent && (s.Person != "" || s.Claims == nil) {
		t.Fatalf("nobody in base/people.yaml is %q", who)
	}
	return patched(claims, s.Claims)
}

// ofKratos performs a login as Kratos's hooks put it to the service.
func (h *house) ofKratos(t testing.TB, s step, id, subject string, body map[string]any) reply {
	t.Helper()
	claims, _ := body["claims"].(map[string]any)
	external, _ := s.With["external_id"].(string)
	l := identity.Login{
		Hook: identity.Hook(s.Hook), Caller: "cases", Providers: []string{"*"}, Provider: id,
		Offers:   []identity.Offer{{Source: identity.SourceKratosMetadata, Provider: id, Issuer: h.issuers[id], Subject: subject, Claims: claims}},
		External: identity.ExternalID{System: identity.SystemKratos, Instance: instance, ID: external},
	}
	l.Answers, _ = s.With["answers"].(map[string]any)
	if id == password {
		l.Provider, l.Offers = "", nil
	}
	decide := h.Provision
	if l.Hook == identity.HookCommit {
		decide = h.Commit
	}
	data, err := json.Marshal(generic.Respond(decide(h.ctx, l)))
	must(t, err)
	r := reply{body: data}
	must(t, json.Unmarshal(data, &r))
	return r
}

var placeholder = regexp.MustCompile(`\{([^{}]+)\}`)

// administer performs a step that is an administrator's call. Who edits traits
// or groups has seen the identity as it is.
func (h *house) administer(t testing.TB, s step) reply {
	t.Helper()
	header := http.Header{"Authorization": {"Bearer " + secret}}
	method, path, _ := strings.Cut(s.Admin, " ")
	path = placeholder.ReplaceAllStringFunc(path, func(name string) string {
		subject, held := strings.CutPrefix(strings.Trim(name, "{}"), "held:")
		i := h.holder(t, subject)
		switch {
		case i == nil:
			t.Fatalf("%s: nobody is %s", s.Admin, name)
		case held && len(i.Holds) == 1:
			return i.Holds[0].ID
		case held:
			t.Fatalf("%s: %d holds", s.Admin, len(i.Holds))
		}
		if method == http.MethodPatch {
			header.Set("If-Match", fmt.Sprint(cmp.Or(s.Revision, i.Revision)))
		}
		return i.ID
	})
	h.store.reset()
	var body any
	if s.Body != nil {
		body = s.Body
	}
	return h.call(t, h.admin, method, "/admin/v1/"+path, body, header)
}

func (h *house) call(t testing.TB, to http.Handler, method, path string, body any, header http.Header) reply {
	t.Helper()
	var content bytes.Buffer
	if body != nil {
		must(t, json.NewEncoder(&content).Encode(body))
	}
	r := httptest.NewRequestWithContext(h.ctx, method, path, &content)
	r.Host = "127.0.0.1"
	r.Header = header
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	to.ServeHTTP(w, r)
	answer := reply{status: w.Code, body: w.Body.Bytes()}
	_ = json.Unmarshal(answer.body, &answer) // a problem has none of it
	return answer
}

// reference splits [provider/]subject; without a provider it is acme.
func reference(s string) (provider, subject string) {
	if id, subject, ok := strings.Cut(s, "/"); ok {
		return id, subject
	}
	return "acme", s
}

// holder returns the identity that holds the subject, or nil.
func (h *house) holder(t testing.TB, who string) *identity.Identity {
	t.Helper()
	id, subject := reference(who)
	issuer, known := h.issuers[id]
	if !known {
		t.Fatalf("%s: there was no provider %s", who, id)
	}
	found, err := h.store.Store.Find(t.Context(), identity.FedKey(issuer, subject))
	must(t, err)
	if len(found) == 0 {
		return nil
	}
	return &found[0]
}

// told notes that the target hr has an account of somebody, as its worker does.
func (h *house) told(t testing.TB, who string) {
	t.Helper()
	i := h.holder(t, who)
	if i == nil {
		t.Fatalf("nobody is %s", who)
	}
	i.Remember(identity.Resource{Target: "hr", ID: "u-1"})
	i.OutboxVersion++
	must(t, h.store.Store.SetOutbox(t.Context(), *i))
}

// everybody returns all identities.
func (h *house) everybody(t testing.TB) []identity.Identity {
	t.Helper()
	page, err := h.store.Store.List(t.Context(), store.Query{PageSize: store.MaxPageSize})
	must(t, err)
	return slices.Clip(page.Identities)
}
