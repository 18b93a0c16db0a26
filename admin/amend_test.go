package admin_test

// These tests prove what the API makes of a PATCH and of an unlinking, that a
// value is written over none that its sender has not seen, and that an export of
// a person is whole.

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jithook/jithook/admin"
	"github.com/jithook/jithook/hook/generic"
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

func TestAmend(t *testing.T) {
	w := newWorld(t)
	id := ann(t, w)
	got := w.edit(t, http.MethodPatch, id, `{"traits":{"title":"Chefin","level":3.0,"name":null},"groups":{"add":["admins"],"remove":["engineering"]}}`, `"1"`)
	e := into[admin.Edited](t, got)
	if e.Decision != identity.Updated || e.Reasons[0].Code != identity.CodeAdminEdited || len(e.Changes) != 5 || got.header.Get("ETag") != `"2"` {
		t.Errorf("%s, ETag %s", got.body, got.header.Get("ETag"))
	}
	now := w.get(t, "/identities/"+id)
	i := into[admin.Identity](t, now)
	if _, has := i.Traits["name"]; has || i.Traits["title"] != "Chefin" || !slices.Equal(i.Groups, []identity.Group{{Name: "admins", Source: "admin"}}) || !bytes.Contains(now.body, []byte(`"level":3`)) {
		t.Errorf("then %s", now.body)
	}
	// Who looked before that must look again.
	refused(t, w.edit(t, http.MethodPatch, id, `{"traits":{"title":"x"}}`, `"1"`), http.StatusPreconditionFailed)
	refused(t, w.edit(t, http.MethodPatch, id, `{"traits":{"title":"x"}}`, ""), http.StatusPreconditionRequired)
	if e := into[admin.Edited](t, w.edit(t, http.MethodPatch, id, `{}`, "2")); e.Decision != identity.Unchanged || len(e.Changes) != 0 {
		t.Errorf("nothing asked: %+v", e)
	}
	refused(t, w.edit(t, http.MethodPatch, "nobody", `{}`, "2"), http.StatusNotFound)
	for body, place := range map[string]string{
		`{"traits":{"email":"geheim"}}`: "/traits/email", `{"groups":{"add":["a","b\u0001geheim"]}}`: "/groups/add/1",
		`{"traits":{"a//b":1}}`: "/traits/a~1~1b", `{"groups":{"set":["a"]}}`: "/groups/set", `{"state":"active"}`: "/state",
		`{"traits":{"a":1,"A":2}}`: "/traits/A", `{"traits":{"a":[null]}}`: "/traits/a/0", `{"groups":{"add":"admins"}}`: "/groups/add",
		`{"traits":[]}`: "/traits", ``: "byte 0", `{`: "byte 1",
	} {
		p := refused(t, w.edit(t, http.MethodPatch, id, body, "2"), http.StatusBadRequest)
		if p.Place != place || strings.Contains(p.Detail, "geheim") {
			t.Errorf("%s: %+v", body, p)
		}
	}
	refused(t, w.edit(t, http.MethodPatch, id, `{"traits":{"a":"`+strings.Repeat("x", 1<<20)+`"}}`, "2"), http.StatusRequestEntityTooLarge)
}

func TestUnlink(t *testing.T) {
	w := newWorld(t)
	id := ann(t, w)
	refused(t, w.edit(t, http.MethodDelete, id+"/links/umbrella", "", ""), http.StatusNotFound)
	refused(t, w.edit(t, http.MethodDelete, id+"/links/acme", "", "7"), http.StatusPreconditionFailed)
	e := into[admin.Edited](t, w.edit(t, http.MethodDelete, id+"/links/acme", "", "1"))
	if e.Decision != identity.Updated || e.Reasons[0].Code != identity.CodeAdminUnlinked || len(e.Identity.Links) != 0 || len(e.Identity.Groups) != 0 {
		t.Errorf("%+v", e)
	}
	refused(t, w.edit(t, http.MethodDelete, id+"/links/acme", "", ""), http.StatusNotFound)
}

