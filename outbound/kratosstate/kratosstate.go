// Package kratosstate is the connector that has a Kratos keep out whom jithook
// keeps out: it makes the Kratos identity inactive and ends its sessions, and
// reverses that.
//
// It owns what a state means in Kratos. It must not know why somebody is
// suspended, nor when a delivery is tried again.
package kratosstate

import (
	"context"
	"errors"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/kratos"
	"github.com/jithook/jithook/outbound"
)

// Connector tells one Kratos.
type Connector struct {
	Admin *kratos.Admin
	// Instance is the Kratos's name in the configuration: the identity's id
	// there means something only together with it.
	Instance string
	// MayReturn reports whether a sign-in of somebody who is barred may undo
	// that. Kratos asks nobody about who is inactive there, so these stay
	// active, without a session: jithook's login hook keeps them out.
	MayReturn func(*identity.Identity) bool
}

var _ outbound.Connector = Connector{}

// Deliver implements outbound.Connector. Somebody whom this Kratos does not have
// is nobody to tell it of. Sessions end after the state is set, so that none
// begins in between.
func (c Connector) Deliver(ctx context.Context, i identity.Identity, _ identity.Delivery) (identity.Resource, error) {
	id, ok := i.External(identity.SystemKratos, c.Instance)
	if !ok {
		return identity.Resource{}, nil
	}
	err := c.Admin.SetActive(ctx, id, !i.Barred() || c.MayReturn != nil && c.MayReturn(&i))
	if err == nil && i.Barred() {
		err = c.Admin.EndSessions(ctx, id)
	}
	if errors.Is(err, kratos.ErrNoIdentity) && i.State == identity.StateDeleted {
		return identity.Resource{}, nil // both are gone
	}
	if errors.Is(err, kratos.ErrNoIdentity) {
		// Gone, or the address is that of another Kratos: a person must look.
		err = &outbound.RejectedError{Err: err}
	}
	return identity.Resource{}, err
}
