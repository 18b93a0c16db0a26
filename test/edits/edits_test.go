//go:build unix

// Package edits_test races an administrator's edits with logins, and with one
// another, on both stores: what an edit has answered holds for every login that
// begins afterwards, and nobody's edit is lost.
package edits_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/provision"
	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/store/bolt"
	"github.com/jithook/jithook/store/mongo"
	"github.com/jithook/jithook/test/mongo/mongotest"
	"github.com/jithook/jithook/test/service"
)

var peer mongotest.Shared

func TestMain(m *testing.M) { os.Exit(peer.Run(m)) }

const acme = `
version: 1
provider: acme
issuer: https://acme.example
claims: {source: [hook_body]}
jit: {enabled: true, allow: "true"}
traits:
  name: {value: claims.name}
groups: {from: claims.groups, allow: [staff, eng]}
`

// house is a service on one of the stores, and that store.
type house struct {
	*provision.Service
	store store.Store
	// workers is how many logins at once the store stands.
	workers int
}

// stores runs a test on each store.
func stores(t *testing.T, test func(*testing.T, house)) {
	t.Run("bolt", func(t *testing.T) {
		s, err := bolt.Open(filepath.Join(t.TempDir(), "jithook.db"), bolt.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		test(t, over(t, s, 16))
	})
	t.Run("mongo", func(t *testing.T) {
		srv := peer.Server(t)
		s, err := mongo.Open(context.Background(), mongo.Options{URI: srv.URI, Database: srv.Database(t)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		test(t, over(t, s, 6))
	})
}

func over(t *testing.T, s store.Store, workers int) house {
	t.Helper()
	svc, err := service.Over(s, io.Discard, acme)
	if err != nil {
		t.Fatal(err)
	}
	return house{svc, s, workers}
}

// login signs the subject in. With a name its claims may change something.
func (h house) login(t *testing.T, subject, name string) provision.Outcome {
	claims := map[string]any{"groups": []any{"staff"}}
	if name != "" {
		claims["name"] = name
	}
	return h.Provision(t.Context(), identity.Login{
		Hook: identity.HookGeneric, Caller: "test", Providers: []string{"acme"}, Provider: "acme",
		Offers: []identity.Offer{{Source: identity.SourceHookBody, Provider: "acme", Subject: subject, Claims: claims}},
	})
}

// during logs the subject in again and again while edit runs, one worker with a
// change now and then, and goes on for a while after it. Every login that began when it had answered is given to late.
func (h house) during(t *testing.T, subject string, edit func(), late func(provision.Outcome)) {
	var done atomic.Bool
	var all sync.WaitGroup
	begun := make(chan struct{}, h.workers)
	for w := range h.workers {
		all.Go(func() {
			after := 0
			for n := 0; after < 3; n++ {
				name := ""
				if w == 0 && n%8 == 0 {
					name = fmt.Sprintf("Ann %d", n)
				}
				answered := done.Load()
				out := h.login(t, subject, name)
				if answered {
					after++
					late(out)
				}
				select {
				case begun <- struct{}{}:
				default:
				}
			}
		})
	}
	for range h.workers {
		<-begun
	}
	edit()
	done.Store(true)
	all.Wait()
}

// edit edits until other writers are not faster any more.
func (h house) edit(t *testing.T, id string, e provision.Edit) provision.Outcome {
	for {
		out, err := h.Edit(t.Context(), provision.Target{ID: id}, e)
		if err == nil {
			return out
		}
		if !errors.Is(err, store.ErrConflict) {
			t.Error(err)
			return out
		}
	}
}

const rounds = 8

func TestSuspendAgainstLogins(t *testing.T) {
	stores(t, func(t *testing.T, h house) {
		for round := range rounds {
			subject := fmt.Sprintf("s-%d", round)
			id := h.login(t, subject, "").Record.IdentityID
			h.during(t, subject, func() { h.edit(t, id, provision.Suspend()) }, func(out provision.Outcome) {
				if out.Record.Decision != identity.Denied || out.Record.Reasons[0].Code != identity.CodeSuspended {
					t.Errorf("after the suspension: %s %v", out.Record.Decision, out.Record.Reasons)
				}
			})
			i, err := h.store.Get(t.Context(), id)
			if err != nil || i.State != identity.StateSuspended || i.StateSource != identity.SourceAdmin {
				t.Errorf("%s by %q, %v", i.State, i.StateSource, err)
			}
		}
	})
}

func TestDeleteAgainstLogins(t *testing.T) {
	stores(t, func(t *testing.T, h house) {
		for round := range rounds {
			subject := fmt.Sprintf("s-%d", round)
			id := h.login(t, subject, "").Record.IdentityID
			var record string
			h.during(t, subject, func() { record = h.edit(t, id, provision.Delete()).Record.ID }, func(out provision.Outcome) {
				// Many at once make the person anew: one does it, others may run
				// out of attempts.
				if out.Record.Decision != identity.Error && !out.Record.Decision.Allowed() || out.Record.IdentityID == id {
					t.Errorf("after the deletion: %s of %q, %v", out.Record.Decision, out.Record.IdentityID, out.Record.Reasons)
				}
			})
			if _, err := h.store.Get(t.Context(), id); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("Get: %v", err)
			}
			if r, err := h.store.Decision(t.Context(), record); err != nil || r.Decision != identity.Deleted || r.IdentityID != id {
				t.Errorf("record %+v, %v", r, err)
			}
			found, err := h.store.Find(t.Context(), identity.FedKey("https://acme.example", subject))
			if err != nil || len(found) != 1 || found[0].ID == id {
				t.Errorf("%d identities of the subject, %v", len(found), err)
			}
		}
	})
}

// Without a revision every edit is done, on what the others did. With one, it is
// done by one.
func TestEditsAtOnce(t *testing.T) {
	stores(t, func(t *testing.T, h house) {
		id := h.login(t, "s-1", "").Record.IdentityID
		names := make([]string, h.workers)
		var all sync.WaitGroup
		for n := range names {
			names[n] = fmt.Sprintf("g-%02d", n)
			all.Go(func() { h.edit(t, id, provision.Amend(provision.Patch{Add: names[n : n+1]})) })
		}
		all.Wait()
		i, err := h.store.Get(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, g := range i.Groups {
			if g.Source == identity.SourceAdmin {
				got = append(got, g.Name)
			}
		}
		if !slices.Equal(got, names) || i.Revision != int64(1+len(names)) {
			t.Errorf("groups %v at revision %d, want %v", got, i.Revision, names)
		}
		var won atomic.Int64
		for n := range names {
			all.Go(func() {
				name := any(names[n])
				_, err := h.Edit(t.Context(), provision.Target{ID: id, Revision: i.Revision}, provision.Amend(provision.Patch{Traits: map[string]*any{"title": &name}}))
				switch {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, provision.ErrRevision):
					t.Errorf("the loser of a revision: %v", err)
				}
			})
		}
		all.Wait()
		if won.Load() != 1 {
			t.Errorf("%d edits of one revision were done", won.Load())
		}
	})
}
