package scim_test

// What a target says of an orphan is not believed without a look.

import (
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/jithook/jithook/outbound"
	"github.com/jithook/jithook/outbound/scim"
	"github.com/jithook/jithook/store/bolt"
	"github.com/jithook/jithook/test/scim/scimtest"
)

// TestOrphanStays: an account that the target says it has closed, and has not, is
// left to people, and the comparison ends.
func TestOrphanStays(t *testing.T) {
	s := scimtest.New(t)
	notes, err := bolt.Open(filepath.Join(t.TempDir(), "jithook.db"), bolt.Options{})
	must(t, err)
	defer notes.Close()
	for range 4 {
		id := uuid.Must(uuid.NewV7()).String()
		s.Put("Users", scimtest.Doc{"userName": id, "externalId": id, "active": true})
	}
	s.Before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodDelete {
			w.WriteHeader(http.StatusNoContent)
		}
		return r.Method == http.MethodDelete
	}
	x := connector(t, s.URL, func(o *scim.Options) { o.OnDeprovision = scim.Delete })
	census := func() (all []outbound.Drift) { // page by page
		for behind, steps := 0, 0; behind >= 0; steps++ {
			c, err := outbound.Strangers(t.Context(), notes, x, hr, behind, 50, outbound.Mend{Tell: true, Orphans: true}, time.Now())
			must(t, err)
			all = append(all, c.Drifts...)
			if behind = c.Next; steps > 10 {
				t.Fatal("it never ends")
			}
		}
		if len(all) != 4 {
			t.Errorf("%d orphans", len(all))
		}
		return all
	}
	for _, d := range census() {
		if d.Mended || d.Failure == "" {
			t.Errorf("%+v", d)
		}
	}
	s.Before = nil // and one that is gone is closed, though nobody can be looked for there
	x = connector(t, s.URL, func(o *scim.Options) {
		o.OnDeprovision, o.Lookup, o.Groups = scim.Delete, scim.LookupNone, scim.GroupsNone
	})
	for _, d := range census() {
		if !d.Mended {
			t.Errorf("%+v", d)
		}
	}
	if left := s.All("Users", "", ""); len(left) > 0 {
		t.Errorf("the target has %v", left)
	}
}
