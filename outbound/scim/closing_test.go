package scim_test

// What is not closed at the target does not count as closed, whatever the target
// answers.

import (
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/outbound"
	"github.com/jithook/jithook/outbound/scim"
	"github.com/jithook/jithook/store/bolt"
	"github.com/jithook/jithook/test/scim/scimtest"
)

// noDelete is a gateway without a way for DELETE.
func noDelete(w http.ResponseWriter, r *http.Request) bool {
	if r.Method == http.MethodDelete {
		w.WriteHeader(http.StatusNotFound)
		return true
	}
	return false
}

func TestDeleteAnswers404(t *testing.T) {
	for _, state := range []identity.State{identity.StateDeprovisioned, identity.StateDeleted} {
		s := scimtest.New(t)
		s.Before = noDelete
		x := connector(t, s.URL, func(o *scim.Options) { o.OnDeprovision, o.Groups = scim.Delete, scim.GroupsNone })
		i := ann(nil)
		must(t, deliver(t, x, &i))
		i.State = state
		wantReason(t, deliver(t, x, &i), "404", "on_deprovision: deactivate")
		if has, _ := i.Resource(hr); has.ID != one(t, s)["id"] {
			t.Errorf("%s: noted %+v", state, has)
		}
		s.Drop("Users", one(t, s)["id"].(string)) // it is gone, and another was faster
		must(t, deliver(t, x, &i))
	}
}

// TestDeleteAnswers404ToComparison: an orphan that stays is not said to be closed,
// and those behind it are looked at.
func TestDeleteAnswers404ToComparison(t *testing.T) {
	s := scimtest.New(t)
	s.Before = noDelete
	for _, name := range []string{"a", "b"} {
		s.Put("Users", scimtest.Doc{"userName": name, "externalId": annID[:35] + name, "active": true})
	}
	userstore, err := bolt.Open(filepath.Join(t.TempDir(), "jithook.db"), bolt.Options{})
	must(t, err)
	defer userstore.Close()
	x := outbound.Limit(connector(t, s.URL, func(o *scim.Options) { o.OnDeprovision = scim.Delete }), nil)
	census, err := outbound.Strangers(t.Context(), userstore, x, hr, 0, 50, outbound.Mend{Tell: true, Orphans: true}, time.Now())
	must(t, err)
	if len(census.Drifts) != 2 {
		t.Fatalf("%+v", census)
	}
	for _, d := range census.Drifts {
		if d.Mended || d.Failure == "" {
			t.Errorf("%+v", d)
		}
	}
}
