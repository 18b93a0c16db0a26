// These tests prove what is believed of a login: that provider, issuer and
// subject must belong together, that only absence falls through to the next
// source, and that claims of an earlier registration are never fresh.
package claims_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jithook/jithook/claims"
	"github.com/jithook/jithook/identity"
)

var (
	noon  = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	acme  = claims.Origin{Provider: "acme", Issuers: []string{"https://acme.example"}}
	byOID = claims.Origin{Provider: "acme", Issuers: []string{"https://acme.example"}, Subject: []string{"ids", "oid"}}
	multi = claims.Origin{Provider: "acme", Issuers: []string{"https://acme.example", "https://acme.example/"}}
)

func TestCarriedClaims(t *testing.T) {
	metadata := func(edit func(*identity.Offer)) identity.Login {
		o := identity.Offer{
			Source: identity.SourceKratosMetadata, Provider: "acme", Issuer: "https://acme.example", Subject: "s-1",
			Claims: map[string]any{"name": "Ann"},
		}
		edit(&o)
		return identity.Login{Hook: identity.HookPrepare, Provider: "acme", Offers: []identity.Offer{o}}
	}
	for name, c := range map[string]struct {
		origin claims.Origin
		login  identity.Login
		code   identity.Code // of a refusal; "" = none
		absent bool
		issuer string
	}{
		"whole": {acme, metadata(func(*identity.Offer) {}), "", false, "https://acme.example"},
		"issuer only in the claims": {acme, metadata(func(o *identity.Offer) {
			o.Issuer, o.Claims["iss"] = "", "https://acme.example"
		}), "", false, "https://acme.example"},
		"no issuer, the file has one":      {acme, metadata(func(o *identity.Offer) { o.Issuer = "" }), "", false, "https://acme.example"},
		"no issuer, the file has two":      {multi, metadata(func(o *identity.Offer) { o.Issuer = "" }), identity.CodeIssuerUnknown, false, ""},
		"second issuer of the list":        {multi, metadata(func(o *identity.Offer) { o.Issuer = "https://acme.example/" }), "", false, "https://acme.example/"},
		"S21 issuer with a slash":          {acme, metadata(func(o *identity.Offer) { o.Issuer = "https://acme.example/" }), identity.CodeIssuerUnknown, false, ""},
		"S17 other issuer in the claims":   {acme, metadata(func(o *identity.Offer) { o.Claims["iss"] = "https://evil.example" }), identity.CodeClaimsConflict, false, ""},
		"issuer is no string":              {acme, metadata(func(o *identity.Offer) { o.Claims["iss"] = []any{"https://acme.example"} }), identity.CodeClaimsConflict, false, ""},
		"other subject in the claims":      {acme, metadata(func(o *identity.Offer) { o.Claims["sub"] = "s-2" }), identity.CodeClaimsConflict, false, ""},
		"S34 subject is an object":         {acme, metadata(func(o *identity.Offer) { o.Claims["sub"] = map[string]any{"$ne": nil} }), identity.CodeClaimsConflict, false, ""},
		"no subject":                       {acme, metadata(func(o *identity.Offer) { o.Subject = "" }), identity.CodeSubjectInvalid, false, ""},
		"padded subject":                   {acme, metadata(func(o *identity.Offer) { o.Subject = "s-1 " }), identity.CodeSubjectInvalid, false, ""},
		"S49 metadata of another provider": {acme, metadata(func(o *identity.Offer) { o.Provider = "globex" }), "", true, ""},
		"a huge string":                    {acme, metadata(func(o *identity.Offer) { o.Claims["x"] = []any{strings.Repeat("a", claims.MaxString+1)} }), identity.CodeClaimsInvalid, false, ""},
		"a huge list":                      {acme, metadata(func(o *identity.Offer) { o.Claims["x"] = map[string]any{"y": make([]any, claims.MaxList+1)} }), identity.CodeClaimsInvalid, false, ""},
		"a time ahead by the skew":         {acme, at(metadata(func(*identity.Offer) {}), noon.Add(claims.MaxSkew)), "", false, "https://acme.example"},
		"S53 a time further ahead":         {acme, at(metadata(func(*identity.Offer) {}), noon.Add(claims.MaxSkew+1)), identity.CodeClaimsInvalid, false, ""},
		"no offer":                         {acme, identity.Login{Provider: "acme"}, "", true, ""},
		"offer of another source":          {acme, metadata(func(o *identity.Offer) { o.Source = identity.SourceHookBody }), "", true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			source := claims.NewCarried(identity.SourceKratosMetadata, c.origin, func() time.Time { return noon })
			e, err := claims.Resolve(t.Context(), []claims.Source{source}, c.login)
			var refusal *claims.Refusal
			errors.As(err, &refusal)
			switch {
			case c.absent:
				if !errors.Is(err, claims.ErrAbsent) {
					t.Errorf("want absent, got %+v, %v", e, err)
				}
			case c.code != "":
				if refusal == nil || refusal.Code != c.code {
					t.Errorf("want refusal %s, got %+v, %v", c.code, e, err)
				}
			case err != nil || e.Issuer != c.issuer || e.Subject != "s-1" || !e.Fresh || !e.Time.Equal(c.login.At):
				t.Errorf("got %+v, %v", e, err)
			}
		})
	}
}

