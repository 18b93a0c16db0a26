//go:build unix

// Package histories_test plays random histories (first and later logins in any
// order of their times, replays, Kratos's three calls, an administrator's edits,
// edited provider files, restarts) against a real service, on every store, and
// holds it to a model in memory after each step.
package histories_test

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/expr"
	"github.com/jithook/jithook/provider"
	"github.com/jithook/jithook/provision"
	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/store/bolt"
	"github.com/jithook/jithook/store/directory"
	"github.com/jithook/jithook/store/mongo"
	"github.com/jithook/jithook/test/mongo/mongotest"
)

var peer mongotest.Shared

func TestMain(m *testing.M) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "rapid.checks" })
	if !given { // each is some forty calls, with their writes to a disk
		if err := flag.Set("rapid.checks", "40"); err != nil {
			panic(err)
		}
	}
	os.Exit(peer.Run(m))
}

const (
	issuer   = "https://acme.example"
	instance = "main"
	mallory  = "Mallory" // whom the policy denies
)

// file is the provider's file of these rules.
func (r rules) file() string {
	text := fmt.Sprintf(`
version: 1
provider: acme
issuer: https://acme.example
trust: {authoritative_domains: [acme.example]}
jit:
  enabled: %v
  deny: [{when: claims.name == "Mallory", code: mallory, message: "Not you."}]
traits:
  email: {value: claims.email, verified: "true", canonical: email, unique: true, required: true}
  name: {value: claims.name}
`, r.enabled)
	if r.groups {
		text += "groups: {from: claims.groups, allow: [eng, staff]}\n"
	}
	return text
}

