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
	"github.com/jithook/jithook/internal/expr"
	"github.com/jithook/jithook/mapper"
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
func (c *Case) person(ctx context.Context, prov *provider.Provider, userstore string, now time.Time) *identity.Identity {
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
	for _, other := range p.Providers {
		i.Links = append(i.Links, identity.Link{Provider: other, LinkedAt: now})
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
	c.vouch(ctx, prov, i)
	return i
}

// vouch gives the identity what the store would have for it: the unique keys of
// its traits, and, unless the case says who verified what, the provider's word on
// the values that it wrote and vouches for now. Otherwise no login would leave an
// address as it is.
func (c *Case) vouch(ctx context.Context, prov *provider.Provider, i *identity.Identity) {
	source := identity.ProviderSource(prov.ID)
	for _, t := range prov.Mapping.Traits() {
		value, has := i.Trait(t.Path)
		canonical, why := mapper.Check(value, t.Canonical)
		if !has || why != "" {
			continue
		}
		at := slices.IndexFunc(i.Provenance, func(by identity.Provenance) bool { return by.Path == t.Path })
		mapped, _, err := prov.Mapping.Trait(ctx, t.Path, expr.Vars{Claims: c.Claims})
		if c.Identity.Verified == nil && at >= 0 && i.Provenance[at].Source == source && err == nil && mapped.Verified && mapped.Canonical == canonical {
			i.Provenance[at].VerifiedBy = source
		}
		name, _ := canonical.(string)
		switch {
		case !t.Unique:
		case t.Canonical == mapper.CanonicalUsername:
			i.Keys = append(i.Keys, identity.NameKey(i.Userstore, t.Path, name))
		case at >= 0 && i.Provenance[at].VerifiedBy != "":
			i.Keys = append(i.Keys, identity.MailKey(i.Userstore, name))
		}
	}
	slices.Sort(i.Keys)
}
