package store

import (
	"context"
	"io"
)

// What a backend may offer beyond Store, for `jithook store …`. Whoever wants
// one of these asks with a type assertion and does without otherwise.

// Inspector is a backend that keeps more than documents, such as indexes of its
// own, and can tell whether they agree.
type Inspector interface {
	// Inspect looks at a part of the store, beginning where the part with this
	// NextPageToken ended, and with mend puts right what follows from the
	// documents. It is safe while others write. Errors: ErrPageToken.
	Inspect(ctx context.Context, pageToken string, mend bool) (Inspection, error)
}

// Inspection is what Inspect found in one part.
type Inspection struct {
	Findings []Finding
	// Checked is how many entries were looked at, Total how many there are
	// about; Total is 0 in all parts but the first.
	Checked, Total int64
	NextPageToken  string
}

// Backuper is a backend that copies itself.
type Backuper interface {
	// Backup writes a consistent copy of the store, as of now, to the writer
	// that to returns for its length in bytes, and leaves that alone once it
	// returns. Others may go on writing. An error of the writer is returned as
	// it is.
	Backup(ctx context.Context, to func(size int64) io.Writer) error
}

// Counter is a backend that knows about how much it holds.
type Counter interface {
	Count(ctx context.Context) (Count, error)
}

// Count is about how much a store holds.
type Count struct {
	Identities, Decisions int64
}

// Finding is something in a store that is not as it should be.
type Finding struct {
	Code FindingCode `json:"code"`
	// IdentityID and DecisionID name what it is about, if known.
	IdentityID string `json:"identity_id,omitempty"`
	DecisionID string `json:"decision_id,omitempty"`
	// Userstore is whose own store it was found in; empty for the home store.
	Userstore string `json:"userstore,omitempty"`
	// Text says what is wrong, and what to do where it was not mended. It holds
	// no key, subject or trait value.
	Text   string `json:"text"`
	Mended bool   `json:"mended"`
}

// FindingCode is a word for a kind of finding.
type FindingCode string

// The closed list of codes.
const (
	// FindingKeyMissing: an identity does not hold the key of one of its links
	// or external ids, so that its logins do not find it. Mended.
	FindingKeyMissing FindingCode = "key_missing"
	// FindingKeyStray: an identity holds a fed or ext key of no link or
	// external id, so that somebody is refused. Mended. An identity whose state
	// bars logins may hold such keys: they keep people out.
	FindingKeyStray FindingCode = "key_stray"
	// FindingKeyTaken: two identities claim one key. For people to decide.
	FindingKeyTaken FindingCode = "key_taken"
	// FindingKeyIndex: the backend's index of keys disagrees with the
	// documents. Mended.
	FindingKeyIndex FindingCode = "key_index"
	// FindingIdentityLost: the index of keys names an identity that is not
	// there. Not mended: without the key the person would be made anew, even
	// one who was suspended.
	FindingIdentityLost FindingCode = "identity_lost"
	// FindingListIndex: an index that lists are read from disagrees with the
	// documents. Mended.
	FindingListIndex FindingCode = "list_index"
	// FindingDamaged: a document cannot be read. For a backup.
	FindingDamaged FindingCode = "damaged"
	// FindingPinMissing: an identity is in another store than home, and its
	// subject not pinned there, so that the subject could be made anew. Mended.
	FindingPinMissing FindingCode = "pin_missing"
	// FindingElsewhere: the subject of an identity is pinned to another
	// userstore, or an identity of another store has it too. For people to
	// decide.
	FindingElsewhere FindingCode = "subject_elsewhere"
	// FindingMisplaced: an identity is in another store than its userstore's.
	// For an export and an import.
	FindingMisplaced FindingCode = "misplaced"
	// FindingPendingOld: an identity is pending for longer than a sign-in
	// takes. Listed: whether the identity server has it is not known here.
	FindingPendingOld FindingCode = "pending_old"
)
