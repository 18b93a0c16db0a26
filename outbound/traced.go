package outbound

import (
	"context"

	"github.com/jithook/jithook/internal/tracing"
)

// trace begins the span of a delivery: below the login that waits for it, else in a
// trace of its own that is linked to the login which armed it.
func (q *queue) trace(ctx context.Context, c claim) (context.Context, tracing.Span) {
	const name = "outbound.deliver"
	d := c.delivery(q.target)
	inside, span := tracing.Start(ctx, name)
	if inside == ctx {
		inside, span = q.Tracer.Begin(ctx, name, d.Trace)
	}
	span.Set("jithook.target", q.target)
	span.Set("jithook.identity_id", c.identity.ID)
	span.Count("jithook.attempt", d.Attempts+1)
	return inside, span
}
