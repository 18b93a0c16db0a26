//go:build unix

package histories_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
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
	"github.com/jithook/jithook/store/directory"
)

// The service under test, beside its model.

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
