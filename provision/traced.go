package provision

import (
	"context"
	"errors"

	"github.com/jithook/jithook/claims"
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/tracing"
	"github.com/jithook/jithook/provider"
)

// resolve is claims.Resolve as a span. That a source has nothing, or is refused,
// is an answer and no failure.
func (s *Service) resolve(ctx context.Context, prov *provider.Provider, l identity.Login) (claims.Evidence, error) {
	ctx, span := tracing.Start(ctx, "claims")
	e, err := claims.Resolve(ctx, prov.Sources, l)
	span.Set("jithook.provider", prov.ID)
	span.Set("jithook.source", string(e.Source))
	if fault, ok := errors.AsType[*claims.Fault](err); ok {
		span.Set("jithook.source", string(fault.Source))
		span.Fail()
	}
	span.End(nil)
	return e, err
}

// traced notes on the span of a decision what was decided. The name of a provider
// that there is not is the caller's own word, and stays out.
func (o Outcome) traced(ctx context.Context) {
	span, r := tracing.Current(ctx), o.Record
	span.Set("jithook.decision_id", r.ID)
	span.Set("jithook.decision", string(r.Decision))
	span.Set("jithook.reason", string(r.Reasons[0].Code))
	span.Set("jithook.hook", string(r.Hook))
	span.Set("jithook.caller", r.Caller)
	if r.Policy != "" {
		span.Set("jithook.provider", r.Provider)
	}
	if r.Decision == identity.Error {
		span.Fail()
	}
}

// armed notes the request's trace with what it has armed, so that a delivery can
// be linked to it.
func (p *Plan) armed(ctx context.Context) {
	if p.After == nil {
		return
	}
	trace := tracing.Carry(ctx)
	for n := range p.After.Outbox {
		if d := &p.After.Outbox[n]; trace != "" && d.Revision == p.After.Revision {
			d.Trace = trace
		}
	}
}
