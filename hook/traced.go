package hook

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/jithook/jithook/internal/problem"
	"github.com/jithook/jithook/internal/tracing"
)

// traced begins the span of a request. It comes after the authentication: a
// stranger must not say what is sampled.
func traced(t *tracing.Tracer) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		if t == nil {
			return next
		}
		return func(c echo.Context) (err error) {
			r := c.Request()
			ctx, span := t.Receive(r.Context(), r.Header, "hook "+c.Path())
			span.Set("http.request.method", r.Method)
			span.Set("http.route", c.Path())
			span.Set("jithook.request_id", RequestID(c))
			status := http.StatusInternalServerError // of a panic, which passes here
			defer func() {
				span.Count("http.response.status_code", status)
				if status >= http.StatusInternalServerError {
					span.Fail()
				}
				span.End(nil)
			}()
			c.SetRequest(r.WithContext(ctx))
			err = next(c)
			if status = c.Response().Status; err != nil {
				status = problem.Status(err) // it is written further out
			}
			return err
		}
	}
}
