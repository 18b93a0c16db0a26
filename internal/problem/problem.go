// Package problem is the one form in which an HTTP handler refuses a request
// that is not a decision: RFC 9457 problem details.
//
// It must not know what the handlers do; they return a *Problem as an error and
// Handler writes it.
package problem

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/jithook/jithook/internal/strictjson"
)

// ContentType is the media type of RFC 9457, section 3.
const ContentType = "application/problem+json"

// Problem is a refused request. Detail is for the person who sent it and holds
// no value of the request.
type Problem struct {
	Status int    `json:"status"`
	Title  string `json:"title"`
	Detail string `json:"detail,omitempty"`
	// Place is a JSON Pointer into the request's body, where one is at fault.
	Place     string `json:"place,omitempty"`
	RequestID string `json:"request_id,omitempty"`
}

func (p *Problem) Error() string { return fmt.Sprintf("%d %s: %s", p.Status, p.Title, p.Detail) }

// New returns a Problem with the status's own title.
func New(status int, detail string) *Problem {
	return &Problem{Status: status, Title: http.StatusText(status), Detail: detail}
}

// At is a 400 about the place in the body, a JSON Pointer.
func At(place, detail string) *Problem {
	p := New(http.StatusBadRequest, detail)
	p.Place = place
	return p
}

// OfBody is the problem of a body that could not be decoded: 413 where it was
// too long, else 400 with the place.
func OfBody(err error) *Problem {
	var tooLong *http.MaxBytesError
	if errors.As(err, &tooLong) {
		return New(http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is longer than %d bytes", tooLong.Limit))
	}
	var malformed *strictjson.Error
	if errors.As(err, &malformed) {
		p := New(http.StatusBadRequest, malformed.Message)
		p.Place = malformed.Place
		return p
	}
	return New(http.StatusBadRequest, "the body could not be read")
}

// Handler writes what a handler returned as an error. What is neither a
// Problem nor an error of the router becomes a 500 that says nothing, and is
// logged.
func Handler(log *slog.Logger) echo.HTTPErrorHandler {
	return func(err error, c echo.Context) {
		if c.Response().Committed {
			return
		}
		p := of(err)
		if p.Status == http.StatusInternalServerError {
			log.ErrorContext(c.Request().Context(), "request failed", "path", c.Path(), "error", err)
		}
		reply := *p
		reply.RequestID = c.Response().Header().Get(echo.HeaderXRequestID)
		c.Response().Header().Set(echo.HeaderContentType, ContentType)
		if err := c.JSON(p.Status, reply); err != nil {
			log.DebugContext(c.Request().Context(), "problem not delivered", "error", err)
		}
	}
}

// Status returns the status that Handler answers an error with.
func Status(err error) int { return of(err).Status }

func of(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	var router *echo.HTTPError
	if errors.As(err, &router) {
		return New(router.Code, "")
	}
	return New(http.StatusInternalServerError, "")
}
