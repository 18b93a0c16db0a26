package hook_test

// These tests prove that guessing is answered sparingly, and that no amount of it
// keeps a good caller out.

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/jithook/jithook/hook"
	"github.com/jithook/jithook/identity"
)

// guarded is a server whose clock stands still until it is moved.
type guarded struct {
	http.Handler
	now     time.Time
	refused []hook.Reason
	log     bytes.Buffer
}

func guard(t *testing.T) *guarded {
	t.Helper()
	g := &guarded{now: clock}
	a, err := hook.NewAuth(hook.Credentials{
		APIKeys:  []hook.APIKey{{Caller: caller("login", hook.EndpointLogin), Header: "X-Login-Key", Values: []string{"login-key"}}},
		Webhooks: []hook.Webhook{{Caller: caller("signer", hook.EndpointLogin), Secrets: []string{newSecret}}},
		Now:      func() time.Time { return g.now },
	})
	if err != nil {
		t.Fatal(err)
	}
	o := hook.Options{
		Auth: a, Log: slog.New(slog.NewJSONHandler(&g.log, nil)),
		Refused: func(why hook.Reason) { g.refused = append(g.refused, why) },
	}
	e := hook.New(o)
	hook.Group(e, o, "/hooks", hook.EndpointLogin, func(echo.Context, identity.Code) error { return nil }).POST("/read", func(c echo.Context) error {
		_, err := io.Copy(io.Discard, c.Request().Body)
		return err
	})
	g.Handler = e
	return g
}

// unread is a body that nobody may read.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, io.EOF
}

func (g *guarded) call(remote string, header http.Header, body io.Reader) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/hooks/read", body)
	r.RemoteAddr, r.Header = remote, header
	w := httptest.NewRecorder()
	g.ServeHTTP(w, r)
	return w
}

// bad sends a request with a wrong key and returns the status.
func (g *guarded) bad(t *testing.T, remote string) int {
	return g.call(remote, http.Header{"X-Login-Key": {"canary-key"}}, unread{t}).Code
}

// exhaust sends bad requests until they are limited, and returns how many were
// answered 401.
func (g *guarded) exhaust(t *testing.T, remote string) int {
	t.Helper()
	for n := range 100 {
		switch status := g.bad(t, remote); status {
		case http.StatusTooManyRequests:
			return n
		case http.StatusUnauthorized:
		default:
			t.Fatalf("status %d", status)
		}
	}
	t.Fatal("a hundred failures are not limited")
	return 0
}

const address = "192.0.2.1:1000"

func TestFailuresAreLimited(t *testing.T) {
	g := guard(t)
	if n := g.exhaust(t, address); n != 10 {
		t.Errorf("limited after %d failures", n)
	}
	w := g.call(address, http.Header{}, unread{t})
	if w.Code != 429 || w.Header().Get("Retry-After") == "" || w.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	// What is no signature needs no body either.
	for what, h := range map[string]http.Header{
		"stale":   signedHeader("m-1", clock.Add(-time.Hour), sign(t, newSecret, "m-1", clock, signedBody)),
		"none":    signedHeader("m-1", clock, "v2,x"),
		"without": {"Webhook-Id": {"m-1"}},
	} {
		if w := g.call(address, h, unread{t}); w.Code != 429 {
			t.Errorf("%s: %d", what, w.Code)
		}
	}
	if w := g.call(address, signedHeader("m-1", clock, sign(t, otherSecret, "m-1", clock, signedBody)), strings.NewReader(signedBody)); w.Code != 429 {
		t.Errorf("a wrong signature: %d", w.Code)
	}
	g.now = g.now.Add(time.Second)
	if first, second := g.bad(t, address), g.bad(t, address); first != 401 || second != 429 {
		t.Errorf("a second later %d, %d, want one answer", first, second)
	}
}

// TestGoodCallersAreNeverLimited: whatever their address has sent before.
func TestGoodCallersAreNeverLimited(t *testing.T) {
	g := guard(t)
	g.exhaust(t, address)
	for n := range 100 {
		g.bad(t, address)
		key := http.Header{"X-Login-Key": {"login-key"}, "Content-Type": {"application/json"}}
		if w := g.call(address, key, strings.NewReader(signedBody)); w.Code != 200 {
			t.Fatalf("key: %d %s", w.Code, w.Body)
		}
		id := fmt.Sprint("m-", n)
		if w := g.call(address, signedHeader(id, clock, sign(t, newSecret, id, clock, signedBody)), strings.NewReader(signedBody)); w.Code != 200 {
			t.Fatalf("signature: %d %s", w.Code, w.Body)
		}
	}
}

