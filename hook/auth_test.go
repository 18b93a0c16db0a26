// These tests prove who may call: that a wrong, missing or misplaced credential
// is refused, that a scope is kept, that nothing but JSON within its bounds
// reaches a handler, and that a server without a usable credential does not
// start.
package hook_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/jithook/jithook/hook"
	"github.com/jithook/jithook/identity"
)

func caller(name string, endpoints ...hook.Endpoint) hook.Caller {
	return hook.Caller{Name: name, Endpoints: endpoints, Providers: []string{"acme"}, Instance: "main"}
}

func auth(t *testing.T) *hook.Auth {
	t.Helper()
	a, err := hook.NewAuth(hook.Credentials{
		Now: time.Now,
		APIKeys: []hook.APIKey{
			{Caller: caller("kratos", hook.EndpointKratos), Header: "X-API-Key", Values: []string{"kratos-key", "old-kratos-key"}},
			{Caller: caller("login", hook.EndpointLogin), Header: "x-login-key", Values: []string{"login-key"}},
		},
		Basics: []hook.Basic{{Caller: caller("basic", hook.EndpointLogin), User: "ab", Passwords: []string{"c", "old-c"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func basicHeader(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

func TestAuthenticate(t *testing.T) {
	a := auth(t)
	for name, c := range map[string]struct {
		header, value string
		want          string // "" = nobody
	}{
		"key in its header":        {"X-API-Key", "kratos-key", "kratos"},
		"key as bearer":            {"Authorization", "Bearer kratos-key", "kratos"},
		"header in another case":   {"X-Login-Key", "login-key", "login"},
		"basic":                    {"Authorization", basicHeader("ab", "c"), "basic"},
		"rotation: old key":        {"X-API-Key", "old-kratos-key", "kratos"},
		"rotation: old bearer":     {"Authorization", "Bearer old-kratos-key", "kratos"},
		"rotation: old password":   {"Authorization", basicHeader("ab", "old-c"), "basic"},
		"nothing":                  {"X-Other", "kratos-key", ""},
		"wrong key":                {"X-API-Key", "kratos-key2", ""},
		"prefix of the key":        {"X-API-Key", "kratos-ke", ""},
		"empty key":                {"X-API-Key", "", ""},
		"empty bearer":             {"Authorization", "Bearer ", ""},
		"key in another's header":  {"X-API-Key", "login-key", ""},
		"raw key as authorization": {"Authorization", "kratos-key", ""},
		"user and password moved":  {"Authorization", basicHeader("a", "bc"), ""},
		"no password":              {"Authorization", basicHeader("ab", ""), ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, "/", nil)
			r.Header.Set(c.header, c.value)
			got, delivery, err := a.Authenticate(r)
			if (err == nil) != (c.want != "") || got.Name != c.want || delivery != nil {
				t.Errorf("got %q, %v", got.Name, err)
			}
		})
	}
}

// TestS7_NewAuthRefuses: a server whose credentials are none, empty or mixed up
// does not start.
func TestS7_NewAuthRefuses(t *testing.T) {
	key := func(name string, values ...string) hook.APIKey {
		return hook.APIKey{Caller: caller(name), Header: "X-API-Key", Values: values}
	}
	basic := func(user string, passwords ...string) hook.Credentials {
		return hook.Credentials{Basics: []hook.Basic{{Caller: caller("a"), User: user, Passwords: passwords}}}
	}
	signs := func(secrets ...string) hook.Credentials {
		return hook.Credentials{Webhooks: []hook.Webhook{{Caller: caller("a"), Secrets: secrets}}}
	}
	keys := func(keys ...hook.APIKey) hook.Credentials { return hook.Credentials{APIKeys: keys} }
	for name, c := range map[string]struct {
		credentials hook.Credentials
		says        string
	}{
		"no credential":               {keys(), "no credential is configured"},
		"empty key":                   {keys(key("a", "")), "empty secret"},
		"no key":                      {keys(key("a")), "empty secret"},
		"empty old key":               {keys(key("a", "new", "")), "empty secret"},
		"three keys":                  {keys(key("a", "1", "2", "3")), "more than 2"},
		"empty password":              {basic("u", ""), "empty secret"},
		"no password":                 {basic("u"), "empty secret"},
		"no user":                     {basic("", "p"), "has no user"},
		"one secret, two":             {keys(key("a", "same"), key("b", "other", "same")), "there twice"},
		"by bearer both":              {keys(key("a", "same"), hook.APIKey{Caller: caller("b"), Header: "X-Other", Values: []string{"same"}}), "there twice"},
		"empty webhook secret":        {signs(""), "empty secret"},
		"no webhook secret":           {signs(), "empty secret"},
		"three webhook secrets":       {signs(whsec("1", 24), whsec("2", 24), whsec("3", 24)), "more than 2"},
		"a secret that is short":      {signs(whsec("1", 23)), "is not whsec_ and 24 to 64 bytes"},
		"a secret that is long":       {signs(whsec("1", 65)), "is not whsec_ and 24 to 64 bytes"},
		"a secret without its prefix": {signs(strings.TrimPrefix(whsec("1", 24), "whsec_")), "is not whsec_"},
		"a secret that is no base64":  {signs("whsec_" + strings.Repeat("%", 32)), "is not whsec_"},
		"one webhook secret twice":    {signs(whsec("1", 24), whsec("1", 24)), "there twice"},
		"old is new":                  {keys(key("a", "same", "same")), "there twice"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := hook.NewAuth(c.credentials)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("error %v, want one that says %q", err, c.says)
			}
			for _, w := range c.credentials.Webhooks {
				for _, s := range w.Secrets {
					if s != "" && strings.Contains(err.Error(), s) {
						t.Error("the error holds the secret")
					}
				}
			}
		})
	}
}

// server has one hook that reads its body.
func server(t *testing.T, log io.Writer) *httptest.Server { return serverOf(t, log, auth(t)) }

func serverOf(t *testing.T, log io.Writer, auth *hook.Auth) *httptest.Server {
	t.Helper()
	o := hook.Options{Auth: auth, Log: slog.New(slog.NewJSONHandler(log, nil)), Ready: func(context.Context) error { return errors.New("down") }}
	e := hook.New(o)
	fault := func(c echo.Context, _ identity.Code) error { return c.String(http.StatusTeapot, "fault") }
	g := hook.Group(e, o, "/hooks", hook.EndpointLogin, fault)
	g.POST("/read", func(c echo.Context) error {
		if _, err := io.Copy(io.Discard, c.Request().Body); err != nil {
			return err
		}
		if _, ok := c.Request().Context().Deadline(); !ok {
			t.Error("a request without a deadline")
		}
		return c.String(http.StatusOK, hook.CallerOf(c).Name)
	})
	g.POST("/panic", func(echo.Context) error { panic("canary-claim-value") })
	s := httptest.NewServer(e)
	t.Cleanup(s.Close)
	return s
}

func TestRequests(t *testing.T) {
	var log bytes.Buffer
	s := server(t, &log)
	for name, c := range map[string]struct {
		path, key, value, contentType, encoding string
		status                                  int
	}{
		"good":                 {"/hooks/read", "X-Login-Key", "login-key", "application/json; charset=utf-8", "", 200},
		"no credential":        {"/hooks/read", "X-None", "x", "application/json", "", 401},
		"not its endpoint":     {"/hooks/read", "X-API-Key", "kratos-key", "application/json", "", 403},
		"not JSON":             {"/hooks/read", "X-Login-Key", "login-key", "text/plain", "", 415},
		"no type":              {"/hooks/read", "X-Login-Key", "login-key", "", "", 415},
		"S13 compressed":       {"/hooks/read", "X-Login-Key", "login-key", "application/json", "gzip", 415},
		"panic":                {"/hooks/panic", "X-Login-Key", "login-key", "application/json", "", 418},
		"no such hook":         {"/hooks/nothing", "X-Login-Key", "login-key", "application/json", "", 404},
		"no such hook, no key": {"/hooks/nothing", "X-None", "x", "application/json", "", 401},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := http.NewRequest(http.MethodPost, s.URL+c.path, strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set(c.key, c.value)
			r.Header.Set("Content-Type", c.contentType)
			r.Header.Set("X-Request-Id", "chosen-by-a-stranger")
			if c.encoding != "" {
				r.Header.Set("Content-Encoding", c.encoding)
			}
			reply, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer reply.Body.Close()
			if reply.StatusCode != c.status {
				t.Errorf("status %d, want %d", reply.StatusCode, c.status)
			}
			if id := reply.Header.Get("X-Request-Id"); id == "" || id == "chosen-by-a-stranger" {
				t.Errorf("request id %q", id)
			}
		})
	}
	if strings.Contains(log.String(), "canary-claim-value") {
		t.Error("a panic's value is in the log")
	}
	if !strings.Contains(log.String(), "panic in a hook") {
		t.Error("the panic is not in the log")
	}
}

func TestReadiness(t *testing.T) {
	s := server(t, io.Discard)
	for path, status := range map[string]int{"/livez": 200, "/readyz": 503} {
		reply, err := http.Get(s.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		reply.Body.Close()
		if reply.StatusCode != status {
			t.Errorf("%s: %d", path, reply.StatusCode)
		}
	}
}
