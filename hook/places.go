package hook

import (
	"context"
	"log/slog"
	"time"

	"github.com/labstack/echo/v4"
	"golang.org/x/time/rate"

	"github.com/jithook/jithook/identity"
)

// MaxUnderWay is how many decisions are made at the same time. It is far above
// what keeps a machine and a userstore busy; what is beyond it would only wait,
// all of it in the end for longer than the deadline.
const MaxUnderWay = 256

// Places are those of requests under way, of all hooks together. Whoever finds
// none free is told so at once, and so is who waited too long before they were read
// (see MaxWait). NewPlaces makes them.
type Places struct {
	taken chan struct{}
	queue queue
	now   func() time.Time
	shed  func()
	logs  *rate.Limiter
}

// NewPlaces returns n places; shed, if set, is told of every request that found
// none.
func NewPlaces(n int, now func() time.Time, shed func()) *Places {
	return &Places{taken: make(chan struct{}, n), now: now, shed: shed, logs: rate.NewLimiter(rate.Every(time.Second), 1)}
}

// only lets a request in while there is a place for it. It stands behind
// authenticate: who has no credential takes nobody's place. Without Places there
// is no limit.
func (p *Places) only(log *slog.Logger, fault Fault) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		if p == nil {
			return next
		}
		return func(c echo.Context) error {
			ctx := c.Request().Context()
			if w := waited(ctx); p.queue.tooLong(w, p.now()) {
				p.refuse(ctx, log, "requests wait too long before they are read", "waited_ms", w.Milliseconds())
				return fault(c, identity.CodeOverloaded)
			}
			select {
			case p.taken <- struct{}{}:
			default:
				p.refuse(ctx, log, "too many requests at the same time", "limit", cap(p.taken))
				return fault(c, identity.CodeOverloaded)
			}
			defer func() { <-p.taken }()
			return next(c)
		}
	}
}

// refuse counts a request that is not looked at, and logs one of them a second: a
// line for each would be part of the load.
func (p *Places) refuse(ctx context.Context, log *slog.Logger, why string, args ...any) {
	if p.shed != nil {
		p.shed()
	}
	if p.logs.Allow() {
		log.WarnContext(ctx, why, args...)
	}
}
