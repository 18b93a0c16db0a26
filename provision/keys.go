package provision

import (
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/canon"
	"github.com/jithook/jithook/mapper"
	"github.com/jithook/jithook/provider"
)

// uniqueKeys returns the keys of the unique ones among the traits that are mine,
// and which path each stands for. An unverified e-mail takes no key: whoever can make a
// provider say an address could otherwise keep its owner out.
func uniqueKeys(i *identity.Identity, traits []mapper.TraitInfo, mine selection) map[identity.Key]string {
	keys := map[identity.Key]string{}
	for _, t := range traits {
		value, ok := text(i, t.Path)
		if !t.Unique || !ok {
			continue
		}
		by, _ := i.ProvenanceOf(t.Path)
		if !mine(t.Path, writerOf(i, t.Path)) {
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

// text returns the value at a path, if that is a string.
func text(i *identity.Identity, path string) (string, bool) {
	v, _ := i.Trait(path)
	s, ok := v.(string)
	return s, ok
}

// selection says which traits are meant, by path and source of the value.
type selection func(path, source string) bool

// rekey gives after the keys that it must hold, and returns which path each key
// of a unique trait stands for. The traits that are mine are those that may have
// changed since before. Keys that others hold stay; one that a trait of mine can
// have made under an earlier mapping goes, unless the present one makes it again.
// Whoever is barred keeps the keys of links that are gone: without them the
// person would be made anew.
func rekey(before, after *identity.Identity, traits []mapper.TraitInfo, mine selection) map[identity.Key]string {
	unique := uniqueKeys(after, traits, mine)
	keys := slices.Collect(maps.Keys(unique))
	for _, l := range after.Links {
		keys = append(keys, identity.FedKey(l.Issuer, l.Subject))
	}
	for _, e := range after.ExternalIDs {
		keys = append(keys, identity.ExtKey(e))
	}
	if before != nil {
		keys = append(keys, kept(before, after, unique, mine)...)
	}
	after.Keys = sortKeys(keys)
	return unique
}

// kept are the keys of before that after goes on holding, beside those of its
// links, ids and unique traits. What a removed link took, after has not got any
// more.
func kept(before, after *identity.Identity, unique map[identity.Key]string, mine selection) []identity.Key {
	keys := slices.DeleteFunc(slices.Clone(after.Keys), func(k identity.Key) bool {
		_, again := unique[k]
		return again || !ofName(k) && !after.Barred()
	})
	if !slices.ContainsFunc(keys, ofName) {
		return keys
	}
	ours, others := possibleKeys(before, mine)
	return slices.DeleteFunc(keys, func(k identity.Key) bool { return ofName(k) && ours[k] && !others[k] })
}

// possibleKeys are the keys that the traits can have made under any mapping:
// those that are mine, and the others.
func possibleKeys(i *identity.Identity, mine selection) (ours, others map[identity.Key]bool) {
	ours, others = map[identity.Key]bool{}, map[identity.Key]bool{}
	for path, value := range texts("", i.Traits, mapper.MaxNames) {
		keys := others
		if mine(path, writerOf(i, path)) {
			keys = ours
		}
		if c, err := canon.Email(value); err == nil {
			keys[identity.MailKey(i.Userstore, c)] = true
		}
		if c, err := canon.Username(value); err == nil {
			keys[identity.NameKey(i.Userstore, path, c)] = true
		}
	}
	return ours, others
}

// texts yields the strings among traits, by path, down to a depth of names.
func texts(above string, traits map[string]any, depth int) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for name, v := range traits {
			path := above + identity.Pointer(name)
			switch v := v.(type) {
			case string:
				if !yield(path, v) {
					return
				}
			case map[string]any:
				if depth == 1 {
					continue
				}
				for path, text := range texts(path, v, depth-1) {
					if !yield(path, text) {
						return
					}
				}
			}
		}
	}
}

// writerOf is the source of the value at a path: that of the path itself, or
// else of the nearest object around it.
func writerOf(i *identity.Identity, path string) string {
	for ; path != ""; path = path[:strings.LastIndexByte(path, '/')] {
		if by, known := i.ProvenanceOf(path); known {
			return by.Source
		}
	}
	return ""
}

// mailKeys are the keys that the verified traits can hold as addresses.
func mailKeys(i *identity.Identity) map[identity.Key]bool {
	keys := map[identity.Key]bool{}
	for path, value := range texts("", i.Traits, mapper.MaxNames) {
		if by, _ := i.ProvenanceOf(path); by.VerifiedBy == "" {
			continue
		}
		if c, err := canon.Email(value); err == nil {
			keys[identity.MailKey(i.Userstore, c)] = true
		}
	}
	return keys
}

// heirOf returns whether a source is a provider that has no file any more and
// whose subjects are prov's now: the same issuer under another name.
func (s *Service) heirOf(i *identity.Identity, prov *provider.Provider) func(source string) bool {
	set := s.Providers()
	var left []string // sources without a file
	for _, l := range i.Links {
		if _, lives := set.Get(l.Provider); !lives && slices.Contains(prov.Issuers, l.Issuer) {
			left = append(left, identity.ProviderSource(l.Provider))
		}
	}
	return func(source string) bool { return slices.Contains(left, source) }
}

// emails returns the e-mail addresses among the traits.
func emails(i *identity.Identity, traits []mapper.TraitInfo) []Email {
	var found []Email
	for _, t := range traits {
		value, ok := text(i, t.Path)
		by, _ := i.ProvenanceOf(t.Path)
		if ok && t.Canonical == mapper.CanonicalEmail {
			found = append(found, Email{"/traits" + t.Path, value, by.VerifiedBy != ""})
		}
	}
	return found
}
