package scim

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/jithook/jithook/internal/safedial"
	"github.com/jithook/jithook/outbound"
)

// Bounds of what a target may cost.
const (
	maxReply = 1 << 20 // bytes
	maxID    = 1024    // bytes
)

// client speaks HTTP with the target. Its errors are in jithook's own words: what
// a target answers may show a person, and a URL with a filter does.
type client struct {
	base string
	auth Auth
	http *http.Client
	now  func() time.Time
}

func newClient(o Options) *client {
	return &client{base: strings.TrimSuffix(o.URL, "/"), auth: o.Auth, now: o.Now, http: outbound.NewHTTP(o.Guard)}
}

// call is one request.
type call struct {
	what, method, path string
	body               any    // nil sends none
	version            string // the change holds only for this version, if not empty
}

// reply is a good answer.
type reply struct {
	what   string
	status int
	body   []byte
}

// statusError says that the target answered, and not as it was hoped.
type statusError struct {
	what   string
	status int
	kind   string // the scimType, if it is one of RFC 7644's
}

func (e *statusError) Error() string {
	if e.kind == "" {
		return fmt.Sprintf("%s: the target answered %d", e.what, e.status)
	}
	return fmt.Sprintf("%s: the target answered %d (%s)", e.what, e.status, e.kind)
}

// unsentError says that the target never saw the request.
type unsentError struct{ err error }

func (e *unsentError) Error() string { return e.err.Error() }

func (e *unsentError) Unwrap() error { return e.err }

// undone reports whether the target has surely not done what it was asked.
func undone(err error) bool {
	if _, ok := errors.AsType[*unsentError](err); ok {
		return true
	}
	e, ok := errors.AsType[*statusError](err)
	return ok && e.status >= 400 && e.status < 500 && e.status != http.StatusRequestTimeout
}

// scimTypes are those of RFC 7644, section 3.12: the only words of a target that
// are shown.
var scimTypes = []string{"invalidFilter", "tooMany", "uniqueness", "mutability", "invalidSyntax", "invalidPath", "noTarget", "invalidValue", "invalidVers", "sensitive"}

// call makes a request. Errors: a *statusError, a LaterError or RejectedError
// around one, or another that says what failed;
// an unsentError around it if the target never saw the request.
func (c *client) call(ctx context.Context, k call) (reply, error) {
	var body io.Reader
	if k.body != nil {
		data, err := json.Marshal(k.body)
		if err != nil {
			return reply{}, &unsentError{rejected(k.what + ": an attribute cannot be written as JSON")}
		}
		body = bytes.NewReader(data)
	}
	r, err := http.NewRequestWithContext(ctx, k.method, c.base+k.path, body)
	if err != nil {
		return reply{}, &unsentError{errors.New(k.what + ": the target's URL is none")}
	}
	r.Header.Set("Accept", "application/scim+json, application/json")
	if k.body != nil {
		r.Header.Set("Content-Type", "application/scim+json")
	}
	if k.version != "" {
		r.Header.Set("If-Match", k.version)
	}
	if err := outbound.Turn(ctx); err != nil {
		return reply{}, &unsentError{unreachable(k.what, err)}
	}
	if err := c.auth.authorize(ctx, r, c); err != nil {
		return reply{}, &unsentError{err}
	}
	answer, err := c.http.Do(r)
	if failed, ok := errors.AsType[*net.OpError](err); ok && failed.Op == "dial" {
		return reply{}, &unsentError{unreachable(k.what, err)}
	}
	if err != nil {
		return reply{}, unreachable(k.what, err)
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(http.MaxBytesReader(nil, answer.Body, maxReply))
	if err != nil {
		return reply{}, unreadable(k.what, err)
	}
	if answer.StatusCode == http.StatusUnauthorized {
		c.auth.refused()
	}
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return reply{}, c.failure(k.what, answer, data)
	}
	return reply{k.what, answer.StatusCode, data}, nil
}

// failure says what an answer other than a good one means. What may be about all
// deliveries alike, such as credentials or the URL, gives none of them up.
func (c *client) failure(what string, answer *http.Response, body []byte) error {
	e := &statusError{what: what, status: answer.StatusCode}
	var said struct {
		ScimType string `json:"scimType"`
	}
	if json.Unmarshal(body, &said) == nil && slices.Contains(scimTypes, said.ScimType) {
		e.kind = said.ScimType
	}
	after, asks := asksForTime(answer, c.now())
	switch {
	case asks:
		return &outbound.LaterError{After: after, Err: e}
	case refuses(e.status):
		return &outbound.RejectedError{Err: e}
	}
	return e
}

