package provider

import (
	"slices"

	"github.com/jithook/jithook/identity"
)

// Targets returns the targets that the files of the identity's linked providers
// name, sorted.
func (s *Set) Targets(i *identity.Identity) []string {
	var names []string
	for _, l := range i.Links {
		if p, ok := s.Get(l.Provider); ok {
			names = append(names, p.outbound...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Sends reports whether the file of a linked provider sends the identity to the
// target; unknown says that a linked provider has no file.
func (s *Set) Sends(i *identity.Identity, target string) (sends, unknown bool) {
	for _, l := range i.Links {
		p, ok := s.Get(l.Provider)
		unknown = unknown || !ok
		sends = sends || ok && slices.Contains(p.outbound, target)
	}
	return sends, unknown
}
