// Package store is the contract of a userstore: what every backend promises,
// in words and errors. store/bolt and store/mongo keep the promise,
// store/storetest holds them to it.
//
// It must not know what a login is or why something is written; that is
// package provision. Driver errors never leave a backend: a duplicate-key text
// prints the key.
package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jithook/jithook/identity"
)

// Errors that callers branch on. Everything else that a backend returns wraps
// ErrUnavailable.
var (
	// ErrNotFound says that there is no such identity or record.
	ErrNotFound = errors.New("not found")
	// ErrConflict says that the revision is not the one in the store any more,
	// or that a write's outcome is unclear even after reading back: plan
	// again, from the look-up.
	ErrConflict = errors.New("changed meanwhile")
	// ErrUnavailable says that the store failed; nothing is half-written.
	ErrUnavailable = errors.New("store unavailable")
)

// TakenError says that another identity holds one of the keys.
type TakenError struct {
	Key identity.Key
}

func (e *TakenError) Error() string {
	return fmt.Sprintf("a %s key is taken by another identity", e.Key.Kind())
}

// ElsewhereError says that subjects are pinned to other userstores: Pins has the
// name of the userstore for each key that is.
type ElsewhereError struct {
	Pins map[identity.Key]string
}

func (e *ElsewhereError) Error() string {
	names := slices.Compact(slices.Sorted(maps.Values(e.Pins)))
	return fmt.Sprintf("a key is pinned to another userstore: %q", names)
}

// Store is one physical userstore. All its methods are safe for concurrent
// use, honour the context's deadline, and return only after the effect is
// durable (one machine: fsync; several: majority and journal).
//
// When the context ends first, the error wraps ErrUnavailable and the
// context's own. A write may then still succeed, whole; only if the context
// had ended before the call is it certain that nothing was written.
type Store interface {
	// Find returns the identities that hold any of the keys, sorted by id, none
	// twice. No match is an empty slice. It is one read, from where writes are
	// decided. Errors: ElsewhereError for keys that are pinned, together with
	// the identities that hold others.
	Find(ctx context.Context, keys ...identity.Key) ([]identity.Identity, error)

	// Get returns the identity with this id, or ErrNotFound.
	Get(ctx context.Context, id string) (identity.Identity, error)

	// Insert writes a new identity and the record of the decision that made
	// it in one atomic step. The id is inserted at most once: an identity with
	// this id and revision is the caller's own earlier attempt and counts as
	// success; with another revision it is ErrConflict. A record without an id
	// is none: an import brings records apart. Errors: TakenError when one of
	// i.Keys is held by another identity, ElsewhereError when one is pinned.
	Insert(ctx context.Context, i identity.Identity, r identity.Record) error

	// Swap replaces the identity i.ID if its stored revision is i.Revision-1,
	// together with its keys and the record, in one atomic step. The stored
	// last_login_at is kept if it is later. A record without an id is none: a
	// mending is no decision. The outbox is written as it is in i: as it was
	// read, or with targets armed; so are the resources. i.OutboxVersion is the
	// one that was read, and stays. Errors: ErrConflict when the revision or the outbox version is
	// another, the identity is gone, or a link's stored claims_time is later
	// than i's; TakenError, ElsewhereError.
	Swap(ctx context.Context, i identity.Identity, r identity.Record) error

	// Renew sets renewed_at of a pending identity whose revision is the given
	// one, together with the record. The revision stays. Errors: ErrConflict.
	Renew(ctx context.Context, id string, revision int64, at time.Time, r identity.Record) error

	// Delete removes an identity and its keys if its revision and its
	// renewed_at are the given ones, together with the record: nobody is gone
	// without one. Only where the outcome is unclear may the record stand
	// although the identity does. A record without an id is none. Errors:
	// ErrConflict.
	Delete(ctx context.Context, id string, revision int64, renewedAt time.Time, r identity.Record) error

	// SetOutbox writes i.Outbox, i.OutboxVersion and i.Resources, and nothing else of i, if
	// the stored revision is i.Revision and the stored outbox version is
	// i.OutboxVersion-1. (So of Swap and SetOutbox each raises one number and
	// matches both: neither undoes the other.) A deleted identity whose outbox is
	// empty then is removed in the same step (see identity.Finished). Errors:
	// ErrConflict when one of the numbers is another, or the identity is gone.
	SetOutbox(ctx context.Context, i identity.Identity) error

	// Due returns identities whose outbox has a released delivery to the target
	// (see identity.Released) that is due by now: at most limit, the longest
	// due of them first where the backend can say so, and at most MaxPageSize.
	// Identities that cannot be read are passed over: one must not keep the
	// others waiting.
	Due(ctx context.Context, target string, now time.Time, limit int) ([]identity.Identity, error)

	// Backlog returns what waits for the target.
	Backlog(ctx context.Context, target string) (Backlog, error)

	// Record stores or replaces records by id, and sets last_login_at of
	// the touched identities where it is later than the stored one, without
	// a new revision. Identities that are gone are passed over.
	Record(ctx context.Context, records []identity.Record, touched []Touch) error

	// Pin notes for ever that the key belongs to the named userstore, which
	// keeps its identities in another store. It is no identity: nothing but
	// Find, Insert, Swap and Pin shows it. One key is either pinned or held,
	// by whatever comes first. It may be repeated. Errors: ElsewhereError when
	// the key is pinned to another userstore; TakenError when an identity of
	// this store holds it.
	Pin(ctx context.Context, key identity.Key, userstore string) error

	// List returns a page of identities in the order of their ids.
	List(ctx context.Context, q Query) (Page, error)

	// Decision returns the record with this id, or ErrNotFound.
	Decision(ctx context.Context, id string) (identity.Record, error)

	// Decisions returns a page of records, newest first.
	Decisions(ctx context.Context, q DecisionQuery) (DecisionPage, error)

	// DropDecisions removes records older than before, at most limit, and
	// returns how many it removed.
	DropDecisions(ctx context.Context, before time.Time, limit int) (int, error)

	// Receive notes a message unless one with its key is noted, and returns what
	// is noted then: r, or what came first, with the later Expires of both. Of
	// many callers one is first. It may be repeated after a failure. An expired
	// receipt counts until it is dropped. Errors: ErrConflict when the outcome is
	// unclear.
	Receive(ctx context.Context, r Receipt) (Receipt, error)

	// DropReceipts removes receipts that expired before this time, at most limit,
	// and returns how many it removed.
	DropReceipts(ctx context.Context, before time.Time, limit int) (int, error)

	// Spend takes one of what a budget has left, and reports whether there was
	// one. Of many callers as many have one as there are; a call whose outcome
	// is unclear may have taken one. Errors: ErrConflict.
	Spend(ctx context.Context, b Budget) (left bool, err error)

	// Ping returns nil if a read works now.
	Ping(ctx context.Context) error

	// Close releases the store. Calls under way finish first, later ones fail;
	// closing twice does nothing.
	Close() error
}