// at dates a login.
func at(l identity.Login, when time.Time) identity.Login {
	l.At = when
	return l
}

// TestSubjectOfTheFilesChoice: a person is what the claim says that the file
// names; the identity server's own subject stands beside it and is none.
func TestSubjectOfTheFilesChoice(t *testing.T) {
	ids := func(v any) map[string]any {
		return map[string]any{"sub": "pairwise", "ids": map[string]any{"oid": v}}
	}
	kratos := func(credential string, c map[string]any) identity.Offer {
		return identity.Offer{Source: identity.SourceKratosMetadata, Credential: credential, Claims: c}
	}
	body := func(c map[string]any) identity.Offer {
		return identity.Offer{Source: identity.SourceHookBody, Claims: c}
	}
	for name, c := range map[string]struct {
		offer identity.Offer
		code  identity.Code
		err   error
	}{
		"the mapper's":                    {kratos("pairwise", ids("s-1")), "", nil},
		"the mapper's, without claims":    {kratos("pairwise", nil), "", nil},
		"another one in the claims":       {kratos("pairwise", ids("s-2")), identity.CodeClaimsConflict, nil},
		"the claim is a number":           {kratos("pairwise", ids(int64(1))), identity.CodeClaimsConflict, nil},
		"claims without it":               {kratos("pairwise", map[string]any{"sub": "s-1"}), identity.CodeSubjectUndeterminable, nil},
		"a mapper of before":              {kratos("", map[string]any{"sub": "s-1"}), "", claims.ErrAbsent},
		"a mapper of before, and a match": {kratos("", ids("s-1")), "", claims.ErrAbsent},
		"kept by a mapper of before":      {kratos("", nil), "", claims.ErrAbsent},
		"a caller's":                      {body(ids("s-1")), "", nil},
		"a caller's sub":                  {body(map[string]any{"sub": "s-1"}), identity.CodeSubjectUndeterminable, nil},
		"a caller's own choice":           {body(ids("s-2")), identity.CodeClaimsConflict, nil},
	} {
		t.Run(name, func(t *testing.T) {
			c.offer.Provider, c.offer.Subject = "acme", "s-1"
			source := claims.NewCarried(c.offer.Source, byOID, func() time.Time { return noon })
			e, err := source.Claims(t.Context(), identity.Login{Hook: identity.HookPrepare, Provider: "acme", Offers: []identity.Offer{c.offer}})
			var refusal *claims.Refusal
			switch errors.As(err, &refusal); {
			case c.code != "":
				if refusal == nil || refusal.Code != c.code {
					t.Errorf("got %+v, %v", e, err)
				}
			case !errors.Is(err, c.err):
				t.Errorf("got %+v, %v", e, err)
			case c.err == nil && (e.Subject != "s-1" || e.Credential != c.offer.Credential):
				t.Errorf("got %+v", e)
			}
		})
	}
}

