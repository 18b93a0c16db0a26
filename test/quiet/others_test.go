//go:build unix

package quiet_test

// The systems that a server talks to. They know canaries, too, and say them to
// whoever asks: in what they answer in good order, and in what they refuse.

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jithook/jithook/internal/expr"
	"github.com/jithook/jithook/internal/safedial"
	"github.com/jithook/jithook/kratos"
	"github.com/jithook/jithook/outbound"
	"github.com/jithook/jithook/outbound/kratosstate"
	"github.com/jithook/jithook/outbound/scim"
	"github.com/jithook/jithook/outbound/webhook"
	"github.com/jithook/jithook/store/traced"
)

// The Kratoses: one answers, the Admin API of the other fails. The instance of
// the first key has none.
const (
	answering = "answering"
	failing   = "failing"
)

// chatter is what a system says that fails.
const chatter = `{"error":"invalid_client","error_description":"canary-secret","detail":"canary@acme.example is taken","scimType":"invalidValue canary",` +
	`"message":"+4915112345678 canary-token","schemas":["urn:canary"],"status":"400"}`

// serving serves a system on this machine.
func serving(t *testing.T, answer http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Seen", "canary-header")
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func refuse(w http.ResponseWriter, status int) {
	w.Header().Set("WWW-Authenticate", `Bearer error="canary-token"`)
	w.WriteHeader(status)
	fmt.Fprint(w, chatter)
}

// kratoses are the Admin APIs.
func kratoses(t *testing.T) map[string]*kratos.Admin {
	t.Helper()
	handlers := map[string]http.HandlerFunc{
		answering: func(w http.ResponseWriter, r *http.Request) {
			at := strings.LastIndexByte(r.URL.Path, '/') + 1
			switch id := r.URL.Path[at:]; {
			case r.Method != http.MethodGet:
				w.WriteHeader(http.StatusNoContent)
			case id == "identities" && r.URL.Query().Has("credentials_identifier"):
				fmt.Fprint(w, `[]`)
			case id == "identities":
				fmt.Fprint(w, `[{"id":"k-9"}]`)
			default:
				fmt.Fprintf(w, `{"id":%q,"state":"active","traits":{"email":"canary-%[1]s@acme.example"},"credentials":{"oidc":{"identifiers":["acme:canary-%[1]s"]}}}`, id)
			}
		},
		failing: func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/identities") {
				refuse(w, http.StatusInternalServerError)
				return
			}
			fmt.Fprint(w, `{"id":"canary-id","traits":{"email":"canary@`) // breaks off
		},
	}
	admins := map[string]*kratos.Admin{}
	for name, handler := range handlers {
		admin, err := kratos.NewAdmin(serving(t, handler), "canary-kratos-token")
		if err != nil {
			t.Fatal(err)
		}
		admins[name] = admin
	}
	return admins
}

// targets is a worker that delivers to targets that refuse what they are told, or whoever tells
// them.
func (h *house) targets(t *testing.T) *outbound.Worker {
	t.Helper()
	env, err := expr.NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	userName, err := env.Compile(expr.Source{Text: "identity.traits.email"})
	if err != nil {
		t.Fatal(err)
	}
	guard := safedial.New([]netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")})
	target := serving(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/token"):
			refuse(w, http.StatusUnauthorized)
		case r.Method == http.MethodGet:
			fmt.Fprint(w, `{"Resources":[]}`)
		default:
			refuse(w, http.StatusBadRequest)
		}
	})
	connectors := map[string]outbound.Connector{}
	for name, auth := range map[string]scim.Auth{
		"hr":  scim.Bearer("canary-bearer"),
		"crm": scim.OAuth2(scim.ClientCredentials{TokenURL: target + "/token", ClientID: "canary-client", ClientSecret: "canary-secret"}),
	} {
		connectors[name], err = scim.New(scim.Options{
			URL: target, Auth: auth, Attributes: []scim.Attribute{{Name: "userName", Value: userName}},
			Patch: scim.PatchRFC, Lookup: scim.LookupExternalID, OnDeprovision: scim.Deactivate,
			First: func(context.Context, string) (bool, error) { return true, nil }, Guard: guard, Now: h.service.Now, Log: h.service.Log,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	connectors["events"], err = webhook.New(webhook.Options{
		URL:     serving(t, func(w http.ResponseWriter, _ *http.Request) { refuse(w, http.StatusInternalServerError) }),
		Secrets: []string{webhookSecret}, Guard: guard, Now: h.service.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, admin := range h.service.Kratos {
		connectors[kratos.StateTarget(name)] = kratosstate.Connector{Admin: admin, Instance: name, MayReturn: h.service.MayReturn}
	}
	return &outbound.Worker{Store: traced.Directory{Directory: h.directory}, Connectors: connectors, Now: h.service.Now, Log: h.service.Log, Tracer: h.tracer}
}

// deliver lets the worker run until each of the targets has been tried.
func (h *house) deliver(t *testing.T, targets ...string) {
	t.Helper()
	tried := make(chan string, 64)
	h.worker.Attempted = func(target string, _ outbound.Outcome, _ time.Duration) {
		select {
		case tried <- target:
		default: // enough is known
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { h.worker.Run(ctx) })
	defer running.Wait()
	defer cancel()
	missing := map[string]bool{}
	for _, name := range targets {
		missing[name] = true
	}
	for late := time.After(30 * time.Second); len(missing) > 0; {
		select {
		case name := <-tried:
			delete(missing, name)
		case <-late:
			t.Fatalf("not tried: %v", missing)
		}
	}
}

var webhookSecret = "whsec_" + base64.StdEncoding.EncodeToString([]byte("canary-webhook-secret-1234567890"))
