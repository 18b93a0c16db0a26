// These tests prove the wire to Kratos: that what the body template renders is
// what the decoder takes, that a browser's forged traits reach neither side,
// that the reply holds nothing but its own fields, and that every refusal
// carries a message that Kratos can show.
package kratos_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-jsonnet"

	"github.com/jithook/jithook/hook"
	wire "github.com/jithook/jithook/hook/kratos"
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/kratos"
	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/test/service"
)

const acme = `
version: 1
provider: acme
issuer: https://acme.example
trust: {authoritative_domains: [acme.example]}
jit: {enabled: true, allow: 'claims.hd == "acme.example"'}
traits:
  email: {value: claims.email, verified: claims.email_verified, canonical: email, unique: true, required: true}
  name: {value: claims.name}
groups: {from: claims.groups, allow: [staff], map: {eng: engineering}}
`

const nobody = "00000000-0000-0000-0000-000000000000"

type server struct {
	service.Service
	url string
	log bytes.Buffer
	t   *testing.T
}

func serve(t *testing.T, restore ...string) *server {
	t.Helper()
	return serveFile(t, acme, restore...)
}

func serveFile(t *testing.T, file string, restore ...string) *server {
	t.Helper()
	s := &server{t: t}
	s.Service = service.Open(t, &s.log, file)
	caller := hook.Caller{Name: "kratos", Endpoints: []hook.Endpoint{hook.EndpointKratos}, Providers: []string{"acme", "globex"}, Instance: "main"}
	auth, err := hook.NewAuth(hook.Credentials{Now: time.Now, APIKeys: []hook.APIKey{{Caller: caller, Header: "X-API-Key", Values: []string{"key"}}}})
	if err != nil {
		t.Fatal(err)
	}
	o := hook.Options{Auth: auth, Log: slog.New(slog.NewJSONHandler(&s.log, nil)), Ready: s.Bolt.Ping}
	e := hook.New(o)
	wire.Mount(e, o, &wire.Handler{Service: s.Service.Service, Log: o.Log, RestoreTraits: restore})
	h := httptest.NewServer(e)
	t.Cleanup(h.Close)
	s.url = h.URL + "/hooks/kratos"
	return s
}

