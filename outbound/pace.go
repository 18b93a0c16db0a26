package outbound

import (
	"context"
	"time"
)

type paceKey struct{}

// Pace has the connectors that are called with the context make no more than so
// many requests in a second, all together; 0 is as many as they like.
func Pace(ctx context.Context, perSecond int) context.Context {
	if perSecond <= 0 {
		return ctx
	}
	return context.WithValue(ctx, paceKey{}, time.NewTicker(time.Second/time.Duration(perSecond)))
}

// Turn returns when the context's Pace lets another request be made; a connector
// asks before each. Errors: the context's.
func Turn(ctx context.Context) error {
	ticker, paced := ctx.Value(paceKey{}).(*time.Ticker)
	if !paced {
		return nil
	}
	select {
	case <-ticker.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
