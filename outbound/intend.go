package outbound

import (
	"context"
	"runtime/debug"
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
	r := q.intended(ctx, i.Clone(), d)
	r.Target, r.Groups = q.target, slices.Concat(has.Groups, r.Groups)
	i.Remember(r)
}

// intended is what the connector says. What it panics at must not end the process:
// then it may be everything, and the delivery shows what becomes of it.
func (q *queue) intended(ctx context.Context, i identity.Identity, d identity.Delivery) (r identity.Resource) {
	defer func() {
		if recover() != nil { // with what may be a value of the identity
			q.Log.ErrorContext(ctx, "connector panicked", "target", q.target, "identity_id", i.ID, "stack", string(debug.Stack()))
			r = whole{}.Intend(ctx, i, d)
		}
	}()
	return whole{q.connector}.Intend(ctx, i, d)
}
