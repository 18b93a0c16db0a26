package idtoken_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/jithook/jithook/claims"
	"github.com/jithook/jithook/claims/idtoken"
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/safedial"
)

// TestMain makes the certificate that every test server of net/http/httptest has
// one that this process trusts, as an operator would for a private authority:
// the code under test needs no way around.
func TestMain(m *testing.M) {
	os.Exit(func() int {
		s := httptest.NewTLSServer(nil)
		certificate := s.Certificate()
		s.Close()
		dir, err := os.MkdirTemp("", "idtoken-test-")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		file := filepath.Join(dir, "ca.pem")
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw}), 0o600); err != nil {
			panic(err)
		}
		os.Setenv("SSL_CERT_FILE", file)
		if _, err := x509.SystemCertPool(); err != nil {
			panic(err)
		}
		return m.Run()
	}())
}

var (
	noon     = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	loopback = safedial.New([]netip.Prefix{netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("::1/128")})
	// The key pairs of every provider here; making one takes time.
	keyPairs = sync.OnceValue(func() map[string]crypto.Signer {
		pairs := map[string]crypto.Signer{}
		for name, bits := range map[string]int{"rsa": 2048, "rsa-other": 2048, "rsa-small": 1024} {
			k, err := rsa.GenerateKey(rand.Reader, bits)
			if err != nil {
				panic(err)
			}
			pairs[name] = k
		}
		for name, curve := range map[string]elliptic.Curve{"p256": elliptic.P256(), "p384": elliptic.P384(), "p521": elliptic.P521()} {
			k, err := ecdsa.GenerateKey(curve, rand.Reader)
			if err != nil {
				panic(err)
			}
			pairs[name] = k
		}
		_, k, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			panic(err)
		}
		pairs["ed"] = k
		return pairs
	})
)

// idp is an OpenID provider as far as we ask one: discovery and keys, over https
// on this machine.
type idp struct {
	*httptest.Server
	mu        sync.Mutex
	keys      []any             // what its key set holds
	answer    http.HandlerFunc  // stands for all answers, if set
	discovery map[string]string // stands for the discovery document, if set
	fetches   int               // of the keys
	requests  int
}

func startIDP(t testing.TB) *idp {
	t.Helper()
	p := &idp{}
	for name := range keyPairs() {
		p.keys = append(p.keys, publicKey(name, name, ""))
	}
	p.Server = httptest.NewTLSServer(p)
	t.Cleanup(p.Close)
	return p
}

// publicKey is the JWK of a pair's public half.
func publicKey(pair, id, algorithm string) jose.JSONWebKey {
	return jose.JSONWebKey{Key: keyPairs()[pair].Public(), KeyID: id, Algorithm: algorithm}
}

func (p *idp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.requests++
	answer, keys := p.answer, p.keys
	discovery := p.discovery
	if r.URL.Path == "/keys" {
		p.fetches++
	}
	p.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	switch {
	case answer != nil:
		answer(w, r)
	case r.URL.Path == "/keys":
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": keys})
	case r.URL.Path == "/.well-known/openid-configuration":
		if discovery == nil {
			discovery = map[string]string{"issuer": p.URL, "jwks_uri": p.URL + "/keys"}
		}
		_ = json.NewEncoder(w).Encode(discovery)
	default:
		http.NotFound(w, r)
	}
}

// set changes the provider while it runs.
func (p *idp) set(change func(*idp)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(p)
}

func (p *idp) counts() (fetches, requests int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fetches, p.requests
}

// clock is a clock that a test moves.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// party is a source of ID tokens that asks a provider, and the clock of both.
type party struct {
	claims.Source
	*clock
	idp   *idp
	rules idtoken.Rules
	keys  *idtoken.Keys
}

