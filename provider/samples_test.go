package provider_test

import (
	"io/fs"
	"testing"

	"github.com/jithook/jithook/deploy"
	"github.com/jithook/jithook/internal/expr"
)

// TestSamplesVerify: when an address counts as verified by the samples. Cases
// beside them cannot show it, since it is no trait.
func TestSamplesVerify(t *testing.T) {
	samples, err := fs.Sub(deploy.FS, "providers")
	if err != nil {
		t.Fatal(err)
	}
	set, problems := loader(t).Load(samples)
	if len(problems) > 0 {
		t.Fatalf("problems %v", problems)
	}
	type claims = map[string]any
	const ours, theirs = "ann@acme.example", "ann@other.example"
	for name, c := range map[string]struct {
		provider string
		claims   claims
		want     bool
	}{
		"entra, edov":                           {"entra", claims{"email": ours, "xms_edov": true}, true},
		"entra, edov as a number":               {"entra", claims{"email": ours, "xms_edov": int64(1)}, true},
		"entra, edov as a string":               {"entra", claims{"email": ours, "xms_edov": "1"}, true},
		"entra, not edov":                       {"entra", claims{"email": ours, "xms_edov": false}, false},
		"entra, not edov as a number":           {"entra", claims{"email": ours, "xms_edov": int64(0)}, false},
		"entra, not edov as a string":           {"entra", claims{"email": ours, "xms_edov": "0"}, false},
		"entra, edov was not asked for":         {"entra", claims{"email": ours, "email_verified": true}, false},
		"entra, a domain that is not ours":      {"entra", claims{"email": theirs, "xms_edov": true}, false},
		"google, of the Workspace":              {"google", claims{"email": ours, "email_verified": true}, true},
		"google, a string is no boolean":        {"google", claims{"email": ours, "email_verified": "true"}, false},
		"google, hosted elsewhere":              {"google", claims{"email": theirs, "email_verified": true}, false},
		"okta":                                  {"okta", claims{"email": ours, "email_verified": true}, true},
		"okta, a domain that is not ours":       {"okta", claims{"email": theirs, "email_verified": true}, false},
		"keycloak":                              {"keycloak", claims{"email": ours, "email_verified": true}, true},
		"keycloak, not verified":                {"keycloak", claims{"email": ours, "email_verified": false}, false},
		"github, of any domain":                 {"github", claims{"email": theirs, "email_verified": true}, true},
		"github, Kratos leaves out what is not": {"github", claims{"email": theirs}, false},
		"oidc":                                  {"oidc", claims{"email": ours, "email_verified": true}, true},
		"oidc, a domain that is not ours":       {"oidc", claims{"email": theirs, "email_verified": true}, false},
	} {
		t.Run(name, func(t *testing.T) {
			p, ok := set.Get(c.provider)
			if !ok {
				t.Fatal("no such sample")
			}
			trait, ok, err := p.Mapping.Trait(t.Context(), "/email", expr.Vars{Claims: c.claims})
			if err != nil || !ok || trait.Verified != c.want {
				t.Errorf("verified %v (%v, %v), want %v", trait.Verified, ok, err, c.want)
			}
		})
	}
}
