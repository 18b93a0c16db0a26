// Package service opens a real provisioning service for the tests of what
// stands on it: embedded store, providers' files and all, nothing stood in
// for.
package service

import (
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jithook/jithook/claims/idtoken"
	"github.com/jithook/jithook/internal/expr"
	"github.com/jithook/jithook/internal/safedial"
	"github.com/jithook/jithook/provider"
	"github.com/jithook/jithook/provision"
	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/store/bolt"
	"github.com/jithook/jithook/store/directory"
)

// Service is a provision.Service and what it stands on.
type Service struct {
	*provision.Service
	Bolt *bolt.Store
}

// Open returns a service over a new store, with these providers' files, that
// logs to w. It is closed with the test.
func Open(t testing.TB, w io.Writer, files ...string) Service {
	t.Helper()
	s, err := bolt.Open(filepath.Join(t.TempDir(), "jithook.db"), bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	over, err := Over(s, w, files...)
	if err != nil {
		t.Fatal(err)
	}
	return Service{Service: over, Bolt: s}
}

// Over returns a service over a store of the caller's, for processes that are no
// test as well. The error lists what is wrong with the files.
func Over(s store.Store, w io.Writer, files ...string) (*provision.Service, error) {
	return Logged(s, slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug})), files...)
}

// Logged is Over with a logger of the caller's.
func Logged(s store.Store, log *slog.Logger, files ...string) (*provision.Service, error) {
	env, err := expr.NewEnv()
	if err != nil {
		return nil, err
	}
	folder := fstest.MapFS{}
	for i, f := range files {
		folder[fmt.Sprintf("%d.yaml", i)] = &fstest.MapFile{Data: []byte(f)}
	}
	userstores := []string{provider.DefaultUserstore, "employees"}
	// Providers of tests are on this machine.
	loopback := safedial.New([]netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")})
	keys := idtoken.NewKeys(loopback, time.Now, log)
	set, problems := provider.Loader{Env: env, Userstores: userstores, Targets: []string{"hr", "crm", "events"}, Keys: keys, Now: time.Now}.Load(folder)
	if len(problems) > 0 {
		return nil, fmt.Errorf("providers' files: %v", problems)
	}
	d := directory.New(s, nil)
	return &provision.Service{
		Store: d, Editable: d, Journal: d, Receipts: d, Budgets: d, Later: provision.NewRecorder(d, log, func() {}),
		Providers:  func() *provider.Set { return set },
		Userstores: userstores, Now: time.Now, Log: log,
	}, nil
}
