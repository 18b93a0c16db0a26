package mongo

import (
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/jithook/jithook/identity"
)

// A time is text in UTC with nine digits of a second: exact, in order when
// compared as text, and readable in a shell. A BSON date has milliseconds only,
// and Delete compares renewed_at. The zero time is the empty text.

// identityDoc is a document of the collection identities. last_login_at and
// journal stand apart since a Swap does not simply replace them.
type identityDoc struct {
	ID          string     `bson:"_id"`
	Content     contentDoc `bson:",inline"`
	LastLoginAt string     `bson:"last_login_at"`
	Journal     []entryDoc `bson:"journal,omitempty"`
	// Pinned makes it a pin and no identity, see pin.go.
	Pinned *string `bson:"pinned,omitempty"`
}

// contentDoc is what a Swap replaces.
type contentDoc struct {
	Userstore   string          `bson:"userstore"`
	State       string          `bson:"state"`
	StateSource string          `bson:"state_source"`
	StateAt     string          `bson:"state_at"`
	Traits      bson.Raw        `bson:"traits"` // see traits.go
	Provenance  []provenanceDoc `bson:"provenance"`
	Groups      []groupDoc      `bson:"groups"`
	Links       []linkDoc       `bson:"links"`
	ExternalIDs []externalDoc   `bson:"external_ids"`
	Consents    []consentDoc    `bson:"consents"`
	// Keys is never empty: an index over a list has one entry for every empty
	// list, and a unique one would let only one identity be without keys. The
	// place is held by a key of the identity's own, ownKey.
	Keys       []string `bson:"keys"`
	Revision   int64    `bson:"revision"`
	CreatedAt  string   `bson:"created_at"`
	UpdatedAt  string   `bson:"updated_at"`
	RenewedAt  string   `bson:"renewed_at"`
	DecisionID string   `bson:"decision_id"`
	// Outbox is absent where there is nothing in it, so that the index of it is
	// sparse.
	Outbox        []deliveryDoc `bson:"outbox,omitempty"`
	OutboxVersion int64         `bson:"outbox_version"`
	Resources     []resourceDoc `bson:"resources"`
	Proposals     []proposalDoc `bson:"proposals,omitempty"`
	Holds         []holdDoc     `bson:"holds,omitempty"`
	// Having is what a list can be asked for, absent like Outbox.
	Having []string `bson:"having,omitempty"`
	// Write is a random name of the write that made this state. It tells the
	// outcome of an unclear write, and whether a journal has grown.
	Write string `bson:"write"`
}

type provenanceDoc struct {
	Path       string `bson:"path"`
	Source     string `bson:"source"`
	At         string `bson:"at"`
	ClaimsTime string `bson:"claims_time,omitempty"`
	VerifiedBy string `bson:"verified_by"`
	VerifiedAt string `bson:"verified_at,omitempty"`
}

type groupDoc struct {
	Name   string `bson:"name"`
	Source string `bson:"source"`
}

type linkDoc struct {
	Provider   string `bson:"provider"`
	Issuer     string `bson:"issuer"`
	Subject    string `bson:"subject"`
	Credential string `bson:"credential"`
	LinkedAt   string `bson:"linked_at"`
	Evidence   string `bson:"evidence"`
	ClaimsTime string `bson:"claims_time"`
	ReceivedAt string `bson:"received_at"`
	// GroupsUnknownSince is absent where it is zero.
	GroupsUnknownSince string    `bson:"groups_unknown_since,omitempty"`
	Match              *matchDoc `bson:"match,omitempty"`
}

type externalDoc struct {
	System   string `bson:"system"`
	Instance string `bson:"instance"`
	ID       string `bson:"id"`
}

type consentDoc struct {
	Path    string `bson:"path"`
	Version string `bson:"version"`
	At      string `bson:"at"`
	Source  string `bson:"source"`
}

type deliveryDoc struct {
	Target   string `bson:"target"`
	Revision int64  `bson:"revision"`
	Since    string `bson:"since"`
	Due      string `bson:"due"`
	Attempts int    `bson:"attempts"`
	Lease    string `bson:"lease"`
	Failure  string `bson:"failure"`
	Dead     bool   `bson:"dead"`
	Trace    string `bson:"trace,omitempty"`
	Again    bool   `bson:"again,omitempty"`
	// Released is Due while the delivery is released, and absent otherwise:
	// what the index goes by.
	Released string `bson:"released,omitempty"`
}

