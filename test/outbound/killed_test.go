//go:build unix

// Package outbound_test proves what a delivery promises where processes die:
// each change reaches the target at least once, in the order of the identity's
// revisions, and in the end the target knows what the store has.
package outbound_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/test/mongo/mongotest"
	"github.com/jithook/jithook/test/process"
)

var peer mongotest.Shared

func TestMain(m *testing.M) {
	if text := os.Getenv(childEnv); text != "" {
		os.Exit(work(text))
	}
	os.Exit(peer.Run(m))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

const people = 1000

// fill inserts people who are armed for the target.
func fill(t *testing.T, s store.Store) {
	t.Helper()
	errs := make([]error, people)
	var all sync.WaitGroup
	room := make(chan struct{}, 8)
	for n := range people {
		room <- struct{}{}
		all.Go(func() {
			defer func() { <-room }()
			i := identity.Identity{ID: uuid.Must(uuid.NewV7()).String(), Userstore: "default", State: identity.StateActive, Revision: 1, CreatedAt: time.Now()}
			i.Arm(hr, time.Now())
			errs[n] = s.Insert(context.Background(), i, identity.Record{})
		})
	}
	all.Wait()
	must(t, errors.Join(errs...))
}

// wantEqual compares what the target knows with the store.
func wantEqual(t *testing.T, s store.Store, c *target) {
	t.Helper()
	n, changed := 0, 0
	for q := (store.Query{PageSize: store.MaxPageSize}); ; {
		page, err := s.List(t.Context(), q)
		must(t, err)
		for _, i := range page.Identities {
			n++
			if i.Revision > 1 {
				changed++
			}
			if c.knows[i.ID] != i.Revision || len(i.Outbox) != 0 {
				t.Errorf("the target knows revision %d of %d, the outbox has %d entries", c.knows[i.ID], i.Revision, len(i.Outbox))
			}
		}
		if q.PageToken = page.NextPageToken; q.PageToken == "" {
			break
		}
	}
	if n != people || len(c.knows) != people || c.back > 0 {
		t.Errorf("%d identities, of which the target knows %d; told backwards %d times", n, len(c.knows), c.back)
	}
	t.Logf("told %d times of %d people, %d of whom changed meanwhile", c.told(), n, changed)
}

// One process with two workers has the file. It is killed in the middle of its
// deliveries and of the logins that arm more, again and again.
func TestKilledOnFile(t *testing.T) {
	t.Parallel()
	c := newTarget(t)
	j := job{Bolt: filepath.Join(t.TempDir(), "jithook.db"), Target: c.URL, Workers: 2, Logins: true}
	s, err := j.open()
	must(t, err)
	fill(t, s)
	must(t, s.Close())
	for round := range 5 {
		child := j.start(t)
		c.wait(t, c.told()+100+37*round, child)
		must(t, child.Kill())
	}
	j.Logins = false
	finish(t, j.start(t))
	if s, err = j.open(); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	wantEqual(t, s, c)
	for token := ""; ; {
		part, err := s.(store.Inspector).Inspect(t.Context(), token, false)
		must(t, err)
		for _, f := range part.Findings {
			t.Errorf("finding: %s", f.Text)
		}
		if token = part.NextPageToken; token == "" {
			break
		}
	}
}

func finish(t *testing.T, child *process.Process) {
	t.Helper()
	select {
	case <-child.Exited():
		if !child.State().Success() {
			t.Errorf("worker: %v", child.State())
		}
	case <-time.After(time.Minute):
		t.Error("a minute later something still waits")
	}
}

// Two processes share a database. The older one is killed, at a point of its
// deliveries that nobody chose, and a new one starts; ten times.
func TestKilledOnMongo(t *testing.T) {
	t.Parallel()
	srv := peer.Server(t)
	c := newTarget(t)
	j := job{URI: srv.URI, Database: srv.Database(t), Target: c.URL, Workers: 1, Logins: true}
	s, err := j.open()
	must(t, err)
	defer s.Close()
	fill(t, s)
	older := j.start(t)
	for range 10 {
		younger := j.start(t)
		n := c.told() + 20 + rand.N(100)
		c.wait(t, n, older, younger)
		must(t, older.Kill())
		t.Logf("killed after %d deliveries", n)
		older = younger
	}
	must(t, older.Kill())
	j.Logins = false
	finish(t, j.start(t))
	wantEqual(t, s, c)
}
