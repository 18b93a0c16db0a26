//go:build linux

package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/jithook/jithook/hook/generic"
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/store/bolt"
	"github.com/jithook/jithook/store/mongo"
	"github.com/jithook/jithook/test/process"
	"github.com/jithook/jithook/test/service"
)

// bareEnv, in the environment of a test binary, makes it the bare server on this
// store (a storage as JSON).
const bareEnv = "JITHOOK_BENCH_BARE"

// storage says where a server keeps its identities: one of the two is set.
type storage struct {
	Bolt     string `json:"bolt,omitempty"` // the file
	URI      string `json:"uri,omitempty"`
	Database string `json:"database,omitempty"`
}

// section is the store's section in a configuration.
func (s storage) section() map[string]any {
	if s.Bolt != "" {
		return map[string]any{"bolt": map[string]any{"path": s.Bolt}}
	}
	return map[string]any{"mongodb": map[string]any{"uri": s.URI, "database": s.Database}}
}

func (s storage) open() (store.Store, error) {
	if s.Bolt != "" {
		return bolt.Open(s.Bolt, bolt.Options{})
	}
	return mongo.Open(context.Background(), mongo.Options{URI: s.URI, Database: s.Database})
}

// Main is TestMain's: it runs the tests, unless the binary was started to be the
// bare server.
func Main(run func() int) int {
	where := os.Getenv(bareEnv)
	if where == "" {
		return run()
	}
	if err := serveBare(where); err != nil {
		fmt.Fprintln(os.Stderr, "the bare server:", err)
		return 1
	}
	return 0
}

// startBare starts the bare server in a process of its own, as jithook has one.
func startBare(t testing.TB, s storage) *side {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	where, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), bareEnv+"="+string(where))
	p, err := process.Launch(dir, "bare", cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Stop() })
	for until := time.Now().Add(startLimit); ; time.Sleep(5 * time.Millisecond) {
		log, err := os.ReadFile(filepath.Join(dir, "bare.log"))
		if err != nil {
			t.Fatal(err)
		}
		if _, address, ok := strings.Cut(string(log), "listening "); ok && strings.HasSuffix(address, "\n") {
			return &side{newClient("http://" + strings.TrimSpace(address) + "/hooks/login"), p}
		}
		if p.HasExited() || time.Now().After(until) {
			t.Fatalf("the bare server does not listen:\n%s", log)
		}
	}
}

// startLimit bounds how long a server may take until it listens.
const startLimit = 30 * time.Second

// serveBare is what one could write without jithook: it decodes the request,
// reads whom it is about, writes them if they are new, and answers. Nobody is
// authenticated, nothing is decided, nothing mapped. What it writes is what
// jithook would: a copy of an identity, and of its record, that jithook made.
func serveBare(where string) error {
	var at storage
	if err := json.Unmarshal([]byte(where), &at); err != nil {
		return err
	}
	person, record, err := template()
	if err != nil {
		return fmt.Errorf("template: %w", err)
	}
	s, err := at.open()
	if err != nil {
		return err
	}
	defer s.Close()
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.POST("/hooks/login", func(c echo.Context) error {
		var r generic.Request
		if err := json.NewDecoder(c.Request().Body).Decode(&r); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(c.Request().Context(), patience)
		defer cancel()
		key := identity.FedKey(person.Links[0].Issuer, r.Subject)
		found, err := s.Find(ctx, key)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			i, record := another(person, record, r.Subject)
			if err := s.Insert(ctx, i, record); err != nil {
				return err
			}
			found = []identity.Identity{i}
		}
		return c.JSON(http.StatusOK, map[string]any{"id": found[0].ID, "traits": found[0].Traits, "groups": found[0].Groups})
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println("listening", l.Addr())
	return http.Serve(l, e)
}

// template has jithook make somebody, in a store that is thrown away.
func template() (identity.Identity, identity.Record, error) {
	none := func(err error) (identity.Identity, identity.Record, error) {
		return identity.Identity{}, identity.Record{}, err
	}
	dir, err := os.MkdirTemp("", "jithook-bench-")
	if err != nil {
		return none(err)
	}
	defer os.RemoveAll(dir)
	s, err := bolt.Open(filepath.Join(dir, "jithook.db"), bolt.Options{})
	if err != nil {
		return none(err)
	}
	defer s.Close()
	over, err := service.Over(s, io.Discard, file("acme"))
	if err != nil {
		return none(err)
	}
	var said map[string]any
	if err := json.Unmarshal(fmt.Appendf(nil, claims, 0, 0), &said); err != nil {
		return none(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	out := over.Provision(ctx, identity.Login{
		Hook: identity.HookGeneric, Caller: "test", Providers: []string{"*"}, Provider: "acme", At: time.Now(),
		Offers: []identity.Offer{{Source: identity.SourceHookBody, Provider: "acme", Subject: "s-template", Claims: said}},
	})
	if out.Record.Decision != identity.Created {
		return none(errors.New("nobody was made: " + string(out.Record.Decision)))
	}
	return *out.Identity, out.Record, nil
}

// another is somebody else of whom the same is known, and the record of that.
func another(i identity.Identity, r identity.Record, subject string) (identity.Identity, identity.Record) {
	key := identity.FedKey(i.Links[0].Issuer, subject)
	i = i.Clone()
	i.ID = uuid.Must(uuid.NewV7()).String()
	i.Keys = []identity.Key{key}
	i.Links[0].Subject = subject
	r.ID, r.IdentityID, r.SubjectKey = uuid.Must(uuid.NewV7()).String(), i.ID, key
	i.DecisionID = r.ID
	return i, r
}
