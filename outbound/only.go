package outbound

import (
	"context"
	"errors"
	"fmt"

	"github.com/jithook/jithook/identity"
)

// Only is a Connector for some of the identities. Whoever is not among them any
// more is deprovisioned at the target; whoever never was, it is not told of. Who
// is deleted is gone for every target that may have them.
type Only struct {
	Connector Connector
	// Wants reports whether the identity goes to the target; told says whether
	// the target may have it already. Its error is stored and shown like one of
	// Deliver.
	Wants func(ctx context.Context, i *identity.Identity, told bool) (bool, error)
}

var (
	errNoComparer = errors.New("this kind of target cannot be compared")
	errNoLister   = errors.New("this kind of target does not list its accounts")
)

// Deliver implements Connector.
func (o Only) Deliver(ctx context.Context, i identity.Identity, d identity.Delivery) (identity.Resource, error) {
	concerned, err := o.judge(ctx, &i, d)
	if err != nil {
		has, _ := i.Resource(d.Target)
		return has, err
	}
	if !concerned {
		return identity.Resource{}, nil
	}
	return o.Connector.Deliver(ctx, i, d)
}

// Compare implements Comparer, if the Connector is one.
func (o Only) Compare(ctx context.Context, i identity.Identity, d identity.Delivery) ([]Difference, error) {
	c, ok := o.Connector.(Comparer)
	if !ok {
		return nil, errNoComparer
	}
	concerned, err := o.judge(ctx, &i, d)
	if err != nil || !concerned {
		return nil, err
	}
	return c.Compare(ctx, i, d)
}

// Accounts implements Lister, if the Connector is one.
func (o Only) Accounts(ctx context.Context, behind, count int) (page []Account, next int, err error) {
	l, ok := o.Connector.(Lister)
	if !ok {
		return nil, 0, errNoLister
	}
	return l.Accounts(ctx, behind, count)
}

// judge reports whether the target is concerned, and makes the identity what the
// target has to take it for.
func (o Only) judge(ctx context.Context, i *identity.Identity, d identity.Delivery) (concerned bool, err error) {
	_, told := i.Resource(d.Target)
	if i.State == identity.StateDeleted {
		return told, nil
	}
	wanted, err := o.Wants(ctx, i, told)
	switch {
	case err != nil && ctx.Err() != nil:
		return false, ctx.Err()
	case err != nil && told && i.Barred(): // a rule that fails must not keep an account open
		return true, nil
	case err != nil:
		return false, &RejectedError{fmt.Errorf("who goes to this target cannot be told: %w", err)}
	case !wanted && !told:
		return false, nil
	case !wanted:
		i.State, i.Groups = identity.StateDeprovisioned, nil
	}
	return true, nil
}
