//go:build unix

// Package replicas_test runs several `jithook serve` on one database, takes one
// away in the middle, and sets the clock of one wrong: whatever was acknowledged
// is there, nothing is there twice, newer claims win, and what was cut short the
// next login mends.
package replicas_test

import (
	"fmt"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/jithook/jithook/admin"
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/test/mongo/mongotest"
	"github.com/jithook/jithook/test/server"
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
  email: {value: claims.email, verified: "true", canonical: email, unique: true, required: true}
  name: {value: claims.name}
`

// replica is one server of several.
type replica struct{ *server.Server }

// start starts a server for each of the binaries, on one new database.
func start(t *testing.T, binaries ...string) []replica {
	t.Helper()
	db := peer.Server(t)
	store := map[string]any{"mongodb": map[string]any{"uri": db.URI, "database": db.Database(t)}}
	var all []replica
	for _, b := range binaries {
		s := server.Start(t, server.Config{Binary: b, Store: store, Providers: map[string]string{"acme.yaml": acme}})
		s.AwaitReady(t)
		all = append(all, replica{s})
	}
	return all
}

// answer is what a caller learns: the status, 0 if it heard nothing.
type answer struct {
	status     int
	Decision   identity.Decision
	DecisionID string `json:"decision_id"`
	Reasons    []identity.Reason
	Identity   struct {
		ID     string
		Traits map[string]any
	}
}

// login signs somebody in at a replica; at dates the claims, unless it is zero.
func (r replica) login(t testing.TB, subject, name string, at time.Time) answer {
	body := map[string]any{
		"version": 1, "provider": "acme", "subject": subject,
		"claims": map[string]any{"email": subject + "@acme.example", "name": name},
	}
	if !at.IsZero() {
		body["at"] = at.UTC()
	}
	got := r.Post(t, "/hooks/login", body)
	a := answer{status: got.Status}
	if got.Status != 0 {
		got.Decode(t, &a)
	}
	return a
}

// people are all identities by subject, as a replica's admin API has them.
func (r replica) people(t *testing.T) map[string]admin.Identity {
	t.Helper()
	all := map[string]admin.Identity{}
	for token := ""; ; {
		var page admin.Identities
		r.Ask(t, http.MethodGet, "/admin/v1/identities?page_size=500&page_token="+token, nil).Decode(t, &page)
		for _, i := range page.Identities {
			subject := i.Links[0].Subject
			if other, twice := all[subject]; twice {
				t.Errorf("%s is there as %s and as %s", subject, other.ID, i.ID)
			}
			all[subject] = i
		}
		if token = page.NextPageToken; token == "" {
			return all
		}
	}
}

// TestOneReplicaDiesInTheMiddle: two servers, every subject at both at once,
// one of them killed with -9 while logins are under way.
func TestOneReplicaDiesInTheMiddle(t *testing.T) {
	binary := server.Build(t)
	both := start(t, binary, binary)
	survivor, victim := both[0], both[1]

	const subjects = 60
	var mu sync.Mutex
	acknowledged := map[string]map[string]bool{} // subject → ids that somebody was told
	created := map[string]int{}
	var wg sync.WaitGroup
	slots := make(chan struct{}, 8)
	for n := range subjects {
		for _, r := range both {
			wg.Go(func() {
				slots <- struct{}{}
				defer func() { <-slots }()
				subject := fmt.Sprintf("s-%d", n)
				a := r.login(t, subject, "Ann", time.Time{})
				mu.Lock()
				defer mu.Unlock()
				if a.status != http.StatusOK {
					return // nobody was told anything: it may have happened or not
				}
				if acknowledged[subject] == nil {
					acknowledged[subject] = map[string]bool{}
				}
				acknowledged[subject][a.Identity.ID] = true
				if a.Decision == identity.Created {
					created[subject]++
				}
				if len(acknowledged) == subjects/3 {
					_ = victim.Process.Kill() // it may be gone already
				}
			})
		}
	}
	wg.Wait()
	_ = victim.Process.Kill() // it may be gone already

	people := survivor.people(t)
	for subject, ids := range acknowledged {
		if len(ids) != 1 || !ids[people[subject].ID] {
			t.Errorf("%s: told %v, there is %s", subject, ids, people[subject].ID)
		}
		if created[subject] > 1 {
			t.Errorf("%s was created %d times", subject, created[subject])
		}
	}
	if len(acknowledged) < subjects/3 {
		t.Errorf("only %d subjects were acknowledged", len(acknowledged))
	}
	for n := range subjects {
		subject := fmt.Sprintf("s-%d", n)
		before, was := people[subject]
		a := survivor.login(t, subject, "Ann", time.Time{})
		want := identity.Created
		if was {
			want = identity.Unchanged
		}
		if a.status != http.StatusOK || a.Decision != want || was && a.Identity.ID != before.ID {
			t.Errorf("%s afterwards: %+v, want %s", subject, a, want)
		}
	}
	if n := len(survivor.people(t)); n != subjects {
		t.Errorf("%d identities of %d subjects", n, subjects)
	}
}
