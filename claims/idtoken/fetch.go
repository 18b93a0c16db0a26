package idtoken

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"github.com/jithook/jithook/internal/safedial"
)

// Bounds of what a provider may send.
const (
	maxDocument = 1 << 20 // bytes, of discovery and of the keys
	maxHeader   = 64 << 10
	maxKeys     = 100
	fetchTime   = 5 * time.Second // both documents
)

// CheckIssuer returns why keys of an issuer cannot be fetched, or nil: an issuer
// is an https URL without query and fragment (OpenID Connect Discovery 1.0,
// section 3), or for development an http one on this machine, if the loopback
// interface is allowed. It makes no connection.
func (k *Keys) CheckIssuer(issuer string) error {
	u, err := url.Parse(issuer)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return errors.New("the issuer of ID tokens is an https URL without user, query and fragment: its keys are looked for there")
	}
	if err := safedial.Secure(u); err != nil {
		return err
	}
	if u.Scheme == "http" && k.guard.Check(netip.MustParseAddr("127.0.0.1")) != nil && k.guard.Check(netip.IPv6Loopback()) != nil {
		return errors.New("an http issuer on this machine needs 127.0.0.1 in network.allow_addresses of the server's configuration; never in production")
	}
	return nil
}

// newClient returns a client that follows no redirect, uses no proxy and reads
// only 200 answers of bounded size.
func newClient(g safedial.Guard) *http.Client {
	return &http.Client{Transport: transport{&http.Transport{
		DialContext:            g.Dialer(fetchTime).DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		MaxResponseHeaderBytes: maxHeader,
		// Minutes lie between two fetches; an open connection would serve nobody.
		DisableKeepAlives: true,
	}}}
}

type transport struct{ base *http.Transport }

// RoundTrip implements http.RoundTripper. A redirect is an answer that is not
// 200: where it leads, the provider's file does not say.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := safedial.Secure(r.URL); err != nil {
		return nil, err
	}
	reply, err := t.base.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if reply.StatusCode != http.StatusOK {
		reply.Body.Close()
		return nil, fmt.Errorf("status %d", reply.StatusCode)
	}
	reply.Body = http.MaxBytesReader(nil, reply.Body, maxDocument)
	return reply, nil
}

// discover returns the issuer's keys as it publishes them now.
func (k *Keys) discover(ctx context.Context, issuer string) ([]key, error) {
	p, err := oidc.NewProvider(oidc.ClientContext(ctx, k.client), issuer)
	if err != nil {
		return nil, fmt.Errorf("discovery: %w", err)
	}
	var m struct {
		JWKSURI string `json:"jwks_uri"`
	}
	if err := p.Claims(&m); err != nil {
		return nil, fmt.Errorf("discovery: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, m.JWKSURI, nil)
	if err != nil {
		return nil, errors.New("discovery: its jwks_uri is no URL")
	}
	reply, err := k.client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	defer reply.Body.Close()
	data, err := io.ReadAll(reply.Body)
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	return readKeys(data)
}

// readKeys reads a JWK set (RFC 7517). Keys that cannot verify a signature of
// ours are passed over, as section 5 asks: secret and private ones, those for
// encryption, kinds that nobody here knows. An empty set is an answer, too: the
// provider has withdrawn everything.
func readKeys(data []byte) ([]key, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(data, &set); err != nil || set.Keys == nil {
		return nil, errors.New("keys: the document is no JWK set")
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("keys: more than %d", maxKeys)
	}
	keys := []key{}
	for _, raw := range set.Keys {
		var k jose.JSONWebKey
		if err := k.UnmarshalJSON(raw); err != nil || k.Use != "" && k.Use != "sig" {
			continue
		}
		// Of those that are left, algorithm.fits takes public ones only.
		keys = append(keys, key{id: k.KeyID, algorithm: k.Algorithm, public: k.Key})
	}
	return keys, nil
}
