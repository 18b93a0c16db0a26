// Package mapper turns claims into traits and groups, as a provider's `traits`
// and `groups` sections say.
//
// It owns which value a trait gets, when a value counts as verified, and which
// groups are granted. It must not know what an identity holds already or how a
// result is brought into it; it changes nothing that it is given.
package mapper

import (
	"slices"

	"github.com/jithook/jithook/internal/expr"
)

// Canonical forms of a trait.
const (
	CanonicalEmail    = "email"
	CanonicalUsername = "username"
)

// What a claim that is absent means. The empty string is AbsentKeep.
const (
	AbsentKeep    = "keep"    // what is stored stays
	AbsentClear   = "clear"   // what is stored goes
	AbsentDefault = "default" // the trait gets its default; not for groups
	AbsentReject  = "reject"  // the login is refused
)

// What becomes of a login whose unique trait somebody else has. The empty string
// is TakenDeny.
const (
	TakenDeny   = "deny"
	TakenSuffix = "suffix" // a username gets a number
)

// When a trait is written to an identity that exists. The empty string is
// SyncInherit.
const (
	SyncInherit = "inherit" // as the provider's policy says
	SyncImport  = "import"  // at creation only
	SyncForce   = "force"   // at every login, whoever wrote it last
)

// Limits on what strangers' claims may put into a userstore.
const (
	// MaxString is the longest string in a trait, and the longest key of a map
	// in one, in bytes.
	MaxString = 4096
	// MaxTrait is the largest trait, in bytes of its JSON.
	MaxTrait = 16 << 10
	// MaxNames is how many names a trait's path has at most.
	MaxNames = 4
	// MaxDepth is how deep lists and maps in a trait may nest.
	MaxDepth = 16
	// MaxGroups is the longest list of groups that is looked at.
	MaxGroups = 10_000
)

// Spec is a mapping as it is written.
type Spec struct {
	Traits []TraitSpec
	Groups *GroupsSpec // nil manages no groups
	Trust  Trust
}

// Trust says whose word on an e-mail address counts.
type Trust struct {
	// AuthoritativeDomains are the domains that the provider itself runs,
	// compared exactly in canonical form: a subdomain is another domain.
	AuthoritativeDomains []string
	// EmailVerified trusts the provider for addresses of every domain.
	EmailVerified bool
}

// TraitSpec is how one trait is made.
type TraitSpec struct {
	// Name is the key in the identity's traits, without "~". One with "/" leads
	// into objects: address/country.
	Name string
	// Values are tried in order: the first that is neither missing nor null
	// is the value.
	Values []expr.Source
	// Verified must be true, the boolean, for the value to count as verified;
	// nil never is.
	Verified  *expr.Source
	Canonical string // "", CanonicalEmail or CanonicalUsername
	// Unique needs a canonical form, and says that no two identities of a
	// userstore have the same one.
	Unique   bool
	Required bool
	Sync     string
	// OnTaken may be TakenSuffix for a unique CanonicalUsername only.
	OnTaken string
	Absent  string
	// Default is the value for AbsentDefault. It is never verified.
	Default any
}

// GroupsSpec is how groups are granted.
type GroupsSpec struct {
	// From yields the list of the provider's names.
	From expr.Source
	// Allow are the names that are granted as they are, Map those that are
	// granted under another name. All others are dropped.
	Allow  []string
	Map    map[string]string
	Absent string
	// UnknownWhen says that the provider's list is not to be relied on, such as
	// one that was cut; nil never does. It is false where a claim that it needs
	// is missing.
	UnknownWhen *expr.Source
}

// Action is what becomes of a trait.
type Action string

// Actions.
const (
	Set   Action = "set"
	Keep  Action = "keep"
	Clear Action = "clear"
)

// Result is what a mapping yields for a login.
type Result struct {
	Traits []Trait // in the order of the spec
	Groups Groups
}

