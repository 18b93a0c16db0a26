// Package hook is the wire that callers of jithook see: it authenticates them,
// bounds what they send, sets the deadline once, and turns whatever goes wrong
// into an answer. hook/kratos and hook/generic spell the two contracts.
//
// It must not know policies, mappings or stores: it hands a login to package
// provision and writes down what comes back.
package hook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"mime"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/problem"
	"github.com/jithook/jithook/internal/tracing"
	"github.com/jithook/jithook/provision"
)

const (
	// MaxBody bounds a request's body, in bytes.
	MaxBody = 1 << 20
	// Deadline bounds a decision. Kratos waits 30 s and retries twice; a
	// person in front of a browser does not.
	Deadline = 1500 * time.Millisecond
)

// Options are what the wire needs from the rest.
type Options struct {
	Auth *Auth
	Log  *slog.Logger
	// Refused, if set, is told of every request that was not authenticated.
	Refused func(Reason)
	// Tracer, if set, begins the traces of requests that were authenticated.
	Tracer *tracing.Tracer
	// Places, if set, bounds how many requests are under way.
	Places *Places
	// Ready returns nil while a login could be decided; GET /readyz tells.
	Ready func(context.Context) error
}

// New returns the server without hooks: /livez and /readyz.
func New(o Options) *echo.Echo {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.HTTPErrorHandler = problem.Handler(o.Log)
	e.Use(WithRequestID)
	e.GET("/livez", func(c echo.Context) error { return c.String(http.StatusOK, "ok\n") })
	e.GET("/readyz", func(c echo.Context) error {
		ctx, cancel := context.WithTimeout(c.Request().Context(), Deadline)
		defer cancel()
		if err := o.Ready(ctx); err != nil {
			o.Log.WarnContext(ctx, "not ready", "error", err)
			return problem.New(http.StatusServiceUnavailable, "the userstore cannot be read")
		}
		return c.String(http.StatusOK, "ok\n")
	})
	return e
}

// WithRequestID gives every request an id of our own: one that a caller chose could
// be anything, and would stand in our log.
func WithRequestID(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Response().Header().Set(echo.HeaderXRequestID, uuid.NewString())
		return next(c)
	}
}

// RequestID returns the id that the request got.
func RequestID(c echo.Context) string { return c.Response().Header().Get(echo.HeaderXRequestID) }

// Fault writes a contract's own answer to a fault before its handlers, or a panic
// in one of them: the code says which.
type Fault func(echo.Context, identity.Code) error

// Group returns the group of hooks below prefix that only callers with the
// endpoint in their scope reach.
func Group(e *echo.Echo, o Options, prefix string, endpoint Endpoint, fault Fault) *echo.Group {
	return e.Group(prefix, Survive(o.Log, "panic in a hook", fault), bound, authenticate(o, endpoint), o.Places.only(o.Log, fault), traced(o.Tracer), onlyJSON)
}

// Survive answers a panic with fault and logs it as message: where it came from,
// but not its value, which may hold a claim or a trait.
func Survive(log *slog.Logger, message string, fault Fault) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) (err error) {
			defer func() {
				if v := recover(); v != nil {
					log.ErrorContext(c.Request().Context(), message, "kind", fmt.Sprintf("%T", v),
						"request_id", RequestID(c), "stack", string(debug.Stack()))
					err = fault(c, identity.CodeInternal)
				}
			}()
			return next(c)
		}
	}
}

const (
	callerKey   = "jithook.caller"
	deliveryKey = "jithook.delivery"
)

func authenticate(o Options, endpoint Endpoint) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			caller, delivery, err := o.Auth.Authenticate(c.Request())
			var why *Refusal
			if errors.As(err, &why) {
				return o.refused(c, why)
			}
			if err != nil {
				return err
			}
			if !caller.May(endpoint) {
				return problem.New(http.StatusForbidden, fmt.Sprintf("this credential's endpoints do not include %q", endpoint))
			}
			c.Set(callerKey, caller)
			c.Set(deliveryKey, delivery)
			return next(c)
		}
	}
}

// CallerOf returns who sent the request that Group let through.
func CallerOf(c echo.Context) Caller {
	caller, _ := c.Get(callerKey).(Caller)
	return caller
}

// DeliveryOf returns which delivery the request is; nil if it was not signed.
func DeliveryOf(c echo.Context) *provision.Delivery {
	delivery, _ := c.Get(deliveryKey).(*provision.Delivery)
	return delivery
}

// bound limits what one request may cost, whoever sent it.
func bound(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		if r.ContentLength > MaxBody {
			return problem.OfBody(&http.MaxBytesError{Limit: MaxBody})
		}
		ctx, cancel := context.WithTimeout(r.Context(), Deadline)
		defer cancel()
		r = r.WithContext(ctx)
		r.Body = http.MaxBytesReader(c.Response(), r.Body, MaxBody)
		c.SetRequest(r)
		return next(c)
	}
}

// onlyJSON refuses every other body, and one that would grow when it is read.
func onlyJSON(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Request().Header
		if media := h.Get(echo.HeaderContentType); media != echo.MIMEApplicationJSON { // which is how nearly all spell it
			bare, _, err := mime.ParseMediaType(media)
			if err != nil || bare != echo.MIMEApplicationJSON {
				return problem.New(http.StatusUnsupportedMediaType, "the body must be application/json")
			}
		}
		if h.Get(echo.HeaderContentEncoding) != "" {
			return problem.New(http.StatusUnsupportedMediaType, "the body must not be compressed")
		}
		return next(c)
	}
}
