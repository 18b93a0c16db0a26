package idtoken_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/jithook/jithook/claims"
	"github.com/jithook/jithook/claims/idtoken"
)

// referee is go-oidc's verifier with the keys of a test provider: what it would
// refuse must not pass here.
func referee(t testing.TB, p party) *oidc.IDTokenVerifier {
	t.Helper()
	set := &oidc.StaticKeySet{}
	for _, pair := range keyPairs() {
		set.PublicKeys = append(set.PublicKeys, pair.Public())
	}
	return oidc.NewVerifier(p.idp.URL, set, &oidc.Config{
		SkipClientIDCheck: true, SupportedSigningAlgs: idtoken.Algorithms(),
		Now: func() time.Time { return p.now().Add(-idtoken.DefaultSkew) },
	})
}

// judge presents a token and holds the outcome to what is always true: it is a
// pass, a refusal with a known code or a fault; what passes, go-oidc passes, too;
// and no error shows a part of the token.
func judge(t *testing.T, p party, other *oidc.IDTokenVerifier, token string) {
	t.Helper()
	e, err := p.Claims(t.Context(), login(token, ""))
	if err == nil {
		if _, err := other.Verify(context.Background(), token); err != nil {
			t.Errorf("passes here, and not with go-oidc: %v", err)
		}
		if e.Subject != "s-1" || e.Issuer != p.idp.URL || e.Time.IsZero() || e.Ticket == nil {
			t.Errorf("passes without subject, issuer, time or ticket")
		}
		return
	}
	var refusal *claims.Refusal
	if !errors.As(err, &refusal) {
		t.Fatalf("no refusal: %v", err)
	}
	if _, known := refusal.Code.Info(); !known || refusal.Why == "" {
		t.Errorf("refused with %q, %q", refusal.Code, refusal.Why)
	}
	for _, part := range strings.Split(token, ".") {
		if len(part) > 8 && (strings.Contains(err.Error(), part) || strings.Contains(refusal.Why, part)) {
			t.Errorf("the refusal shows a part of the token")
		}
	}
}

// FuzzIDToken mutates whole tokens: nothing but what the provider signed passes.
func FuzzIDToken(f *testing.F) {
	p := newParty(startIDP(f), loopback, nil)
	other := referee(f, p)
	if got := p.outcome(f, "rsa"); got != "" { // fetches the keys
		f.Fatal(got)
	}
	f.Add(p.token("rsa"))
	f.Add(sign("p256", "ES256", map[string]any{"alg": "ES256", "kid": "p256"}, p.good()))
	f.Add(sign("none", "", `{"alg":"none"}`, p.good()))
	f.Add(sign("none", "", `{"alg":"RS256","jwk":{"kty":"RSA"}}`, "{}"))
	f.Add("e30.e30.")
	f.Add("..")
	f.Add("eyJhbGciOiJSUzI1NiJ9.W10.AAAA")
	f.Fuzz(func(t *testing.T, token string) { judge(t, p, other, token) })
}

// FuzzSignedIDToken mutates what the provider signs: header and claims reach the
// checks behind the signature.
func FuzzSignedIDToken(f *testing.F) {
	p := newParty(startIDP(f), loopback, nil)
	other := referee(f, p)
	if got := p.outcome(f, "rsa"); got != "" { // fetches the keys
		f.Fatal(got)
	}
	const header = `{"alg":"EdDSA","kid":"ed"}`
	for _, c := range []string{
		`{"iss":"IDP","sub":"s-1","aud":"kratos","iat":1795521600,"exp":1795525200}`,
		`{"iss":"IDP","sub":"s-1","aud":["kratos","x"],"azp":"kratos","iat":1795521600.5,"exp":1e300,"nbf":0}`,
		`{"iss":"IDP","sub":"s-1","SUB":"s-2","aud":"kratos","iat":"now","exp":-1}`,
		`{"iss":"IDP/","sub":{"$ne":null},"aud":{},"iat":9223372036854775807,"exp":18446744073709551615}`,
	} {
		f.Add(header, c)
	}
	f.Add(`{"alg":"EdDSA","crit":["b64"],"b64":false}`, `{}`)
	f.Add(`{"alg":"EdDSA","typ":"at+jwt"}`, `[]`)
	f.Fuzz(func(t *testing.T, header, content string) {
		judge(t, p, other, sign("ed", "EdDSA", header, strings.ReplaceAll(content, "IDP", p.idp.URL)))
	})
}

// TestRefereeAgrees shows that the referee passes what passes here, and so that
// the comparison compares.
func TestRefereeAgrees(t *testing.T) {
	p := newParty(startIDP(t), loopback, nil)
	other := referee(t, p)
	for _, r := range rows(t, "testdata/S42.json") {
		if r.Code == "" {
			if _, err := other.Verify(t.Context(), r.token(p)); err != nil {
				t.Errorf("%s: %v", r.Name, err)
			}
		}
	}
}
