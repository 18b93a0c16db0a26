package identity

import "slices"

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
