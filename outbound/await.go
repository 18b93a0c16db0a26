package outbound

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jithook/jithook/identity"
)

// awaitEvery is how often a delivery is looked at that somebody else has leased.
const awaitEvery = 20 * time.Millisecond

// Errors of Await.
var (
	errGivenUp = errors.New("the delivery was given up and waits for a person")
	errResting = errors.New("the target has failed and is left alone for a while")
)

// Await makes what is due of one identity to a target due at once, and returns
// when the target knows of it: nil if there is nothing to tell, or nothing yet. i
// is the identity as it was last written or read. When ctx ends first, or the
// target fails, the delivery stays due, and is made like any other. Any number of
// calls may be under way beside Run. Errors: why the target does not know, in
// words like those of a Connector; the store's.
func (w *Worker) Await(ctx context.Context, target string, i identity.Identity) error {
	q, ok := w.all()[target]
	if !ok {
		return fmt.Errorf("there is no target %q", target)
	}
	for {
		n := i.DeliveryTo(target)
		if n < 0 || i.State == identity.StatePending {
			return nil
		}
		if i.Outbox[n].Dead {
			return errGivenUp
		}
		if rest, _ := q.state(); rest > 0 {
			return errResting
		}
		if err := q.take(ctx, i, i.Outbox[n]); err != nil {
			return err
		}
		var err error
		if i, err = q.Store.Get(ctx, i.ID); err != nil {
			return fmt.Errorf("see what the target knows: %w", err)
		}
	}
}

// take makes a delivery unless somebody else is at it, and otherwise waits a
// moment.
func (q *queue) take(ctx context.Context, i identity.Identity, d identity.Delivery) error {
	if d.Lease == "" || !d.Due.After(q.Now()) {
		if c, ok := q.claim(ctx, i); ok {
			return q.deliver(ctx, c, func() {})
		}
	}
	timer := time.NewTimer(awaitEvery)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the target is being told and has not answered yet: %w", ctx.Err())
	}
}
