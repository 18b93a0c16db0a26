//go:build unix

package mongo_test

// One database seen through a proxy that breaks what it is told to, and past it:
// what a write did, whatever its caller heard of it.

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/store/mongo"
	"github.com/jithook/jithook/test/mongo/faultproxy"
	"github.com/jithook/jithook/test/mongo/mongotest"
)

// patience is what a call has that waits for an answer which never comes, and
// then reads back in the last third. recovery is what one has that lost its
// connection: the driver looks after the server again at most twice a second.
const (
	patience = 2 * time.Second
	recovery = 5 * time.Second
)

func impatient(t *testing.T, limit time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

// world is one database, through a proxy and past it.
type world struct {
	proxy         *faultproxy.Proxy
	server        *mongotest.Server
	name          string
	store, direct *mongo.Store
}

func newWorld(t *testing.T, server *mongotest.Server) world {
	t.Helper()
	w := world{server: server, name: server.Database(t), proxy: faultproxy.Start(t, server.URI)}
	w.store = w.through(t)
	w.direct = open(t, server.URI, w.name)
	must(t, w.direct.Ping(t.Context()))
	return w
}

// through opens the database through the proxy. Where the driver can repeat a
// write by itself, it would hide the fault; how long a busy machine takes to find
// the server again is not what is tested.
//
// A fault that is meant for one write must not meet the mover of the same store:
// what hits the mover may close the connection that the write is about to get.
// See quiet.
func (w world) through(t *testing.T) *mongo.Store {
	t.Helper()
	s := open(t, w.proxy.URI+"&retryWrites=false&serverSelectionTimeoutMS=10000", w.name)
	must(t, s.Ping(t.Context()))
	return s
}

// quiet returns when the mover of s has nothing to do any more.
func (w world) quiet(t *testing.T, s *mongo.Store) {
	t.Helper()
	idle(t, s, behind(t, w.server, w.name))
}

func (w world) wantDone(t *testing.T, op string, i identity.Identity, r identity.Record) {
	t.Helper()
	got, err := w.direct.Get(t.Context(), i.ID)
	if op == "Delete" {
		if !errors.Is(err, store.ErrNotFound) {
			t.Errorf("Get after Delete: %v, want ErrNotFound", err)
		}
		return
	}
	must(t, err)
	if got.Revision != i.Revision || !got.RenewedAt.Equal(i.RenewedAt) {
		t.Errorf("stored revision %d renewed %v, want %d, %v", got.Revision, got.RenewedAt, i.Revision, i.RenewedAt)
	}
	w.wantOutbox(t, got, i)
	if _, err := w.direct.Decision(t.Context(), r.ID); err != nil && op != "SetOutbox" {
		t.Errorf("the record of a write that was done: %v", err)
	}
	w.wantHolder(t, i)
}

// wantOutbox: what a write has for other systems stands if the write does.
func (w world) wantOutbox(t *testing.T, got, want identity.Identity) {
	t.Helper()
	same := func(a, b identity.Delivery) bool {
		return a.Target == b.Target && a.Revision == b.Revision && a.Due.Equal(b.Due)
	}
	if got.OutboxVersion != want.OutboxVersion || !slices.EqualFunc(got.Outbox, want.Outbox, same) {
		t.Errorf("outbox version %d: %+v, want %d: %+v", got.OutboxVersion, got.Outbox, want.OutboxVersion, want.Outbox)
	}
}

func (w world) wantHolder(t *testing.T, i identity.Identity) {
	t.Helper()
	for _, key := range i.Keys {
		found, err := w.direct.Find(t.Context(), key)
		must(t, err)
		if len(found) != 1 || found[0].ID != i.ID {
			t.Errorf("a key is held by %d identities, want the one that was written", len(found))
		}
	}
}

func (w world) wantUndone(t *testing.T, before, after identity.Identity, r identity.Record) {
	t.Helper()
	if before.ID != after.ID {
		if _, err := w.direct.Get(t.Context(), after.ID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("Get of what was not inserted: %v", err)
		}
	}
	got, err := w.direct.Get(t.Context(), before.ID)
	must(t, err)
	if got.Revision != before.Revision || !got.RenewedAt.Equal(before.RenewedAt) {
		t.Errorf("stored revision %d renewed %v, want what was there", got.Revision, got.RenewedAt)
	}
	w.wantOutbox(t, got, before)
	if _, err := w.direct.Decision(t.Context(), r.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the record of a write that was not done: %v", err)
	}
	w.wantHolder(t, before)
}