func (s *server) post(path string, body any) (int, map[string]any) {
	s.t.Helper()
	text, ok := body.(string)
	if !ok {
		data, err := json.Marshal(body)
		if err != nil {
			s.t.Fatal(err)
		}
		text = string(data)
	}
	r, err := http.NewRequest(http.MethodPost, s.url+path, strings.NewReader(text))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("X-API-Key", "key")
	r.Header.Set("Content-Type", "application/json")
	reply, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer reply.Body.Close()
	data, err := io.ReadAll(reply.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	var decoded map[string]any
	if len(data) > 0 {
		if err := json.Unmarshal(data, &decoded); err != nil {
			s.t.Fatalf("%s: %v", data, err)
		}
	}
	return reply.StatusCode, decoded
}

type object = map[string]any

// payload is what the template sends for ann, before edits.
func payload(id string, edit ...func(identity, session object)) object {
	who := object{
		"id": id, "state": "active",
		"traits": object{"email": "ann@acme.example", "name": "Ann"},
		"metadata_public": object{
			"other": "kept",
			"jithook": object{
				"provider": "acme", "issuer": "https://acme.example", "subject": "s-1",
				"claims": object{"email": "ann@acme.example", "email_verified": true, "name": "Ann", "hd": "acme.example", "groups": []string{"eng", "ops"}},
				"traits": object{"email": "ann@acme.example", "name": "Ann"},
			},
		},
	}
	session := object{}
	for _, e := range edit {
		e(who, session)
	}
	p := object{"version": 1, "flow": object{"id": "f-1", "type": "browser"}, "identity": who}
	if len(session) > 0 {
		p["session"] = session
	}
	return p
}

func traits(t object) func(object, object) { return func(i, _ object) { i["traits"] = t } }

// signedIn is a login by these methods, after prepare took the claims away.
func signedIn(methods ...object) func(object, object) {
	return func(i, s object) {
		delete(i["metadata_public"].(object)["jithook"].(object), "claims")
		s["authentication_methods"] = methods
	}
}

var byAcme = object{"method": "oidc", "provider": "acme", "completed_at": "2026-11-24T12:00:00Z"}

func message(t *testing.T, reply object) (text string, reason string) {
	t.Helper()
	fields, _ := reply["messages"].([]any)
	if len(fields) != 1 {
		t.Fatalf("no message in %v", reply)
	}
	m := fields[0].(object)["messages"].([]any)[0].(object)
	if _, ok := m["id"].(float64); !ok || m["type"] != "error" {
		t.Errorf("message %v", m)
	}
	return m["text"].(string), m["context"].(object)["reason"].(string)
}

func TestFirstSignIn(t *testing.T) {
	s := serve(t)
	status, reply := s.post("/registration/prepare", payload(nobody))
	page, err := s.Bolt.List(t.Context(), store.Query{})
	if err != nil || len(page.Identities) != 1 || page.Identities[0].State != identity.StatePending {
		t.Fatalf("%+v, %v", page, err)
	}
	want := object{"identity": object{
		"traits": object{"email": "ann@acme.example", "name": "Ann"},
		"metadata_public": object{
			"other": "kept",
			"jithook": object{
				"provider": "acme", "issuer": "https://acme.example", "subject": "s-1", "identity_id": page.Identities[0].ID,
				"traits": object{"email": "ann@acme.example", "name": "Ann"},
			},
		},
		"verifiable_addresses": []any{object{"value": "ann@acme.example", "via": "email", "verified": true, "status": "completed"}},
	}}
	if diff := cmp.Diff(want, reply); status != 200 || diff != "" {
		t.Errorf("status %d, reply (-want +got):\n%s", status, diff)
	}
	if status, reply := s.post("/registration/commit", payload("k-1", signedIn())); status != 204 || reply != nil {
		t.Errorf("commit: %d %v", status, reply)
	}
	if status, reply := s.post("/login", payload("k-1", signedIn(byAcme))); status != 204 || reply != nil {
		t.Errorf("login: %d %v", status, reply)
	}
	i, err := s.Bolt.Get(t.Context(), page.Identities[0].ID)
	if err != nil || i.State != identity.StateActive || len(i.ExternalIDs) != 1 || i.ExternalIDs[0].ID != "k-1" {
		t.Errorf("%+v, %v", i, err)
	}
}

// TestS46_ForgedTraits: what the browser posts with the flow wins over Kratos's
// mapper, and must win over nothing here.
func TestS46_ForgedTraits(t *testing.T) {
	forged := traits(object{"email": "ceo@acme.example", "name": "Ann", "groups": []string{"admins"}, "department": "Root"})
	for name, c := range map[string]struct {
		restore []string
		want    object
	}{
		"all":    {nil, object{"email": "ann@acme.example", "name": "Ann", "groups": []any{"engineering"}}},
		"listed": {[]string{"email", "groups"}, object{"email": "ann@acme.example", "name": "Ann", "groups": []any{"engineering"}, "department": "Root"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, c.restore...)
			_, reply := s.post("/registration/prepare", payload(nobody, forged))
			got, _ := reply["identity"].(object)["traits"].(object)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("traits for Kratos (-want +got):\n%s", diff)
			}
			page, err := s.Bolt.List(t.Context(), store.Query{})
			if err != nil || page.Identities[0].Traits["email"] != "ann@acme.example" || len(page.Identities[0].Groups) != 1 {
				t.Errorf("our identity: %+v, %v", page, err)
			}
		})
	}
}

// TestS48_ProfileForm: the settings form lets a person set any trait.
func TestS48_ProfileForm(t *testing.T) {
	s := serve(t)
	s.post("/registration/prepare", payload(nobody))
	s.post("/registration/commit", payload("k-1", signedIn()))
	status, reply := s.post("/settings/profile", payload("k-1", signedIn(), traits(object{
		"email": "ceo@acme.example", "name": "Ann Own", "groups": []string{"admins"}, "phone": "+1",
	})))
	want := object{"identity": object{"traits": object{"email": "ann@acme.example", "name": "Ann", "groups": []any{"engineering"}, "phone": "+1"}}}
	if diff := cmp.Diff(want, reply); status != 200 || diff != "" {
		t.Errorf("status %d (-want +got):\n%s", status, diff)
	}
}

