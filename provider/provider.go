// Package provider turns one provider's YAML file into its policy, its mapping
// and its claims sources, and keeps the live set of them: the last good one
// when a file breaks.
//
// It owns the schema of the files and the messages about them. It must not know
// logins, stores or the wire.
package provider

import (
	"maps"
	"slices"
	"strings"

	"github.com/jithook/jithook/claims"
	"github.com/jithook/jithook/internal/claimschema"
	"github.com/jithook/jithook/internal/strictyaml"
	"github.com/jithook/jithook/mapper"
	"github.com/jithook/jithook/policy"
)

// Problem is something wrong with a file, at file:line:col.
type Problem = strictyaml.Problem

// Provider is one provider's file, checked and compiled. It is not changed
// after loading.
type Provider struct {
	ID      string
	Issuers []string
	// Subject is the path of the claim that is the subject; nil is sub.
	Subject []string
	Sources []claims.Source
	// Listed are the names of the sources as the file lists them; none if it
	// leaves that to the default.
	Listed  []strictyaml.Text
	Policy  *policy.Policy
	Mapping *mapper.Mapping
	File    string
	// Digest is the SHA-256 of the file's bytes, in hex.
	Digest string

	groups   bool     // the file says which groups are granted
	outbound []string // the targets that its identities go to
	places   map[string]string
	place    Problem // of its id in the file, without a message

	schema                   *claimschema.Schema // which claims there are; nil if nobody says
	schemaFile, schemaDigest string              // where it stands, and what stood there
}

// TraitNames returns the names of the traits that the file decides, of those in
// objects the objects', sorted, and
// "groups" among them if it grants any: identity servers keep memberships as a
// trait of that name.
func (p *Provider) TraitNames() []string {
	var names []string
	for _, t := range p.Mapping.Traits() {
		name, _, _ := strings.Cut(t.Path[1:], "/")
		names = append(names, name)
	}
	if consent, ok := p.Policy.Consent(); ok {
		names = append(names, consent.Path[1:])
	}
	if p.groups {
		names = append(names, "groups")
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// ClaimNames returns the names of the claims that the file's expressions and its
// mapping may read, sorted. all says that one of them reads claims in a way that cannot be
// told beforehand.
func (p *Provider) ClaimNames() (names []string, all bool) {
	seen := map[string]bool{}
	if p.Subject != nil {
		seen[p.Subject[0]] = true
	}
	for _, program := range slices.Concat(p.Policy.Programs(), p.Mapping.Programs()) {
		used, whole := program.ClaimNames()
		all = all || whole
		for _, n := range used {
			seen[n] = true
		}
	}
	for _, n := range p.Mapping.Marks() {
		seen[n] = true
	}
	return slices.Sorted(maps.Keys(seen)), all
}

// Set is the providers of one folder as they were at one time. It is not changed
// after loading.
type Set struct {
	providers map[string]*Provider
	sorted    []*Provider
	issuers   map[string][]*Provider
	sought    map[string]bool // the paths of lookup rules
	leases    bool
	placed    placing
}

// newSet looks through the providers once, so that no login has to.
func newSet(providers map[string]*Provider) *Set {
	s := &Set{providers: providers, sorted: make([]*Provider, 0, len(providers)), issuers: map[string][]*Provider{}, sought: map[string]bool{}, placed: placing{}}
	for _, id := range slices.Sorted(maps.Keys(providers)) {
		p := providers[id]
		s.sorted = append(s.sorted, p)
		for _, issuer := range p.Issuers {
			s.issuers[issuer] = append(s.issuers[issuer], p)
		}
		for _, r := range p.Policy.Lookup() {
			s.sought[r.Path] = true
		}
		s.placed.add(p)
		s.leases = s.leases || p.Policy.Lifecycle().InactiveAfter > 0
	}
	return s
}

// Get returns the provider with this id, compared exactly.
func (s *Set) Get(id string) (*Provider, bool) {
	p, ok := s.providers[id]
	return p, ok
}

// All returns the providers, sorted by id. It is the set's own list: to be read.
func (s *Set) All() []*Provider { return s.sorted }

// OfIssuer returns the providers that have this issuer, compared exactly, sorted by
// id. It is the set's own list: to be read.
func (s *Set) OfIssuer(issuer string) []*Provider { return s.issuers[issuer] }

// LooksUp reports whether a lookup rule of any provider looks for values at the path.
func (s *Set) LooksUp(path string) bool { return s.sought[path] }

// Leases reports whether the file of any provider suspends who does not sign in.
func (s *Set) Leases() bool { return s.leases }

// Holding returns the ids of those whose file limits how many memberships a login
// may revoke.
func (s *Set) Holding() []string {
	var ids []string
	for _, p := range s.sorted {
		if p.Policy.Groups().MaxRemovals != nil {
			ids = append(ids, p.ID)
		}
	}
	return ids
}

// Len returns how many providers there are.
func (s *Set) Len() int { return len(s.providers) }
