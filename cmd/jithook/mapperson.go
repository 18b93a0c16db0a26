package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/jithook/jithook/admin"
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/strictjson"
	"github.com/jithook/jithook/rules"
)

// known is whom a login is about, as `identity get -o json` prints them, or as
// much of it as there is.
type known struct{ *admin.Identity }

// known reads --identity; there is nobody without it. Groups may be names alone.
func (o *over) known(cmd *cobra.Command) (known, error) {
	doc, err := readObject(cmd, o.identity, "identity")
	if err != nil || doc == nil {
		return known{}, err
	}
	if groups, ok := doc["groups"].([]any); ok {
		for n, g := range groups {
			if name, ok := g.(string); ok {
				groups[n] = map[string]any{"name": name}
			}
		}
	}
	data, err := json.Marshal(doc)
	if err != nil {
		return known{}, err
	}
	i := &admin.Identity{State: identity.StateActive, Traits: map[string]any{}}
	if err := strictjson.Unmarshal(data, i); err != nil {
		return known{}, fmt.Errorf("identity: %w", err)
	}
	return known{i}, wrong(i)
}

// wrong says what no identity has.
func wrong(i *admin.Identity) error {
	states := []identity.State{identity.StatePending, identity.StateActive, identity.StateSuspended, identity.StateDeprovisioned, identity.StateDeleted}
	if !slices.Contains(states, i.State) {
		return fmt.Errorf("identity: /state: it is one of %q", states)
	}
	if slices.ContainsFunc(i.Groups, func(g identity.Group) bool { return g.Name == "" }) {
		return errors.New("identity: /groups: each is a name, or an object with a name and a source")
	}
	if slices.ContainsFunc(i.Provenance, func(by identity.Provenance) bool { return !strings.HasPrefix(by.Path, "/") || by.Source == "" }) {
		return errors.New("identity: /provenance: each has a path into the traits, such as /email, and a source")
	}
	return nil
}

// seen is the identity as expressions see it.
func (k known) seen() *identity.Identity {
	if k.Identity == nil {
		return nil
	}
	i := &identity.Identity{ID: k.ID, Userstore: k.Userstore, State: k.State, Traits: k.Traits, Groups: k.Groups}
	for _, l := range k.Links {
		i.Links = append(i.Links, identity.Link{Provider: l.Provider})
	}
	return i
}

// person is the identity as a case has it, for a login of a provider: its are the
// groups that nobody else is said to have granted.
func (k known) person(provider string) *rules.Person {
	if k.Identity == nil {
		return nil
	}
	own := identity.ProviderSource(provider)
	p := &rules.Person{ID: k.ID, Userstore: k.Userstore, State: k.State, Traits: k.Traits, Written: map[string]string{}, Granted: map[string]string{}}
	for _, g := range k.Groups {
		if source := cmp.Or(g.Source, own); source != own {
			p.Granted[g.Name] = source
			continue
		}
		p.Groups = append(p.Groups, g.Name)
	}
	if k.Provenance != nil { // else nobody knows who vouches for what
		p.Verified = map[string]string{}
	}
	for _, by := range k.Provenance {
		p.Written["/traits"+by.Path], p.Verified["/traits"+by.Path] = by.Source, by.VerifiedBy
	}
	for _, l := range k.Links {
		if l.Provider != provider {
			p.Providers = append(p.Providers, l.Provider)
		}
	}
	return p
}
