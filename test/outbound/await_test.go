//go:build unix

package outbound_test

// Logins that wait for a target, at the running server: they pass when it has
// learned of them, and otherwise as the configuration says; what is written goes
// out in any case, and a login that has nothing to tell waits for nobody.

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/test/server"
)

func TestLoginsThatWait(t *testing.T) {
	t.Parallel()
	for mode, failing := range map[string]int{"deny": http.StatusForbidden, "continue": http.StatusOK} {
		t.Run(mode, func(t *testing.T) {
			var told, down atomic.Int64
			hang := make(chan struct{})
			receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch down.Load() {
				case 1:
					w.WriteHeader(http.StatusBadGateway)
					return
				case 2:
					select {
					case <-hang:
					case <-r.Context().Done():
					}
					return
				}
				told.Add(1)
			}))
			defer receiver.Close()
			defer close(hang)
			s := server.Start(t, server.Config{
				Binary:    server.Build(t),
				Store:     map[string]any{"bolt": map[string]any{"path": filepath.Join(t.TempDir(), "jithook.db")}},
				Providers: map[string]string{"acme.yaml": sends},
				Outbound: map[string]any{"events": map[string]any{
					"on_failure": mode, "webhook": map[string]any{"url": receiver.URL, "secret": "env:JITHOOK_TEST_WEBHOOK_SECRET"},
				}},
			})
			s.AwaitReady(t)
			login := func(subject, name string, status int) string {
				t.Helper()
				a := s.Post(t, "/hooks/login", map[string]any{"version": 1, "provider": "acme", "subject": subject, "claims": map[string]any{"name": name}})
				if a.Status != status {
					t.Fatalf("%s: %d, want %d: %s", name, a.Status, status, a.Body)
				}
				var reply struct {
					ID string `json:"decision_id"`
				}
				a.Decode(t, &reply)
				return reply.ID
			}
			login("s-1", "Ann", http.StatusOK)
			if told.Load() != 1 {
				t.Fatal("the login did not wait until the target knew")
			}
			login("s-1", "Ann", http.StatusOK)

			down.Store(1)
			id := login("s-1", "Anna", failing)
			login("s-1", "Ann", failing) // written, and owed together with what was before
			login("s-1", "Ann", failing) // unchanged, and still owed
			login("s-2", "Bob", failing)
			if mode == "deny" {
				a := s.Ask(t, http.MethodGet, "/admin/v1/decisions/"+id, nil)
				if !strings.Contains(string(a.Body), string(identity.CodeTargetUnavailable)) || !strings.Contains(string(a.Body), "/traits/name") {
					t.Errorf("the record does not say what was written and why it was refused: %s", a.Body)
				}
			}
			down.Store(0)
			for until := time.Now().Add(30 * time.Second); told.Load() < 3; time.Sleep(50 * time.Millisecond) {
				if time.Now().After(until) {
					t.Fatal("what was owed has not gone out")
				}
			}
			login("s-1", "Ann", http.StatusOK)
			login("s-2", "Bob", http.StatusOK)

			down.Store(2)
			start := time.Now()
			login("s-2", "Robert", failing)
			if spent := time.Since(start); spent > 1500*time.Millisecond+callSlack {
				t.Errorf("a login waited %s for a target that hangs", spent)
			}
			login("s-1", "Ann", http.StatusOK) // has nothing to tell
		})
	}
}

// callSlack is what a loaded machine may add to a login's deadline.
const callSlack = 5 * time.Second
