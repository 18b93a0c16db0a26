package identity

import (
	"slices"
	"time"
)

// Vars is what expressions see as identity; nil is null.
func (i *Identity) Vars() map[string]any {
	if i == nil {
		return nil
	}
	groups := make([]any, 0, len(i.Groups))
	for _, g := range i.Groups {
		groups = append(groups, g.Name)
	}
	providers := []any{}
	for _, l := range i.Links {
		if !slices.Contains(providers, any(l.Provider)) {
			providers = append(providers, l.Provider)
		}
	}
	return map[string]any{
		"id": i.ID, "userstore": i.Userstore, "state": string(i.State), "traits": i.Traits, "groups": groups, "providers": providers,
	}
}

// LoginVars is what expressions see as login where nobody signs in: what the
// identity keeps of the newest login that was applied to it. It holds no claim,
// and is the same whenever it is asked for; empty without a link.
func (i *Identity) LoginVars() map[string]any {
	vars := map[string]any{}
	var newest time.Time
	for _, l := range i.Links {
		at := slices.MaxFunc([]time.Time{l.LinkedAt, l.ClaimsTime, l.ReceivedAt}, time.Time.Compare)
		if len(vars) == 0 || at.After(newest) {
			newest = at
			vars = map[string]any{"provider": l.Provider, "issuer": l.Issuer, "at": at.UTC().Format(time.RFC3339)}
		}
	}
	return vars
}