// asksForTime reports whether an answer asks to be left alone, and for how long.
func asksForTime(answer *http.Response, now time.Time) (time.Duration, bool) {
	after, asks := outbound.RetryAfter(answer.Header, now)
	return after, asks && (answer.StatusCode == http.StatusTooManyRequests || answer.StatusCode == http.StatusServiceUnavailable)
}

// refuses reports whether a status is about this one request.
func refuses(status int) bool {
	return status >= 400 && status < 500 && !slices.Contains([]int{
		http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed,
		http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests, http.StatusPreconditionFailed, http.StatusPreconditionRequired,
	}, status)
}

// isRefusal reports whether the target has understood the request and refuses it.
func isRefusal(err error) bool {
	e, ok := errors.AsType[*statusError](err)
	return ok && refuses(e.status)
}

func isStatus(err error, status ...int) bool {
	e, ok := errors.AsType[*statusError](err)
	return ok && slices.Contains(status, e.status)
}

// isTaken reports whether the target refuses since there is such a resource; some
// say so by 400, and some without a scimType.
func isTaken(err error) bool {
	e, ok := errors.AsType[*statusError](err)
	return ok && (e.status == http.StatusConflict || e.status == http.StatusBadRequest && e.kind == "uniqueness")
}

// isStale reports whether the resource is not the version that was read.
func isStale(err error) bool {
	return isStatus(err, http.StatusPreconditionFailed, http.StatusPreconditionRequired)
}

// isNoTarget reports whether what was to be removed is not there.
func isNoTarget(err error) bool {
	e, ok := errors.AsType[*statusError](err)
	return ok && e.status == http.StatusBadRequest && e.kind == "noTarget"
}

// unreachable is the error of a request without an answer, without the URL that
// net/http puts into it.
func unreachable(what string, err error) error {
	if forbidden, ok := errors.AsType[*safedial.ForbiddenError](err); ok {
		return fmt.Errorf("%s: %w", what, forbidden)
	}
	var timeout interface{ Timeout() bool }
	why := "the target cannot be reached, or broke off"
	if errors.As(err, &timeout) && timeout.Timeout() {
		why = "the target did not answer in time"
	}
	return errors.New(what + ": " + why)
}

func unreadable(what string, err error) error {
	if large, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return fmt.Errorf("%s: the reply is longer than %d bytes", what, large.Limit)
	}
	return unreachable(what, err)
}

// resource reads a reply that is one.
func (r reply) resource() (resource, error) {
	var out resource
	if err := json.Unmarshal(r.body, &out); err != nil || out == nil {
		return nil, errors.New(r.what + ": the reply is no resource in JSON")
	}
	return out, nil
}

// path is that of a resource.
func (k kind) path(id string) string { return k.endpoint + "/" + url.PathEscape(id) }

// usable reports whether an id that a target gave may stand in a path.
func usable(id string) bool { return id != "" && id != "." && id != ".." && len(id) <= maxID }

// get returns a resource, nil if there is none.
func (c *Connector) get(ctx context.Context, k kind, id string) (resource, error) {
	answer, err := c.client.call(ctx, call{what: "read " + k.name, method: http.MethodGet, path: k.path(id)})
	if isStatus(err, http.StatusNotFound, http.StatusGone) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r, err := answer.resource()
	if err == nil && r.id() != id {
		err = errors.New("read " + k.name + ": the reply is about another one")
	}
	return r, err
}

// filter returns the resources that the target says have the value: two at most,
// if it counts as it is told.
func (c *Connector) filter(ctx context.Context, k kind, attribute, value string) ([]resource, error) {
	query := url.Values{"filter": {attribute + " eq " + quote(value)}, "count": {"2"}}
	answer, err := c.client.call(ctx, call{what: "find " + k.name, method: http.MethodGet, path: k.endpoint + "?" + query.Encode()})
	if err != nil {
		// A target that cannot do this can do it for nobody.
		e, _ := errors.AsType[*statusError](err)
		if _, rejected := errors.AsType[*outbound.RejectedError](err); rejected {
			return nil, e
		}
		return nil, err
	}
	var list struct {
		Resources []resource `json:"Resources"`
	}
	if err := json.Unmarshal(answer.body, &list); err != nil {
		return nil, errors.New("find " + k.name + ": the reply is no list in JSON")
	}
	return slices.DeleteFunc(list.Resources, func(r resource) bool { return !usable(r.id()) }), nil
}

// quote writes a value of a filter (RFC 7644, section 3.4.2.2: as in JSON).
func quote(s string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string always can be
	return cmp.Or(strings.TrimSuffix(b.String(), "\n"), `""`)
}
