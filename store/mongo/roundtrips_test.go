//go:build unix

package mongo_test

// What a login costs in commands to the server, counted by the driver's own
// monitor through the real service: every command is a round trip that somebody
// waits for. What runs in the background is counted apart.

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/expr"
	"github.com/jithook/jithook/provider"
	"github.com/jithook/jithook/provision"
	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/store/directory"
	"github.com/jithook/jithook/store/mongo"
)

const acme = `
version: 1
provider: acme
issuer: https://acme.example
trust: {authoritative_domains: [acme.example]}
jit: {enabled: true, userstore: {from: claims.org}, allow: 'claims.hd == "acme.example"'}
traits:
  email: {value: claims.email, verified: claims.email_verified, canonical: email, unique: true, required: true}
  name: {value: claims.name}
`

// spy collects the commands of each test step by the context of its calls.
type spy struct {
	mu   sync.Mutex
	sent map[string][]string
}

type stepKey struct{}

func (s *spy) step(t *testing.T, name string) context.Context {
	return context.WithValue(t.Context(), stepKey{}, name)
}

func (s *spy) hear(ctx context.Context, command string) {
	name, _ := ctx.Value(stepKey{}).(string)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sent == nil {
		s.sent = map[string][]string{}
	}
	s.sent[name] = append(s.sent[name], command)
}

// at is hear with the name of a store.
func (s *spy) at(store string) func(context.Context, string) {
	return func(ctx context.Context, command string) { s.hear(ctx, store+" "+command) }
}

func (s *spy) want(t *testing.T, name string, want ...string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if got := s.sent[name]; !slices.Equal(got, want) {
		t.Errorf("%s sent %v, want %v", name, got, want)
	}
}

func service(t *testing.T, home *mongo.Store, own map[string]store.Store, more ...string) *provision.Service {
	t.Helper()
	env, err := expr.NewEnv()
	must(t, err)
	files := fstest.MapFS{"acme.yaml": {Data: []byte(acme)}}
	for n, file := range more {
		files[fmt.Sprint(n, ".yaml")] = &fstest.MapFile{Data: []byte(file)}
	}
	names := []string{"default", "employees"}
	set, problems := provider.Loader{Env: env, Userstores: names, Now: time.Now}.Load(files)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	log := slog.New(slog.DiscardHandler)
	d := directory.New(home, own)
	return &provision.Service{
		Store: d, Editable: d, Journal: d, Receipts: d, Later: provision.NewRecorder(d, log, func() {}),
		Providers:  func() *provider.Set { return set },
		Userstores: names, Now: time.Now, Log: log,
	}
}

// logins returns a login of Ann for each test step, with edited claims.
func logins(t *testing.T, spy *spy, house *provision.Service) func(step string, want identity.Decision, edit func(map[string]any)) {
	return func(step string, want identity.Decision, edit func(map[string]any)) {
		t.Helper()
		claims := map[string]any{"email": "ann@acme.example", "email_verified": true, "hd": "acme.example", "name": "Ann", "org": "employees"}
		edit(claims)
		out := house.Provision(spy.step(t, step), identity.Login{
			Hook: identity.HookGeneric, Caller: "test", Providers: []string{"acme"}, Provider: "acme",
			Offers: []identity.Offer{{Source: identity.SourceHookBody, Provider: "acme", Subject: "s-1", Claims: claims}},
		})
		if out.Record.Decision != want {
			t.Fatalf("%s: %s %v, want %s", step, out.Record.Decision, out.Record.Reasons, want)
		}
	}
}

