package scim_test

// What the connector makes of answers that are none, and of targets that are slow,
// large or lead elsewhere; and how it authenticates.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/safedial"
	"github.com/jithook/jithook/outbound"
	"github.com/jithook/jithook/outbound/scim"
	"github.com/jithook/jithook/store/bolt"
	"github.com/jithook/jithook/test/scim/scimtest"
)

// overtake changes the user before it is written: once, or each time.
func overtake(s *scimtest.Target, id string, always bool) func(http.ResponseWriter, *http.Request) bool {
	var done atomic.Bool
	return func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == "PATCH" && r.Header.Get("Content-Type") == "application/scim+json" && (always || done.CompareAndSwap(false, true)) {
			req, _ := http.NewRequest("PATCH", s.URL+r.URL.Path, strings.NewReader(`{"Operations":[{"op":"replace","path":"nickName","value":"Annie"}]}`))
			req.Header.Set("If-Match", s.All("Users", "id", id)[0]["meta"].(scimtest.Doc)["version"].(string))
			answer, err := http.DefaultClient.Do(req)
			if err == nil {
				answer.Body.Close()
			}
		}
		return false
	}
}

func TestAnswers(t *testing.T) {
	soon := time.Now().Add(2 * time.Minute).UTC().Format(http.TimeFormat)
	for name, c := range map[string]struct {
		status          int
		header, body    string
		rejected, later bool
		after           time.Duration // about
	}{
		"429":                    {429, "", "", false, false, 0},
		"429, seconds":           {429, "120", "", false, true, 2 * time.Minute},
		"429, date":              {429, soon, "", false, true, 2 * time.Minute},
		"503, seconds":           {503, "7", "", false, true, 7 * time.Second},
		"503":                    {503, "", "", false, false, 0},
		"500":                    {500, "", "SECRET", false, false, 0},
		"401":                    {401, "", "", false, false, 0},
		"403":                    {403, "", "", false, false, 0},
		"404 of the endpoint":    {404, "", "", false, false, 0},
		"redirect":               {302, "", "", false, false, 0},
		"400":                    {400, "", `{"scimType":"invalidValue","detail":"SECRET"}`, true, false, 0},
		"400, another word":      {400, "", `{"scimType":"SECRET"}`, true, false, 0},
		"413":                    {413, "", "", true, false, 0},
		"409":                    {409, "", "", true, false, 0},
		"201 without id":         {201, "", `{}`, false, false, 0},
		"201 with an id of dots": {201, "", `{"id":".."}`, false, false, 0},
		"201 of HTML":            {201, "", `<html>SECRET`, false, false, 0},
		"201 without end":        {201, "", `{"id":"` + strings.Repeat("SECRET", 1<<18), false, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := scimtest.New(t)
			s.Before = func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method != "POST" {
					return false
				}
				if c.header != "" {
					w.Header().Set("Retry-After", c.header)
				}
				w.Header().Set("Location", s.URL+"/elsewhere")
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
				return true
			}
			i := ann(nil)
			err := deliver(t, connector(t, s.URL, nil), &i)
			quiet(t, name, err)
			if isRejected(err) != c.rejected {
				t.Errorf("given up: %v (%v)", isRejected(err), err)
			}
			later, ok := errors.AsType[*outbound.LaterError](err)
			if ok != c.later || ok && (later.After > c.after || later.After < c.after-3*time.Second) {
				t.Errorf("later: %+v", later)
			}
			for _, r := range s.Requests() {
				if strings.Contains(r.Path, "elsewhere") {
					t.Error("followed a redirect")
				}
			}
		})
	}
}

// TestHalfOpen: a target that takes the connection and never answers.
func TestHalfOpen(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err = connector(t, "http://"+l.Addr().String(), nil).Deliver(ctx, ann(nil), identity.Delivery{Target: hr})
	quiet(t, "half-open", err)
	if isRejected(err) || !strings.Contains(fmt.Sprint(err), "in time") {
		t.Errorf("got %v", err)
	}
}

