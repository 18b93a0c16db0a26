package kratos

import (
	"maps"
	"slices"
	"strings"

	"github.com/jithook/jithook/identity"
)

// restorer undoes what a browser can do to the traits in a payload: whatever
// it posts with a flow wins over Kratos's mapper (seen on v1.3.1).
type restorer struct {
	identity *identity.Identity // nil if nobody is known
	mapped   map[string]any     // what the mapper wrote, out of the client's reach
	paths    []string           // nil: all
}

// groups is the trait in which Kratos keeps memberships, where its schema has
// one: it gets the groups that were granted, not those that were claimed.
const groups = "groups"

// truth returns what the trait must be, and whether jithook or the mapper
// says anything about it.
func (r restorer) truth(name string) (any, bool) {
	if r.identity != nil {
		if v, ok := r.identity.Traits[name]; ok {
			return v, true
		}
		if name == groups {
			return r.identity.GroupNames(), true
		}
	}
	v, ok := r.mapped[name]
	return v, ok
}

// decides reports whether the trait is one that jithook restores.
func (r restorer) decides(name string) bool { return r.paths == nil || slices.Contains(r.paths, name) }

// registration returns the traits to persist at a first sign-in. A trait that
// neither we nor the mapper know is the client's invention and goes.
func (r restorer) registration(received map[string]any) map[string]any {
	traits := r.restored(received, func(_ string, truth, _ any) any { return truth })
	for name := range received {
		if _, known := r.truth(name); !known && r.decides(name) {
			delete(traits, name)
		}
	}
	for _, name := range r.answered() {
		traits[name] = r.identity.Traits[name]
	}
	return traits
}

// answered are the traits that the person has answered. Kratos's form had them,
// whatever the configuration says, and may have forgotten them since.
func (r restorer) answered() []string {
	if r.identity == nil {
		return nil
	}
	var names []string
	for _, by := range r.identity.Provenance {
		if by.Source == identity.SourceUser {
			name, _, _ := strings.Cut(by.Path[1:], "/")
			names = append(names, name)
		}
	}
	return names
}

// profile returns the traits to persist from the profile form. A trait that
// neither we nor the mapper know is the person's own to edit.
func (r restorer) profile(received map[string]any) map[string]any {
	return r.restored(received, r.beside)
}

// beside is the truth about what is at a path, with what else the person has put
// into an object of which jithook only says what some members are. One that was
// written as a whole has no other members.
func (r restorer) beside(path string, truth, received any) any {
	known, ok := truth.(map[string]any)
	posted, also := received.(map[string]any)
	if !ok || !also || !r.shared(path) {
		return truth
	}
	both := maps.Clone(posted)
	for name, v := range known {
		both[name] = r.beside(path+identity.Pointer(name), v, posted[name])
	}
	return both
}

// shared reports whether only members of the object at a path were written, and
// never the object itself.
func (r restorer) shared(path string) bool {
	return r.identity != nil && !slices.ContainsFunc(r.identity.Provenance, func(by identity.Provenance) bool {
		return by.Path == path || identity.Below(path, by.Path)
	}) && slices.ContainsFunc(r.identity.Provenance, func(by identity.Provenance) bool { return identity.Below(by.Path, path) })
}

// restored returns the received traits with those put right about which there
// is a truth: what was received, what the mapper wrote, what the person answered,
// and what the configuration says that Kratos's schema has.
func (r restorer) restored(received map[string]any, put func(path string, truth, received any) any) map[string]any {
	traits := map[string]any{}
	maps.Copy(traits, received)
	names := slices.AppendSeq(slices.Collect(maps.Keys(received)), maps.Keys(r.mapped))
	names = append(names, r.answered()...)
	for _, name := range append(names, r.paths...) {
		if v, known := r.truth(name); known && r.decides(name) {
			traits[name] = put(identity.Pointer(name), v, received[name])
		}
	}
	return traits
}
