package provision_test

// These tests prove that an identity is unbound only from a Kratos that says by
// itself that it has deleted its own, that nobody who is barred gets out by it,
// and that the person goes on as who they are.

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/jithook/jithook/identity"
	adminapi "github.com/jithook/jithook/kratos"
	"github.com/jithook/jithook/provision"
)

// deleted answers for a Kratos that has deleted k-1, and lists what it lists.
func deleted(h *house, status int, list []any) {
	h.t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path == "/admin/identities" {
			json.NewEncoder(w).Encode(list)
			return
		}
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"code": status}, "id": "k-1", "state": "active"})
	}))
	h.t.Cleanup(server.Close)
	admin, err := adminapi.NewAdmin(server.URL, "")
	if err != nil {
		h.t.Fatal(err)
	}
	h.Kratos = map[string]*adminapi.Admin{"main": admin}
}

func TestGone(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		list   []any
		edit   func(*house)
		fate   provision.Fate
	}{
		"deleted":                 {status: http.StatusNotFound, list: []any{}, fate: provision.FateDone},
		"there":                   {status: http.StatusOK},
		"not found, and listed":   {status: http.StatusNotFound, list: []any{map[string]any{"id": "k-1"}}},
		"down":                    {status: http.StatusInternalServerError, fate: provision.FateUnheard},
		"suspended":               {status: http.StatusNotFound, list: []any{}, edit: func(h *house) { h.admin(provision.Suspend(), identity.Updated) }},
		"of a Kratos without one": {status: http.StatusNotFound, list: []any{}, edit: func(h *house) { h.Kratos["eu"] = h.Kratos["main"]; delete(h.Kratos, "main") }},
		"of nobody who is in Kratos": {status: http.StatusNotFound, list: []any{}, edit: func(h *house) {
			h.edited(func(i *identity.Identity) {
				i.ExternalIDs[0].System = identity.SystemGeneric
				i.Keys = append(notOf(i.Keys, identity.KeyExt), identity.ExtKey(i.ExternalIDs[0]))
			})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t)
			h.first("s-1", "k-1")
			deleted(h, c.status, c.list)
			if c.edit != nil {
				c.edit(h)
			}
			before := h.only()
			h.swept(provision.RuleGone, c.fate)
			if c.fate != provision.FateDone {
				return
			}
			i := h.only()
			if len(i.ExternalIDs) != 0 || len(i.Keys) != len(before.Keys)-1 || i.State != identity.StateActive || len(i.Links) != 1 {
				t.Fatalf("then %+v", i)
			}
			h.swept(provision.RuleGone, "")
			h.Kratos = nil
			h.Provision(t.Context(), kratos(identity.HookPrepare, nobody, "s-1", ann()))
			h.Commit(t.Context(), kratos(identity.HookCommit, "k-2", "s-1", nil))
			if i := h.only(); i.ID != before.ID || len(i.ExternalIDs) != 1 || i.ExternalIDs[0].ID != "k-2" {
				t.Errorf("came back as %+v", i)
			}
		})
	}
}

// TestGoneOfOne: a Kratos that is not asked about unbinds nobody.
func TestGoneOfOne(t *testing.T) {
	h := open(t)
	h.first("s-1", "k-1")
	deleted(h, http.StatusNotFound, []any{})
	h.Kratos["eu"] = h.Kratos["main"]
	for instance, found := range map[string]int{"eu": 0, "main": 1, "": 1} {
		out, err := h.Sweep(t.Context(), provision.Sweep{Rule: provision.RuleGone, Instance: instance})
		if err != nil || len(out.Found) != found {
			t.Errorf("%q: %+v, %v", instance, out.Found, err)
		}
	}
	if _, err := h.Sweep(t.Context(), provision.Sweep{Rule: provision.RuleGone, Instance: "us"}); !errors.Is(err, provision.ErrNoKratos) {
		t.Errorf("a Kratos that nobody knows: %v", err)
	}
}

func notOf(keys []identity.Key, kind string) []identity.Key {
	var left []identity.Key
	for _, k := range keys {
		if k.Kind() != kind {
			left = append(left, k)
		}
	}
	return left
}