func TestMetadataAtALoginIsNotFresh(t *testing.T) {
	source := claims.NewCarried(identity.SourceKratosMetadata, acme, func() time.Time { return noon })
	e, err := source.Claims(t.Context(), identity.Login{Hook: identity.HookLogin, Provider: "acme", At: noon, Offers: []identity.Offer{{
		Source: identity.SourceKratosMetadata, Provider: "acme", Issuer: "https://acme.example", Subject: "s-1", Claims: map[string]any{},
	}}})
	if err != nil || e.Fresh || !e.Time.IsZero() {
		t.Errorf("registration-time claims count as this login's: %+v, %v", e, err)
	}
}

// TestKratosAdminIsNeverFresh: what Kratos keeps dates from a registration, at
// whatever hook it is asked for.
func TestKratosAdminIsNeverFresh(t *testing.T) {
	for _, hook := range []identity.Hook{identity.HookPrepare, identity.HookCommit, identity.HookLogin, identity.HookLinks, identity.HookGeneric} {
		source := claims.NewCarried(identity.SourceKratosAdmin, acme, func() time.Time { return noon })
		e, err := source.Claims(t.Context(), identity.Login{Hook: hook, Provider: "acme", At: noon, Offers: []identity.Offer{{
			Source: identity.SourceKratosAdmin, Provider: "acme", Subject: "s-1", Claims: map[string]any{},
		}}})
		if err != nil || e.Fresh || !e.Time.IsZero() || e.Issuer != "https://acme.example" {
			t.Errorf("%s: %+v, %v", hook, e, err)
		}
	}
}

func TestResolveOrder(t *testing.T) {
	both := func(edit func(metadata, body *identity.Offer)) identity.Login {
		m := identity.Offer{Source: identity.SourceKratosMetadata, Provider: "acme", Issuer: "https://acme.example", Subject: "s-1"}
		b := m
		b.Source, b.Claims = identity.SourceHookBody, map[string]any{"name": "Ann"}
		edit(&m, &b)
		return identity.Login{Hook: identity.HookGeneric, Provider: "acme", Offers: []identity.Offer{m, b}}
	}
	var sources []claims.Source
	for _, name := range claims.Sources() {
		s := claims.NewCarried(name, acme, func() time.Time { return noon })
		sources = append(sources, s)
	}
	t.Run("a source without claims gives way to one with", func(t *testing.T) {
		e, err := claims.Resolve(t.Context(), sources, both(func(_, _ *identity.Offer) {}))
		if err != nil || e.Source != identity.SourceHookBody {
			t.Errorf("got %+v, %v", e, err)
		}
	})
	t.Run("two sources that name two subjects", func(t *testing.T) {
		_, err := claims.Resolve(t.Context(), sources, both(func(m, _ *identity.Offer) { m.Subject = "s-2" }))
		var refusal *claims.Refusal
		if !errors.As(err, &refusal) || refusal.Code != identity.CodeClaimsConflict {
			t.Errorf("got %v", err)
		}
	})
	t.Run("invalidity does not fall through", func(t *testing.T) {
		_, err := claims.Resolve(t.Context(), sources, both(func(m, _ *identity.Offer) { m.Issuer = "https://evil.example" }))
		var refusal *claims.Refusal
		if !errors.As(err, &refusal) || refusal.Code != identity.CodeIssuerUnknown {
			t.Errorf("got %v", err)
		}
	})
	t.Run("only a subject", func(t *testing.T) {
		e, err := claims.Resolve(t.Context(), sources, both(func(_, b *identity.Offer) { b.Claims = nil }))
		if err != nil || e.Claims != nil || e.Subject != "s-1" {
			t.Errorf("got %+v, %v", e, err)
		}
	})
}
