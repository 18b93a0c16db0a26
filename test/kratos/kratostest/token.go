//go:build unix

package kratostest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// IDToken signs a subject in at the provider as its client does, by the
// authorization code flow without Kratos, and returns the ID token.
func (p *Provider) IDToken(t testing.TB, subject, nonce string) string {
	t.Helper()
	// Nobody listens there: the code is read from the redirect.
	const callback = "http://127.0.0.1:1/self-service/methods/oidc/callback/test"
	j := &journey{s: SignIn{Kind: KindBrowser, Subject: subject}, k: &Kratos{}, atProvider: newClient(newJar())}
	at, err := url.Parse(p.Issuer + "/auth?" + url.Values{
		"client_id": {clientID}, "response_type": {"code"}, "scope": {"openid"}, "redirect_uri": {callback},
		"state": {"a-state-of-a-test"}, "nonce": {nonce},
	}.Encode())
	if err != nil {
		t.Fatal(err)
	}
	for range maxHops {
		if strings.HasPrefix(at.String(), callback) {
			return p.exchange(t, at.Query().Get("code"), callback)
		}
		here, err := j.send(t.Context(), http.MethodGet, at.String(), "", nil)
		if err != nil {
			t.Fatalf("sign-in at the provider: %v", err)
		}
		if at, err = j.nextURL(t.Context(), &here); err != nil {
			t.Fatalf("sign-in at the provider: %v", err)
		}
	}
	t.Fatalf("sign-in at the provider: no end after %d hops", maxHops)
	return ""
}

// exchange turns an authorization code into an ID token.
func (p *Provider) exchange(t testing.TB, code, callback string) string {
	t.Helper()
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback}}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.Issuer+"/token", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(url.QueryEscape(clientID), url.QueryEscape(clientSecret))
	reply, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatalf("exchange the code: %v", err)
	}
	defer reply.Body.Close()
	var got struct {
		IDToken string `json:"id_token"`
	}
	if err := json.NewDecoder(io.LimitReader(reply.Body, 1<<20)).Decode(&got); err != nil || got.IDToken == "" {
		t.Fatalf("exchange the code: status %d without an ID token, %v", reply.StatusCode, err)
	}
	return got.IDToken
}
