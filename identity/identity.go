package identity

import (
	"maps"
	"slices"
	"time"
)

// State is where an identity stands in its life.
type State string

const (
	// StatePending is created but not yet acknowledged by the identity server.
	StatePending State = "pending"
	StateActive  State = "active"
	// StateSuspended and StateDeprovisioned refuse every login. Both keep
	// their keys, so that the next login does not recreate the person.
	StateSuspended     State = "suspended"
	StateDeprovisioned State = "deprovisioned"
	// StateDeleted is what is left of somebody until every system that may have
	// an account of them knows that they are gone: no trait, no link, no key.
	StateDeleted State = "deleted"
)

// Identity is one person in one userstore: one document, written whole. Trait
// values are JSON values: string, bool, int64, float64, []any, map[string]any.
type Identity struct {
	ID        string `json:"id"` // UUIDv7, made up once, never reused
	Userstore string `json:"userstore"`
	State     State  `json:"state"`
	// StateSource says who brought the identity into its state: SourceAdmin or
	// a ProviderSource. What an administrator did, no provider undoes.
	StateSource string `json:"state_source,omitempty"`
	// StateAt is when that was; zero if nobody noted it.
	StateAt time.Time      `json:"state_at,omitzero"`
	Traits  map[string]any `json:"traits"`
	// Provenance says of each trait who wrote it last.
	Provenance  []Provenance `json:"provenance"`
	Groups      []Group      `json:"groups"`
	Links       []Link       `json:"links"`
	ExternalIDs []ExternalID `json:"external_ids"`
	// Consents is what the person has accepted, oldest first: every version of
	// it once.
	Consents []Consent `json:"consents,omitempty"`
	// Keys is everything of this identity that must be unique, sorted.
	Keys []Key `json:"keys"`
	// Revision counts changes of traits, groups, links, external ids and
	// state. It is 1 at creation.
	Revision  int64     `json:"revision"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
	// RenewedAt is when prepare last touched a pending identity; the sweep of
	// pending identities counts from here.
	RenewedAt   time.Time `json:"renewed_at,omitzero"`
	LastLoginAt time.Time `json:"last_login_at,omitzero"`
	// DecisionID names the record of the decision that wrote this revision.
	DecisionID string `json:"decision_id,omitempty"`
	// Outbox is what other systems have yet to learn of this identity, one
	// entry for each of them. OutboxVersion counts what workers have changed of
	// it; a change that is written with the identity raises the revision only.
	Outbox        []Delivery `json:"outbox,omitempty"`
	OutboxVersion int64      `json:"outbox_version,omitempty"`
	// Resources is what other systems have of this identity. It is written with
	// the outbox, by the workers that tell them.
	Resources []Resource `json:"resources,omitempty"`
	// Proposals are links that are not made yet, or must not be: at most one
	// for each subject.
	Proposals []Proposal `json:"proposals,omitempty"`
	// Holds are changes of groups that wait for an administrator, at most one of
	// each source.
	Holds []Hold `json:"holds,omitempty"`
}

// Provenance says who wrote the value at a path, and who vouches for it.
type Provenance struct {
	Path   string    `json:"path"`   // JSON Pointer (RFC 6901) into the traits
	Source string    `json:"source"` // SourceAdmin, SourceUser, SourceImport or a ProviderSource
	At     time.Time `json:"at"`
	// ClaimsTime is when the provider made the claims that the value is from;
	// zero if nobody knows, and where no provider wrote it.
	ClaimsTime time.Time `json:"claims_time,omitzero"`
	// VerifiedBy is the source that verified the very value stored; empty if
	// nobody did. It goes when the value changes.
	VerifiedBy string `json:"verified_by,omitempty"`
	// VerifiedAt is when VerifiedBy last said so, where that is another time
	// than At; zero otherwise.
	VerifiedAt time.Time `json:"verified_at,omitzero"`
}

// Vouched returns when the value was last said to be verified; it tells
// nothing where VerifiedBy is empty.
func (p Provenance) Vouched() time.Time {
	if p.VerifiedAt.IsZero() {
		return p.At
	}
	return p.VerifiedAt
}

// Stated returns since when the value holds: the time of its claims, or that of
// the write where they have none. Claims that arrive in another order than they
// were made in are told apart by it.
func (p Provenance) Stated() time.Time {
	if p.ClaimsTime.IsZero() {
		return p.At
	}
	return p.ClaimsTime
}

// Group is one membership and who granted it.
type Group struct {
	Name   string `json:"name"`
	Source string `json:"source"`
}

// Link ties an identity to one subject of one issuer: a federated association.
type Link struct {
	Provider string `json:"provider"`
	Issuer   string `json:"issuer"`
	Subject  string `json:"subject"`
	// Credential is the subject by which the identity server keys its own
	// credential, where that is another than Subject; empty otherwise.
	Credential string    `json:"credential,omitempty"`
	LinkedAt   time.Time `json:"linked_at"`
	// Evidence says why the link was made: the claims source it rests on, or
	// SourceAdmin where an administrator approved it.
	Evidence string `json:"evidence"`
	// Match is how the identity was found for the subject; empty where it was
	// made for it.
	Match Match `json:"match,omitzero"`
	// ClaimsTime is the time of the newest dated claims that were applied, by
	// the clock of who dated them; zero if there were none.
	ClaimsTime time.Time `json:"claims_time"`
	// ReceivedAt is when the newest claims without a time of their own were
	// applied, by the clock of the server that received them; zero if there
	// were none.
	ReceivedAt time.Time `json:"received_at,omitzero"`
	// GroupsUnknownSince is since when nobody knows the provider's groups, while
	// memberships that it granted are kept and its file limits how long; zero
	// otherwise.
	GroupsUnknownSince time.Time `json:"groups_unknown_since,omitzero"`
}

// ExternalID is the id that a caller's own system gave the person. It means
// something only together with its instance.
type ExternalID struct {
	System   string `json:"system"`   // SystemKratos or SystemGeneric
	Instance string `json:"instance"` // the instance's name in the configuration
	ID       string `json:"id"`
}

// Systems of an ExternalID.
const (
	SystemKratos  = "kratos"
	SystemGeneric = "external"
)

// SourceAdmin is the source of what an administrator did.
const SourceAdmin = "admin"

// SourceImport is the source of what an identity server had already when it was
// taken over. It is nobody's word: whoever has a better one replaces it.
const SourceImport = "import"

// ProviderSource is the source of what the provider's claims wrote.
func ProviderSource(provider string) string { return "provider:" + provider }

// Clone returns a copy that shares no slice or map with i but the values
// inside Traits, which are never changed in place.
func (i Identity) Clone() Identity {
	i.Traits = maps.Clone(i.Traits)
	i.Provenance = slices.Clone(i.Provenance)
	i.Groups = slices.Clone(i.Groups)
	i.Links = slices.Clone(i.Links)
	i.ExternalIDs = slices.Clone(i.ExternalIDs)
	i.Keys = slices.Clone(i.Keys)
	i.Consents = slices.Clone(i.Consents)
	i.Outbox = slices.Clone(i.Outbox)
	i.Resources = slices.Clone(i.Resources)
	for n := range i.Resources {
		i.Resources[n].Groups = slices.Clone(i.Resources[n].Groups)
	}
	i.Proposals = slices.Clone(i.Proposals)
	i.Holds = slices.Clone(i.Holds)
	for n, h := range i.Holds {
		i.Holds[n].Groups = slices.Clone(h.Groups)
	}
	return i
}

// PendingTime is how long an identity may be pending: more than any sign-in
// takes.
const PendingTime = 24 * time.Hour

// PendingSince returns when prepare last touched a pending identity.
func (i *Identity) PendingSince() time.Time {
	if i.RenewedAt.After(i.CreatedAt) {
		return i.RenewedAt
	}
	return i.CreatedAt
}

// Barred reports whether the identity's state refuses every login. So does a
// state that a newer version may have written.
func (i *Identity) Barred() bool { return i.State != StatePending && i.State != StateActive }

// UTC returns a Clone with all its times in UTC.
func (i Identity) UTC() Identity {
	i = i.Clone()
	for _, t := range []*time.Time{&i.StateAt, &i.CreatedAt, &i.UpdatedAt, &i.RenewedAt, &i.LastLoginAt} {
		*t = t.UTC()
	}
	for n := range i.Provenance {
		i.Provenance[n].At, i.Provenance[n].VerifiedAt = i.Provenance[n].At.UTC(), i.Provenance[n].VerifiedAt.UTC()
		i.Provenance[n].ClaimsTime = i.Provenance[n].ClaimsTime.UTC()
	}
	for n := range i.Links {
		i.Links[n].LinkedAt = i.Links[n].LinkedAt.UTC()
		i.Links[n].ClaimsTime = i.Links[n].ClaimsTime.UTC()
		i.Links[n].ReceivedAt = i.Links[n].ReceivedAt.UTC()
		i.Links[n].GroupsUnknownSince = i.Links[n].GroupsUnknownSince.UTC()
	}
	for n := range i.Consents {
		i.Consents[n].At = i.Consents[n].At.UTC()
	}
	for n := range i.Holds {
		i.Holds[n].At = i.Holds[n].At.UTC()
	}
	for n := range i.Outbox {
		i.Outbox[n].Since, i.Outbox[n].Due = i.Outbox[n].Since.UTC(), i.Outbox[n].Due.UTC()
	}
	for n := range i.Proposals {
		i.Proposals[n].At, i.Proposals[n].Expires = i.Proposals[n].At.UTC(), i.Proposals[n].Expires.UTC()
	}
	return i
}

// Link returns the index of the link to (issuer, subject), or -1. Both are
// compared exactly: an issuer with and without a slash are two issuers.
func (i *Identity) Link(issuer, subject string) int {
	return slices.IndexFunc(i.Links, func(l Link) bool { return l.Issuer == issuer && l.Subject == subject })
}

// External returns the id that the named instance of a system gave this
// identity, and whether there is one.
func (i *Identity) External(system, instance string) (string, bool) {
	for _, e := range i.ExternalIDs {
		if e.System == system && e.Instance == instance {
			return e.ID, true
		}
	}
	return "", false
}

// ProvenanceOf returns the entry for path, and whether there is one.
func (i *Identity) ProvenanceOf(path string) (Provenance, bool) {
	for _, p := range i.Provenance {
		if p.Path == path {
			return p, true
		}
	}
	return Provenance{}, false
}
