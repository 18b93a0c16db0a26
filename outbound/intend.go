package outbound

import (
	"context"
	"slices"

	"github.com/jithook/jithook/identity"
)

// Intender is a Connector for which it has to be noted what a delivery may do,
// before it does: a process may die in between.
type Intender interface {
	// Intend returns what the target may have of the identity for as long as it is
	// unknown what became of the delivery, beside what was noted before. It calls
	// nobody.
	Intend(ctx context.Context, i identity.Identity, d identity.Delivery) identity.Resource
}

// uncalledError is why a target was not even called: nothing was begun of what the
// delivery may do.
type uncalledError struct{ error }

func (e *uncalledError) Unwrap() error { return e.error }

// intend notes what a delivery may give the target, before it does. Only so is
// it known later what is ours there, if the process dies in between.
func (q *queue) intend(ctx context.Context, i *identity.Identity, d identity.Delivery) {
	has, _ := i.Resource(q.target)
	r := whole{q.connector}.Intend(ctx, i.Clone(), d)
	r.Target, r.Groups = q.target, slices.Concat(has.Groups, r.Groups)
	i.Remember(r)
}
