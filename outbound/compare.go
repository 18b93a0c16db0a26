package outbound

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

// Difference is something that a target has otherwise than it was told, in words
// that hold no value.
type Difference struct {
	// What is what a delivery would do, such as "update user".
	What string `json:"what"`
	// Attributes are those concerned.
	Attributes []string `json:"attributes"`
}

// Comparer is a Connector that can say what a delivery would change.
type Comparer interface {
	// Compare reads what the target has, and returns what Deliver would write
	// now; it writes nothing. Errors: those of Deliver.
	Compare(ctx context.Context, i identity.Identity, d identity.Delivery) ([]Difference, error)
}

// Drift is an identity that a target has otherwise than it should.
type Drift struct {
	Kind       DriftKind `json:"kind"`
	IdentityID string    `json:"identity_id"`
	// Account is the target's id of the account, where it was found by looking at
	// the target's.
	Account     string       `json:"account,omitempty"`
	Differences []Difference `json:"differences"`
	// Failure says why nobody can tell, or why a delivery would be given up.
	Failure string `json:"failure,omitempty"`
	// Mended says that the target will be told again.
	Mended bool `json:"mended"`
}

// DriftKind is what kind of a drift it is.
type DriftKind string

// The closed list of kinds.
const (
	// DriftDiffers: the account is not as the identity is.
	DriftDiffers DriftKind = "differs"
	// DriftUnnoted: there is an account of the identity of which nothing was noted.
	DriftUnnoted DriftKind = "unnoted"
	// DriftDouble: there is a second account of the identity.
	DriftDouble DriftKind = "double"
	// DriftOrphan: there is an account of an identity that there is not, and it is
	// not closed.
	DriftOrphan DriftKind = "orphan"
)

// DriftKinds returns the closed list.
func DriftKinds() []DriftKind {
	return []DriftKind{DriftDiffers, DriftUnnoted, DriftDouble, DriftOrphan}
}

// Reconcile compares identities with what a target has of them, one after the
// other. Whoever the target is about to be told of is passed over. To mend is to
// have the worker tell the target again. An error, which is none of one identity
// alone, ends it.
func Reconcile(ctx context.Context, s Store, c Comparer, target string, page []identity.Identity, mend bool, now time.Time) ([]Drift, error) {
	drifts := []Drift{}
	for _, i := range page {
		if n := i.DeliveryTo(target); i.State == identity.StatePending || n >= 0 && i.Released(i.Outbox[n]) {
			continue
		}
		d := Drift{Kind: DriftDiffers, IdentityID: i.ID}
		var err error
		d.Differences, err = c.Compare(ctx, i, identity.Delivery{Target: target, Revision: i.Revision})
		rejected, refused := errors.AsType[*RejectedError](err)
		switch {
		case refused:
			d.Failure, d.Differences = failureText(rejected), []Difference{}
		case err != nil:
			return nil, fmt.Errorf("compare with %s: %w", target, err)
		case len(d.Differences) == 0:
			continue
		case mend:
			switch err := Retry(ctx, s, i.ID, target, now); {
			case errors.Is(err, store.ErrNotFound):
				continue // gone since it was listed
			case err != nil:
				return nil, err
			}
			d.Mended = true
		}
		drifts = append(drifts, d)
	}
	return drifts, nil
}