// TestS30_PrivilegeSink: no claim, metadata or trait, whatever its name, becomes
// a field of the reply that Kratos would obey.
func TestS30_PrivilegeSink(t *testing.T) {
	evil := object{"schema_id": "admin", "state": "inactive", "metadata_admin": object{"a": 1}, "recovery_addresses": []string{"x"}, "verifiable_addresses": []string{"x"}}
	s := serve(t)
	_, reply := s.post("/registration/prepare", payload(nobody, func(i, _ object) {
		ours := i["metadata_public"].(object)["jithook"].(object)
		for k, v := range evil {
			ours["claims"].(object)[k] = v
			i["metadata_public"].(object)[k] = v
		}
	}))
	for k := range reply["identity"].(object) {
		if k != "traits" && k != "metadata_public" && k != "verifiable_addresses" {
			t.Errorf("the reply has %s", k)
		}
	}
	if len(reply) != 1 {
		t.Errorf("the reply has %v", reply)
	}
}

func TestUnverifiedAddressIsSaidToBeSo(t *testing.T) {
	s := serve(t)
	_, reply := s.post("/registration/prepare", payload(nobody, func(i, _ object) {
		i["metadata_public"].(object)["jithook"].(object)["claims"].(object)["email_verified"] = "true"
	}))
	want := []any{object{"value": "ann@acme.example", "via": "email", "verified": false, "status": "pending"}}
	if diff := cmp.Diff(want, reply["identity"].(object)["verifiable_addresses"]); diff != "" {
		t.Error(diff)
	}
}

func TestRefusals(t *testing.T) {
	claim := func(name string, v any) func(object, object) {
		return func(i, _ object) { i["metadata_public"].(object)["jithook"].(object)["claims"].(object)[name] = v }
	}
	ours := func(name string, v any) func(object, object) {
		return func(i, _ object) { i["metadata_public"].(object)["jithook"].(object)[name] = v }
	}
	for name, c := range map[string]struct {
		path   string
		body   any
		status int
		reason string
	}{
		"policy":                    {"/registration/prepare", payload(nobody, claim("hd", "evil.example")), 403, "not_allowed"},
		"unknown provider":          {"/registration/prepare", payload(nobody, ours("provider", "globex")), 403, "unknown_provider"},
		"no mapper":                 {"/registration/prepare", payload(nobody, func(i, _ object) { delete(i, "metadata_public") }), 403, "claims_absent"},
		"metadata is a string":      {"/registration/prepare", payload(nobody, func(i, _ object) { i["metadata_public"] = "x" }), 403, "claims_absent"},
		"prepare after persisting":  {"/registration/prepare", payload("k-1"), 400, "malformed_request"},
		"commit before persisting":  {"/registration/commit", payload(nobody), 400, "malformed_request"},
		"login of nobody":           {"/login", payload(nobody), 400, "malformed_request"},
		"unknown provider at login": {"/login", payload("k-1", signedIn(object{"method": "oidc", "provider": "globex"})), 403, "unknown_provider"},
		"not JSON":                  {"/login", "{", 400, "malformed_request"},
		"S10 two keys":              {"/login", `{"version":1,"version":1,"flow":{"id":"f-1","type":"browser"},"identity":{"id":"k-1","state":"active","traits":{}}}`, 400, "malformed_request"},
		"whole ctx":                 {"/login", `{"version":1,"request_cookies":{}}`, 400, "malformed_request"},
		"other version":             {"/login", `{"version":2,"flow":{"id":"f","type":"browser"},"identity":{"id":"k-1"}}`, 400, "malformed_request"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t)
			status, reply := s.post(c.path, c.body)
			text, reason := message(t, reply)
			if status != c.status || reason != c.reason || text == "" {
				t.Errorf("%d %s %q", status, reason, text)
			}
			if page, err := s.Bolt.List(t.Context(), store.Query{}); err != nil || len(page.Identities) != 0 {
				t.Errorf("%+v, %v", page, err)
			}
		})
	}
}

