package outbound

import (
	"context"
	"fmt"

	"github.com/jithook/jithook/identity"
)

// Only is a Connector for some of the identities. Whoever is not among them any
// more is deprovisioned at the target; whoever never was, it is not told of.
type Only struct {
	Connector Connector
	// Wants reports whether the identity goes to the target; told says whether
	// the target may have it already. Its error is stored and shown like one of
	// Deliver.
	Wants func(ctx context.Context, i *identity.Identity, told bool) (bool, error)
}

// Deliver implements Connector.
func (o Only) Deliver(ctx context.Context, i identity.Identity, d identity.Delivery) (identity.Resource, error) {
	has, told := i.Resource(d.Target)
	wanted, err := o.Wants(ctx, &i, told)
	switch {
	case err != nil && ctx.Err() != nil:
		return has, ctx.Err()
	case err != nil:
		return has, &RejectedError{fmt.Errorf("who goes to this target cannot be told: %w", err)}
	case !wanted && !told:
		return identity.Resource{}, nil
	case !wanted:
		i.State, i.Groups = identity.StateDeprovisioned, nil
	}
	return o.Connector.Deliver(ctx, i, d)
}