func TestRoundTrips(t *testing.T) {
	srv := peer.Server(t)
	var spy spy
	s := openWith(t, mongo.Options{URI: srv.URI, Database: srv.Database(t), Sent: spy.hear})
	must(t, s.Ping(t.Context()))
	login := logins(t, &spy, service(t, s, nil))
	login("first login", identity.Created, func(map[string]any) {})
	spy.want(t, "first login", "find", "insert")
	login("returning login", identity.Unchanged, func(map[string]any) {})
	spy.want(t, "returning login", "find")
	login("login with a change", identity.Updated, func(c map[string]any) { c["name"] = "Ann Example" })
	spy.want(t, "login with a change", "find", "update")
	login("denial", identity.Denied, func(c map[string]any) { c["hd"] = "other.example" })
	spy.want(t, "denial", "find", "find", "insert")

	r := newRecord(newIdentity(0))
	must(t, s.Record(spy.step(t, "a batch"), []identity.Record{r}, []store.Touch{{ID: newIdentity(0).ID, At: time.Now()}}))
	spy.want(t, "a batch", "find", "insert", "update")
	must(t, s.Record(spy.step(t, "a record that is there"), []identity.Record{r}, nil))
	spy.want(t, "a record that is there", "find", "insert", "update")
}

// A message that is signed costs its receipt and a look whether it was decided.
func TestMessageRoundTrips(t *testing.T) {
	srv := peer.Server(t)
	var spy spy
	s := openWith(t, mongo.Options{URI: srv.URI, Database: srv.Database(t), Sent: spy.hear})
	must(t, s.Ping(t.Context()))
	house := service(t, s, nil)
	message := provision.Delivery{ID: "m-1", Key: "key", Digest: "digest", Expires: time.Now().Add(time.Minute)}
	for _, step := range []string{"first", "again"} {
		out, err := house.Deliver(spy.step(t, step), message, identity.Login{
			Hook: identity.HookGeneric, Caller: "test", Providers: []string{"acme"}, Provider: "acme",
			Offers: []identity.Offer{{Source: identity.SourceHookBody, Provider: "acme", Subject: "s-1", Claims: map[string]any{
				"email": "ann@acme.example", "email_verified": true, "hd": "acme.example", "org": "employees",
			}}},
		})
		must(t, err)
		if out.Record.Decision != identity.Created {
			t.Fatalf("%s: %s %v", step, out.Record.Decision, out.Record.Reasons)
		}
		// Whoever reads the record first moves it, if it was not moved yet.
		_, err = s.Decision(t.Context(), out.Record.ID)
		must(t, err)
	}
	spy.want(t, "first", "insert", "find", "find", "find", "insert")
	spy.want(t, "again", "insert", "findAndModify", "find", "find", "find")
}

// With a database of the userstore's own, beside that of the home store: a first
// login costs the pin more, a returning one nothing.
func TestRoundTripsWithSeveralStores(t *testing.T) {
	srv := peer.Server(t)
	type step struct {
		org  string
		want identity.Decision
		sent []string
	}
	for name, steps := range map[string][]step{
		"an employee": {
			{"employees", identity.Created, []string{"employees find", "home insert", "employees insert"}},
			{"employees", identity.Unchanged, []string{"employees find"}},
			{"default", identity.Unchanged, []string{"home find", "employees find"}},
		},
		"somebody at home": {
			{"default", identity.Created, []string{"home find", "home insert"}},
			{"default", identity.Unchanged, []string{"home find"}},
			// To be seen as elsewhere takes the pin's attempt and its reading back.
			{"employees", identity.Unchanged, []string{"employees find", "home insert", "home find", "home find"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var spy spy
			home := openWith(t, mongo.Options{URI: srv.URI, Database: srv.Database(t), Sent: spy.at("home")})
			employees := openWith(t, mongo.Options{URI: srv.URI, Database: srv.Database(t), Sent: spy.at("employees")})
			must(t, home.Ping(t.Context()))
			must(t, employees.Ping(t.Context()))
			login := logins(t, &spy, service(t, home, map[string]store.Store{"employees": employees}))
			for n, s := range steps {
				step := fmt.Sprintf("login %d", n+1)
				login(step, s.want, func(c map[string]any) { c["org"] = s.org })
				spy.want(t, step, s.sent...)
			}
		})
	}
}
