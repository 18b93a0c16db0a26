// These tests prove the hooks of Kratos's settings for connected providers:
// without an Admin API nothing is connected or disconnected, and with it what was
// disconnected is dropped here.
package kratos_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/kratos"
	"github.com/jithook/jithook/store"
)

// asking gives the server the Admin API of a Kratos whose k-1 has no provider
// connected any more.
func (s *server) asking() {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(object{"id": "k-1", "schema_id": "s", "schema_url": "u", "traits": object{}, "credentials": object{"password": object{}}})
	}))
	s.t.Cleanup(api.Close)
	admin, err := kratos.NewAdmin(api.URL, "")
	if err != nil {
		s.t.Fatal(err)
	}
	s.Kratos = map[string]*kratos.Admin{"main": admin}
}

func submitted(p object) object {
	p["flow"].(object)["submitted"] = true
	return p
}

// only is the one identity of the store.
func (s *server) only() identity.Identity {
	s.t.Helper()
	page, err := s.Bolt.List(s.t.Context(), store.Query{})
	if err != nil || len(page.Identities) != 1 {
		s.t.Fatalf("%+v, %v", page, err)
	}
	return page.Identities[0]
}

func TestConnectingAndDisconnecting(t *testing.T) {
	for name, c := range map[string]struct {
		asking, submitted bool
		state             identity.State
		reason            string // "" if Kratos may go on
	}{
		"connect, without an Admin API":    {false, false, identity.StateActive, "linking_disabled"},
		"disconnect, without an Admin API": {false, true, identity.StateActive, "linking_disabled"},
		"connect":                          {true, false, identity.StateActive, "linking_disabled"},
		"disconnect":                       {true, true, identity.StateActive, ""},
		"S47 disconnect, suspended":        {true, true, identity.StateSuspended, "suspended"},
		"S47 disconnect, deprovisioned":    {true, true, identity.StateDeprovisioned, "deprovisioned"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t)
			s.post("/registration/prepare", payload(nobody))
			s.post("/registration/commit", payload("k-1", signedIn()))
			i := s.only()
			i.State = c.state
			i.Revision++
			if err := s.Bolt.Swap(t.Context(), i, identity.Record{}); err != nil {
				t.Fatal(err)
			}
			if c.asking {
				s.asking()
			}
			p := payload("k-1", signedIn())
			delete(p, "session")
			if c.submitted {
				p = submitted(p)
			}
			status, reply := s.post("/settings/check", p)
			if c.reason == "" {
				if status != 204 {
					t.Errorf("check: %d %v", status, reply)
				}
			} else if _, reason := message(t, reply); status != 403 || reason != c.reason {
				t.Errorf("check: %d %s", status, reason)
			}
			// After the fact Kratos is told nothing, whatever was possible.
			if status, reply := s.post("/settings/links", p); status != 204 || reply != nil {
				t.Errorf("links: %d %v", status, reply)
			}
			dropped := len(s.only().Links) == 0
			if dropped != (c.asking && c.submitted && c.state == identity.StateActive) {
				t.Errorf("links are %+v", s.only().Links)
			}
			if warned := strings.Contains(s.log.String(), "links not reconciled"); warned == c.asking {
				t.Errorf("warned: %v", warned)
			}
		})
	}
}
