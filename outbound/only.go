package outbound

import (
	"context"
	"fmt"
	"slices"

	"github.com/jithook/jithook/identity"
)

// Only is a Connector for some of the identities. Whoever is not among them any
// more is deprovisioned at the target; whoever never was, it is not told of. Who
// is deleted is gone for every target that may have them.
type Only struct {
	whole
	wants Wants
}

// Limit returns the Connector for those whom wants lets go there.
func Limit(c Connector, wants Wants) Only { return Only{whole{c}, wants} }

// Deliver implements Connector.
func (o Only) Deliver(ctx context.Context, i identity.Identity, d identity.Delivery) (identity.Resource, error) {
	concerned, err := o.judge(ctx, &i, d)
	if err != nil {
		has, _ := i.Resource(d.Target)
		return has, &uncalledError{err}
	}
	if !concerned {
		return identity.Resource{}, nil
	}
	return o.Connector.Deliver(ctx, i, d)
}

// Compare implements Comparer, if the Connector is one.
func (o Only) Compare(ctx context.Context, i identity.Identity, d identity.Delivery) ([]Difference, error) {
	concerned, err := o.judge(ctx, &i, d)
	if err != nil || !concerned {
		return nil, err
	}
	return o.whole.Compare(ctx, i, d)
}

// Intend implements Intender: what is not told of is not noted.
func (o Only) Intend(ctx context.Context, i identity.Identity, d identity.Delivery) identity.Resource {
	if concerned, err := o.judge(ctx, &i, d); err != nil || !concerned {
		has, _ := i.Resource(d.Target)
		return has
	}
	return o.whole.Intend(ctx, i, d)
}

// judge reports whether the target is concerned, and makes the identity what the
// target has to take it for.
func (o Only) judge(ctx context.Context, i *identity.Identity, d identity.Delivery) (concerned bool, err error) {
	has, told := i.Resource(d.Target)
	if i.State == identity.StateDeleted {
		return told, nil
	}
	wanted, err := o.wants(ctx, i, told)
	switch {
	case err != nil && ctx.Err() != nil:
		return false, ctx.Err()
	case err != nil && told && i.Barred():
		// A rule that fails must not keep an account open. But it may be somebody who
		// left long ago: they are granted nothing.
		granted := map[string]bool{}
		for _, name := range has.Groups {
			granted[name] = true
		}
		i.Groups = slices.DeleteFunc(slices.Clone(i.Groups), func(g identity.Group) bool { return !granted[g.Name] })
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
