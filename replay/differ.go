package replay

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/provision"
)

// Kind is in what two outcomes of a login differ.
type Kind string

// The closed list of kinds.
const (
	// Decision: somebody is let in who was not, or the other way round, or made
	// where they were linked, or asked where they were not.
	Decision Kind = "decision"
	// Code: the same decision for another reason.
	Code Kind = "code"
	// Traits: a value, or whether somebody vouches for it.
	Traits Kind = "traits"
	// Groups: a membership, whoever grants it.
	Groups Kind = "groups"
	// Links: a subject of the identity, or which identity it is.
	Links Kind = "links"
	// Userstore: where a new identity is made.
	Userstore Kind = "userstore"
)

// Kinds are all of them, the gravest first.
func Kinds() []Kind { return []Kind{Decision, Code, Traits, Groups, Links, Userstore} }

// As says which sign-in of a person a comparison is about.
type As string

const (
	// First is the sign-in that made them, as if they were not there yet, or that
	// linked its subject to them, as if nobody had that yet.
	First As = "first"
	// Returning is a sign-in of today, of the person as they are.
	Returning As = "returning"
)

// Verdict is what one side has decided, and by which line of its files.
type Verdict struct {
	Decision identity.Decision `json:"decision"`
	Codes    []identity.Code   `json:"codes"`
	// Name is the operator's own name of the deny rule that matched.
	Name string `json:"name,omitempty"`
	// Rule is file:line:col.
	Rule string `json:"rule,omitempty"`
}

// Change is a trait that differs: a JSON Pointer into the identity, and what the
// candidate does: set, remove, verify or unverify.
type Change struct {
	Path string `json:"path"`
	Op   string `json:"op"`
}

// Operations of a Change, besides identity.OpSet and identity.OpRemove.
const (
	OpVerify   = "verify"
	OpUnverify = "unverify"
)

// Difference is what a candidate would change about a login. It holds no value.
type Difference struct {
	// ID is that of the login's decision.
	ID         string    `json:"id"`
	At         time.Time `json:"at"`
	Provider   string    `json:"provider"`
	IdentityID string    `json:"identity_id,omitempty"`
	As         As        `json:"as"`
	// Kinds is empty where nothing differs.
	Kinds     []Kind  `json:"kinds"`
	Live      Verdict `json:"live"`
	Candidate Verdict `json:"candidate"`

	Traits []Change `json:"traits,omitempty"`
	// Gained and Lost are names of groups.
	Gained []string `json:"groups_gained,omitempty"`
	Lost   []string `json:"groups_lost,omitempty"`
	// Linked and Unlinked are providers that the identity has a subject of by
	// the candidate alone, or not any more.
	Linked   []string `json:"links_gained,omitempty"`
	Unlinked []string `json:"links_lost,omitempty"`
	// Elsewhere is the userstore by the candidate, if it is another.
	Elsewhere string `json:"userstore,omitempty"`

	candidate identity.Record
}

// differ compares two outcomes of one login. What becomes of a person is
// compared only where both decide the same: who is refused by one of them has
// nothing of it.
func differ(live, candidate provision.Outcome) Difference {
	d := Difference{Live: verdict(live), Candidate: verdict(candidate), candidate: candidate.Record}
	switch a, b := live.Identity, candidate.Identity; {
	case settled(live) != settled(candidate):
		d.add(Decision)
		if live.Record.Decision == identity.Linked || candidate.Record.Decision == identity.Linked {
			d.add(Links)
		}
		return d
	case a == nil && b == nil:
	case a == nil || b == nil || live.Record.Decision != identity.Created && a.ID != b.ID:
		d.add(Links) // somebody else
	default:
		d.identities(a, b)
	}
	if !slices.Equal(codes(live), codes(candidate)) {
		d.add(Code)
	}
	return d
}