// Touch is a login that changed nothing. Userstore is the identity's. Where ClaimsTime is set, claims_time
// of the link to (Issuer, Subject) becomes ClaimsTime if it is older.
type Touch struct {
	ID, Userstore   string
	At              time.Time
	Issuer, Subject string
	ClaimsTime      time.Time
}

// MaxBacklog bounds what Backlog looks at, so that a long outage of a target
// does not make the question for it expensive.
const MaxBacklog = 10_000

// Backlog is what waits for one target. Pending identities do not count.
type Backlog struct {
	// Waiting deliveries will be made, Dead ones have been given up. Of more
	// than MaxBacklog identities only so many are looked at.
	Waiting, Dead int
	// Due is when the one that has been due longest came to be; zero if
	// nothing waits.
	Due time.Time
}

// Found is what a look-up in several stores found.
type Found struct {
	Identities []identity.Identity // sorted by id, none twice
	// Pins names the userstore of keys that are pinned and that nobody holds:
	// the identity is not made yet, or gone.
	Pins map[identity.Key]string
	// Partial says that not every store was asked that may have somebody.
	Partial bool
}

// MaxPageSize bounds a page; DefaultPageSize is what 0 means.
const (
	MaxPageSize     = 500
	DefaultPageSize = 50
)

// Query selects identities; empty fields do not select. PageToken is the one
// of the page before. A page may be shorter than PageSize while more follow;
// the last has no NextPageToken.
type Query struct {
	Userstore string
	State     identity.State
	Key       identity.Key
	// Having selects those of which identity.Having names it.
	Having    string
	PageSize  int
	PageToken string
	// Damaged passes over identities that cannot be read, and names them.
	// Without it one is an error: a list that lacks somebody must not look whole.
	Damaged bool
}

// Page is a page of identities.
type Page struct {
	Identities    []identity.Identity
	NextPageToken string
	// Damaged are the ids of those within the page that cannot be read.
	Damaged []string
}

// DecisionQuery selects records like Query selects identities.
type DecisionQuery struct {
	IdentityID string
	SubjectKey identity.Key
	FlowID     string
	Decision   identity.Decision
	PageSize   int
	PageToken  string
}

// DecisionPage is a page of records.
type DecisionPage struct {
	Records       []identity.Record
	NextPageToken string
}

// PageSize returns the size asked for within the bounds.
func PageSize(n int) int {
	if n <= 0 {
		return DefaultPageSize
	}
	return min(n, MaxPageSize)
}