// TestTargetOfALogin: a login waits for a target that it is refused without;
// prepare and commit do not.
func TestTargetOfALogin(t *testing.T) {
	s := serveFile(t, acme+"outbound: [hr]\n")
	asked := 0
	s.Blocking = map[string]bool{"hr": true}
	s.Await = func(context.Context, string, identity.Identity) error {
		asked++
		return errors.New("it is down")
	}
	if status, _ := s.post("/registration/prepare", payload(nobody)); status != 200 || asked > 0 {
		t.Fatalf("prepare: %d, asked %d times", status, asked)
	}
	if status, _ := s.post("/registration/commit", payload("k-1", signedIn())); status != 204 || asked > 0 {
		t.Fatalf("commit: %d, asked %d times", status, asked)
	}
	status, reply := s.post("/login", payload("k-1", signedIn(byAcme)))
	if _, reason := message(t, reply); status != 403 || reason != string(identity.CodeTargetUnavailable) || asked != 1 {
		t.Errorf("login: %d %s, asked %d times", status, reason, asked)
	}
	s.Blocking["hr"] = false
	if status, _ := s.post("/login", payload("k-1", signedIn(byAcme))); status != 204 || asked != 2 {
		t.Errorf("a login that goes on without: %d, asked %d times", status, asked)
	}
}

func TestOurOwnFaults(t *testing.T) {
	s := serve(t)
	s.Bolt.Close()
	status, reply := s.post("/registration/prepare", payload(nobody))
	text, reason := message(t, reply)
	if status != http.StatusFailedDependency || reason != "store_unavailable" || !strings.Contains(text, "reference") {
		t.Errorf("prepare: %d %s %q", status, reason, text)
	}
	if status, _ := s.post("/registration/commit", payload("k-1", signedIn())); status != 204 {
		t.Errorf("commit: %d", status)
	}
	status, reply = s.post("/settings/profile", payload("k-1"))
	if _, reason := message(t, reply); status != http.StatusFailedDependency || reason != "store_unavailable" {
		t.Errorf("profile: %d %s", status, reason)
	}
}

// Kratos repeats a 503 and shows a 424: the provider's file chooses for what the
// store has failed, and for nothing else.
func TestStoreErrorsAreRepeated(t *testing.T) {
	s := serveFile(t, strings.Replace(acme, "enabled: true", "enabled: true, on_store_error: retry", 1))
	if status, _ := s.post("/registration/prepare", payload(nobody, func(i, _ object) { delete(i, "metadata_public") })); status != http.StatusForbidden {
		t.Errorf("a denial is answered %d", status)
	}
	s.Bolt.Close()
	status, reply := s.post("/registration/prepare", payload(nobody))
	if _, reason := message(t, reply); status != http.StatusServiceUnavailable || reason != "store_unavailable" {
		t.Errorf("prepare: %d %s", status, reason)
	}
	if status, _ := s.post("/registration/commit", payload("k-1", signedIn())); status != 204 {
		t.Errorf("commit: %d", status)
	}
}

// TestProviderOfTheSession: the provider of a login is the one that its session
// names, never the metadata's.
func TestProviderOfTheSession(t *testing.T) {
	globex := object{"method": "oidc", "provider": "globex"}
	link := object{"method": "oidc"}
	for name, c := range map[string]struct {
		methods []object
		status  int
		code    identity.Code // of the record's last reason
	}{
		"one":               {[]object{byAcme}, 204, identity.CodeClaimsAbsent},
		"the same twice":    {[]object{byAcme, byAcme}, 204, identity.CodeClaimsAbsent},
		"S51 and a link":    {[]object{byAcme, link}, 403, identity.CodeLinkingDisabled},
		"two":               {[]object{byAcme, globex}, 204, identity.CodeNotFederated},
		"password":          {[]object{{"method": "password"}}, 204, identity.CodeNotFederated},
		"S49 another's":     {[]object{globex}, 403, identity.CodeUnknownProvider},
		"none, on no grant": {nil, 204, identity.CodeNotFederated},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t)
			s.post("/registration/prepare", payload(nobody))
			s.post("/registration/commit", payload("k-1", signedIn()))
			status, _ := s.post("/login", payload("k-1", signedIn(c.methods...)))
			reasons := s.newest(t).Reasons
			if got := reasons[len(reasons)-1].Code; status != c.status || got != c.code {
				t.Errorf("%d %s", status, got)
			}
		})
	}
}

