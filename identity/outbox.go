package identity

import (
	"slices"
	"time"
)

// Delivery is one entry of an identity's outbox: a target has yet to learn of
// a revision. There is at most one for each target, so what happens meanwhile
// coalesces, and the outbox is never longer than the list of targets.
type Delivery struct {
	// Target is the target's name in the configuration.
	Target string `json:"target"`
	// Revision is the oldest revision whose delivery settles the entry.
	Revision int64 `json:"revision"`
	// Since is when the target first fell behind.
	Since time.Time `json:"since"`
	// Due is when a worker may take the entry: a leased one when the lease
	// ends, one that failed when its pause is over.
	Due time.Time `json:"due"`
	// Attempts counts the failures since Revision.
	Attempts int `json:"attempts,omitempty"`
	// Lease is the random name of the worker's claim that holds the entry;
	// empty if nobody has taken it since it was last settled.
	Lease string `json:"lease,omitempty"`
	// Failure says what the last attempt failed with, in words that hold no
	// value and no secret.
	Failure string `json:"failure,omitempty"`
	// Dead says that the entry was given up and waits for a person, or for the
	// next revision.
	Dead bool `json:"dead,omitempty"`
	// Trace is the traced request that armed the entry, as a traceparent; empty if
	// none did that was sampled.
	Trace string `json:"trace,omitempty"`
	// Again says that a person wants the target told even of what it has been told
	// already.
	Again bool `json:"again,omitempty"`
}

// Released reports whether an entry of the identity's outbox may be delivered
// once it is due. A pending identity releases nothing.
func (i *Identity) Released(d Delivery) bool { return i.State != StatePending && !d.Dead }

// Finished reports whether nothing keeps what is left of a deleted identity:
// nobody has to learn of it any more.
func (i *Identity) Finished() bool { return i.State == StateDeleted && len(i.Outbox) == 0 }

// HavingGivenUp is what an identity has whose delivery to the target was given up;
// see Having.
func HavingGivenUp(target string) string { return "given_up:" + target }

// DeliveryTo returns the index of the target's entry in the outbox, or -1.
func (i *Identity) DeliveryTo(target string) int {
	return slices.IndexFunc(i.Outbox, func(d Delivery) bool { return d.Target == target })
}

// Arm notes that a target has yet to learn of the identity's present revision;
// whoever makes a revision calls it before that is written. A delivery under
// way keeps its lease, so that no second one overtakes it, and is followed by
// another. Failures count anew: what failed was another revision.
func (i *Identity) Arm(target string, now time.Time) {
	n := i.DeliveryTo(target)
	if n < 0 {
		i.Outbox = append(i.Outbox, Delivery{Target: target, Revision: i.Revision, Since: now, Due: now})
		return
	}
	d := &i.Outbox[n]
	d.Revision, d.Attempts, d.Failure, d.Dead, d.Trace = i.Revision, 0, "", false, ""
	if d.Lease == "" {
		d.Due = now
	}
}
