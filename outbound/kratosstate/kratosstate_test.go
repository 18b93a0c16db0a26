// These tests prove what the connector asks of Kratos for each state, in which
// order, and what it makes of a refusal. (That Kratos then keeps people out is
// proven in test/kratos.)
package kratosstate_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/kratos"
	"github.com/jithook/jithook/outbound"
	"github.com/jithook/jithook/outbound/kratosstate"
)

func TestDeliver(t *testing.T) {
	patch := func(state string) string {
		return `PATCH /admin/identities/k-1 [{"op":"replace","path":"/state","value":"` + state + `"}]`
	}
	const sessions = "DELETE /admin/identities/k-1/sessions "
	for name, c := range map[string]struct {
		state    identity.State
		instance string
		status   int // of the answers
		asks     []string
		fails    bool
		rejected bool
		returns  bool // a sign-in may undo what bars them
	}{
		"active":                    {identity.StateActive, "main", 200, []string{patch("active")}, false, false, false},
		"suspended":                 {identity.StateSuspended, "main", 200, []string{patch("inactive"), sessions}, false, false, false},
		"deprovisioned":             {identity.StateDeprovisioned, "main", 200, []string{patch("inactive"), sessions}, false, false, false},
		"may return":                {identity.StateSuspended, "main", 200, []string{patch("active"), sessions}, false, false, true},
		"of a newer version":        {"frozen", "main", 200, []string{patch("inactive"), sessions}, false, false, false},
		"unknown to this Kratos":    {identity.StateSuspended, "second", 200, nil, false, false, false},
		"Kratos does not answer":    {identity.StateSuspended, "main", 503, []string{patch("inactive")}, true, false, false},
		"deleted":                   {identity.StateDeleted, "main", 200, []string{patch("inactive"), sessions}, false, false, false},
		"deleted in both":           {identity.StateDeleted, "main", 404, []string{patch("inactive")}, false, false, false},
		"Kratos has no such person": {identity.StateSuspended, "main", 404, []string{patch("inactive")}, true, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			var asked []string
			api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				asked = append(asked, fmt.Sprintf("%s %s %s", r.Method, r.URL.Path, bytes.TrimSpace(body)))
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(c.status)
				fmt.Fprintf(w, `{"error":{"code":%d},"id":"k-1","schema_id":"s","schema_url":"u","traits":{}}`, c.status)
			}))
			defer api.Close()
			admin, err := kratos.NewAdmin(api.URL, "")
			if err != nil {
				t.Fatal(err)
			}
			i := identity.Identity{State: c.state, ExternalIDs: []identity.ExternalID{
				{System: identity.SystemGeneric, Instance: "second", ID: "k-1"}, {System: identity.SystemKratos, Instance: "main", ID: "k-1"},
			}}
			_, err = kratosstate.Connector{Admin: admin, Instance: c.instance, MayReturn: func(*identity.Identity) bool { return c.returns }}.Deliver(t.Context(), i, identity.Delivery{})
			var rejected *outbound.RejectedError
			if (err != nil) != c.fails || errors.As(err, &rejected) != c.rejected || !slices.Equal(asked, c.asks) {
				t.Errorf("%v, asked %q, want %q", err, asked, c.asks)
			}
		})
	}
}
