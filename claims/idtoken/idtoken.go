// Package idtoken is the claims source of ID tokens (OpenID Connect Core 1.0):
// whether one was made by the provider's issuer, for us, now, and for this flow.
//
// It owns what a token must be and the keys that prove it. go-oidc finds an
// issuer's keys and go-jose reads them; the checks are ours, since go-oidc's
// leave out what docs/decisions/2026-11-24-id-tokens-are-checked-here.md lists.
// It must not know policies, mappings or userstores, nor who presents a token.
// No error of this package holds a part of one.
package idtoken

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jithook/jithook/claims"
	"github.com/jithook/jithook/identity"
)

// MaxToken is the longest token accepted, in bytes.
const MaxToken = 16 << 10

// Bounds and defaults of Rules.
const (
	DefaultSkew   = time.Minute
	SkewLimit     = 5 * time.Minute
	DefaultMaxAge = 10 * time.Minute
	MinMaxAge     = time.Minute
	MaxMaxAge     = 24 * time.Hour
)

// Rules are what a provider's file asks of its ID tokens.
type Rules struct {
	// Audience are our client ids at the provider, at least one.
	Audience []string
	// Algorithms are those that a signature may have; see Algorithms.
	Algorithms []string
	// Skew is how far the provider's clock may be from ours.
	Skew time.Duration
	// MaxAge is how long after it was issued a token is good, however much later
	// it expires.
	MaxAge time.Duration
}

// New returns the source of the ID tokens of a provider.
func New(o claims.Origin, r Rules, keys *Keys, now func() time.Time) claims.Source {
	return &source{origin: o, rules: r, keys: keys, now: now}
}

type source struct {
	origin claims.Origin
	rules  Rules
	keys   *Keys
	now    func() time.Time
}

// Claims implements claims.Source. What it returns was signed by the issuer for
// one of our clients, not longer ago than MaxAge. It does not prove that the
// person is present: a stolen token looks the same. That it is used in one flow
// only, and that its nonce is the one the caller sent, narrows that down.
func (s *source) Claims(ctx context.Context, l identity.Login) (claims.Evidence, error) {
	at := slices.IndexFunc(l.Offers, func(o identity.Offer) bool { return o.Source == identity.SourceIDToken })
	if at < 0 || l.Provider != s.origin.Provider || l.Offers[at].Provider != s.origin.Provider {
		return claims.Evidence{}, claims.ErrAbsent
	}
	e, err := s.verify(ctx, l.Offers[at])
	var refused *refusal
	switch {
	case errors.As(err, &refused):
		return claims.Evidence{}, &claims.Refusal{Source: identity.SourceIDToken, Code: refused.code, Why: refused.why}
	case errors.Is(err, errUnavailable):
		return claims.Evidence{}, &claims.Fault{Source: identity.SourceIDToken, Code: identity.CodeKeysUnavailable}
	case err != nil:
		return claims.Evidence{}, fmt.Errorf("ID token: %w", err)
	}
	return e, nil
}

// refusal says why a token proves nothing; why holds nothing of it.
type refusal struct {
	code identity.Code
	why  string
}

func (r *refusal) Error() string { return string(r.code) + ": " + r.why }

func refuse(code identity.Code, why string) error { return &refusal{code, why} }

// verify returns what a token proves. The issuer must be known before there is
// a key, and so comes first; all else that the token says counts only after its
// signature.
func (s *source) verify(ctx context.Context, o identity.Offer) (claims.Evidence, error) {
	t, err := parse(o.Token)
	if err != nil {
		return claims.Evidence{}, err
	}
	a, ok := algorithmOf(t.alg)
	if !ok || !slices.Contains(s.rules.Algorithms, t.alg) {
		return claims.Evidence{}, refuse(identity.CodeTokenInvalid, "its algorithm is not allowed")
	}
	issuer, _ := t.claims["iss"].(string)
	if !slices.Contains(s.origin.Issuers, issuer) {
		return claims.Evidence{}, refuse(identity.CodeIssuerUnknown, "its issuer is not the provider's")
	}
	key, err := s.keys.find(ctx, issuer, t.kid, a)
	if err != nil {
		return claims.Evidence{}, err
	}
	if !a.verify(key, t.signed, t.signature) {
		return claims.Evidence{}, refuse(identity.CodeTokenInvalid, "its signature is not one of the provider's key")
	}
	issued, until, err := s.rules.check(t.claims, s.now())
	if err != nil {
		return claims.Evidence{}, err
	}
	err = s.tie(t.claims, o)
	if err != nil {
		return claims.Evidence{}, err
	}
	return claims.Evidence{
		Source: identity.SourceIDToken, Issuer: issuer, Subject: o.Subject, Claims: t.claims,
		Time: issued, Fresh: true,
		Ticket: &claims.Ticket{ID: sha256.Sum256([]byte(t.signed)), Until: until},
	}, nil
}

// tie ties the token to what the caller said beside it.
func (s *source) tie(c map[string]any, o identity.Offer) error {
	sub, isString := c["sub"].(string)
	if !isString || identity.CheckSubject(sub) != nil {
		return refuse(identity.CodeSubjectInvalid, "it has no usable sub")
	}
	switch code := s.origin.Tie(o.Subject, c); code {
	case "":
	case identity.CodeSubjectUndeterminable:
		return refuse(code, "it lacks the claim that is the subject")
	default:
		return refuse(code, "its subject is not that of the request")
	}
	nonce, _ := c["nonce"].(string)
	if o.Nonce != "" && subtle.ConstantTimeCompare([]byte(nonce), []byte(o.Nonce)) != 1 {
		return refuse(identity.CodeTokenReplayed, "its nonce is not that of the request")
	}
	return nil
}
