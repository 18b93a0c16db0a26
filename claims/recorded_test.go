package claims_test

// What a record kept counts again only where the file still fits it: the source,
// the issuer and the subject. It is as fresh as it was.

import (
	"errors"
	"testing"

	"github.com/jithook/jithook/claims"
	"github.com/jithook/jithook/identity"
)

func TestRecorded(t *testing.T) {
	c := map[string]any{"sub": "s-1", "ids": map[string]any{"oid": "o-1"}}
	for name, x := range map[string]struct {
		origin  claims.Origin
		source  string
		hook    identity.Hook
		edit    func(*identity.Login)
		subject string // "": absent
		fresh   bool
		code    identity.Code
	}{
		"a caller's":                       {acme, identity.SourceHookBody, identity.HookGeneric, nil, "s-1", true, ""},
		"a token's, at a login":            {acme, identity.SourceIDToken, identity.HookLogin, nil, "s-1", true, ""},
		"the mapper's, at a registration":  {acme, identity.SourceKratosMetadata, identity.HookGeneric, nil, "s-1", true, ""},
		"the mapper's, at a login":         {acme, identity.SourceKratosMetadata, identity.HookLogin, nil, "s-1", false, ""},
		"Kratos's own":                     {acme, identity.SourceKratosAdmin, identity.HookGeneric, nil, "s-1", false, ""},
		"another claim, of a caller":       {byOID, identity.SourceHookBody, identity.HookGeneric, nil, "", false, identity.CodeClaimsConflict},
		"another claim, of a token":        {byOID, identity.SourceIDToken, identity.HookGeneric, nil, "", false, identity.CodeClaimsConflict},
		"another claim, of the mapper":     {byOID, identity.SourceKratosMetadata, identity.HookGeneric, nil, "o-1", true, ""},
		"another claim that is not there":  {byOID, identity.SourceKratosMetadata, identity.HookGeneric, func(l *identity.Login) { l.Offers[0].Claims = map[string]any{} }, "", false, identity.CodeSubjectUndeterminable},
		"another issuer":                   {acme, identity.SourceHookBody, identity.HookGeneric, func(l *identity.Login) { l.Offers[0].Issuer += "/" }, "", false, identity.CodeIssuerUnknown},
		"another provider":                 {acme, identity.SourceHookBody, identity.HookGeneric, func(l *identity.Login) { l.Provider = "globex" }, "", false, ""},
		"an offer of another provider":     {acme, identity.SourceHookBody, identity.HookGeneric, func(l *identity.Login) { l.Offers[0].Provider = "globex" }, "", false, ""},
		"a source that the file lacks":     {acme, identity.SourceHookBody, identity.HookGeneric, func(l *identity.Login) { l.Offers[0].Source = identity.SourceIDToken }, "", false, ""},
		"back to sub, of the mapper":       {acme, identity.SourceKratosMetadata, identity.HookGeneric, func(l *identity.Login) { l.Offers[0].Subject = "o-1" }, "s-1", true, ""},
		"another one than sub of a caller": {acme, identity.SourceHookBody, identity.HookGeneric, func(l *identity.Login) { l.Offers[0].Subject = "s-2" }, "", false, identity.CodeClaimsConflict},
	} {
		t.Run(name, func(t *testing.T) {
			l := identity.Login{Hook: x.hook, Provider: "acme", At: noon, Offers: []identity.Offer{{
				Source: x.source, Provider: "acme", Issuer: "https://acme.example", Subject: "s-1", Claims: c,
			}}}
			if x.edit != nil {
				x.edit(&l)
			}
			e, err := claims.NewRecorded(x.source, x.origin).Claims(t.Context(), l)
			var refusal *claims.Refusal
			switch errors.As(err, &refusal); {
			case x.code != "":
				if refusal == nil || refusal.Code != x.code {
					t.Errorf("got %+v, %v", e, err)
				}
			case x.subject == "":
				if !errors.Is(err, claims.ErrAbsent) {
					t.Errorf("got %+v, %v", e, err)
				}
			case err != nil || e.Subject != x.subject || e.Fresh != x.fresh || !e.Time.IsZero() || e.Issuer != "https://acme.example":
				t.Errorf("got %+v, %v", e, err)
			}
		})
	}
}
