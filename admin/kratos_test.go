package admin_test

// This test proves that people of a Kratos are taken over by the API only where
// it is told to, and that what cannot be is told apart.

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/jithook/jithook/admin"
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/kratos"
	"github.com/jithook/jithook/provision"
)

func TestAdopt(t *testing.T) {
	w := newWorld(t)
	down := false
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		switch {
		case down:
			rw.WriteHeader(http.StatusServiceUnavailable)
		case strings.HasSuffix(r.URL.Path, "/k-1"):
			fmt.Fprint(rw, `{"id":"k-1","state":"active","traits":{"email":"zoe@acme.example"},"credentials":{"oidc":{"identifiers":["acme:s-9"]}}}`)
		default:
			fmt.Fprint(rw, `[{"id":"k-1"}]`)
		}
	}))
	t.Cleanup(server.Close)
	api, err := kratos.NewAdmin(server.URL, "")
	if err != nil {
		t.Fatal(err)
	}
	w.service.Kratos = map[string]*kratos.Admin{"main": api}
	step := func(query string) provision.Adoptee {
		t.Helper()
		s := into[admin.Adopted](t, w.ask(t, request(http.MethodPost, "/kratos/main/import"+query, "")))
		if len(s.People) != 1 || s.People[0].KratosID != "k-1" || s.NextPageToken != "" {
			t.Fatalf("%s: %+v", query, s)
		}
		return s.People[0]
	}
	for _, query := range []string{"", "?apply=false&page_token="} {
		if one := step(query); one.Standing != provision.StandingDue || one.IdentityID != "" {
			t.Errorf("%q: %+v", query, one)
		}
	}
	one := step("?apply=true")
	if one.Standing != provision.StandingImported {
		t.Fatalf("%+v", one)
	}
	i := into[admin.Identity](t, w.get(t, "/identities/"+one.IdentityID))
	r := into[identity.Record](t, w.get(t, "/decisions/"+one.DecisionID))
	if i.ExternalIDs["kratos"] != "k-1" || i.Provenance[0].Source != identity.SourceImport || r.RequestID == "" || r.Reasons[0].Code != identity.CodeImported {
		t.Errorf("%+v, %+v", i, r)
	}
	for path, want := range map[string]int{
		"/kratos/other/import": http.StatusNotFound, "/kratos/main/import?userstore=nowhere": http.StatusBadRequest,
		"/kratos/main/import?apply=yes": http.StatusBadRequest, "/kratos/main/import?dry=true": http.StatusBadRequest,
	} {
		if got := w.ask(t, request(http.MethodPost, path, "")); got.status != want {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
	down = true
	if got := w.ask(t, request(http.MethodPost, "/kratos/main/import", "")); got.status != http.StatusServiceUnavailable || !strings.Contains(string(got.body), "no answer from Kratos") {
		t.Errorf("down: %d %s", got.status, got.body)
	}
}