// TestPrivateAddress: a target that is not public must be allowed.
func TestPrivateAddress(t *testing.T) {
	s := scimtest.New(t)
	i := ann(nil)
	err := deliver(t, connector(t, s.URL, func(o *scim.Options) { o.Guard = safedial.Guard{} }), &i)
	if _, forbidden := errors.AsType[*safedial.ForbiddenError](err); !forbidden || len(s.Requests()) > 0 {
		t.Errorf("got %v, %d requests", err, len(s.Requests()))
	}
}

func TestCheckURL(t *testing.T) {
	for url, ok := range map[string]bool{
		"https://hr.example/scim/v2": true, "https://hr.example": true, "http://127.0.0.1:8080/scim": true, "http://localhost/": true,
		"http://hr.example": false, "https://user:pw@hr.example": false, "https://hr.example?x=1": false, "https://hr.example/#a": false,
		"hr.example": false, "": false, "ftp://hr.example": false, "http://10.0.0.1/": false,
	} {
		if err := scim.CheckURL(url); (err == nil) != ok {
			t.Errorf("%q: %v", url, err)
		}
	}
}

func TestCheckAttribute(t *testing.T) {
	for name, ok := range map[string]bool{
		"userName": true, "name.givenName": true, "emails": true, "x-org_2": true,
		"": false, "id": false, "externalId": false, "ACTIVE": false, "password": false, "groups": false, "meta.version": false, "schemas": false,
		"a.b.c": false, "emails[type eq \"work\"]": false, "a b": false, "urn:x:y": false, "1a": false,
	} {
		if err := scim.CheckAttribute(name); (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestAuth(t *testing.T) {
	for name, c := range map[string]struct {
		auth scim.Auth
		want string
	}{
		"bearer": {scim.Bearer("t-1"), "Bearer t-1"},
		"basic":  {scim.Basic("jit", "pw"), "Basic aml0OnB3"},
	} {
		s := scimtest.New(t)
		i := ann(nil)
		must(t, deliver(t, connector(t, s.URL, func(o *scim.Options) { o.Auth = c.auth }), &i))
		for _, r := range s.Requests() {
			if r.Authorization != c.want {
				t.Errorf("%s: %s %s with %q", name, r.Method, r.Path, r.Authorization)
			}
		}
	}
}

// TestOAuth2: one token serves until the target refuses it, and a token endpoint
// that fails says nothing.
func TestOAuth2(t *testing.T) {
	var asked atomic.Int64
	var broken atomic.Bool
	tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, pw, _ := r.BasicAuth(); user != "jit" || pw != "SECRET" || r.FormValue("grant_type") != "client_credentials" ||
			r.FormValue("scope") != "scim" || r.FormValue("audience") != "hr" || broken.Load() {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"error":"invalid_client","error_description":"SECRET"}`)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"access_token":"t-%d","token_type":"Bearer","expires_in":3600}`, asked.Add(1))
	}))
	defer tokens.Close()
	s := scimtest.New(t)
	var good atomic.Value
	good.Store("Bearer t-1")
	s.Before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("Authorization") == good.Load() {
			return false
		}
		w.WriteHeader(http.StatusUnauthorized)
		return true
	}
	x := connector(t, s.URL, func(o *scim.Options) {
		o.Auth = scim.OAuth2(scim.ClientCredentials{TokenURL: tokens.URL, ClientID: "jit", ClientSecret: "SECRET", Scopes: []string{"scim"}, Audience: "hr"})
	})
	i := ann(nil)
	must(t, deliver(t, x, &i))
	must(t, deliver(t, x, &i))
	if asked.Load() != 1 {
		t.Errorf("%d tokens, want 1", asked.Load())
	}
	good.Store("Bearer t-2") // the first is withdrawn
	if err := deliver(t, x, &i); err == nil || isRejected(err) {
		t.Errorf("with a token that was withdrawn: %v", err)
	}
	must(t, deliver(t, x, &i))
	good.Store("none")
	_ = deliver(t, x, &i)
	broken.Store(true)
	quiet(t, "token endpoint", deliver(t, x, &i))
}