// Trait is one trait of a result.
type Trait struct {
	Path   string // JSON Pointer (RFC 6901) into the traits: /email
	Action Action
	// Absent says that the claims had no value: what is done is what that means.
	Absent bool
	// Value is a JSON value, as the provider wrote it.
	Value any
	// Canonical is the canonical form of Value where CanonicalForm names one.
	Canonical     string
	CanonicalForm string
	Unique        bool
	// Required says that the identity must have the trait in the end. Where
	// Action is Keep or Clear, only who knows the identity can judge that.
	Required bool
	// Verified says that the provider vouches for the value, and may.
	Verified bool
	Sync     string // SyncInherit, SyncImport or SyncForce
	// Numbered says that the value may get a number where somebody has it.
	Numbered bool
}

// Groups are the groups of a result.
type Groups struct {
	// Managed says that the mapping has a groups section.
	Managed bool
	// Known says that Names is what the provider says; otherwise nobody knows,
	// and what is stored stays.
	Known bool
	Names []string // sorted, each once
}

// TraitInfo is what can be said of a trait without a login.
type TraitInfo struct {
	Path      string // JSON Pointer into the traits
	Required  bool
	Unique    bool
	Canonical string
	// Absent is what it means that none of Values is there.
	Absent string
	Values []*expr.Program
	// Verified is asked for a value; nil where nobody vouches for any.
	Verified *expr.Program
	Sync     string // SyncInherit, SyncImport or SyncForce
	// ClaimPaths are the claims that the values consist of, in order, where a
	// value is a plain claim; Plain says that all are.
	ClaimPaths [][]string
	Plain      bool
}

// Traits describes the traits in the order of the spec. It is the mapping's own
// list: to be read.
func (m *Mapping) Traits() []TraitInfo { return m.infos }

func infosOf(traits []trait) []TraitInfo {
	infos := make([]TraitInfo, len(traits))
	for i, t := range traits {
		info := TraitInfo{Path: t.path, Required: t.required, Unique: t.unique, Canonical: t.canonical, Absent: t.absent, Values: t.values, Verified: t.verified, Sync: t.sync, Plain: true}
		for _, v := range t.values {
			path, plain := v.ClaimPath()
			if !plain {
				info.Plain = false
				continue
			}
			info.ClaimPaths = append(info.ClaimPaths, path)
		}
		infos[i] = info
	}
	return infos
}

// GroupsInfo is what can be said of the groups without a login.
type GroupsInfo struct {
	From *expr.Program
	// Unknown takes the groups for unknown where it is true; nil never does.
	Unknown *expr.Program
	// Absent is what it means that From yields nothing.
	Absent string
}

// Groups describes the groups; ok is false where the mapping manages none.
func (m *Mapping) Groups() (info GroupsInfo, ok bool) {
	if m.groups == nil {
		return GroupsInfo{}, false
	}
	return GroupsInfo{From: m.groups.from, Unknown: m.groups.unknown, Absent: m.groups.absent}, true
}

// Grants returns the group that a provider's name grants, if it grants one.
func (m *Mapping) Grants(name string) (group string, ok bool) {
	if m.groups == nil {
		return "", false
	}
	return m.groups.grant(name)
}

// Programs returns every expression of the mapping.
func (m *Mapping) Programs() []*expr.Program {
	var programs []*expr.Program
	for _, t := range m.traits {
		programs = slices.Concat(programs, t.values)
		if t.verified != nil {
			programs = append(programs, t.verified)
		}
	}
	if m.groups != nil {
		programs = append(programs, m.groups.from)
		if m.groups.unknown != nil {
			programs = append(programs, m.groups.unknown)
		}
	}
	return programs
}

// ProgramsOf returns the expressions that make the trait at a path (a JSON
// Pointer into the traits), or for "" the groups.
func (m *Mapping) ProgramsOf(path string) []*expr.Program {
	only := Mapping{}
	if path == "" {
		only.groups = m.groups
	}
	for _, t := range m.traits {
		if t.path == path {
			only.traits = append(only.traits, t)
		}
	}
	return only.Programs()
}

// WithoutGroups returns the mapping of the traits alone.
func (m *Mapping) WithoutGroups() *Mapping {
	traits := *m
	traits.groups = nil
	return &traits
}

// Marks returns the names of claims that the mapping reads beside those of its
// expressions: where they say that groups are elsewhere, none is revoked.
func (m *Mapping) Marks() []string {
	if m.groups == nil {
		return nil
	}
	return []string{markNames, markGroups}
}