// TestTemplatesFeedTheDecoder runs what Kratos runs: the rendered mapper over a
// provider's claims, and the rendered body over a real Kratos's hook contexts.
// Whatever one of the templates stops sending is missed here.
func TestTemplatesFeedTheDecoder(t *testing.T) {
	s := serve(t)
	k := renderKratos(t)
	mapped := k.mapper(t, `{"iss":"https://acme.example","sub":"s-1","email":"ann@acme.example","email_verified":true,"raw_claims":{
		"iss":"https://acme.example","sub":"s-1","email":"Ann@acme.example","email_verified":true,"name":"Ann","hd":"acme.example","groups":["eng"]}}`)

	prepare := capture(t, "prepare")
	prepare["identity"].(object)["traits"] = object{"email": "ceo@acme.example", "department": "Root"}
	prepare["identity"].(object)["metadata_public"] = mapped["metadata_public"]
	status, reply := s.post("/registration/prepare", k.body(t, prepare))
	if status != 200 {
		t.Fatalf("prepare: %d %v", status, reply)
	}
	persisted := reply["identity"].(object)
	if diff := cmp.Diff(object{"email": "ann@acme.example", "name": "Ann"}, persisted["traits"]); diff != "" {
		t.Errorf("traits for Kratos (-want +got):\n%s", diff)
	}

	commit := capture(t, "commit")
	maps.Copy(commit["identity"].(object), persisted)
	if status, reply := s.post("/registration/commit", k.body(t, commit)); status != 204 {
		t.Fatalf("commit: %d %v", status, reply)
	}
	id := commit["identity"].(object)["id"].(string)
	i, err := s.Bolt.Find(t.Context(), identity.FedKey("https://acme.example", "s-1"))
	if err != nil || len(i) != 1 || i[0].State != identity.StateActive || i[0].ExternalIDs[0].ID != id || i[0].Traits["name"] != "Ann" || len(i[0].Groups) != 1 {
		t.Fatalf("%+v, %v", i, err)
	}

	login := capture(t, "login")
	maps.Copy(login["identity"].(object), persisted)
	login["identity"].(object)["id"] = id
	if status, reply := s.post("/login", k.body(t, login)); status != 204 {
		t.Fatalf("login: %d %v", status, reply)
	}
	if r := s.newest(t); r.Provider != "acme" || r.IdentityID != i[0].ID || r.Source != identity.SourceKratosMetadata || r.SubjectKey != i[0].Keys[1] {
		t.Errorf("the login was taken for %+v", r)
	}
	profile := capture(t, "commit")
	profile["identity"].(object)["id"] = id
	profile["identity"].(object)["traits"] = object{"email": "ceo@acme.example", "phone": "+1"}
	_, reply = s.post("/settings/profile", k.body(t, profile))
	if diff := cmp.Diff(object{"email": "ann@acme.example", "phone": "+1"}, reply["identity"].(object)["traits"]); diff != "" {
		t.Errorf("profile (-want +got):\n%s", diff)
	}
}

// newest is the newest decision record, with what was queued for later.
func (s *server) newest(t *testing.T) identity.Record {
	t.Helper()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	s.Later.Run(ended)
	page, err := s.Bolt.Decisions(t.Context(), store.DecisionQuery{PageSize: 1})
	if err != nil || len(page.Records) != 1 {
		t.Fatalf("%+v, %v", page, err)
	}
	return page.Records[0]
}

// kratosSide is what a Kratos with our configuration evaluates.
type kratosSide struct{ mapperCode, bodyCode string }

