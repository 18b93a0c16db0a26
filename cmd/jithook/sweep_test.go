package main

// The server sweeps by itself, on one store with other servers that do the same.

import (
	"context"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

func TestServerSweeps(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "providers", "acme.yaml"), "version: 1\nprovider: acme\nissuer: https://acme.example\njit: {enabled: true, inactive_after: 30d}\ntraits: {name: {value: claims.name}}\n")
	path := filepath.Join(dir, "jithook.yaml")
	write(t, path, "admin: {token: x}\nauth: {api_keys: [{name: k, value: y, endpoints: [login], providers: [acme]}]}\nstore: {bolt: {path: s.db}}\nproviders: providers\n")
	c, err := mustConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	if c.sweepEvery != time.Hour || c.quarantine != 90*24*time.Hour {
		t.Errorf("by default every %s, quarantine %s", c.sweepEvery, c.quarantine)
	}
	c.sweepEvery = 2 * time.Millisecond
	a, err := newApp(c, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer a.store.Close()
	long := now().Add(-100 * 24 * time.Hour)
	link := identity.Link{Provider: "acme", Issuer: "https://acme.example", Subject: "s-1"}
	i := identity.Identity{
		ID: "019b7a00-0000-7000-8000-000000000001", Userstore: "default", State: identity.StateActive, StateSource: "provider:acme", Revision: 1,
		CreatedAt: long, UpdatedAt: long, Links: []identity.Link{link}, Keys: []identity.Key{identity.FedKey(link.Issuer, link.Subject)},
	}
	if err := a.store.Insert(t.Context(), i, identity.Record{}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() { a.sweeps(ctx) })
	}
	for {
		got, err := a.store.Get(ctx, i.ID)
		if err != nil {
			t.Fatal(err)
		}
		if got.State == identity.StateSuspended {
			break
		}
		time.Sleep(time.Millisecond)
	}
	cancel()
	all.Wait()
	got, err := a.store.Get(t.Context(), i.ID)
	if err != nil || got.Revision != 2 {
		t.Errorf("revision %d, %v", got.Revision, err)
	}
	records, err := a.store.Decisions(t.Context(), store.DecisionQuery{IdentityID: i.ID})
	if err != nil || len(records.Records) != 1 || records.Records[0].Caller != sweepCaller || records.Records[0].Hook != identity.HookSweep {
		t.Errorf("records %+v, %v", records.Records, err)
	}
}
