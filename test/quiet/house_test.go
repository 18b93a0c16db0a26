//go:build unix

package quiet_test

// The whole of a server but its ports, on each store, with what makes it fail.

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/jithook/jithook/admin"
	"github.com/jithook/jithook/hook"
	"github.com/jithook/jithook/hook/generic"
	"github.com/jithook/jithook/hook/kratos"
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/claimlog"
	"github.com/jithook/jithook/internal/metrics"
	"github.com/jithook/jithook/provision"
	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/store/bolt"
	"github.com/jithook/jithook/store/directory"
	"github.com/jithook/jithook/store/mongo"
	"github.com/jithook/jithook/test/mongo/faultproxy"
	"github.com/jithook/jithook/test/mongo/mongotest"
	"github.com/jithook/jithook/test/service"
)

const (
	hookKey    = "canary-hook-key"
	adminToken = "canary-admin-token"
)

var peer mongotest.Shared

func TestMain(m *testing.M) { os.Exit(peer.Run(m)) }

// house is a server's two doors and what is behind them.
type house struct {
	hooks, admin http.Handler
	store        store.Store
	service      *provision.Service
	log          *bytes.Buffer
	// panics makes whatever asks for the time panic with a canary; fail breaks
	// the store for good.
	panics atomic.Bool
	fail   func()

	id, revision, exported string // what earlier calls answered
}

// stores runs a test on each store.
func stores(t *testing.T, mode identity.ClaimsMode, test func(*testing.T, *house)) {
	t.Run("bolt", func(t *testing.T) {
		s, err := bolt.Open(filepath.Join(t.TempDir(), "jithook.db"), bolt.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		test(t, newHouse(t, s, mode, func() { s.Close() }))
	})
	t.Run("mongo", func(t *testing.T) {
		srv := peer.Server(t)
		proxy := faultproxy.Start(t, srv.URI)
		s, err := mongo.Open(context.Background(), mongo.Options{URI: proxy.URI, Database: srv.Database(t)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		// As a server prints the key of a duplicate, or the command that it
		// does not understand.
		test(t, newHouse(t, s, mode, func() {
			proxy.On(faultproxy.Match{Command: faultproxy.Any}, faultproxy.Answer(bson.D{
				{Key: "ok", Value: 0.0}, {Key: "code", Value: int32(2)}, {Key: "codeName", Value: "BadValue"},
				{Key: "errmsg", Value: `duplicate key { : "canary@acme.example" }`},
			}, false))
		}))
	})
}

func newHouse(t *testing.T, s store.Store, mode identity.ClaimsMode, fail func()) *house {
	t.Helper()
	h := &house{store: s, log: &bytes.Buffer{}, fail: fail}
	var files []string
	for _, name := range []string{"acme.yaml", "tokens.yaml"} {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, string(text))
	}
	var err error
	if h.service, err = service.Over(s, h.log, files...); err != nil {
		t.Fatal(err)
	}
	keys := []claimlog.Key{{ID: "k", Secret: bytes.Repeat([]byte{1}, claimlog.KeySize)}}
	if h.service.ClaimLog, err = claimlog.New(mode, keys); err != nil {
		t.Fatal(err)
	}
	m := metrics.New("test")
	h.service.Observe = m.Login
	h.service.Now = func() time.Time {
		if h.panics.Load() {
			panic("canary@acme.example +4915112345678")
		}
		return time.Now()
	}
	caller := hook.Caller{Name: "tests", Endpoints: []hook.Endpoint{hook.EndpointKratos, hook.EndpointLogin}, Providers: []string{"*"}, Instance: "main"}
	auth, err := hook.NewAuth(hook.Credentials{Now: time.Now, APIKeys: []hook.APIKey{{Caller: caller, Header: "X-API-Key", Values: []string{hookKey}}}})
	if err != nil {
		t.Fatal(err)
	}
	o := hook.Options{Auth: auth, Log: h.service.Log, Ready: s.Ping}
	e := hook.New(o)
	kratos.Mount(e, o, &kratos.Handler{Service: h.service, Log: o.Log})
	generic.Mount(e, o, &generic.Handler{Service: h.service})
	h.hooks = e
	d := directory.New(s, nil)
	h.admin = (&admin.API{
		Store: d, Userstore: d, Service: h.service, Providers: h.service.Providers, Token: adminToken,
		Metrics: m.Handler(), Log: h.service.Log,
	}).Handler()
	return h
}

// keep writes what the service has queued, as at the end of a server.
func (h *house) keep(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	h.service.Later.Run(ctx)
}
