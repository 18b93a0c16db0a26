//go:build unix

// Package rivals_test races the sign-ins of one subject, on both stores, while
// its pending identity yields to the committed one: whoever overtakes whom, the
// subject ends as the committed one's, nobody is made twice, and no login that
// was let in is lost.
package rivals_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/kratos"
	"github.com/jithook/jithook/provision"
	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/store/bolt"
	"github.com/jithook/jithook/store/mongo"
	"github.com/jithook/jithook/store/verify"
	"github.com/jithook/jithook/test/mongo/mongotest"
	"github.com/jithook/jithook/test/service"
)

var peer mongotest.Shared

func TestMain(m *testing.M) { os.Exit(peer.Run(m)) }

const acme = `
version: 1
provider: acme
issuer: https://acme.example
trust: {authoritative_domains: [acme.example]}
jit: {enabled: true}
traits:
  email: {value: claims.email, verified: claims.email_verified, canonical: email, unique: true}
`

const globexIssuer = "https://globex.example"

const globex = `
version: 1
provider: globex
issuer: ` + globexIssuer + `
trust: {authoritative_domains: [acme.example]}
jit:
  enabled: true
  account_lookup: [{local: /traits/email, federated: claims.email}]
  account_linking: auto
traits:
  email: {value: claims.email, verified: claims.email_verified, canonical: email, unique: true}
`

// connected is a Kratos in which everybody has the subject of both providers
// that its id names.
func connected(t *testing.T) *kratos.Admin {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		id := filepath.Base(r.URL.Path)
		if id == "identities" {
			json.NewEncoder(w).Encode([]any{})
			return
		}
		json.NewEncoder(w).Encode(map[string]any{
			"id": id, "schema_id": "s", "schema_url": "u", "traits": map[string]any{}, "state": "active",
			"credentials": map[string]any{"oidc": map[string]any{"identifiers": []string{"acme:" + id, "globex:" + id}}},
		})
	}))
	t.Cleanup(server.Close)
	admin, err := kratos.NewAdmin(server.URL, "")
	if err != nil {
		t.Fatal(err)
	}
	return admin
}

// call is a call of Kratos's about somebody, whose subject has the same name at
// both providers. With an address it brings claims.
func call(hook identity.Hook, provider, issuer, who, email string) identity.Login {
	l := identity.Login{
		Hook: hook, Caller: "kratos", Providers: []string{"*"}, Provider: provider,
		External: identity.ExternalID{System: identity.SystemKratos, Instance: "main"},
	}
	if hook != identity.HookPrepare {
		l.External.ID = who
	}
	if email != "" {
		l.Offers = []identity.Offer{{
			Source: identity.SourceKratosMetadata, Provider: provider, Issuer: issuer, Subject: who,
			Claims: map[string]any{"email": email, "email_verified": true},
		}}
	}
	return l
}

func TestPendingYieldsUnderARace(t *testing.T) {
	t.Run("bolt", func(t *testing.T) {
		s, err := bolt.Open(filepath.Join(t.TempDir(), "jithook.db"), bolt.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		race(t, s, 20)
	})
	t.Run("mongo", func(t *testing.T) {
		srv := peer.Server(t)
		s, err := mongo.Open(context.Background(), mongo.Options{URI: srv.URI, Database: srv.Database(t)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		race(t, s, 8)
	})
}

func race(t *testing.T, s store.Store, rounds int) {
	admin := connected(t)
	// Two servers on one store: neither knows of the other's logins.
	var servers []*provision.Service
	for range 2 {
		over, err := service.Over(s, io.Discard, acme, globex)
		if err != nil {
			t.Fatal(err)
		}
		over.Kratos = map[string]*kratos.Admin{"main": admin}
		servers = append(servers, over)
	}
	for n := range rounds {
		round(t, s, servers, fmt.Sprint("p-", n))
	}
	checker := verify.Checker{Store: s, Now: time.Now}
	page, err := checker.Page(t.Context(), "", false)
	if err != nil || len(page.Findings) > 0 {
		t.Errorf("store verify: %+v, %v", page.Findings, err)
	}
}

// round has a subject pending at globex yield to the person that acme made.
func round(t *testing.T, s store.Store, servers []*provision.Service, who string) {
	byAcme := call(identity.HookPrepare, "acme", "https://acme.example", who, who+"@acme.example")
	prepare := call(identity.HookPrepare, "globex", globexIssuer, who, who+"-g@acme.example")
	login := call(identity.HookLogin, "globex", "", who, "")
	first := servers[0]
	first.Provision(t.Context(), byAcme)
	first.Commit(t.Context(), call(identity.HookCommit, "acme", "https://acme.example", who, who+"@acme.example"))
	first.Provision(t.Context(), prepare)
	found, err := s.Find(t.Context(), identity.FedKey("https://acme.example", who))
	if err != nil || len(found) != 1 {
		t.Fatalf("%+v, %v", found, err)
	}
	committed := found[0]
	committed.Proposals = []identity.Proposal{{
		Provider: "globex", Issuer: globexIssuer, Subject: who, State: identity.ProposalAwaited, At: time.Now(), Expires: time.Now().Add(time.Hour),
	}}
	committed.Revision++
	if err := s.Swap(t.Context(), committed, identity.Record{}); err != nil {
		t.Fatal(err)
	}

	var linked atomic.Int64
	var all sync.WaitGroup
	for k := range 8 {
		all.Go(func() {
			l := prepare
			if k%2 == 0 {
				l = login
			}
			for range 3 {
				switch out := servers[k/2%2].Provision(t.Context(), l); {
				case out.Record.Decision == identity.Linked:
					linked.Add(1)
				case l.Hook == identity.HookLogin && out.Record.Decision == identity.Denied,
					out.Record.Decision == identity.Error && out.Record.Reasons[0].Code != identity.CodeConflict:
					t.Errorf("%s: %s %v", l.Hook, out.Record.Decision, out.Record.Reasons)
				}
			}
		})
	}
	all.Wait()
	out := first.Provision(t.Context(), login)
	if out.Record.Decision == identity.Linked {
		linked.Add(1)
	}
	if !out.Record.Decision.Allowed() || linked.Load() != 1 || out.Identity.ID != committed.ID {
		t.Errorf("at last: %s %v; linked %d times", out.Record.Decision, out.Record.Reasons, linked.Load())
	}
	left, err := s.Find(t.Context(), identity.FedKey(globexIssuer, who), identity.FedKey("https://acme.example", who), identity.MailKey("default", who+"-g@acme.example"))
	if err != nil || len(left) != 1 || left[0].ID != committed.ID || len(left[0].Links) != 2 {
		t.Errorf("left: %+v, %v", left, err)
	}
}