// TestF11_TokenEndpoint: one that asks for time gets it like a target, from
// every process, and is not asked a second time by another way of authentication.
func TestF11_TokenEndpoint(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		header func(time.Time) string
	}{
		"429, seconds": {429, func(time.Time) string { return "7200" }},
		"503, date":    {503, func(now time.Time) string { return now.Add(2 * time.Hour).UTC().Format(http.TimeFormat) }},
	} {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int64
			began := time.Now()
			tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if asked.Add(1) == 1 {
					w.Header().Set("Retry-After", c.header(began))
					w.WriteHeader(c.status)
					_, _ = io.WriteString(w, "SECRET")
					return
				}
				w.Header().Set("Content-Type", "application/json")
				_, _ = io.WriteString(w, `{"access_token":"t","token_type":"Bearer"}`)
			}))
			defer tokens.Close()
			s := scimtest.New(t)
			notes, err := bolt.Open(filepath.Join(t.TempDir(), "notes.db"), bolt.Options{})
			must(t, err)
			defer notes.Close()
			var passed atomic.Int64
			now := func() time.Time { return began.Add(time.Duration(passed.Load())) }
			process := func() *outbound.Spared {
				return outbound.Spare(connector(t, s.URL, func(o *scim.Options) {
					o.Auth, o.Now = scim.OAuth2(scim.ClientCredentials{TokenURL: tokens.URL, ClientID: "jit", ClientSecret: "SECRET"}), now
				}), hr, notes, now)
			}
			first, other := process(), process()
			tell := func(p *outbound.Spared) error {
				_, err := p.Deliver(t.Context(), ann(nil), identity.Delivery{Target: hr})
				return err
			}
			err = tell(first)
			quiet(t, name, err)
			later, ok := errors.AsType[*outbound.LaterError](err)
			if !ok || later.After < 2*time.Hour-3*time.Second || later.After > 2*time.Hour || !strings.Contains(err.Error(), fmt.Sprint(c.status)) {
				t.Fatalf("got %v", err)
			}
			passed.Store(int64(2*time.Hour - time.Minute))
			for _, p := range []*outbound.Spared{first, other} {
				if _, ok := errors.AsType[*outbound.LaterError](tell(p)); !ok {
					t.Error("it is not left alone")
				}
			}
			if n := asked.Load(); n != 1 || len(s.Requests()) > 0 {
				t.Errorf("%d requests for tokens, want 1, and %d to the target, want none", n, len(s.Requests()))
			}
			passed.Store(int64(2*time.Hour + time.Second))
			must(t, tell(other))
			one(t, s)
		})
	}
}

// TestTokenEndpointAtOnce: deliveries that are under way when a token endpoint asks
// for time do not ask it one after the other.
func TestTokenEndpointAtOnce(t *testing.T) {
	var asked atomic.Int64
	var free atomic.Bool
	tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1); free.Load() {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"access_token":"t","token_type":"Bearer"}`)
			return
		}
		w.Header().Set("Retry-After", "7200")
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	defer tokens.Close()
	s := scimtest.New(t)
	began := time.Now()
	var passed atomic.Int64
	x := connector(t, s.URL, func(o *scim.Options) {
		o.Auth = scim.OAuth2(scim.ClientCredentials{TokenURL: tokens.URL, ClientID: "jit", ClientSecret: "SECRET"})
		o.Now = func() time.Time { return began.Add(time.Duration(passed.Load())) }
	})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			passed.Add(int64(time.Second))
			_, err := x.Deliver(t.Context(), ann(nil), identity.Delivery{Target: hr})
			if later, ok := errors.AsType[*outbound.LaterError](err); !ok || later.After < 2*time.Hour-8*time.Second || later.After > 2*time.Hour {
				t.Errorf("got %v", err)
			}
		})
	}
	all.Wait()
	if n := asked.Load(); n != 1 || len(s.Requests()) > 0 {
		t.Errorf("%d requests for tokens, want 1, and %d to the target, want none", n, len(s.Requests()))
	}
	free.Store(true)
	passed.Store(int64(2 * time.Hour))
	i := ann(nil)
	must(t, deliver(t, x, &i))
}
