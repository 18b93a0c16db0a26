package identity

import (
	"slices"
	"strings"
	"time"
)

// Match is how a lookup rule came to an identity: what a link rests on, without
// a value in it.
type Match struct {
	Rule string `json:"rule"` // file:line:col of the rule
	Path string `json:"path"` // JSON Pointer into the traits: what was compared
	// StoredBy is the source that verified the stored value, ClaimedBy the one
	// that verified the claim.
	StoredBy  string `json:"stored_verified_by"`
	ClaimedBy string `json:"claim_verified_by"`
}

// Proposal is a link that nobody has made: one that waits for an
// administrator's word, or one that an administrator does not want.
type Proposal struct {
	Provider string `json:"provider"`
	Issuer   string `json:"issuer"`
	Subject  string `json:"subject"`
	// Credential is as in Link.
	Credential string        `json:"credential,omitempty"`
	State      ProposalState `json:"state"`
	// At is when it came into this state.
	At time.Time `json:"at"`
	// Expires is when it is as if it had never been; zero is never.
	Expires time.Time `json:"expires,omitzero"`
	// Match is how the identity was found; empty where a link was removed.
	Match Match `json:"match,omitzero"`
}

// ProposalState is what has become of a proposal.
type ProposalState string

const (
	// ProposalOpen waits for an administrator.
	ProposalOpen ProposalState = "proposed"
	// ProposalRejected is an administrator's no: the link is not made, nor
	// proposed again, until an administrator approves it.
	ProposalRejected ProposalState = "rejected"
	// ProposalAwaited is decided: the link is made once the identity server has
	// had the person prove the account that was there.
	ProposalAwaited ProposalState = "awaiting_proof"
)

// ProposalStates returns the closed list.
func ProposalStates() []ProposalState {
	return []ProposalState{ProposalOpen, ProposalRejected, ProposalAwaited}
}

// Key is the FedKey of the proposal's subject.
func (p Proposal) Key() Key { return FedKey(p.Issuer, p.Subject) }

// Expired reports whether the proposal counts no more.
func (p Proposal) Expired(now time.Time) bool { return !p.Expires.IsZero() && !now.Before(p.Expires) }

// proposalID is how much of a subject's hash names a proposal among those of its
// identity.
const proposalID = 12

// ProposalID is the id of one of the identity's proposals. It names no subject.
func (i *Identity) ProposalID(p Proposal) string {
	_, hash, _ := strings.Cut(string(p.Key()), ":")
	return i.ID + "." + hash[:proposalID]
}

// ProposalOwner returns the id of the identity that a ProposalID belongs to.
func ProposalOwner(id string) string {
	owner, _, _ := strings.Cut(id, ".")
	return owner
}

// Proposal returns the index of the proposal to link (issuer, subject), or -1.
func (i *Identity) Proposal(issuer, subject string) int {
	return slices.IndexFunc(i.Proposals, func(p Proposal) bool { return p.Issuer == issuer && p.Subject == subject })
}

// HavingProposal is what an identity has that has proposals; see Having.
const HavingProposal = "proposal"

// Having names what an identity has that somebody may have to decide about: what
// lists of identities can be asked for.
func (i *Identity) Having() []string {
	var has []string
	if len(i.Proposals) > 0 {
		has = append(has, HavingProposal)
	}
	if len(i.Holds) > 0 {
		has = append(has, HavingHold)
	}
	for _, d := range i.Outbox {
		if d.Dead && i.State != StatePending { // for whom nothing is sent
			has = append(has, HavingGivenUp(d.Target))
		}
	}
	return has
}
