package identity

import "slices"

// Resource is what another system has of an identity on our word, as far as is
// known. It tells what is ours there from what is not.
type Resource struct {
	// Target is the system's name in the configuration.
	Target string `json:"target"`
	// ID is what the system calls the identity; empty while that is not known.
	ID string `json:"id,omitempty"`
	// Groups are the memberships that it may have been told to grant, sorted:
	// what was never granted on our word is not ours to take away.
	Groups []string `json:"groups,omitempty"`
	// Told is what else the connector has to know of what it told, in its own
	// words. It holds no value and no subject.
	Told string `json:"told,omitempty"`
}

// Resource returns what the target has of the identity, and whether it may have
// been told of it at all.
func (i *Identity) Resource(target string) (Resource, bool) {
	n := i.resource(target)
	if n < 0 {
		return Resource{Target: target}, false
	}
	return i.Resources[n], true
}

// Remember notes what a target has, in place of what was noted before.
func (i *Identity) Remember(r Resource) {
	slices.Sort(r.Groups)
	r.Groups = slices.Compact(r.Groups)
	if n := i.resource(r.Target); n >= 0 {
		i.Resources[n] = r
		return
	}
	i.Resources = append(i.Resources, r)
}

// Forget notes that a target has nothing of the identity.
func (i *Identity) Forget(target string) {
	i.Resources = slices.DeleteFunc(i.Resources, func(r Resource) bool { return r.Target == target })
}

func (i *Identity) resource(target string) int {
	return slices.IndexFunc(i.Resources, func(r Resource) bool { return r.Target == target })
}

// GroupNames returns the names of the identity's groups, sorted, each once:
// several sources may have granted one.
func (i *Identity) GroupNames() []string {
	names := make([]string, 0, len(i.Groups))
	for _, g := range i.Groups {
		names = append(names, g.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