func TestRemotes(t *testing.T) {
	for name, c := range map[string]struct {
		first, second string
		same          bool
	}{
		"another port":          {"192.0.2.1:1000", "192.0.2.1:2000", true},
		"another address":       {"192.0.2.1:1000", "192.0.2.2:1000", false},
		"one /64":               {"[2001:db8::1]:1000", "[2001:db8::ffff:0:1]:1000", true},
		"another /64":           {"[2001:db8::1]:1000", "[2001:db8:0:1::1]:1000", false},
		"IPv4 in IPv6":          {"192.0.2.1:1000", "[::ffff:192.0.2.1]:1000", true},
		"two IPv4 in IPv6":      {"[::ffff:192.0.2.1]:1000", "[::ffff:192.0.2.2]:1000", false},
		"with and without zone": {"[fe80::1%eth0]:1000", "[fe80::1]:1000", true},
		"no address":            {"@", "", true},
	} {
		t.Run(name, func(t *testing.T) {
			g := guard(t)
			g.exhaust(t, c.first)
			if status := g.bad(t, c.second); (status == 429) != c.same {
				t.Errorf("status %d", status)
			}
		})
	}
}

// TestRemotesAreBounded: the table forgets who has not failed for long, and nobody
// who goes on.
func TestRemotesAreBounded(t *testing.T) {
	g := guard(t)
	silent := "192.0.2.2:1"
	g.exhaust(t, address)
	g.exhaust(t, silent)
	for n := range 3 * 4096 {
		g.bad(t, fmt.Sprintf("10.%d.%d.%d:1", n>>16, n>>8&255, n&255))
		if n%1000 == 0 {
			if status := g.bad(t, address); status != 429 {
				t.Fatalf("after %d others, status %d", n, status)
			}
		}
	}
	if status := g.bad(t, silent); status != 401 {
		t.Errorf("who was silent for long: %d", status)
	}
}

// TestFailuresAreLoggedSparingly: with their reason and without what was sent.
func TestFailuresAreLoggedSparingly(t *testing.T) {
	g := guard(t)
	for n := range 1000 {
		g.bad(t, fmt.Sprintf("10.0.%d.%d:1", n>>8, n&255))
	}
	if lines := strings.Count(g.log.String(), "\n"); lines != 10 {
		t.Errorf("%d lines for 1000 failures", lines)
	}
	g.log.Reset()
	g.now = g.now.Add(time.Second)
	g.bad(t, address)
	for _, want := range []string{`"reason":"unknown_credential"`, `"remote":"192.0.2.1/32"`, `"not_logged_before":990`} {
		if !strings.Contains(g.log.String(), want) {
			t.Errorf("no %s in %s", want, g.log.String())
		}
	}
	if strings.Contains(g.log.String(), "canary") {
		t.Error("the log holds the key")
	}
}

func TestReasons(t *testing.T) {
	g := guard(t)
	good := sign(t, newSecret, "m-1", clock, signedBody)
	for _, h := range []http.Header{
		{},
		{"X-Login-Key": {"bad"}},
		{"X-Login-Key": {"login-key"}, "Webhook-Id": {"m-1"}},
		{"Webhook-Id": {"m-1"}},
		signedHeader("m-1", clock.Add(-time.Hour), good),
		signedHeader("m-2", clock, good),
	} {
		g.call(address, h, strings.NewReader(signedBody))
	}
	if fmt.Sprint(g.refused) != fmt.Sprint(hook.Reasons()) {
		t.Errorf("reasons %v, want %v", g.refused, hook.Reasons())
	}
}

// TestFailuresAtOnce: for the race detector.
func TestFailuresAtOnce(t *testing.T) {
	s := server(t, io.Discard)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 20 {
				send(t, s.URL+"/hooks/read", http.Header{"X-Login-Key": {"bad"}}, http.NoBody)
			}
		})
	}
	all.Wait()
}
