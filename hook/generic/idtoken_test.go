package generic_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/jithook/jithook/hook"
	"github.com/jithook/jithook/hook/generic"
	"github.com/jithook/jithook/identity"
)

// signer is an OpenID provider on this machine with one Ed25519 key (RFC 8037).
type signer struct {
	*httptest.Server
	private ed25519.PrivateKey
}

func startSigner(t testing.TB) signer {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	s := signer{private: private}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path == "/keys" {
			fmt.Fprintf(w, `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k","x":%q}]}`, base64.RawURLEncoding.EncodeToString(public))
			return
		}
		fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":"%s/keys"}`, s.URL, s.URL)
	}))
	t.Cleanup(s.Close)
	return s
}

// token is about s-1, issued so long ago.
func (s signer) token(name string, ago time.Duration) string {
	now := time.Now()
	claims, err := json.Marshal(map[string]any{
		"iss": s.URL, "sub": "s-1", "aud": "portal", "iat": now.Add(-ago).Unix(), "exp": now.Add(time.Hour).Unix(), "nonce": "n-1", "jti": rand.Text(), "name": name,
	})
	if err != nil {
		panic(err)
	}
	signed := part(`{"alg":"EdDSA","kid":"k"}`) + "." + part(string(claims))
	return signed + "." + part(string(ed25519.Sign(s.private, []byte(signed))))
}

func part(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func (s signer) file(sources string) string {
	return fmt.Sprintf(`
version: 1
provider: acme
issuer: %s
claims: {source: [%s], id_token: {audience: portal}}
jit: {enabled: true}
traits: {name: {value: claims.name}}
`, s.URL, sources)
}

// presented is a request with these members beside version, provider and
// subject.
func presented(members map[string]any) string {
	r := map[string]any{"version": 1, "provider": "acme", "subject": "s-1"}
	for name, v := range members {
		r[name] = v
	}
	body, err := json.Marshal(r)
	if err != nil {
		panic(err)
	}
	return string(body)
}

// want posts and compares decision and first reason.
func (s server) want(t *testing.T, status int, decision, code string, members map[string]any) generic.Response {
	t.Helper()
	w := s.post(presented(members))
	var got generic.Response
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != status || string(got.Decision) != decision ||
		len(got.Reasons) == 0 || string(got.Reasons[0].Code) != code {
		t.Errorf("want %d %s %s, got %d %s", status, decision, code, w.Code, w.Body)
	}
	return got
}

type m = map[string]any

// TestIDTokenIsGoodForOneFlow: a repeated call of its flow is answered as ever, a
// call of another flow is refused, and without a flow id so is any other call.
func TestIDTokenIsGoodForOneFlow(t *testing.T) {
	idp := startSigner(t)
	s := serve(t, idp.file("id_token"))
	token := idp.token("Ann", 2*time.Second)
	first := s.want(t, 200, "created", "created", m{"id_token": token, "flow_id": "f-1", "nonce": "n-1"})
	if first.Identity == nil || first.Identity.Traits["name"] != "Ann" {
		t.Errorf("identity %+v", first.Identity)
	}
	s.want(t, 200, "unchanged", "unchanged", m{"id_token": token, "flow_id": "f-1"})
	s.want(t, 403, "denied", "token_replayed", m{"id_token": token, "flow_id": "f-2"})
	s.want(t, 403, "denied", "token_replayed", m{"id_token": token})
	s.want(t, 200, "unchanged", "unchanged", m{"id_token": token, "flow_id": "f-1"})

	second := idp.token("Ann B.", time.Second)
	s.want(t, 403, "denied", "token_replayed", m{"id_token": second, "nonce": "n-2"})
	s.want(t, 200, "updated", "updated", m{"id_token": second})
	s.want(t, 403, "denied", "token_replayed", m{"id_token": second})
	s.want(t, 403, "denied", "token_replayed", m{"id_token": second, "flow_id": "f-1"})
}

// TestLateIDTokenCountsItsClaimsDoNot: a token issued before the newest one that
// was seen changes nothing, even if that one changed nothing, either.
func TestLateIDTokenCountsItsClaimsDoNot(t *testing.T) {
	idp := startSigner(t)
	s := serve(t, idp.file("id_token"))
	s.want(t, 200, "created", "created", m{"id_token": idp.token("Ann", 90*time.Second)})
	s.want(t, 200, "unchanged", "unchanged", m{"id_token": idp.token("Ann", 30*time.Second)})
	late := s.want(t, 200, "unchanged", "unchanged", m{"id_token": idp.token("Older", 60*time.Second)})
	if len(late.Reasons) != 2 || late.Reasons[1].Code != identity.CodeClaimsStale || late.Identity.Traits["name"] != "Ann" {
		t.Errorf("got %+v of %+v", late.Reasons, late.Identity)
	}
}

// TestIDTokenAmongSources: only absence falls through to the next source.
func TestIDTokenAmongSources(t *testing.T) {
	idp, stranger := startSigner(t), startSigner(t)
	forged := strings.TrimSuffix(idp.token("Eve", 0), "A") + "AAAA"
	for name, c := range map[string]struct {
		sources  string
		members  m
		status   int
		decision string
		code     string
		trait    any
	}{
		"token first":                   {"id_token, hook_body", m{"id_token": idp.token("Ann", 0), "claims": m{"name": "Body"}}, 200, "created", "created", "Ann"},
		"no token":                      {"id_token, hook_body", m{"claims": m{"name": "Body"}}, 200, "created", "created", "Body"},
		"a bad token and good claims":   {"id_token, hook_body", m{"id_token": forged, "claims": m{"name": "Body"}}, 403, "denied", "token_invalid", nil},
		"an empty token and claims":     {"id_token, hook_body", m{"id_token": "", "claims": m{"name": "Body"}}, 200, "created", "created", "Body"},
		"a subject alone, then a token": {"hook_body, id_token", m{"id_token": idp.token("Ann", 0)}, 200, "created", "created", "Ann"},
		"claims first":                  {"hook_body, id_token", m{"id_token": forged, "claims": m{"name": "Body"}}, 200, "created", "created", "Body"},
		"a token nobody asks for":       {"hook_body", m{"id_token": idp.token("Ann", 0)}, 403, "denied", "claims_absent", nil},
		"a token, and none is asked of": {"id_token", m{"claims": m{"name": "Body"}}, 403, "denied", "claims_absent", nil},
		"another subject":               {"id_token", m{"id_token": idp.token("Ann", 0), "subject": "s-2"}, 403, "denied", "claims_conflict", nil},
		"another provider's":            {"id_token", m{"id_token": stranger.token("Ann", 0)}, 403, "denied", "issuer_unknown", nil},
		"too old":                       {"id_token", m{"id_token": idp.token("Ann", 12*time.Minute)}, 403, "denied", "token_time", nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, idp.file(c.sources))
			got := s.want(t, c.status, c.decision, c.code, c.members)
			if c.trait != nil && (got.Identity == nil || got.Identity.Traits["name"] != c.trait) {
				t.Errorf("identity %+v", got.Identity)
			}
			if n := s.count(t); (n == 1) != (c.status == 200) {
				t.Errorf("%d identities", n)
			}
		})
	}
}

