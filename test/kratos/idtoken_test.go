//go:build unix

package kratos_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/jithook/jithook/hook/generic"
	"github.com/jithook/jithook/test/kratos/kratostest"
	"github.com/jithook/jithook/test/server"
)

// tokenWorld is a real OpenID provider and a jithook that verifies its ID tokens;
// no Kratos stands between them.
type tokenWorld struct {
	op *kratostest.Provider
	j  *kratostest.Jithook
}

func newTokenWorld(t *testing.T) tokenWorld {
	t.Helper()
	kratostest.Require(t)
	binary := server.Build(t)
	w := tokenWorld{op: kratostest.StartProvider(t, kratostest.ProviderOptions{})}
	file := strings.Replace(acmeFile, "issuer: ISSUER", "issuer: "+w.op.Issuer+"\nclaims: {source: id_token, id_token: {audience: kratos}}", 1)
	w.j = kratostest.NewJithook(t, kratostest.JithookConfig{Binary: binary, Files: map[string]string{"acme.yaml": file}})
	return w
}

// employee are claims that acmeFile lets in.
func employee() map[string]any {
	claims := ada("ann")
	claims["hd"] = "acme.example"
	return claims
}

// want presents a token and compares the answer.
func (w tokenWorld) want(t *testing.T, flow, token, nonce string, status int, code string) generic.Response {
	t.Helper()
	request := map[string]any{"version": 1, "provider": "acme", "subject": "ann", "flow_id": flow, "id_token": token}
	if nonce != "" {
		request["nonce"] = nonce
	}
	body, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.j.HookURL+"/hooks/login", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-API-Key", w.j.HookKey())
	reply, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	var got generic.Response
	if err := json.NewDecoder(reply.Body).Decode(&got); err != nil || reply.StatusCode != status || len(got.Reasons) == 0 || string(got.Reasons[0].Code) != code {
		t.Errorf("want %d %s, got %d %+v, %v", status, code, reply.StatusCode, got.Reasons, err)
	}
	return got
}

// TestIDTokenOfARealProvider: what a real provider signs is verified with the
// keys that it publishes, makes the account, and is good for one flow.
func TestIDTokenOfARealProvider(t *testing.T) {
	t.Parallel()
	w := newTokenWorld(t)
	w.op.SetAccount(t, "ann", employee())
	w.j.Start(t)
	token := w.op.IDToken(t, "ann", "nonce-1")
	made := w.want(t, "f-1", token, "nonce-1", http.StatusOK, "created")
	if made.Identity == nil || made.Identity.Traits["email"] != "ann@acme.example" || made.Identity.State != "active" {
		t.Errorf("made %+v", made.Identity)
	}
	w.want(t, "f-1", token, "nonce-1", http.StatusOK, "unchanged")
	w.want(t, "f-2", token, "nonce-1", http.StatusForbidden, "token_replayed")
	w.want(t, "f-3", w.op.IDToken(t, "ann", "nonce-2"), "nonce-1", http.StatusForbidden, "token_replayed")

	stranger := kratostest.StartProvider(t, kratostest.ProviderOptions{})
	stranger.SetAccount(t, "ann", employee())
	w.want(t, "f-4", stranger.IDToken(t, "ann", "nonce-1"), "", http.StatusForbidden, "issuer_unknown")
	parts := strings.Split(token, ".")
	w.want(t, "f-5", strings.Join([]string{parts[0], parts[1], strings.Repeat("A", len(parts[2]))}, "."), "", http.StatusForbidden, "token_invalid")
}

// TestF8_RealProviderDown: a server that has the keys still verifies with them.
// One that starts meanwhile does start, and says that it cannot verify.
func TestF8_RealProviderDown(t *testing.T) {
	t.Parallel()
	w := newTokenWorld(t)
	w.op.SetAccount(t, "ann", employee())
	w.j.Start(t)
	w.want(t, "f-1", w.op.IDToken(t, "ann", "n-1"), "n-1", http.StatusOK, "created")
	second, third := w.op.IDToken(t, "ann", "n-2"), w.op.IDToken(t, "ann", "n-3")
	w.op.Stop(t)
	w.want(t, "f-2", second, "n-2", http.StatusOK, "unchanged")
	w.j.Stop(t)
	w.j.Start(t)
	w.want(t, "f-3", third, "n-3", http.StatusServiceUnavailable, "keys_unavailable")
}
