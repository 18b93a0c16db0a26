// These tests prove the generic contract: one call, one decision, its status
// and its body; and that whatever is malformed is refused with its place and
// writes nothing.
package generic_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/jithook/jithook/hook"
	"github.com/jithook/jithook/hook/generic"
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/test/service"
)

const acme = `
version: 1
provider: acme
issuer: https://acme.example
jit: {enabled: true, deny: [{when: "has(claims.guest)", code: guest, message: No guests.}]}
traits:
  name: {value: claims.name, required: true}
groups: {from: claims.groups, allow: [staff]}
`

type server struct {
	service.Service
	handler http.Handler
}

func serve(t testing.TB, file string) server {
	t.Helper()
	return serveLogged(t, io.Discard, file)
}

func serveAll(t testing.TB, files ...string) server {
	t.Helper()
	return serveLogged(t, io.Discard, files...)
}

func serveLogged(t testing.TB, log io.Writer, files ...string) server {
	t.Helper()
	s := server{Service: service.Open(t, log, files...)}
	caller := hook.Caller{Name: "app", Endpoints: []hook.Endpoint{hook.EndpointLogin}, Providers: []string{"acme", "other"}, Instance: "main"}
	auth, err := hook.NewAuth(hook.Credentials{Now: time.Now, APIKeys: []hook.APIKey{{Caller: caller, Header: "X-API-Key", Values: []string{"key"}}}})
	if err != nil {
		t.Fatal(err)
	}
	o := hook.Options{Auth: auth, Log: slog.New(slog.DiscardHandler), Ready: s.Bolt.Ping}
	e := hook.New(o)
	generic.Mount(e, o, &generic.Handler{Service: s.Service.Service})
	s.handler = e
	return s
}

func (s server) post(body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/hooks/login", strings.NewReader(body))
	r.Header.Set("X-API-Key", "key")
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return w
}

func (s server) count(t *testing.T) int {
	t.Helper()
	page, err := s.Bolt.List(t.Context(), store.Query{})
	if err != nil {
		t.Fatal(err)
	}
	return len(page.Identities)
}

const login = `{"version":1,"provider":"acme","subject":"s-1","claims":{"name":"Ann","groups":["staff","other"]},"external_id":"u-7","flow_id":"f-1"}`

func TestLogins(t *testing.T) {
	s := serve(t, acme)
	for _, decision := range []string{"created", "unchanged"} {
		w := s.post(login)
		var got generic.Response
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != 200 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if string(got.Decision) != decision || got.DecisionID == "" || got.Identity == nil || got.Identity.State != identity.StateActive ||
			got.Identity.Traits["name"] != "Ann" || len(got.Identity.Groups) != 1 || got.Reasons[0].Code != identity.Code(decision) {
			t.Errorf("%s", w.Body)
		}
		if (decision == "created") != (len(got.Changes) == 2) {
			t.Errorf("changes %v", got.Changes)
		}
	}
	// Exactly what a client of the contract may rely on: lists are never null.
	w := s.post(login)
	for _, field := range []string{`"changes":[]`, `"groups":["staff"]`, `"userstore":"default"`} {
		if !strings.Contains(w.Body.String(), field) {
			t.Errorf("no %s in %s", field, w.Body)
		}
	}
}

func TestDenials(t *testing.T) {
	for name, c := range map[string]struct{ body, code string }{
		"deny rule":        {strings.Replace(login, `"name"`, `"guest":1,"name"`, 1), "deny_rule"},
		"unknown provider": {strings.Replace(login, `"acme"`, `"other"`, 1), "unknown_provider"},
		"missing trait":    {strings.Replace(login, `"name":"Ann",`, "", 1), "trait_missing"},
		"no claims":        {`{"version":1,"provider":"acme","subject":"s-1"}`, "claims_absent"},
		"S17 issuer":       {strings.Replace(login, `"name"`, `"iss":"https://evil.example","name"`, 1), "issuer_unknown"},
		"subject differs":  {strings.Replace(login, `"name"`, `"sub":"s-2","name"`, 1), "claims_conflict"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, acme)
			w := s.post(c.body)
			var got generic.Response
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != 403 || got.Decision != identity.Denied ||
				got.Identity != nil || string(got.Reasons[0].Code) != c.code || got.Reasons[0].Text == "" {
				t.Errorf("%d %s", w.Code, w.Body)
			}
			if n := s.count(t); n != 0 {
				t.Errorf("%d identities", n)
			}
		})
	}
}

