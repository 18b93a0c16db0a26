//go:build unix

package outbound_test

// A receiver learns from the running server of a login, of a suspension, of what
// an administrator takes back and of a deletion, in this order, and can verify
// each message.

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/jithook/jithook/outbound/webhook"
	"github.com/jithook/jithook/test/server"
)

const sends = `
version: 1
provider: acme
issuer: https://acme.example
jit: {enabled: true}
traits: {name: {value: claims.name}}
outbound: [events]
`

func TestWebhook(t *testing.T) {
	t.Parallel()
	verifier, err := standardwebhooks.NewWebhook(server.WebhookSecret)
	must(t, err)
	messages := make(chan webhook.Message, 16)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var m webhook.Message
		if err := verifier.Verify(body, r.Header); err != nil || json.Unmarshal(body, &m) != nil {
			t.Errorf("message refused: %v", err)
		}
		messages <- m
	}))
	defer receiver.Close()
	s := server.Start(t, server.Config{
		Binary:    server.Build(t),
		Store:     map[string]any{"bolt": map[string]any{"path": filepath.Join(t.TempDir(), "jithook.db")}},
		Providers: map[string]string{"acme.yaml": sends},
		Outbound:  map[string]any{"events": map[string]any{"webhook": map[string]any{"url": receiver.URL, "secret": "env:JITHOOK_TEST_WEBHOOK_SECRET"}}},
	})
	s.AwaitReady(t)
	next := func(want webhook.Event) webhook.Message {
		t.Helper()
		select {
		case m := <-messages:
			if m.Type != want {
				t.Fatalf("%s, want %s", m.Type, want)
			}
			return m
		case <-time.After(30 * time.Second):
			t.Fatalf("no message, want %s", want)
		}
		return webhook.Message{}
	}
	login := func(name string) {
		t.Helper()
		a := s.Post(t, "/hooks/login", map[string]any{"version": 1, "provider": "acme", "subject": "s-1", "claims": map[string]any{"name": name}})
		if a.Status != http.StatusOK {
			t.Fatalf("login: %d %s", a.Status, a.Body)
		}
	}
	login("Ann")
	m := next(webhook.Created)
	login("Anna")
	if m := next(webhook.Updated); m.Data.Identity.Traits["name"] != "Anna" {
		t.Errorf("told of %v", m.Data.Identity.Traits)
	}
	for _, step := range []struct {
		action string
		want   webhook.Event
	}{{"suspend", webhook.Suspended}, {"activate", webhook.Activated}, {"deprovision", webhook.Deprovisioned}} {
		if a := s.Ask(t, http.MethodPost, "/admin/v1/identities/"+m.Data.Identity.ID+"/"+step.action, nil); a.Status != http.StatusOK {
			t.Fatalf("%s: %d %s", step.action, a.Status, a.Body)
		}
		next(step.want)
	}
	if a := s.Ask(t, http.MethodDelete, "/admin/v1/identities/"+m.Data.Identity.ID, nil); a.Status != http.StatusOK {
		t.Fatalf("delete: %d %s", a.Status, a.Body)
	}
	if gone := next(webhook.Deleted).Data.Identity; gone.ID != m.Data.Identity.ID || len(gone.Traits)+len(gone.Groups)+len(gone.Providers) > 0 {
		t.Errorf("told of %+v", gone)
	}
	login("Ann")
	if anew := next(webhook.Created).Data.Identity; anew.ID == m.Data.Identity.ID {
		t.Error("whoever signs in after the deletion is who was deleted")
	}
}
