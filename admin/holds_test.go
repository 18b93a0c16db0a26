package admin_test

// These tests prove that what is held is listed, whole and to nobody but
// administrators, and that a release does that and nothing else.

import (
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jithook/jithook/admin"
	"github.com/jithook/jithook/hook/generic"
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/expr"
	"github.com/jithook/jithook/provider"
)

// holding is a world in which no login may revoke a group.
func holding(t testing.TB) *world {
	t.Helper()
	w := newWorld(t)
	file, err := os.ReadFile("testdata/providers/acme.yaml")
	if err != nil {
		t.Fatal(err)
	}
	env, err := expr.NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(file), "enabled: true", "enabled: true\n  limits: {max_group_removals: 0}", 1)
	set, problems := provider.Loader{Env: env, Userstores: []string{"default", "partners"}, Now: time.Now}.Load(fstest.MapFS{"acme.yaml": {Data: []byte(text)}})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	w.service.Providers = func() *provider.Set { return set }
	return w
}

// hold has somebody lose their group, and returns their identity's id.
func hold(t testing.TB, w *world, name string) string {
	t.Helper()
	w.login(t, generic.Request{Subject: name, Claims: person(name, nil)})
	r := w.login(t, generic.Request{Subject: name, Claims: person(name, map[string]any{"groups": []any{}})})
	if r.Decision != identity.Updated || r.Reasons[1].Code != identity.CodeGroupChangeHeld {
		t.Fatalf("%+v", r)
	}
	return r.IdentityID
}

// release asks for what a hold keeps; match is the If-Match header, if any.
func (w *world) release(t testing.TB, id, match string) reply {
	t.Helper()
	r := request(http.MethodPost, "/holds/"+id+"/release", "")
	if match != "" {
		r.Header.Set("If-Match", match)
	}
	return w.ask(t, r)
}

func TestHolds(t *testing.T) {
	w := holding(t)
	if list := into[admin.Holds](t, w.get(t, "/holds")); list.Holds == nil || len(list.Holds) != 0 {
		t.Errorf("%+v", list)
	}
	w.login(t, generic.Request{Subject: "nobody", Claims: person("nobody", nil)})
	var want, got []string
	for _, name := range []string{"ann", "bob", "cleo"} {
		want = append(want, hold(t, w, name))
	}
	for token := ""; ; {
		page := into[admin.Holds](t, w.get(t, "/holds?page_size=2&page_token="+token))
		for _, h := range page.Holds {
			if !slices.Equal(h.Groups, []string{"engineering"}) || h.Source != "provider:acme" || h.At.IsZero() || h.Userstore != "default" || !strings.HasPrefix(h.ID, h.IdentityID+".") {
				t.Errorf("%+v", h)
			}
			got = append(got, h.IdentityID)
		}
		if token = page.NextPageToken; token == "" {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("holds of %v, want %v", got, want)
	}
	if list := into[admin.Holds](t, w.get(t, "/holds?userstore=partners")); len(list.Holds) != 0 {
		t.Errorf("of another userstore: %+v", list)
	}
	if i := into[admin.Identity](t, w.get(t, "/identities/"+want[0])); len(i.Holds) != 1 || i.Holds[0].IdentityID != want[0] {
		t.Errorf("%+v", i.Holds)
	}
	for _, query := range []string{"?page_size=0", "?identity=x", "?page_token=x", "?userstore="} {
		refused(t, w.get(t, "/holds"+query), http.StatusBadRequest)
	}
}

func TestRelease(t *testing.T) {
	w := holding(t)
	id := hold(t, w, "ann")
	held := into[admin.Holds](t, w.get(t, "/holds")).Holds[0]

	refused(t, w.release(t, held.ID, `"1"`), http.StatusPreconditionFailed)
	for _, other := range []string{id, id + ".", held.ID + "x", "nobody.x", "nobody", strings.Replace(held.ID, id, hold(t, w, "bob"), 1)} {
		refused(t, w.release(t, other, ""), http.StatusNotFound)
	}
	refused(t, w.ask(t, request(http.MethodPost, "/holds/"+held.ID+"/release", `{"all":true}`)), http.StatusBadRequest)
	refused(t, w.ask(t, request(http.MethodPost, "/holds/"+held.ID+"/release?force=1", "")), http.StatusBadRequest)
	stranger := request(http.MethodPost, "/holds/"+held.ID+"/release", "")
	stranger.Header.Del("Authorization")
	refused(t, w.ask(t, stranger), http.StatusUnauthorized)
	if i := into[admin.Identity](t, w.get(t, "/identities/"+id)); len(i.Groups) != 1 || len(i.Holds) != 1 {
		t.Fatalf("something was changed: %+v", i)
	}

	done := into[admin.Edited](t, w.release(t, held.ID, `"2"`))
	if done.Decision != identity.Updated || done.Reasons[0].Code != identity.CodeAdminHoldReleased || done.Identity.ID != id || len(done.Identity.Groups) != 0 {
		t.Errorf("%+v", done)
	}
	if r := into[identity.Record](t, w.get(t, "/decisions/"+done.DecisionID)); r.Hook != identity.HookAdmin || r.IdentityID != id || r.Provider != "acme" {
		t.Errorf("record %+v", r)
	}
	refused(t, w.release(t, held.ID, ""), http.StatusNotFound)
}
