// Package outbound tells other systems of identities: it takes what is due from
// the outboxes, has a connector bring the target up to the identity's present
// state, and settles the entry.
//
// It owns when and how often something is tried, by whom, and when it is given
// up: at least once, for each target one delivery of an identity at a time, no
// target in another's way. It must not know what a target is told or in which
// protocol (the connectors'), nor why something was armed (package provision).
package outbound

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

// Connector brings one target up to the state of identities.
type Connector interface {
	// Deliver makes the target know i, which is the identity as it is now; d is
	// what the target is owed. It may be called again for what the target knows
	// already, and an earlier call whose outcome is unknown may have succeeded.
	// It returns when ctx ends. Calls come from several goroutines, for one
	// identity one after the other.
	//
	// The resource is what the target has of i then, and is noted with the
	// identity: the zero one is nothing that would have to be known again. With
	// an error it is what is known so far, beside what was noted before.
	// i.Resource says what that was, and whether an earlier call may have told
	// the target of i at all.
	//
	// Errors: a LaterError, a RejectedError, and any other where trying again
	// may help. The text is stored with the identity and shown to operators: it
	// must hold no trait, subject, token or other secret, nor what the target
	// wrote.
	Deliver(ctx context.Context, i identity.Identity, d identity.Delivery) (identity.Resource, error)
}

// Store is what a worker needs of a userstore; see store.Store for the
// promises.
type Store interface {
	Due(ctx context.Context, target string, now time.Time, limit int) ([]identity.Identity, error)
	Get(ctx context.Context, id string) (identity.Identity, error)
	SetOutbox(ctx context.Context, i identity.Identity) error
	Backlog(ctx context.Context, target string) (store.Backlog, error)
}

// LaterError says that the target wants to be left alone, with everything, for
// a while.
type LaterError struct {
	After time.Duration
	Err   error
}

func (e *LaterError) Error() string { return e.Err.Error() }

// Unwrap returns why.
func (e *LaterError) Unwrap() error { return e.Err }

// RejectedError says that the target has understood this delivery and refuses
// it, and will refuse it again: it is given up until the identity's next
// revision, or until a person asks for it. What concerns all deliveries alike,
// such as a token that has expired, is none.
type RejectedError struct{ Err error }

func (e *RejectedError) Error() string { return e.Err.Error() }

// Unwrap returns why.
func (e *RejectedError) Unwrap() error { return e.Err }

// RetryAfter returns how long a response asks to wait (RFC 9110, section
// 10.2.3: seconds, or a date), and whether it does. A date in the past is 0.
func RetryAfter(h http.Header, now time.Time) (time.Duration, bool) {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second, true
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0, false
	}
	return max(0, at.Sub(now)), true
}

// Outcome is what became of an attempt to deliver.
type Outcome string

// The closed list of outcomes.
const (
	// Delivered: the target knows.
	Delivered Outcome = "delivered"
	// Failed: it will be tried again.
	Failed Outcome = "failed"
	// GivenUp: rejected, or failed too often.
	GivenUp Outcome = "given_up"
	// Released: the worker was stopped before the target had answered.
	Released Outcome = "released"
	// Lost: the lease had run out and another worker has taken over.
	Lost Outcome = "lost"
)

// Outcomes returns the closed list.
func Outcomes() []Outcome { return []Outcome{Delivered, Failed, GivenUp, Released, Lost} }