// identities compares what two plans make of one person.
func (d *Difference) identities(a, b *identity.Identity) {
	if a.Userstore != b.Userstore {
		d.Elsewhere = b.Userstore
	}
	d.traits("", a, b, a.Traits, b.Traits)
	d.vouching(a, b)
	d.Gained, d.Lost = moved(groups(a), groups(b))
	d.Linked, d.Unlinked = moved(links(a), links(b))
	for _, list := range [][]string{d.Linked, d.Unlinked} {
		for n, subject := range list {
			list[n], _, _ = strings.Cut(subject, "\x00")
		}
	}
	for _, found := range []struct {
		kind Kind
		some bool
	}{
		{Traits, len(d.Traits) > 0}, {Groups, len(d.Gained)+len(d.Lost) > 0}, {Links, len(d.Linked)+len(d.Unlinked) > 0}, {Userstore, d.Elsewhere != ""},
	} {
		if found.some {
			d.add(found.kind)
		}
	}
}

func (d *Difference) add(k Kind) {
	d.Kinds = append(d.Kinds, k)
	slices.SortFunc(d.Kinds, func(a, b Kind) int { return cmp.Compare(slices.Index(Kinds(), a), slices.Index(Kinds(), b)) })
}

// traits compares what is at and below a path, objects member by member.
func (d *Difference) traits(above string, a, b *identity.Identity, before, after map[string]any) {
	names := slices.Sorted(maps.Keys(before))
	for _, name := range slices.Sorted(maps.Keys(after)) {
		if _, both := before[name]; !both {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		path := above + identity.Pointer(name)
		x, was := before[name]
		y, is := after[name]
		inside, object := x.(map[string]any)
		within, objects := y.(map[string]any)
		switch {
		case was && !is:
			d.Traits = append(d.Traits, Change{"/traits" + path, identity.OpRemove})
		case object && objects:
			d.traits(path, a, b, inside, within)
		case !was || !same(x, y):
			d.Traits = append(d.Traits, Change{"/traits" + path, identity.OpSet})
		}
	}
}

// vouching compares whose values somebody vouches for, where both have one.
func (d *Difference) vouching(a, b *identity.Identity) {
	for _, by := range a.Provenance {
		other, has := b.ProvenanceOf(by.Path)
		switch {
		case !has || (by.VerifiedBy == "") == (other.VerifiedBy == ""):
		case by.VerifiedBy == "":
			d.Traits = append(d.Traits, Change{"/traits" + by.Path, OpVerify})
		default:
			d.Traits = append(d.Traits, Change{"/traits" + by.Path, OpUnverify})
		}
	}
}

// same compares JSON values; a number is the same however it is written.
func same(a, b any) bool {
	if s, ok := a.(string); ok {
		return any(s) == b
	}
	x, err := json.Marshal(a)
	y, also := json.Marshal(b)
	return err == nil && also == nil && string(x) == string(y)
}

// moved are those that only b has, and those that only a has.
func moved(a, b []string) (gained, lost []string) {
	for _, s := range b {
		if !slices.Contains(a, s) {
			gained = append(gained, s)
		}
	}
	for _, s := range a {
		if !slices.Contains(b, s) {
			lost = append(lost, s)
		}
	}
	return gained, lost
}

func groups(i *identity.Identity) []string {
	var names []string
	for _, g := range i.Groups {
		names = append(names, g.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// links are the identity's subjects, each behind the name of its provider.
func links(i *identity.Identity) []string {
	var subjects []string
	for _, l := range i.Links {
		subjects = append(subjects, l.Provider+"\x00"+l.Issuer+"\x00"+l.Subject)
	}
	slices.Sort(subjects)
	return subjects
}

func verdict(o provision.Outcome) Verdict {
	v := Verdict{Decision: o.Record.Decision, Codes: []identity.Code{}, Rule: o.Record.Rule}
	for _, r := range o.Record.Reasons {
		v.Codes = append(v.Codes, r.Code)
		v.Name = cmp.Or(v.Name, r.Rule)
	}
	return v
}

// settled is the decision but for whether something had to be written: that
// differs with traits and groups, and says nothing more.
func settled(o provision.Outcome) identity.Decision {
	if o.Record.Decision == identity.Updated {
		return identity.Unchanged
	}
	return o.Record.Decision
}

// codes are the reasons but for the one that settled leaves out.
func codes(o provision.Outcome) []string {
	var all []string
	for _, r := range o.Record.Reasons {
		if r.Code == identity.CodeUpdated {
			r.Code = identity.CodeUnchanged
		}
		all = append(all, string(r.Code)+" "+r.Rule+" "+r.Path)
	}
	return all
}

func (d *Difference) has(k Kind) bool { return slices.Contains(d.Kinds, k) }
