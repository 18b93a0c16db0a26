package provision

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/mapper"
)

// difference brings what a mapping yields into an identity.
type difference struct {
	source string
	// heir reports whether what another source wrote is this one's to change.
	heir     func(source string) bool
	at       time.Time
	identity *identity.Identity
}

// apply changes the traits of the identity and returns the changed paths.
func (d difference) apply(r mapper.Result) []identity.Change {
	var changes []identity.Change
	for _, t := range r.Traits {
		if op := d.trait(t); op != "" {
			changes = append(changes, identity.Change{Path: "/traits" + t.Path, Op: op})
		}
	}
	return changes
}

// trait returns the operation it did, or "" where the identity already is as
// the mapping says, or where somebody else wrote the trait last (preserve
// local): a provider's word does not overwrite what another source wrote.
func (d difference) trait(t mapper.Trait) string {
	name := strings.TrimPrefix(t.Path, "/")
	stored, has := d.identity.Traits[name]
	by, known := d.identity.ProvenanceOf(t.Path)
	if has && known && !d.owns(by.Source) {
		return ""
	}
	switch t.Action {
	case mapper.Set:
		value, verifiedBy := traitValue(t), ""
		if t.Verified {
			verifiedBy = d.source
		}
		if has && equalJSON(stored, value) && by.VerifiedBy == verifiedBy {
			return ""
		}
		d.identity.Traits[name] = value
		d.provenance(identity.Provenance{Path: t.Path, Source: d.source, At: d.at, VerifiedBy: verifiedBy})
		return identity.OpSet
	case mapper.Clear:
		if !has {
			return ""
		}
		delete(d.identity.Traits, name)
		d.identity.Provenance = slices.DeleteFunc(d.identity.Provenance, func(p identity.Provenance) bool { return p.Path == t.Path })
		return identity.OpRemove
	}
	return ""
}

// owns reports whether what source wrote is this mapping's to change.
func (d difference) owns(source string) bool { return source == d.source || d.heir(source) }

func (d difference) provenance(p identity.Provenance) {
	at := slices.IndexFunc(d.identity.Provenance, func(q identity.Provenance) bool { return q.Path == p.Path })
	if at < 0 {
		d.identity.Provenance = append(d.identity.Provenance, p)
		return
	}
	d.identity.Provenance[at] = p
}

// traitValue is what is stored: the canonical form where there is one, so that
// a provider that changes the case of an address changes nothing here.
func traitValue(t mapper.Trait) any {
	if t.CanonicalForm != "" {
		return t.Canonical
	}
	return t.Value
}

// firstMissing returns the path of the first required trait that the identity
// lacks. An empty string is no value here.
func firstMissing(i *identity.Identity, r mapper.Result) (string, bool) {
	for _, t := range r.Traits {
		v, has := i.Traits[strings.TrimPrefix(t.Path, "/")]
		if t.Required && (!has || v == "") {
			return "/traits" + t.Path, true
		}
	}
	return "", false
}

// equalJSON compares JSON values. Numbers are compared by value: a store may
// give back an int64 where a float64 without a fraction went in.
func equalJSON(a, b any) bool {
	switch a := a.(type) {
	case int64:
		switch b := b.(type) {
		case int64:
			return a == b
		case float64:
			return float64(a) == b && int64(b) == a
		}
		return false
	case float64:
		if _, ok := b.(int64); ok {
			return equalJSON(b, a)
		}
		f, ok := b.(float64)
		return ok && f == a
	case []any:
		list, ok := b.([]any)
		return ok && slices.EqualFunc(a, list, equalJSON)
	case map[string]any:
		m, ok := b.(map[string]any)
		return ok && maps.EqualFunc(a, m, equalJSON)
	default: // string, bool, nil
		switch b.(type) {
		case []any, map[string]any:
			return false
		}
		return a == b
	}
}

// escape makes a JSON Pointer token (RFC 6901, section 3).
func escape(token string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(token)
}