func renderKratos(t *testing.T) kratosSide {
	t.Helper()
	plain := func(name string) kratos.Trait {
		return kratos.Trait{Path: []string{name}, ClaimPaths: [][]string{{name}}}
	}
	d, err := kratos.Render(kratos.Config{
		HookURL: "http://127.0.0.1:4480", APIKey: kratos.APIKey{Header: "X-API-Key", Value: "key"},
		Providers: []kratos.Provider{{
			ID: "acme", Issuers: []string{"https://acme.example"}, Claims: []string{"email", "email_verified", "name", "hd", "groups"},
			Traits: []kratos.Trait{plain("email"), plain("name")},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	code := func(url string) string {
		data, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(url, "base64://"))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	return kratosSide{
		mapperCode: code(d.SelfService.Methods.OIDC.Config.Providers[0].MapperURL),
		bodyCode:   code(d.SelfService.Flows.Registration.After["oidc"].Hooks[0].Config.Body),
	}
}

// mapper returns the identity that the mapper makes of claims.
func (k kratosSide) mapper(t *testing.T, claims string) object {
	t.Helper()
	vm := jsonnet.MakeVM()
	vm.ExtCode("claims", claims)
	out, err := vm.EvaluateAnonymousSnippet("mapper.jsonnet", k.mapperCode)
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, []byte(out))["identity"].(object)
}

// body returns what Kratos sends about a hook context.
func (k kratosSide) body(t *testing.T, ctx object) string {
	t.Helper()
	data, err := json.Marshal(ctx)
	if err != nil {
		t.Fatal(err)
	}
	vm := jsonnet.MakeVM()
	vm.TLACode("ctx", string(data))
	out, err := vm.EvaluateAnonymousSnippet("body.jsonnet", k.bodyCode)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// capture is the context that a real Kratos gave its hook.
func capture(t *testing.T, name string) object {
	t.Helper()
	data, err := os.ReadFile("../../deploy/testdata/captures/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, data)
}

func decode(t *testing.T, data []byte) object {
	t.Helper()
	var o object
	if err := json.Unmarshal(data, &o); err != nil {
		t.Fatal(err)
	}
	return o
}

// TestEveryRenderedBodyIsDecoded: the goldens are what the template renders over
// captures and their variants.
func TestEveryRenderedBodyIsDecoded(t *testing.T) {
	files, err := filepath.Glob("../../deploy/testdata/body/*.json")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d goldens, %v", len(files), err)
	}
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) {
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			path := "/login"
			switch name := filepath.Base(f); {
			case strings.HasPrefix(name, "prepare"):
				path = "/registration/prepare"
			case strings.HasPrefix(name, "commit"):
				path = "/registration/commit"
			case strings.HasPrefix(name, "settings"):
				path = "/settings/profile"
			}
			status, reply := serve(t).post(path, string(data))
			refused := strings.Contains(f, "without_identity") || strings.Contains(f, "identity_null")
			if (status == 400) != refused {
				t.Errorf("%d %v", status, reply)
			}
		})
	}
}

// TestEmptyTraitsAreSaid: without the field Kratos would keep what the browser
// posted.
func TestEmptyTraitsAreSaid(t *testing.T) {
	s := serve(t)
	s.post("/registration/prepare", payload(nobody))
	s.post("/registration/commit", payload("k-1", signedIn()))
	forged := func(i, _ object) {
		i["traits"] = object{"department": "Root"}
		i["metadata_public"].(object)["jithook"].(object)["subject"] = "s-2"
		i["metadata_public"].(object)["jithook"].(object)["traits"] = object{}
		i["metadata_public"].(object)["jithook"].(object)["claims"].(object)["email"] = "bob@acme.example"
	}
	_, reply := s.post("/registration/prepare", payload(nobody, forged))
	if got, ok := reply["identity"].(object)["traits"].(object); !ok || len(got) != 0 {
		t.Errorf("traits %v", reply["identity"])
	}
}

// TestProfileOfSomebodyUnknown: what jithook knows nothing about stays, whatever
// the configuration lists; only groups cannot be taken on the person's word.
func TestProfileOfSomebodyUnknown(t *testing.T) {
	for name, restore := range map[string][]string{"all": nil, "listed": {"email", "name", "groups"}} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, restore...)
			bob := func(i, _ object) {
				delete(i, "metadata_public")
				i["traits"] = object{"email": "bob@acme.example", "name": "Bob", "department": "x"}
			}
			status, reply := s.post("/settings/profile", payload("k-9", bob))
			want := object{"identity": object{"traits": object{"email": "bob@acme.example", "name": "Bob", "department": "x"}}}
			if diff := cmp.Diff(want, reply); status != 200 || diff != "" {
				t.Errorf("%d (-want +got):\n%s", status, diff)
			}
			for _, groups := range []any{[]string{"admins"}, "admins", object{"admins": true}} {
				status, reply = s.post("/settings/profile", payload("k-9", bob, func(i, _ object) { i["traits"].(object)["groups"] = groups }))
				if _, reason := message(t, reply); status != 403 || reason != "identity_missing" {
					t.Errorf("groups %v of somebody unknown: %d %s", groups, status, reason)
				}
			}
			if status, _ := s.post("/settings/profile", payload("k-9", func(i, _ object) { delete(i, "traits") })); status != 400 {
				t.Errorf("a profile without traits: %d", status)
			}
		})
	}
}

