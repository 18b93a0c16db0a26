package admin_test

// These tests prove who gets in: nobody without the token, nobody at all while
// none is configured, and no page in a browser that made its own host name point
// here.

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"
)

func TestToken(t *testing.T) {
	for name, c := range map[string]struct {
		configured, sent string
		admitted         bool
	}{
		"right":                     {token, "Bearer " + token, true},
		"none":                      {token, "", false},
		"wrong":                     {token, "Bearer another", false},
		"prefix of the right one":   {token, "Bearer " + token[:len(token)-1], false},
		"right one and more":        {token, "Bearer " + token + "x", false},
		"basic":                     {token, "Basic " + token, false},
		"empty":                     {token, "Bearer ", false},
		"none configured":           {"", "Bearer " + token, false},
		"none configured nor sent":  {"", "", false},
		"none configured and empty": {"", "Bearer ", false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.api.Token = c.configured
			for _, path := range []string{
				"/identities", "/identities/x", "/decisions", "/decisions/x", "/providers", "/openapi.json",
			} {
				r := request(http.MethodGet, path, "")
				r.Header.Set("Authorization", c.sent)
				if c.admitted {
					if got := w.ask(t, r); got.status == http.StatusUnauthorized {
						t.Errorf("%s: not admitted", path)
					}
					continue
				}
				got := w.ask(t, r)
				refused(t, got, http.StatusUnauthorized)
				if strings.Contains(string(got.body), token) {
					t.Errorf("%s: the refusal holds the token", path)
				}
			}
		})
	}
}

// TestTokenEverywhere takes the paths from the router, and two that it does not
// know: what is added later needs the token as well.
func TestTokenEverywhere(t *testing.T) {
	w := newWorld(t)
	handler := w.api.Handler()
	targets := []string{"GET /metrics", "POST /admin/v1/plan", "GET /", "DELETE /admin/v1/identities/x"}
	for _, r := range handler.(*echo.Echo).Routes() {
		if strings.HasPrefix(r.Path, "/") {
			targets = append(targets, r.Method+" "+r.Path)
		}
	}
	for _, target := range targets {
		method, path, _ := strings.Cut(target, " ")
		if !strings.HasPrefix(path, "/") || strings.HasPrefix(method, "echo_") {
			continue
		}
		got := httptest.NewRecorder()
		handler.ServeHTTP(got, httptest.NewRequest(method, base+path, strings.NewReader("{}")))
		if got.Code != http.StatusUnauthorized {
			t.Errorf("%s without a token: %d", target, got.Code)
		}
	}
	r := httptest.NewRequest(http.MethodGet, base+"/metrics", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	got := httptest.NewRecorder()
	handler.ServeHTTP(got, r)
	if got.Code != http.StatusOK || got.Body.String() != "a_metric 1\n" {
		t.Errorf("metrics: %d %s", got.Code, got.Body)
	}
}

func TestHost(t *testing.T) {
	for name, c := range map[string]struct {
		host string
		ours bool
	}{
		"address":                  {"127.0.0.1:4481", true},
		"address without port":     {"127.0.0.1", true},
		"IPv6":                     {"[::1]:4481", true},
		"IPv6 without port":        {"[::1]", true},
		"localhost":                {"localhost:4481", true},
		"localhost in capitals":    {"LOCALHOST", true},
		"name in admin.listen":     {"jithook.internal:4481", true},
		"somebody's name":          {"evil.example:4481", false},
		"our name within another":  {"jithook.internal.evil.example", false},
		"localhost within another": {"localhost.evil.example", false},
		"address within a name":    {"127.0.0.1.evil.example:80", false},
		"none":                     {"", false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			r := request(http.MethodGet, "/providers", "")
			r.Host = c.host
			if c.ours {
				if got := w.ask(t, r); got.status != http.StatusOK {
					t.Errorf("status %d: %s", got.status, got.body)
				}
				return
			}
			p := refused(t, w.ask(t, r), http.StatusMisdirectedRequest)
			if !strings.Contains(p.Detail, "admin.listen") {
				t.Errorf("the detail does not say what to do: %s", p.Detail)
			}
		})
	}
}

// TestHostUnnamed proves that a listen address without a name opens no door
// for requests without a name.
func TestHostUnnamed(t *testing.T) {
	w := newWorld(t)
	w.api.Host = ""
	for _, host := range []string{"", ":4481", "jithook.internal"} {
		r := request(http.MethodGet, "/providers", "")
		r.Host = host
		refused(t, w.ask(t, r), http.StatusMisdirectedRequest)
	}
}

// TestPanic proves that a fault of ours is a problem like any other, and that
// what was in our hands then does not stand in the log.
func TestPanic(t *testing.T) {
	w := newWorld(t)
	w.api.Providers = nil
	p := refused(t, w.get(t, "/providers"), http.StatusInternalServerError)
	if !strings.Contains(w.log.String(), p.RequestID) || !strings.Contains(w.log.String(), "providers.go") {
		t.Errorf("the log does not tell where request %s failed: %s", p.RequestID, w.log)
	}
}
