//go:build unix

package quiet_test

// The whole of a server but its ports, on each store, with what makes it fail.

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"go.mongodb.org/mongo-driver/v2/bson"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/jithook/jithook/admin"
	"github.com/jithook/jithook/hook"
	"github.com/jithook/jithook/hook/generic"
	"github.com/jithook/jithook/hook/kratos"
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/claimlog"
	"github.com/jithook/jithook/internal/expr"
	"github.com/jithook/jithook/internal/metrics"
	"github.com/jithook/jithook/internal/tracing"
	"github.com/jithook/jithook/outbound"
	"github.com/jithook/jithook/provider"
	"github.com/jithook/jithook/provision"
	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/store/bolt"
	"github.com/jithook/jithook/store/directory"
	"github.com/jithook/jithook/store/mongo"
	"github.com/jithook/jithook/store/traced"
	"github.com/jithook/jithook/test/mongo/faultproxy"
	"github.com/jithook/jithook/test/mongo/mongotest"
	"github.com/jithook/jithook/test/service"
)

const (
	// hookKey, and with "-" and an instance behind it the key of that Kratos.
	hookKey    = "canary-hook-key"
	adminToken = "canary-admin-token"
)

var peer mongotest.Shared

func TestMain(m *testing.M) { os.Exit(peer.Run(m)) }

// house is a server's two doors and what is behind them.
type house struct {
	hooks, admin *echo.Echo
	store        store.Store
	directory    *directory.Directory
	service      *provision.Service
	worker       *outbound.Worker
	log          *log
	// panics makes whatever asks for the time panic with a canary; fail breaks
	// the store for good.
	panics atomic.Bool
	// spans are those of every call, as they are exported.
	spans  *tracetest.InMemoryExporter
	tracer *tracing.Tracer
	fail   func()

	learned map[string]string // what earlier calls answered, by {NAME}
	answers map[string]*seen  // by route
}

// log is what was logged, in both formats. Deliveries log while calls do.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
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
	h := &house{store: s, directory: directory.New(s, nil), log: &log{}, fail: fail, learned: map[string]string{}, answers: map[string]*seen{}}
	var files []string
	for _, name := range []string{"acme", "partner", "told", "tokens"} {
		text, err := os.ReadFile(filepath.Join("testdata", name+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, string(text))
	}
	var err error
	o := &slog.HandlerOptions{Level: slog.LevelDebug}
	both := slog.New(slog.NewMultiHandler(slog.NewJSONHandler(h.log, o), slog.NewTextHandler(h.log, o)))
	if h.service, err = service.Logged(s, both, files...); err != nil {
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
	h.spans = tracetest.NewInMemoryExporter()
	provider := sdk.NewTracerProvider(sdk.WithSyncer(h.spans), sdk.WithSampler(sdk.AlwaysSample()))
	h.tracer = tracing.New(provider)
	d := traced.Directory{Directory: h.directory}
	h.service.Store, h.service.Editable, h.service.Journal, h.service.Receipts, h.service.Budgets = d, d, d, d, d
	h.service.Kratos = kratoses(t)
	h.worker = h.targets(t)
	// Logins wait for one target, and go on without it.
	h.service.Blocking, h.service.Await = map[string]bool{"hr": false}, h.worker.Await
	h.mount(t, m)
	h.learned["CANDIDATE"] = zipped(t, "acme.yaml", files[0])
	return h
}

// zipped is a ZIP archive of one file.
func zipped(t *testing.T, name, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create(name)
	if err == nil {
		_, err = io.WriteString(w, text)
	}
	if err := errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// candidates loads files that are to be tried.
func candidates(t *testing.T) func(fs.FS) (*provider.Set, []provider.Problem) {
	t.Helper()
	env, err := expr.NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	return provider.Loader{Env: env, Userstores: []string{provider.DefaultUserstore}, Now: time.Now}.Load
}

// mount sets up the two doors.
func (h *house) mount(t *testing.T, m *metrics.Metrics) {
	t.Helper()
	caller := func(instance string) hook.Caller {
		return hook.Caller{
			Name: "tests-" + instance, Instance: instance, Providers: []string{"*"},
			Endpoints: []hook.Endpoint{hook.EndpointKratos, hook.EndpointLogin},
		}
	}
	credentials := hook.Credentials{
		Now:      time.Now,
		APIKeys:  []hook.APIKey{{Caller: caller("main"), Header: "X-API-Key", Values: []string{hookKey}}},
		Webhooks: []hook.Webhook{{Caller: caller("main"), Secrets: []string{webhookSecret}}},
	}
	for instance := range h.service.Kratos {
		credentials.APIKeys = append(credentials.APIKeys, hook.APIKey{Caller: caller(instance), Header: "X-API-Key", Values: []string{hookKey + "-" + instance}})
	}
	auth, err := hook.NewAuth(credentials)
	if err != nil {
		t.Fatal(err)
	}
	o := hook.Options{
		Auth: auth, Log: h.service.Log, Ready: h.store.Ping, Tracer: h.tracer,
		Refused: func(why hook.Reason) { m.CallerRefused(string(why), 1) },
	}
	h.hooks = hook.New(o)
	kratos.Mount(h.hooks, o, &kratos.Handler{Service: h.service, Log: o.Log})
	generic.Mount(h.hooks, o, &generic.Handler{Service: h.service})
	api := &admin.API{
		Store: h.directory, Userstore: h.directory, Service: h.service, Providers: h.service.Providers, Token: adminToken,
		LoadProviders: candidates(t), Replayers: 1, Targets: []string{"crm", "events", "hr"}, Comparers: map[string]outbound.Comparer{}, Metrics: m.Handler(), Log: h.service.Log,
	}
	for name, c := range h.worker.Connectors {
		if comparer, ok := c.(outbound.Comparer); ok {
			api.Comparers[name] = comparer
		}
	}
	h.admin = api.Handler().(*echo.Echo)
}

// keep writes what the service has queued, as at the end of a server.
func (h *house) keep(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	h.service.Later.Run(ctx)
}
