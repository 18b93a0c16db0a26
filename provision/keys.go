package provision

import (
	"maps"
	"slices"
	"strings"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/canon"
	"github.com/jithook/jithook/mapper"
)

// uniqueKeys returns the keys of an identity's unique traits, and which path
// each stands for. An unverified e-mail takes no key: whoever can make a
// provider say an address could otherwise keep its owner out.
func uniqueKeys(i *identity.Identity, traits []mapper.TraitInfo) map[identity.Key]string {
	keys := map[identity.Key]string{}
	for _, t := range traits {
		value, ok := i.Traits[strings.TrimPrefix(t.Path, "/")].(string)
		if !t.Unique || !ok {
			continue
		}
		by, _ := i.ProvenanceOf(t.Path)
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

// rekey gives after the keys it must hold: those of before, without what this
// mapping's traits held then, with what they hold now. Keys that another
// source's traits hold stay.
func rekey(before, after *identity.Identity, traits []mapper.TraitInfo) map[identity.Key]string {
	now := uniqueKeys(after, traits)
	keys := slices.Collect(maps.Keys(now))
	for _, l := range after.Links {
		keys = append(keys, identity.FedKey(l.Issuer, l.Subject))
	}
	for _, e := range after.ExternalIDs {
		keys = append(keys, identity.ExtKey(e))
	}
	if before != nil {
		then := uniqueKeys(before, traits)
		for _, k := range before.Keys {
			if _, ours := then[k]; !ours && (k.Kind() == identity.KeyMail || k.Kind() == identity.KeyName) {
				keys = append(keys, k)
			}
		}
	}
	after.Keys = sortKeys(keys)
	return now
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