func TestMalformed(t *testing.T) {
	long := strings.Repeat("a", 256)
	for name, c := range map[string]struct {
		body   string
		status int
		place  string
	}{
		"empty":                    {"", 400, ""},
		"a list":                   {"[]", 400, ""},
		"S10 duplicate key":        {strings.Replace(login, `"name"`, `"name":"Bob","name"`, 1), 400, "/claims/name"},
		"folded key":               {strings.Replace(login, `"subject"`, `"\u017fubject":"s-2","subject"`, 1), 400, ""},
		"S11 trailing data":        {login + "{}", 400, ""},
		"S12 depth":                {strings.Replace(login, `"Ann"`, strings.Repeat("[", 100)+strings.Repeat("]", 100), 1), 400, ""},
		"S13 size":                 {strings.Replace(login, `"Ann"`, `"`+strings.Repeat("a", hook.MaxBody)+`"`, 1), 413, ""},
		"invalid UTF-8":            {strings.Replace(login, "Ann", "\xff", 1), 400, ""},
		"unknown field":            {strings.Replace(login, `"claims"`, `"traits":{},"claims"`, 1), 400, "/traits"},
		"S34 subject is an object": {strings.Replace(login, `"s-1"`, `{"$ne":null}`, 1), 400, "/subject"},
		"no version":               {strings.Replace(login, `"version":1,`, "", 1), 400, "/version"},
		"no provider":              {strings.Replace(login, `"provider":"acme",`, "", 1), 400, "/provider"},
		"long provider":            {strings.Replace(login, "acme", long, 1), 400, "/provider"},
		"no subject":               {strings.Replace(login, `"subject":"s-1",`, "", 1), 400, "/subject"},
		"null subject":             {strings.Replace(login, `"s-1"`, "null", 1), 400, "/subject"},
		"padded subject":           {strings.Replace(login, "s-1", "s-1 ", 1), 400, "/subject"},
		"long subject":             {strings.Replace(login, "s-1", long, 1), 400, "/subject"},
		"long external id":         {strings.Replace(login, "u-7", long, 1), 400, "/external_id"},
		"long flow id":             {strings.Replace(login, "f-1", long, 1), 400, "/flow_id"},
		"claims are a list":        {strings.Replace(login, `{"name":"Ann","groups":["staff","other"]}`, "[]", 1), 400, "/claims"},
		"S53 a time ahead":         {strings.Replace(login, `"flow_id"`, fmt.Sprintf(`"at":%q,"flow_id"`, time.Now().Add(90*time.Second).Format(time.RFC3339)), 1), 400, "/at"},
		"no time":                  {strings.Replace(login, `"flow_id"`, `"at":"today","flow_id"`, 1), 400, "/at"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, acme)
			w := s.post(c.body)
			var got struct {
				Status int
				Title  string
				Detail string
				Place  string
			}
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != c.status || got.Status != c.status || got.Title == "" {
				t.Fatalf("%d %.300s", w.Code, w.Body)
			}
			if c.place != "" && got.Place != c.place {
				t.Errorf("place %q (%s)", got.Place, got.Detail)
			}
			if w.Header().Get("Content-Type") != "application/problem+json" {
				t.Errorf("type %s", w.Header().Get("Content-Type"))
			}
			if n := s.count(t); n != 0 {
				t.Errorf("%d identities", n)
			}
		})
	}
}

func TestOlderLoginCountsItsClaimsDoNot(t *testing.T) {
	s := serve(t, acme)
	s.post(login)
	late := strings.Replace(login, `"flow_id"`, `"at":"2020-01-01T00:00:00Z","flow_id"`, 1)
	w := s.post(strings.Replace(late, "Ann", "Older", 1))
	if w.Code != 200 || !strings.Contains(w.Body.String(), "claims_stale") || strings.Contains(w.Body.String(), "Older") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestStoreDown(t *testing.T) {
	s := serve(t, acme)
	s.Bolt.Close()
	w := s.post(login)
	if w.Code != 503 || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), `"decision":"error"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func FuzzRequest(f *testing.F) {
	f.Add(login)
	f.Add(`{"version":1,"provider":"acme","subject":"s","claims":{"a.b":{"$set":1},"\u0000":[1e400]}}`)
	s := serve(f, acme)
	f.Fuzz(func(t *testing.T, body string) {
		if w := s.post(body); w.Code >= 500 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}
