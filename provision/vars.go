package provision

import (
	"cmp"

	"github.com/jithook/jithook/claims"
	"github.com/jithook/jithook/identity"
)

// LoginVars is what expressions see as login.
func LoginVars(l identity.Login, e claims.Evidence) map[string]any {
	return map[string]any{
		"hook": string(cmp.Or(l.Told, l.Hook)), "provider": l.Provider, "issuer": e.Issuer, "subject": e.Subject,
		"caller": l.Caller, "source": e.Source,
	}
}