type resourceDoc struct {
	Target string   `bson:"target"`
	ID     string   `bson:"id"`
	Groups []string `bson:"groups"`
	Told   string   `bson:"told,omitempty"`
}

// entryDoc is a decision record that travels with the write that it explains,
// until it is moved to the collection decisions; see journal.go.
type entryDoc struct {
	Write  string    `bson:"write"` // the name of that write
	ID     string    `bson:"id"`    // of the record
	Record recordDoc `bson:"record"`
}

// Fields that filters and indexes name.
const (
	fieldID          = "_id"
	fieldKeys        = "keys"
	fieldRevision    = "revision"
	fieldUserstore   = "userstore"
	fieldState       = "state"
	fieldRenewedAt   = "renewed_at"
	fieldLastLoginAt = "last_login_at"
	fieldWrite       = "write"
	fieldJournal     = "journal"
	fieldJournalID   = "journal.id"
	fieldOutbox      = "outbox"
	fieldOutboxVer   = "outbox_version"
	fieldResources   = "resources"
	fieldTarget      = "target"
	fieldProposals   = "proposals"
	fieldHolds       = "holds"
	fieldHaving      = "having"
	fieldReleased    = "released"
	fieldIdentityID  = "identity_id"
	fieldSubjectKey  = "subject_key"
	fieldFlowID      = "flow_id"
	fieldDecision    = "decision"
	fieldNotable     = "notable"
	fieldAt          = "at"
	fieldWrites      = "writes"
	fieldPinned      = "pinned"
)

func byID(id string) bson.D { return bson.D{{Key: fieldID, Value: id}} }

// kindOwn is the kind of the key that holds the place of no keys. It is none
// of package identity's, and no look-up asks for it.
const kindOwn = "own"

func ownKey(id string) string { return kindOwn + ":" + id }

const errNoID = fault("an identity or a record without an id")

// encodeIdentity returns the document of i, written by the write of that name.
func encodeIdentity(i identity.Identity, write string) (identityDoc, error) {
	switch {
	case i.ID == "":
		return identityDoc{}, errNoID
	case i.ID >= pinMark:
		return identityDoc{}, errMark
	}
	traits, err := encodeTraits(i.Traits)
	if err != nil {
		return identityDoc{}, err
	}
	keys := texts(i.Keys)
	if len(keys) == 0 {
		keys = []string{ownKey(i.ID)}
	}
	var w stampWriter
	doc := identityDoc{
		ID: i.ID,
		Content: contentDoc{
			Userstore: i.Userstore, State: string(i.State), StateSource: i.StateSource, StateAt: w.stamp(i.StateAt), Traits: traits,
			Provenance: convert(i.Provenance, func(p identity.Provenance) provenanceDoc {
				return provenanceDoc{p.Path, p.Source, w.stamp(p.At), w.stamp(p.ClaimsTime), p.VerifiedBy, w.stamp(p.VerifiedAt)}
			}),
			Groups: convert(i.Groups, func(g identity.Group) groupDoc { return groupDoc(g) }),
			Links: convert(i.Links, func(l identity.Link) linkDoc {
				return linkDoc{
					l.Provider, l.Issuer, l.Subject, l.Credential, w.stamp(l.LinkedAt), l.Evidence, w.stamp(l.ClaimsTime), w.stamp(l.ReceivedAt),
					w.stamp(l.GroupsUnknownSince), encodeMatch(l.Match),
				}
			}),
			ExternalIDs: convert(i.ExternalIDs, func(e identity.ExternalID) externalDoc { return externalDoc(e) }),
			Consents: convert(i.Consents, func(c identity.Consent) consentDoc {
				return consentDoc{c.Path, c.Version, w.stamp(c.At), c.Source}
			}),
			Keys: keys, Revision: i.Revision,
			CreatedAt: w.stamp(i.CreatedAt), UpdatedAt: w.stamp(i.UpdatedAt), RenewedAt: w.stamp(i.RenewedAt),
			DecisionID: i.DecisionID, Outbox: encodeOutbox(&w, &i), OutboxVersion: i.OutboxVersion,
			Resources: encodeResources(i.Resources), Proposals: encodeProposals(&w, &i), Holds: encodeHolds(&w, &i), Having: i.Having(), Write: write,
		},
		LastLoginAt: w.stamp(i.LastLoginAt),
	}
	return doc, w.err
}

