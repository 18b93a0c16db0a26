package admin_test

// These tests prove that a sweep by the API looks first, and does only what it
// is asked to.

import (
	"net/http"
	"testing"
	"time"

	"github.com/jithook/jithook/admin"
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/provision"
)

func TestSweep(t *testing.T) {
	w := newWorld(t)
	id := ann(t, w)
	w.edit(t, http.MethodPost, id+"/deprovision", "", "")
	w.service.Quarantine = time.Hour
	sweep := func(query string) admin.Swept {
		return into[admin.Swept](t, w.ask(t, request(http.MethodPost, "/sweep?"+query, "")))
	}
	if s := sweep("rule=quarantine"); len(s.Identities) != 0 || s.Checked != 1 {
		t.Errorf("before its time: %+v", s)
	}
	w.service.Now = func() time.Time { return time.Now().Add(2 * time.Hour) }
	for _, query := range []string{"rule=quarantine", "rule=quarantine&apply=false"} {
		if s := sweep(query); len(s.Identities) != 1 || s.Identities[0].Fate != provision.FateDue || s.Identities[0].IdentityID != id {
			t.Errorf("%s: %+v", query, s)
		}
	}
	s := sweep("rule=quarantine&apply=true&page_token=")
	if len(s.Identities) != 1 || s.Identities[0].Fate != provision.FateDone {
		t.Fatalf("%+v", s)
	}
	r := into[identity.Record](t, w.get(t, "/decisions/"+s.Identities[0].DecisionID))
	if r.Hook != identity.HookSweep || r.Caller != "admin" || r.Reasons[0].Code != identity.CodeQuarantineOver || r.RequestID == "" {
		t.Errorf("record %+v", r)
	}
	if i := into[admin.Identity](t, w.get(t, "/identities/"+id)); i.State != identity.StateDeprovisioned || i.StateAt.IsZero() || i.Traits["email"] == nil {
		t.Errorf("then %+v", i)
	}
	for _, query := range []string{"", "rule=everybody", "rule=pending&apply=yes", "rule=pending&page_token=x", "rule=pending&rules=x", "rule=pending&instance=main"} {
		if got := w.ask(t, request(http.MethodPost, "/sweep?"+query, "")); got.status != http.StatusBadRequest {
			t.Errorf("%q: %d %s", query, got.status, got.body)
		}
	}
}