func TestHistoriesOnBolt(t *testing.T) {
	s, err := bolt.Open(filepath.Join(t.TempDir(), "jithook.db"), bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	rapid.Check(t, func(rt *rapid.T) { play(rt, t, s) })
}

func TestHistoriesOnMongo(t *testing.T) {
	db := peer.Server(t)
	s, err := mongo.Open(t.Context(), mongo.Options{URI: db.URI, Database: db.Database(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	rapid.Check(t, func(rt *rapid.T) { play(rt, t, s) })
}

// house is a service and the model that it is held to.
type house struct {
	*provision.Service
	model
	ctx    context.Context
	store  store.Store
	prefix string // of the subjects and addresses of this history
	loader provider.Loader
	set    *provider.Set
	last   identity.Login
	replay func() identity.Decision
}

// subjects are the people of a history, few enough to meet.
var subjects = []string{"a", "b", "c"}

func newHouse(t testing.TB, rt *rapid.T, s store.Store) *house {
	env, err := expr.NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	h := &house{ctx: t.Context(), store: s, prefix: uuid.NewString() + "-"}
	h.model = model{now: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC), people: map[string]*person{}}
	h.loader = provider.Loader{Env: env, Userstores: []string{provider.DefaultUserstore}, Now: func() time.Time { return h.now }}
	h.start()
	h.reload(rt, rules{enabled: true, groups: true})
	return h
}

// start makes the service, as after a restart.
func (h *house) start() {
	log, d := slog.New(slog.DiscardHandler), directory.New(h.store, nil)
	h.Service = &provision.Service{
		Store: d, Editable: d, Journal: d, Later: provision.NewRecorder(d, log, func() {}),
		Providers: func() *provider.Set { return h.set }, Userstores: []string{provider.DefaultUserstore},
		Now: func() time.Time { return h.now }, Log: log,
	}
}

func (h *house) reload(rt *rapid.T, r rules) {
	set, problems := h.loader.Load(fstest.MapFS{"acme.yaml": {Data: []byte(r.file())}})
	if len(problems) > 0 {
		rt.Fatal(problems)
	}
	h.set, h.rules = set, r
}

// play is one history.
func play(rt *rapid.T, t testing.TB, s store.Store) {
	h := newHouse(t, rt, s)
	subject := rapid.SampledFrom(subjects)
	edits := map[string]provision.Edit{"suspend": provision.Suspend(), "deprovision": provision.Deprovision(), "activate": provision.Activate(), "delete": provision.Delete()}
	actions := map[string]func(*rapid.T){
		"": h.compare,
		"login": func(rt *rapid.T) {
			who, s := subject.Draw(rt, "subject"), drawSays(rt)
			if p := h.people[who]; p != nil && rapid.Bool().Draw(rt, "as it is") {
				s = says{mail: p.mail, name: p.name, groups: p.groups}
			}
			if rapid.Bool().Draw(rt, "dated") {
				s.at = h.now.Add(time.Duration(rapid.IntRange(-40, 20).Draw(rt, "at")) * time.Second)
			}
			h.signIn(rt, who, s, identity.HookGeneric)
		},
		"prepare":      func(rt *rapid.T) { h.signIn(rt, subject.Draw(rt, "subject"), drawSays(rt), identity.HookPrepare) },
		"commit":       func(rt *rapid.T) { h.persisted(rt, subject.Draw(rt, "subject"), identity.HookCommit) },
		"Kratos login": func(rt *rapid.T) { h.persisted(rt, subject.Draw(rt, "subject"), identity.HookLogin) },
		"replay": func(rt *rapid.T) {
			if h.replay == nil {
				rt.Skip("nobody has signed in")
			}
			h.want(rt, h.Provision(h.ctx, h.last), h.replay())
		},
		"reload": func(rt *rapid.T) {
			h.reload(rt, rules{enabled: rapid.IntRange(0, 3).Draw(rt, "enabled") > 0, groups: rapid.Bool().Draw(rt, "groups")})
		},
		"restart": func(*rapid.T) {
			ended, end := context.WithCancel(h.ctx)
			end()
			h.Later.Run(ended) // writes what is queued
			h.start()
		},
	}
	for name, edit := range edits {
		actions[name] = func(rt *rapid.T) { h.edit(rt, subject.Draw(rt, "subject"), name, edit) }
	}
	rt.Repeat(actions)
}

func drawSays(rt *rapid.T) says {
	return says{
		mail:   rapid.SampledFrom([]string{"one", "two", "three"}).Draw(rt, "mail"),
		name:   rapid.SampledFrom([]string{"Ann", "Bob", mallory}).Draw(rt, "name"),
		groups: rapid.SampledFrom([][]string{nil, {"eng"}, {"eng", "staff"}}).Draw(rt, "groups"),
	}
}

// signIn is a login with claims.
func (h *house) signIn(rt *rapid.T, subject string, s says, hook identity.Hook) {
	groups := []any{}
	for _, g := range s.groups {
		groups = append(groups, g)
	}
	l := h.login(subject, hook)
	l.At = s.at
	l.Offers[0].Claims = map[string]any{"email": h.address(s.mail), "name": s.name, "groups": groups}
	h.last, h.replay = l, func() identity.Decision { return h.model.login(subject, s, hook == identity.HookPrepare) }
	h.want(rt, h.Provision(h.ctx, l), h.replay())
}

// persisted is a call about somebody whom Kratos has, without claims.
func (h *house) persisted(rt *rapid.T, subject string, hook identity.Hook) {
	l := h.login(subject, hook)
	l.External.ID = h.kratos(subject)
	want := h.model.persisted(subject, hook == identity.HookCommit)
	if hook == identity.HookCommit {
		h.want(rt, h.Commit(h.ctx, l), want)
		return
	}
	h.want(rt, h.Provision(h.ctx, l), want)
}

func (h *house) login(subject string, hook identity.Hook) identity.Login {
	h.now = h.now.Add(time.Second)
	source, system := identity.SourceKratosMetadata, identity.SystemKratos
	if hook == identity.HookGeneric {
		source, system = identity.SourceHookBody, identity.SystemGeneric
	}
	return identity.Login{
		Hook: hook, Caller: "test", Providers: []string{"*"}, Provider: "acme",
		Offers:   []identity.Offer{{Source: source, Provider: "acme", Issuer: issuer, Subject: h.prefix + subject}},
		External: identity.ExternalID{System: system, Instance: instance},
	}
}

func (h *house) kratos(subject string) string { return "kratos-" + h.prefix + subject }

func (h *house) address(mail string) string { return h.prefix + mail + "@acme.example" }

func (h *house) edit(rt *rapid.T, subject, name string, e provision.Edit) {
	h.now = h.now.Add(time.Second)
	if h.people[subject] == nil {
		rt.Skip("nobody is there")
	}
	found, err := h.store.Find(h.ctx, identity.FedKey(issuer, h.prefix+subject))
	if err != nil || len(found) != 1 {
		rt.Fatalf("%d identities, %v", len(found), err)
	}
	out, err := h.Edit(h.ctx, provision.Target{ID: found[0].ID, Revision: found[0].Revision}, e)
	if err != nil {
		rt.Fatal(err)
	}
	h.want(rt, out, h.model.edit(subject, name))
}

func (h *house) want(rt *rapid.T, out provision.Outcome, d identity.Decision) {
	if out.Record.Decision != d {
		rt.Fatalf("%s %v, the model says %s", out.Record.Decision, out.Record.Reasons, d)
	}
}

// compare holds the store to the model.
func (h *house) compare(rt *rapid.T) {
	var keys []identity.Key
	for _, s := range subjects {
		keys = append(keys, identity.FedKey(issuer, h.prefix+s))
	}
	found, err := h.store.Find(h.ctx, keys...)
	if err != nil {
		rt.Fatal(err)
	}
	if len(found) != len(h.people) {
		rt.Fatalf("%d identities, the model has %d", len(found), len(h.people))
	}
	for n, s := range subjects {
		p := h.people[s]
		if p == nil {
			continue
		}
		at := slices.IndexFunc(found, func(i identity.Identity) bool { return slices.Contains(i.Keys, keys[n]) })
		if at < 0 {
			rt.Fatalf("nobody has the subject %s", s)
		}
		if got, want := shown(found[at]), h.expected(s, p); got != want {
			rt.Fatalf("%s:\n%s, the model says\n%s", s, got, want)
		}
	}
}

// shown is all of an identity that the model knows of.
func shown(i identity.Identity) string {
	var groups []string
	for _, g := range i.Groups {
		groups = append(groups, g.Name)
	}
	return fmt.Sprintf("%s, revision %d, %v, groups %v, keys %v", i.State, i.Revision, i.Traits, groups, i.Keys)
}

func (h *house) expected(subject string, p *person) string {
	keys := map[identity.Key]bool{
		identity.FedKey(issuer, h.prefix+subject):                      true,
		identity.MailKey(provider.DefaultUserstore, h.address(p.mail)): true,
	}
	if p.ext {
		keys[identity.ExtKey(identity.ExternalID{System: identity.SystemKratos, Instance: instance, ID: h.kratos(subject)})] = true
	}
	traits := map[string]any{"email": h.address(p.mail), "name": p.name}
	return fmt.Sprintf("%s, revision %d, %v, groups %v, keys %v", p.state, p.revision, traits, p.groups, slices.Sorted(maps.Keys(keys)))
}
