package rules

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/provider"
	"github.com/jithook/jithook/store"
)

// world is a userstore with one person in it, or nobody: all that a plan sees.
type world struct {
	person *identity.Identity
}

// Look implements provision.Store.
func (w world) Look(_ context.Context, _ string, keys ...identity.Key) (store.Found, error) {
	if w.person == nil || !slices.ContainsFunc(keys, func(k identity.Key) bool { return slices.Contains(w.person.Keys, k) }) {
		return store.Found{}, nil
	}
	return store.Found{Identities: []identity.Identity{w.person.Clone()}}, nil
}

// errWrites says that something that only plans has tried to write.
var errWrites = errors.New("a case of a rule is only planned")

// Insert implements provision.Store; so do the following.
func (world) Insert(context.Context, identity.Identity, identity.Record) error { return errWrites }

func (world) Swap(context.Context, identity.Identity, identity.Record) error { return errWrites }

func (world) Renew(context.Context, string, int64, time.Time, identity.Record) error {
	return errWrites
}

// writers are who wrote what: this source wherever the person's case does not
// name another one.
func (p *Person) writers(source string) map[string]string {
	who := map[string]string{}
	for pointer, name := range p.Written {
		if path, ok := strings.CutPrefix(pointer, "/traits"); ok {
			who[path] = name
		}
	}
	for name := range p.Traits {
		path := identity.Pointer(name)
		below := func(other string) bool { return identity.Overlap(other, path) }
		if !slices.ContainsFunc(slices.Collect(maps.Keys(who)), below) {
			who[path] = source
		}
	}
	return who
}

// person is the case's identity as the store would have it: linked to the
// provider's subject, and written by the provider unless the case says
// otherwise.
func (c *Case) person(prov *provider.Provider, userstore string, now time.Time) *identity.Identity {
	p := c.Identity
	if p == nil {
		return nil
	}
	issuer, subject := c.issuer(prov), c.subject(prov)
	source := identity.ProviderSource(prov.ID)
	i := &identity.Identity{
		ID: cmp.Or(p.ID, "identity-of-the-case"), Userstore: cmp.Or(p.Userstore, userstore), State: p.State, StateSource: source, Traits: p.Traits, Revision: 1,
		Links: []identity.Link{{Provider: prov.ID, Issuer: issuer, Subject: subject, LinkedAt: now}},
		Keys:  []identity.Key{identity.FedKey(issuer, subject)}, CreatedAt: now, UpdatedAt: now, LastLoginAt: now,
	}
	for path, who := range p.writers(source) {
		if _, has := i.Trait(path); !has {
			continue
		}
		i.Provenance = append(i.Provenance, identity.Provenance{Path: path, Source: who, At: now, VerifiedBy: p.Verified["/traits"+path]})
	}
	slices.SortFunc(i.Provenance, func(a, b identity.Provenance) int { return strings.Compare(a.Path, b.Path) })
	for _, name := range p.Groups {
		i.Groups = append(i.Groups, identity.Group{Name: name, Source: source})
	}
	for name, who := range p.Granted {
		i.Groups = append(i.Groups, identity.Group{Name: name, Source: who})
	}
	slices.SortFunc(i.Groups, func(a, b identity.Group) int { return strings.Compare(a.Name, b.Name) })
	return i
}