// decodeIdentity undoes encodeIdentity.
func decodeIdentity(d identityDoc) (identity.Identity, error) {
	c := d.Content
	traits, err := decodeTraits(c.Traits)
	if err != nil {
		return identity.Identity{}, damaged("identity", d.ID)
	}
	var r stampReader
	i := identity.Identity{
		ID: d.ID, Userstore: c.Userstore, State: identity.State(c.State), StateSource: c.StateSource, StateAt: r.time(c.StateAt), Traits: traits,
		Provenance: convert(c.Provenance, func(p provenanceDoc) identity.Provenance {
			return identity.Provenance{
				Path: p.Path, Source: p.Source, At: r.time(p.At), ClaimsTime: r.time(p.ClaimsTime),
				VerifiedBy: p.VerifiedBy, VerifiedAt: r.time(p.VerifiedAt),
			}
		}),
		Groups: convert(c.Groups, func(g groupDoc) identity.Group { return identity.Group(g) }),
		Links: convert(c.Links, func(l linkDoc) identity.Link {
			return identity.Link{
				Provider: l.Provider, Issuer: l.Issuer, Subject: l.Subject, Credential: l.Credential,
				LinkedAt: r.time(l.LinkedAt), Evidence: l.Evidence, ClaimsTime: r.time(l.ClaimsTime), ReceivedAt: r.time(l.ReceivedAt),
				GroupsUnknownSince: r.time(l.GroupsUnknownSince),
				Match:              decodeMatch(l.Match),
			}
		}),
		ExternalIDs: convert(c.ExternalIDs, func(e externalDoc) identity.ExternalID { return identity.ExternalID(e) }),
		Consents: convert(c.Consents, func(c consentDoc) identity.Consent {
			return identity.Consent{Path: c.Path, Version: c.Version, At: r.time(c.At), Source: c.Source}
		}),
		Keys:      convert(slices.DeleteFunc(c.Keys, func(k string) bool { return k == ownKey(d.ID) }), func(k string) identity.Key { return identity.Key(k) }),
		Revision:  c.Revision,
		CreatedAt: r.time(c.CreatedAt), UpdatedAt: r.time(c.UpdatedAt), RenewedAt: r.time(c.RenewedAt),
		LastLoginAt: r.time(d.LastLoginAt), DecisionID: c.DecisionID,
		Outbox: decodeOutbox(&r, c.Outbox), OutboxVersion: c.OutboxVersion,
		Resources: convert(c.Resources, func(r resourceDoc) identity.Resource { return identity.Resource(r) }),
		Proposals: decodeProposals(&r, c.Proposals), Holds: decodeHolds(&r, c.Holds),
	}
	if r.err != nil {
		return identity.Identity{}, damaged("identity", d.ID)
	}
	return i, nil
}

// convert returns f of every item; of none an empty list.
func convert[From, To any](items []From, f func(From) To) []To {
	out := make([]To, len(items))
	for n, item := range items {
		out[n] = f(item)
	}
	return out
}

// absent names the fields that a $set of the content would leave as they were,
// because the content has none of them.
func absent(d contentDoc) []string {
	var names []string
	for _, f := range []struct {
		name  string
		empty bool
	}{
		{fieldOutbox, len(d.Outbox) == 0},
		{fieldProposals, len(d.Proposals) == 0},
		{fieldHolds, len(d.Holds) == 0},
		{fieldHaving, len(d.Having) == 0},
	} {
		if f.empty {
			names = append(names, f.name)
		}
	}
	return names
}

// unset is the change that removes the fields.
func unset(fields ...string) bson.D {
	if len(fields) == 0 {
		return nil
	}
	return bson.D{{Key: "$unset", Value: bson.D(convert(fields, func(f string) bson.E { return bson.E{Key: f, Value: ""} }))}}
}
