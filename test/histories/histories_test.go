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
	"os"
	"path/filepath"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/provision"
	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/store/bolt"
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

func TestM4_HistoriesOnBolt(t *testing.T) {
	t.Parallel()
	s, err := bolt.Open(filepath.Join(t.TempDir(), "jithook.db"), bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	rapid.Check(t, func(rt *rapid.T) { play(rt, t, s) })
}

func TestM4_HistoriesOnMongo(t *testing.T) {
	t.Parallel()
	db := peer.Server(t)
	s, err := mongo.Open(t.Context(), mongo.Options{URI: db.URI, Database: db.Database(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	rapid.Check(t, func(rt *rapid.T) { play(rt, t, s) })
}

// play is one history.
func play(rt *rapid.T, t testing.TB, s store.Store) {
	h := newHouse(t, rt, s)
	subject := rapid.SampledFrom(subjects)
	says := func(rt *rapid.T, dated bool) (string, says) {
		who := subject.Draw(rt, "subject")
		s := drawSays(rt, who)
		if dated {
			s.at = h.now.Add(time.Duration(rapid.IntRange(-10, 20).Draw(rt, "at")) * time.Second)
		}
		return who, s
	}
	rt.Repeat(map[string]func(*rapid.T){
		"": h.compare,
		"login": func(rt *rapid.T) {
			who, s := says(rt, false)
			h.signIn(rt, who, s, identity.HookGeneric)
		},
		"dated login": func(rt *rapid.T) {
			who, s := says(rt, true)
			h.signIn(rt, who, s, identity.HookGeneric)
		},
		"login that changes nothing": func(rt *rapid.T) {
			who, s := says(rt, true)
			if p := h.people[who]; p != nil {
				s.mail, s.name, s.groups = p.mail, p.name, p.groups
			}
			h.signIn(rt, who, s, identity.HookGeneric)
		},
		"prepare": func(rt *rapid.T) {
			who, s := says(rt, false)
			h.signIn(rt, who, s, identity.HookPrepare)
		},
		"commit":       func(rt *rapid.T) { h.persisted(rt, subject.Draw(rt, "subject"), identity.HookCommit) },
		"Kratos login": func(rt *rapid.T) { h.persisted(rt, subject.Draw(rt, "subject"), identity.HookLogin) },
		"replay": func(rt *rapid.T) {
			if h.replay == nil {
				rt.Skip("nobody has signed in")
			}
			h.want(rt, h.Provision(h.ctx, h.last), h.replay())
		},
		"edit": func(rt *rapid.T) { h.edit(rt, subject.Draw(rt, "subject")) },
		"reload": func(rt *rapid.T) {
			h.reload(rt, rules{enabled: rapid.IntRange(0, 7).Draw(rt, "enabled") > 0, groups: rapid.Bool().Draw(rt, "groups")})
		},
		"restart": func(*rapid.T) {
			ended, end := context.WithCancel(h.ctx)
			end()
			h.Later.Run(ended) // writes what is queued
			h.start()
		},
	})
}

// drawSays is what the provider says of somebody: mostly what is all right.
func drawSays(rt *rapid.T, who string) says {
	return says{
		mail:   rapid.SampledFrom([]string{who, who, who, "a", "b"}).Draw(rt, "mail"),
		name:   rapid.SampledFrom([]string{"Ann", "Bob", "Cleo", "Dan", mallory}).Draw(rt, "name"),
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

// edits are an administrator's: activation as often as what bars logins.
var edits = []struct {
	name string
	edit provision.Edit
}{
	{"activate", provision.Activate()}, {"suspend", provision.Suspend()}, {"activate", provision.Activate()},
	{"deprovision", provision.Deprovision()}, {"delete", provision.Delete()},
}

func (h *house) edit(rt *rapid.T, subject string) {
	h.now = h.now.Add(time.Second)
	if h.people[subject] == nil {
		rt.Skip("nobody is there")
	}
	e := edits[rapid.IntRange(0, len(edits)-1).Draw(rt, "edit")]
	found, err := h.store.Find(h.ctx, identity.FedKey(issuer, h.prefix+subject))
	if err != nil || len(found) != 1 {
		rt.Fatalf("%d identities, %v", len(found), err)
	}
	out, err := h.Edit(h.ctx, provision.Target{ID: found[0].ID, Revision: found[0].Revision}, e.edit)
	if err != nil {
		rt.Fatal(err)
	}
	h.want(rt, out, h.model.edit(subject, e.name))
}

func (h *house) want(rt *rapid.T, out provision.Outcome, d identity.Decision) {
	if out.Record.Decision != d {
		rt.Fatalf("%s %v, the model says %s", out.Record.Decision, out.Record.Reasons, d)
	}
}
