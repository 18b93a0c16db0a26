package provision

import (
	"maps"
	"slices"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/mapper"
	"github.com/jithook/jithook/policy"
)

// traits brings the traits of a mapping into the identity, and returns the
// changed paths.
func (d *difference) traits(mapped []mapper.Trait) []identity.Change {
	var changes []identity.Change
	for _, t := range mapped {
		if op := d.trait(t); op != "" {
			changes = append(changes, identity.Change{Path: "/traits" + t.Path, Op: op})
			d.wrote = append(d.wrote, t.Path)
		}
	}
	if d.method == policy.OverrideAll {
		for _, path := range d.leftovers("", d.identity.Traits, mapped) {
			d.identity.RemoveTrait(path)
			changes = append(changes, identity.Change{Path: "/traits" + path, Op: identity.OpRemove})
			d.wrote = append(d.wrote, path)
		}
	}
	return changes
}

// trait returns the operation it did, or "" where the identity already is as
// the mapping says, or the trait is not this login's to write.
func (d *difference) trait(t mapper.Trait) string {
	if !d.writes(t) {
		return ""
	}
	stored, has := d.identity.Trait(t.Path)
	switch t.Action {
	case mapper.Set:
		value := traitValue(t)
		if t.Numbered && isNumbered(stored, t.Canonical) {
			// What became of the name when it was taken: that one nobody has verified.
			value, t.Verified = stored, false
		}
		same := has && equalJSON(stored, value)
		by, _ := d.identity.ProvenanceOf(t.Path)
		verifiedBy := d.verifiedBy(t, by, same)
		if same && by.VerifiedBy == verifiedBy {
			return ""
		}
		d.identity.SetTrait(value, identity.Provenance{Path: t.Path, Source: d.source, At: d.at, ClaimsTime: d.dated, VerifiedBy: verifiedBy})
		return identity.OpSet
	case mapper.Clear:
		if d.identity.RemoveTrait(t.Path) {
			return identity.OpRemove
		}
	}
	return ""
}

// verifiedBy is who vouches for a value that the mapping yields. What somebody
// else has verified stays so for as long as the value does: that this provider
// does not vouch for it says nothing against them.
func (d *difference) verifiedBy(t mapper.Trait, by identity.Provenance, same bool) string {
	switch {
	case same && by.VerifiedBy != "" && !d.owns(by.VerifiedBy):
		return by.VerifiedBy
	case t.Verified:
		return d.source
	}
	return ""
}

// writes reports whether the trait is this login's to write.
func (d *difference) writes(t mapper.Trait) bool {
	if d.frozen(t.Sync) {
		return false
	}
	writers := d.identity.Writers(t.Path)
	if d.methodOf(t.Sync) == policy.OverrideAll {
		return !slices.ContainsFunc(writers, d.later) &&
			(!t.Absent || !slices.ContainsFunc(writers, answered))
	}
	return !slices.ContainsFunc(writers, func(by identity.Provenance) bool { return !d.owns(by.Source) })
}

// methodOf is the method of a trait with this `sync` of its own.
func (d *difference) methodOf(sync string) policy.AttributeSync {
	switch sync {
	case mapper.SyncForce:
		return policy.OverrideAll
	case mapper.SyncImport:
		return policy.SyncNone
	}
	return d.method
}

// frozen reports whether a trait with this `sync` of its own is not written any
// more. An identity that no login has acknowledged is still being created.
func (d *difference) frozen(sync string) bool {
	return !d.creating && d.methodOf(sync) == policy.SyncNone
}

// later reports whether somebody else's value is newer than these claims: they
// are what was true before, and come late. Two providers' claims are compared by
// when they were made, so that it does not matter which arrive first.
func (d *difference) later(by identity.Provenance) bool {
	return !d.owns(by.Source) && !d.dated.IsZero() && d.dated.Before(by.Stated())
}

// answered reports whether a value is what the person answered at sign-in. A
// provider may have a better one; that it has none takes no answer away.
func answered(by identity.Provenance) bool { return by.Source == identity.SourceUser }

// leftovers returns the paths at and below which the traits hold what no trait
// of the mapping is about.
func (d *difference) leftovers(above string, traits map[string]any, mapped []mapper.Trait) []string {
	var paths []string
	for _, name := range slices.Sorted(maps.Keys(traits)) {
		path := above + identity.Pointer(name)
		if slices.ContainsFunc(mapped, func(t mapper.Trait) bool { return t.Path == path }) {
			continue
		}
		// An object is looked into where the mapping, or another writer, tells
		// its members apart.
		object, ok := traits[name].(map[string]any)
		apart := slices.ContainsFunc(mapped, func(t mapper.Trait) bool { return identity.Below(t.Path, path) }) ||
			slices.ContainsFunc(d.identity.Provenance, func(by identity.Provenance) bool { return identity.Below(by.Path, path) })
		switch {
		case ok && apart:
			paths = append(paths, d.leftovers(path, object, mapped)...)
		case !slices.ContainsFunc(d.identity.Writers(path), func(by identity.Provenance) bool { return d.later(by) || answered(by) }):
			paths = append(paths, path)
		}
	}
	return paths
}

// due returns the traits that this login may write.
func (d *difference) due(mapped []mapper.Trait) []mapper.Trait {
	return slices.DeleteFunc(slices.Clone(mapped), func(t mapper.Trait) bool { return d.frozen(t.Sync) })
}

// firstMissing returns the path of the first required trait that the identity
// lacks. An empty string is no value here.
func firstMissing(i *identity.Identity, mapped []mapper.Trait) (string, bool) {
	for _, t := range mapped {
		if v, has := i.Trait(t.Path); t.Required && (!has || v == "") {
			return "/traits" + t.Path, true
		}
	}
	return "", false
}

// changed selects the traits whose unique keys may be others than before: those
// of this provider, and those that were written.
func (d *difference) changed(path, source string) bool {
	return d.owns(source) || slices.ContainsFunc(d.wrote, func(w string) bool { return identity.Overlap(w, path) })
}

// traitValue is what is stored: the canonical form where there is one, so that
// a provider that changes the case of an address changes nothing here.
func traitValue(t mapper.Trait) any {
	if t.CanonicalForm != "" {
		return t.Canonical
	}
	return t.Value
}
