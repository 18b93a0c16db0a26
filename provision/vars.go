package provision

import (
	"github.com/jithook/jithook/claims"
	"github.com/jithook/jithook/identity"
)

// loginVars is what expressions see as login.
func loginVars(l identity.Login, e claims.Evidence) map[string]any {
	return map[string]any{
		"hook": string(l.Hook), "provider": l.Provider, "issuer": e.Issuer, "subject": e.Subject,
		"caller": l.Caller, "source": e.Source,
	}
}

// identityVars is what expressions see as identity; nil is null.
func identityVars(i *identity.Identity) map[string]any {
	if i == nil {
		return nil
	}
	groups := make([]any, 0, len(i.Groups))
	for _, g := range i.Groups {
		groups = append(groups, g.Name)
	}
	return map[string]any{
		"id": i.ID, "userstore": i.Userstore, "state": string(i.State), "traits": i.Traits, "groups": groups,
	}
}
