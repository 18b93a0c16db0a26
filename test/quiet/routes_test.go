//go:build unix

package quiet_test

// Which routes the servers have, and which of them the calls have met in good
// order and in failure.

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"
)

// seen is how a route has answered.
type seen struct{ well, refused bool }

// unfailing are routes that refuse nobody who has the token, while the store is
// well.
var unfailing = []string{"GET /livez", "GET /readyz", "GET /metrics", "GET /admin/v1/openapi.json", "GET /admin/v1/providers"}

// see notes the answer of a route. A missing credential is no failure of its own.
func (h *house) see(door *echo.Echo, r *http.Request, status int) {
	c := door.NewContext(r, nil)
	door.Router().Find(r.Method, r.URL.EscapedPath(), c)
	route := r.Method + " " + c.Path()
	if h.answers[route] == nil {
		h.answers[route] = &seen{}
	}
	switch {
	case status < 400:
		h.answers[route].well = true
	case status != http.StatusUnauthorized:
		h.answers[route].refused = true
	}
}

// answered fails for a route that no call has met, in good order or in failure.
func (h *house) answered(t *testing.T) {
	t.Helper()
	routes := slices.Concat(h.hooks.Routes(), h.admin.Routes())
	if len(routes) < 40 {
		t.Errorf("only %d routes: are these all?", len(routes))
	}
	for _, r := range routes {
		if r.Method == echo.RouteNotFound {
			continue
		}
		route := r.Method + " " + r.Path
		s := h.answers[route]
		if s == nil {
			s = &seen{}
		}
		if !s.well && !(strings.HasSuffix(t.Name(), "/mongo") && route == "GET /admin/v1/store/backup") {
			t.Errorf("no call of testdata/calls.json is answered well by %s", route)
		}
		if !s.refused && !slices.Contains(unfailing, route) {
			t.Errorf("no call of testdata/calls.json is refused by %s", route)
		}
	}
}
