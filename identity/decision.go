package identity

import (
	"fmt"
	"time"
)

// Decision is what became of a login, or of an administrator's edit.
type Decision string

// The closed list of decisions.
const (
	Created   Decision = "created"
	Linked    Decision = "linked"
	Updated   Decision = "updated"
	Unchanged Decision = "unchanged"
	Activated Decision = "activated"
	Denied    Decision = "denied"
	Prompt    Decision = "prompt"
	Error     Decision = "error"
	// Deleted is the end of an identity: never the decision of a login.
	Deleted Decision = "deleted"
	// Shadowed is what candidates for the providers' files would have made of a
	// login otherwise: never the decision of a login.
	Shadowed Decision = "shadow"
)

// Allowed reports whether the identity server may go on.
func (d Decision) Allowed() bool {
	switch d {
	case Created, Linked, Updated, Unchanged, Activated:
		return true
	}
	return false
}

// Reason is one cause of a decision: a code of the closed list in Codes, the
// sentence for people, and the trait that it is about, if any.
type Reason struct {
	Code Code   `json:"code"`
	Text string `json:"text"`
	Path string `json:"path,omitempty"` // JSON Pointer
	// Rule is the operator's own name for the deny rule that matched.
	Rule string `json:"rule,omitempty"`
}

// Change is one changed path of an identity; values are never recorded.
type Change struct {
	Path string `json:"path"` // JSON Pointer into the identity: /traits/email, /groups/eng
	Op   string `json:"op"`   // OpSet, OpRemove
}

// Operations of a Change.
const (
	OpSet    = "set"
	OpRemove = "remove"
)

// Record is the answer to "why was she let in, or kept out?": one decision,
// without a trait value or a subject in it, and without a claim in clear.
type Record struct {
	ID       string    `json:"id"` // UUIDv7
	At       time.Time `json:"at"`
	Hook     Hook      `json:"hook"`
	Caller   string    `json:"caller"`
	Provider string    `json:"provider,omitempty"`
	Issuer   string    `json:"issuer,omitempty"`
	// SubjectKey is the FedKey of (issuer, subject): it finds the records of a
	// known subject and names none.
	SubjectKey Key      `json:"subject_key,omitempty"`
	IdentityID string   `json:"identity_id,omitempty"`
	Userstore  string   `json:"userstore,omitempty"`
	Decision   Decision `json:"decision"`
	Reasons    []Reason `json:"reasons"`
	// Rule is the line of the provider's file that decided (file:line:col),
	// Policy the digest of that file as it was then.
	Rule   string `json:"rule,omitempty"`
	Policy string `json:"policy,omitempty"`
	Source string `json:"claims_source,omitempty"`
	// Normalised says that the claims were not the provider's own words but the
	// identity server's reading of them.
	Normalised bool     `json:"claims_normalised,omitempty"`
	Change     []Change `json:"changes,omitempty"`
	// Claims is what is kept of the claims, if anything.
	Claims *KeptClaims `json:"claims,omitempty"`
	// Shadow says of a Shadowed record what it is about. The reasons, the rule and
	// the policy are then the candidate's; changes are what it does otherwise.
	Shadow *Shadow `json:"shadow,omitempty"`

	FlowID     string `json:"flow_id,omitempty"`
	DeliveryID string `json:"delivery_id,omitempty"`
	RequestID  string `json:"request_id,omitempty"`
	// Duration is how long it took to decide, without the write that follows.
	Duration time.Duration `json:"duration_ns"`
	// CommittedAt is when the identity server said that it persisted what
	// prepare decided; zero until then.
	CommittedAt time.Time `json:"committed_at,omitzero"`
}

// Shadow is how a candidate differs about a login.
type Shadow struct {
	// Of is the id of the login's decision.
	Of string `json:"of"`
	// Decision is the candidate's.
	Decision Decision `json:"decision"`
	// Kinds say in what it differs; see package replay.
	Kinds []string `json:"kinds"`
}

// ClaimsMode says what a record keeps of the claims that it rests on.
type ClaimsMode string

const (
	// ClaimsOff keeps nothing.
	ClaimsOff ClaimsMode = "off"
	// ClaimsHashed keeps a keyed hash of each value: whether it was a given one,
	// or the same as before, can be told with the key.
	ClaimsHashed ClaimsMode = "hashed"
	// ClaimsFull keeps all, encrypted.
	ClaimsFull ClaimsMode = "full"
)

// KeptClaims are claims as a record keeps them; package internal/claimlog writes
// and reads them. It is not changed once made.
type KeptClaims struct {
	Mode  ClaimsMode `json:"mode"`
	KeyID string     `json:"key_id"`
	// Data is empty where the claims were too long to be kept.
	Data []byte `json:"data,omitempty"`
}

// Verdict is what a policy says of a login.
type Verdict struct {
	Allow  bool
	Reason Reason // why not, or CodeAllowed
	Rule   string // file:line:col of the line that decided
}

// Because builds a Reason with the code's own sentence.
func Because(c Code) Reason { return Reason{Code: c, Text: c.Text()} }

// BecauseOf is Because about the trait at path.
func BecauseOf(c Code, path string) Reason {
	return Reason{Code: c, Text: fmt.Sprintf("%s (%s)", c.Text(), path), Path: path}
}