// TestProfileAfterALostCommit: the subject in the metadata finds the person.
func TestProfileAfterALostCommit(t *testing.T) {
	s := serve(t)
	s.post("/registration/prepare", payload(nobody))
	_, reply := s.post("/settings/profile", payload("k-1", signedIn(), traits(object{"email": "ann@acme.example", "groups": []string{"admins"}})))
	if diff := cmp.Diff([]any{"engineering"}, reply["identity"].(object)["traits"].(object)["groups"]); diff != "" {
		t.Error(diff)
	}
}

// TestS39_Quiet: no value of a payload stands in the log.
func TestS39_Quiet(t *testing.T) {
	s := serve(t)
	canary := func(i, _ object) {
		ours := i["metadata_public"].(object)["jithook"].(object)
		ours["subject"] = "canary-subject"
		ours["claims"].(object)["name"] = "canary-name"
		ours["claims"].(object)["email"] = "canary@acme.example"
	}
	s.post("/registration/prepare", payload(nobody, canary))
	s.post("/registration/commit", payload("k-1", canary))
	s.post("/login", payload("k-1", canary, signedIn(byAcme)))
	s.post("/login", strings.Replace(`{"version":1,"canary":"canary"}`, "x", "y", 1))
	s.Bolt.Close()
	s.post("/registration/prepare", payload(nobody, canary))
	if log := s.log.String(); strings.Contains(log, "canary") || !strings.Contains(log, "login decided") {
		t.Errorf("log:\n%s", log)
	}
}

func FuzzDecoder(f *testing.F) {
	files, _ := filepath.Glob("../../deploy/testdata/body/*.json")
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data))
	}
	whole, err := json.Marshal(payload(nobody))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(whole))
	caller := hook.Caller{Name: "kratos", Endpoints: []hook.Endpoint{hook.EndpointKratos}, Providers: []string{"acme"}, Instance: "main"}
	auth, err := hook.NewAuth(hook.Credentials{Now: time.Now, APIKeys: []hook.APIKey{{Caller: caller, Header: "X-API-Key", Values: []string{"key"}}}})
	if err != nil {
		f.Fatal(err)
	}
	s := service.Open(f, io.Discard, acme)
	// Without an Admin API the settings hooks read no further than the session.
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(object{"id": r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:], "state": "active", "credentials": object{"oidc": object{"identifiers": []string{"acme:s-1"}}}})
	}))
	f.Cleanup(api.Close)
	admin, err := kratos.NewAdmin(api.URL, "")
	if err != nil {
		f.Fatal(err)
	}
	s.Kratos = map[string]*kratos.Admin{"main": admin}
	o := hook.Options{Auth: auth, Log: slog.New(slog.DiscardHandler), Ready: s.Bolt.Ping}
	e := hook.New(o)
	wire.Mount(e, o, &wire.Handler{Service: s.Service, Log: o.Log})
	post := func(path, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodPost, "/hooks/kratos"+path, strings.NewReader(body))
		r.Header.Set("X-API-Key", "key")
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		return w
	}
	// k-1 of the seeds has an account.
	for _, step := range []struct {
		path string
		body object
	}{{"/registration/prepare", payload(nobody)}, {"/registration/commit", payload("k-1", signedIn())}} {
		body, err := json.Marshal(step.body)
		if err != nil {
			f.Fatal(err)
		}
		if w := post(step.path, string(body)); w.Code >= 300 {
			f.Fatalf("%s: %d %s", step.path, w.Code, w.Body)
		}
	}
	f.Fuzz(func(t *testing.T, body string) {
		for _, path := range []string{"/registration/prepare", "/registration/commit", "/login", "/settings/check", "/settings/links", "/settings/profile"} {
			if w := post(path, body); w.Code >= 500 || w.Code == http.StatusFailedDependency {
				t.Errorf("%s: %d %s", path, w.Code, w.Body)
			}
		}
	})
}
