package outbound

import (
	"context"
	"slices"

	"github.com/jithook/jithook/identity"
)

// Intender is a Connector for which it has to be noted what a delivery may do,
// before it does: a process may die in between.
type Intender interface {
	// Intend returns the Told of the identity's resource for as long as it is
	// unknown what became of the delivery. It calls nobody.
	Intend(ctx context.Context, i identity.Identity, d identity.Delivery) string
}

// intend notes what a delivery may give the target, before it does. Only so is
// it known later what is ours there, if the process dies in between.
func (q *queue) intend(ctx context.Context, i *identity.Identity, d identity.Delivery) {
	r, _ := i.Resource(q.target)
	if c, ok := q.connector.(Intender); ok {
		r.Told = c.Intend(ctx, i.Clone(), d)
	}
	r.Groups = slices.Concat(r.Groups, i.GroupNames())
	i.Remember(r)
}

// Intend implements Intender, if the Connector is one.
func (o Only) Intend(ctx context.Context, i identity.Identity, d identity.Delivery) string {
	has, _ := i.Resource(d.Target)
	c, ok := o.Connector.(Intender)
	if !ok {
		return has.Told
	}
	if concerned, err := o.judge(ctx, &i, d); err != nil || !concerned {
		return has.Told
	}
	return c.Intend(ctx, i, d)
}
