package provision

import (
	"maps"
	"slices"
	"strings"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/canon"
	"github.com/jithook/jithook/mapper"
	"github.com/jithook/jithook/provider"
)

// uniqueKeys returns the keys of an identity's unique traits, and which path
// each stands for. An unverified e-mail takes no key: whoever can make a
// provider say an address could otherwise keep its owner out.
func (d difference) uniqueKeys(traits []mapper.TraitInfo) map[identity.Key]string {
	i := d.identity
	keys := map[identity.Key]string{}
	for _, t := range traits {
		value, ok := i.Traits[strings.TrimPrefix(t.Path, "/")].(string)
		if !t.Unique || !ok {
			continue
		}
		by, _ := i.ProvenanceOf(t.Path)
		if !d.owns(by.Source) {
			continue // whether it is unique is its writer's business
		}
		switch t.Canonical {
		case mapper.CanonicalEmail:
			if c, err := canon.Email(value); err == nil && by.VerifiedBy != "" {
				keys[identity.MailKey(i.Userstore, c)] = "/traits" + t.Path
			}
		case mapper.CanonicalUsername:
			if c, err := canon.Username(value); err == nil {
				keys[identity.NameKey(i.Userstore, t.Path, c)] = "/traits" + t.Path
			}
		}
	}
	return keys
}

// rekey gives the identity the keys that it must hold, and returns which path
// each key of a unique trait stands for. Keys that traits of other sources hold
// stay; one that a trait of this source can have made under an earlier mapping
// goes, unless the present mapping makes it again.
func (d difference) rekey(before *identity.Identity, traits []mapper.TraitInfo) map[identity.Key]string {
	unique := d.uniqueKeys(traits)
	keys := slices.Collect(maps.Keys(unique))
	for _, l := range d.identity.Links {
		keys = append(keys, identity.FedKey(l.Issuer, l.Subject))
	}
	for _, e := range d.identity.ExternalIDs {
		keys = append(keys, identity.ExtKey(e))
	}
	if before != nil {
		ours, others := possibleKeys(before, d.owns), possibleKeys(before, d.foreign)
		for _, k := range before.Keys {
			if (!ours[k] || others[k]) && (k.Kind() == identity.KeyMail || k.Kind() == identity.KeyName) {
				keys = append(keys, k)
			}
		}
	}
	d.identity.Keys = sortKeys(keys)
	return unique
}

// possibleKeys are the keys that the traits of the sources can have made under
// any mapping.
func possibleKeys(i *identity.Identity, of func(source string) bool) map[identity.Key]bool {
	keys := map[identity.Key]bool{}
	for name, v := range i.Traits {
		path := "/" + name
		by, _ := i.ProvenanceOf(path)
		value, ok := v.(string)
		if !ok || !of(by.Source) {
			continue
		}
		if c, err := canon.Email(value); err == nil {
			keys[identity.MailKey(i.Userstore, c)] = true
		}
		if c, err := canon.Username(value); err == nil {
			keys[identity.NameKey(i.Userstore, path, c)] = true
		}
	}
	return keys
}

// heirOf returns whether a source is a provider that has no file any more and
// whose subjects are prov's now: the same issuer under another name.
func (s *Service) heirOf(i *identity.Identity, prov *provider.Provider) func(source string) bool {
	return func(source string) bool {
		return slices.ContainsFunc(i.Links, func(l identity.Link) bool {
			_, lives := s.Providers().Get(l.Provider)
			return !lives && identity.ProviderSource(l.Provider) == source && slices.Contains(prov.Issuers, l.Issuer)
		})
	}
}

// emails returns the e-mail addresses among the traits.
func emails(i *identity.Identity, traits []mapper.TraitInfo) []Email {
	var found []Email
	for _, t := range traits {
		value, ok := i.Traits[strings.TrimPrefix(t.Path, "/")].(string)
		by, _ := i.ProvenanceOf(t.Path)
		if ok && t.Canonical == mapper.CanonicalEmail {
			found = append(found, Email{value, by.VerifiedBy != ""})
		}
	}
	return found
}