func newParty(p *idp, g safedial.Guard, edit func(*idtoken.Rules)) party {
	c := &clock{at: noon}
	r := idtoken.Rules{
		Audience: []string{"kratos", "kratos-mobile"}, Algorithms: idtoken.DefaultAlgorithms(),
		Skew: idtoken.DefaultSkew, MaxAge: idtoken.DefaultMaxAge,
	}
	if edit != nil {
		edit(&r)
	}
	return party{clock: c, idp: p, rules: r, keys: idtoken.NewKeys(g, c.now, slog.New(slog.DiscardHandler))}.again()
}

// again is p with a new source, as after a reload of the providers' files.
func (p party) again() party {
	o := claims.Origin{Provider: "acme", Issuers: []string{"https://another.example", p.idp.URL}}
	p.Source = idtoken.New(o, p.rules, p.keys, p.now)
	return p
}

// login presents a token.
func login(token, nonce string) identity.Login {
	return identity.Login{
		Hook: identity.HookGeneric, Provider: "acme",
		Offers: []identity.Offer{{Source: identity.SourceIDToken, Provider: "acme", Subject: "s-1", Token: token, Nonce: nonce}},
	}
}

// good are the claims of a token that passes, issued a minute ago.
func (p party) good() map[string]any {
	now := p.now()
	return map[string]any{
		"iss": p.idp.URL, "sub": "s-1", "aud": "kratos", "iat": now.Add(-time.Minute).Unix(), "exp": now.Add(time.Hour).Unix(),
		"email": "ann@acme.example", "email_verified": true, "name": "Ann Example", "preferred_username": "ann",
		"hd": "acme.example", "groups": []string{"eng", "ops"}, "nonce": "n-0S6_WzA2Mj", "auth_time": now.Add(-time.Hour).Unix(),
	}
}

// token is good, signed by the pair "rsa" under the given key id.
func (p party) token(id string) string {
	return sign("rsa", "RS256", map[string]any{"alg": "RS256", "kid": id}, p.good())
}

// sign makes a token. The pair may be "none", or hmac with whatever an attacker
// would take for its secret.
func sign(pair, algorithm string, header, claims any) string {
	signed := part(header) + "." + part(claims)
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature(pair, algorithm, signed))
}

func part(v any) string {
	text, isText := v.(string)
	if !isText {
		data, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		text = string(data)
	}
	return base64.RawURLEncoding.EncodeToString([]byte(text))
}

func signature(pair, algorithm, signed string) []byte {
	hmacOf := func(secret []byte) []byte {
		h := hmac.New(sha256.New, secret)
		h.Write([]byte(signed))
		return h.Sum(nil)
	}
	switch pair {
	case "none":
		return nil
	case "hmac-secret":
		return hmacOf([]byte("the client's secret"))
	case "hmac-public":
		der, err := x509.MarshalPKIXPublicKey(keyPairs()["rsa"].Public())
		if err != nil {
			panic(err)
		}
		return hmacOf(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	}
	hash := map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}[algorithm[2:]]
	digest := []byte(signed)
	if hash != 0 {
		h := hash.New()
		h.Write(digest)
		digest = h.Sum(nil)
	}
	made, err := sealed(keyPairs()[pair], algorithm, hash, digest)
	if err != nil {
		panic(fmt.Sprintf("%s with %s: %v", algorithm, pair, err))
	}
	return made
}

func sealed(pair crypto.Signer, algorithm string, hash crypto.Hash, digest []byte) ([]byte, error) {
	switch k := pair.(type) {
	case *rsa.PrivateKey:
		if algorithm[:2] == "PS" {
			return rsa.SignPSS(rand.Reader, k, hash, digest, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
		}
		return rsa.SignPKCS1v15(rand.Reader, k, hash, digest)
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, k, digest)
		half := (k.Params().BitSize + 7) / 8
		made := make([]byte, 2*half)
		r.FillBytes(made[:half])
		s.FillBytes(made[half:])
		return made, err
	default:
		return pair.Sign(rand.Reader, digest, hash)
	}
}