func TestExportIdentity(t *testing.T) {
	w := newWorld(t)
	outsider := w.login(t, generic.Request{Subject: "s-ann", Claims: person("ann", map[string]any{"hd": "elsewhere.example"})})
	w.login(t, generic.Request{Subject: "s-bob", Claims: person("bob", nil)})
	id := ann(t, w)
	want := []string{outsider.ID}
	var all []identity.Record
	for n := range 2*store.MaxPageSize + 1 {
		r := identity.Record{ID: fmt.Sprintf("r-%04d", n), IdentityID: id, Decision: identity.Unchanged,
			Reasons: []identity.Reason{identity.Because(identity.CodeUnchanged)}, Hook: identity.HookGeneric, SubjectKey: identity.FedKey("https://acme.example", "s-ann")}
		all = append(all, r)
		want = append(want, r.ID)
	}
	if err := w.store.Record(t.Context(), all, nil); err != nil {
		t.Fatal(err)
	}
	i, err := w.store.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	i.Revision++
	i.Arm("hr", i.UpdatedAt)
	i.Outbox[0].Lease = "geheim"
	i.Remember(identity.Resource{Target: "hr", ID: "u-1", Groups: []string{"eng"}})
	if err := w.store.Swap(t.Context(), i, identity.Record{}); err != nil {
		t.Fatal(err)
	}
	raw := w.get(t, "/identities/"+id+"/export")
	got := into[admin.Export](t, raw)
	if len(got.Outbox) != 1 || got.Outbox[0].Target != "hr" || got.Outbox[0].Revision != 2 || bytes.Contains(raw.body, []byte("geheim")) {
		t.Errorf("outbox %+v", got.Outbox)
	}
	if diff := cmp.Diff([]admin.Resource{{Target: "hr", ID: "u-1", Groups: []string{"eng"}}}, got.Resources); diff != "" {
		t.Error(diff)
	}
	want = append(want, got.Identity.DecisionID)
	var ids []string
	for _, r := range got.Decisions {
		ids = append(ids, r.ID)
	}
	if ids[len(ids)-1] != outsider.ID || got.Identity.ID != id || got.Identity.Links[0].Subject != "s-ann" {
		t.Errorf("%s, last %s", got.Identity.ID, ids[len(ids)-1])
	}
	slices.Sort(ids)
	slices.Sort(want)
	if !slices.Equal(ids, want) {
		t.Errorf("%d records, want %d", len(ids), len(want))
	}
	if got := w.get(t, "/identities/"+id+"/export"); !bytes.HasSuffix(got.body, []byte("]}\n")) {
		t.Errorf("it ends in %q", got.body[len(got.body)-20:])
	}
	refused(t, w.get(t, "/identities/nobody/export"), http.StatusNotFound)
	refused(t, w.get(t, "/identities/"+id+"/export?all=1"), http.StatusBadRequest)
}

// FuzzAmend: every body is an edit, a refusal or a problem, and none a fault of
// ours.
func FuzzAmend(f *testing.F) {
	for _, seed := range []string{
		`{"traits":{"title":"x","name":null},"groups":{"add":["a"],"remove":["b"]}}`, `{"traits":{"email":"ann@acme.example"}}`,
		`{"traits":{"a":{"b":[1,1.5,12345678901234567890,true,{}]}}}`, `{"traits":{"$a.b\u0000":"\ud83d\ude00"}}`, `{"traits":null}`,
		`{"groups":{"add":["e\u0301","\u212a"]}}`, `{}`, `null`, `[]`, `{"traits":{"a":null,"a":1}}`,
	} {
		f.Add([]byte(seed))
	}
	w := newWorld(f)
	id := ann(f, w)
	f.Fuzz(func(t *testing.T, body []byte) {
		r := request(http.MethodPatch, "/identities/"+id, string(body))
		r.Header.Set("If-Match", serve(w, request(http.MethodGet, "/identities/"+id, "")).header.Get("ETag"))
		got := serve(w, r)
		switch got.status {
		case http.StatusOK, http.StatusConflict, http.StatusBadRequest, http.StatusRequestEntityTooLarge:
		default:
			t.Errorf("%d %s", got.status, got.body)
		}
	})
}
