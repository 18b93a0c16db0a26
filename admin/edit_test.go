package admin_test

// These tests prove what the API makes of an administrator's edits: the status,
// the document, the revision as a condition, and that nothing is changed where
// it is refused.

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/jithook/jithook/admin"
	"github.com/jithook/jithook/hook/generic"
	"github.com/jithook/jithook/identity"
)

// edit sends an edit of an identity; match is the If-Match header, if any.
func (w *world) edit(t testing.TB, method, path, body, match string) reply {
	t.Helper()
	r := request(method, "/identities/"+path, body)
	if match != "" {
		r.Header.Set("If-Match", match)
	}
	return w.ask(t, r)
}

// ann signs ann in and returns her identity's id.
func ann(t testing.TB, w *world) string {
	t.Helper()
	return w.login(t, generic.Request{Subject: "s-ann", Claims: person("ann", nil)}).IdentityID
}

func TestStateEdits(t *testing.T) {
	w := newWorld(t)
	id := ann(t, w)
	for _, step := range []struct {
		edit     string
		decision identity.Decision
		code     identity.Code
		state    identity.State
	}{
		{"suspend", identity.Updated, identity.CodeAdminSuspended, identity.StateSuspended},
		{"suspend", identity.Unchanged, identity.CodeAdminSuspended, identity.StateSuspended},
		{"activate", identity.Activated, identity.CodeAdminActivated, identity.StateActive},
		{"deprovision", identity.Updated, identity.CodeAdminDeprovisioned, identity.StateDeprovisioned},
		{"suspend", identity.Denied, identity.CodeStateRefused, identity.StateDeprovisioned},
	} {
		got := w.edit(t, http.MethodPost, id+"/"+step.edit, "", "")
		status := http.StatusOK
		if step.decision == identity.Denied {
			status = http.StatusConflict
		}
		if got.status != status {
			t.Fatalf("%s: %d %s", step.edit, got.status, got.body)
		}
		got.status = http.StatusOK
		e := into[admin.Edited](t, got)
		if e.Decision != step.decision || e.Reasons[0].Code != step.code || (e.Identity == nil) != (status != http.StatusOK) {
			t.Errorf("%s: %+v", step.edit, e)
		}
		now := w.get(t, "/identities/"+id)
		i := into[admin.Identity](t, now)
		if i.State != step.state || i.StateSource != identity.SourceAdmin {
			t.Errorf("%s: then %s by %s", step.edit, i.State, i.StateSource)
		}
		if e.Identity != nil && (got.header.Get("ETag") != strconv.Quote(strconv.FormatInt(i.Revision, 10)) || got.header.Get("ETag") != now.header.Get("ETag")) {
			t.Errorf("%s: ETag %q, then %q at revision %d", step.edit, got.header.Get("ETag"), now.header.Get("ETag"), i.Revision)
		}
		if r := into[identity.Record](t, w.get(t, "/decisions/"+e.DecisionID)); r.Hook != identity.HookAdmin || r.RequestID == "" || r.Decision != step.decision {
			t.Errorf("%s: record %+v", step.edit, r)
		}
	}
}

func TestDeleteIdentity(t *testing.T) {
	w := newWorld(t)
	id := ann(t, w)
	e := into[admin.Edited](t, w.edit(t, http.MethodDelete, id, "", `"1"`))
	if e.Decision != identity.Deleted || e.Identity != nil {
		t.Errorf("%+v", e)
	}
	refused(t, w.get(t, "/identities/"+id), http.StatusNotFound)
	refused(t, w.edit(t, http.MethodDelete, id, "", ""), http.StatusNotFound)
	list := into[admin.Decisions](t, w.get(t, "/decisions?decision=deleted&identity="+id))
	if len(list.Decisions) != 1 || list.Decisions[0].ID != e.DecisionID {
		t.Errorf("records %+v", list)
	}
}

func TestEditConditions(t *testing.T) {
	w := newWorld(t)
	id := ann(t, w)
	for _, edit := range []struct{ method, path string }{
		{http.MethodPost, id + "/suspend"}, {http.MethodPost, id + "/deprovision"},
		{http.MethodPost, id + "/activate"}, {http.MethodDelete, id},
	} {
		for match, status := range map[string]int{
			`"2"`: http.StatusPreconditionFailed, "2": http.StatusPreconditionFailed, "9223372036854775807": http.StatusPreconditionFailed,
			"0": http.StatusBadRequest, "-1": http.StatusBadRequest, `"1`: http.StatusBadRequest, `1"`: http.StatusBadRequest, `W/"1"`: http.StatusBadRequest,
			"*": http.StatusBadRequest, `"1", "2"`: http.StatusBadRequest, " ": http.StatusBadRequest, "9223372036854775808": http.StatusBadRequest,
		} {
			refused(t, w.edit(t, edit.method, edit.path, "", match), status)
		}
		refused(t, w.edit(t, edit.method, edit.path+"?state=active", "", ""), http.StatusBadRequest)
		refused(t, w.edit(t, edit.method, edit.path, `{"reason":"x"}`, ""), http.StatusBadRequest)
		refused(t, w.edit(t, edit.method, edit.path, `[]`, ""), http.StatusBadRequest)
		refused(t, w.edit(t, edit.method, edit.path, strings.Repeat(" ", 1<<20+1), ""), http.StatusRequestEntityTooLarge)
		refused(t, w.edit(t, edit.method, strings.Replace(edit.path, id, "nobody", 1), "", ""), http.StatusNotFound)
		twice := request(edit.method, "/identities/"+edit.path, "")
		twice.Header["If-Match"] = []string{`"1"`, `"1"`}
		refused(t, w.ask(t, twice), http.StatusBadRequest)
		strange := request(edit.method, "/identities/"+edit.path, "")
		strange.Header.Del("Authorization")
		refused(t, w.ask(t, strange), http.StatusUnauthorized)
	}
	if i := into[admin.Identity](t, w.get(t, "/identities/"+id)); i.Revision != 1 || i.State != identity.StateActive {
		t.Errorf("something was changed: %+v", i)
	}
	if got := w.edit(t, http.MethodPost, id+"/suspend", "{}", "1"); got.status != http.StatusOK {
		t.Errorf("an empty object, an unquoted revision: %d %s", got.status, got.body)
	}
	w.store.Close()
	refused(t, w.edit(t, http.MethodPost, id+"/activate", "", ""), http.StatusServiceUnavailable)
}