// TestF8_KeysCannotBeFetched: a provider that is down is a fault of ours. Nobody
// is made, nobody is called unknown, no other source is asked; the same call
// passes at a server that gets the keys.
func TestF8_KeysCannotBeFetched(t *testing.T) {
	idp := startSigner(t)
	handler := idp.Config.Handler
	idp.Config.Handler = http.NotFoundHandler()
	s := serve(t, idp.file("id_token, hook_body"))
	members := m{"id_token": idp.token("Ann", 0), "claims": m{"name": "Body"}}
	s.want(t, 503, "error", "keys_unavailable", members)
	if n := s.count(t); n != 0 {
		t.Errorf("%d identities", n)
	}
	s = serve(t, idp.file("id_token, hook_body"))
	idp.Config.Handler = handler
	s.want(t, 200, "created", "created", members)
}

func TestMalformedNonce(t *testing.T) {
	s := serve(t, acme)
	for name, members := range map[string]m{
		"long":            {"id_token": "x", "nonce": strings.Repeat("n", 256)},
		"without a token": {"nonce": "n"},
	} {
		if w := s.post(presented(members)); w.Code != 400 || !strings.Contains(w.Body.String(), `"place":"/nonce"`) {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

// TestPreviewSpendsNothing: a dry run verifies a token and leaves it good.
func TestPreviewSpendsNothing(t *testing.T) {
	idp := startSigner(t)
	s := serve(t, idp.file("id_token"))
	r := generic.Request{Version: 1, Provider: "acme", Subject: "s-1", IDToken: idp.token("Ann", 0), FlowID: "f-1"}
	for _, r.FlowID = range []string{"f-1", "f-2"} {
		out, err := s.Preview(t.Context(), r.Login(hook.Caller{Name: "admin", Providers: []string{"*"}}))
		if err != nil || out.Record.Decision != identity.Created {
			t.Errorf("%s: %s, %v", r.FlowID, out.Record.Decision, err)
		}
	}
	s.want(t, 200, "created", "created", m{"id_token": r.IDToken, "flow_id": "f-3"})
}

// TestS39_TokensStayOutOfTheLog, passed and refused for every reason.
func TestS39_TokensStayOutOfTheLog(t *testing.T) {
	idp := startSigner(t)
	var log bytes.Buffer
	s := serveLogged(t, &log, idp.file("id_token"))
	good := idp.token("canary-name", 0)
	for _, members := range []m{
		{"id_token": good, "nonce": "n-1", "flow_id": "f-1"},
		{"id_token": good, "flow_id": "f-2"},
		{"id_token": idp.token("canary-name", time.Hour)},
		{"id_token": idp.token("canary-name", time.Second), "nonce": "canary-nonce"},
		{"id_token": idp.token("canary-name", time.Second), "subject": "canary-subject"},
		{"id_token": startSigner(t).token("canary-name", time.Second)},
		{"id_token": "canary.token.parts"},
		{"id_token": strings.TrimRight(good, "=") + "canary"},
	} {
		s.post(presented(members))
	}
	if !strings.Contains(log.String(), "claims refused") {
		t.Fatal("the log does not say why tokens were refused")
	}
	secrets := append(strings.Split(good, "."), "canary", "s-1", "n-1")
	for _, secret := range secrets {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log holds a part of a token: %.8s…", secret)
		}
	}
}
