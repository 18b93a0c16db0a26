package admin_test

// These tests prove that the OpenAPI document is valid, is the one that is
// served, and describes every endpoint there is and no other; and that nothing
// strangers send makes the API fail or leave it.

import (
	"bytes"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/labstack/echo/v4"

	"github.com/jithook/jithook/outbound"
)

func TestDocument(t *testing.T) {
	file, err := os.ReadFile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	got := w.get(t, "/openapi.json")
	if got.status != http.StatusOK || !bytes.Equal(got.body, file) || got.header.Get("Content-Type") != "application/json" {
		t.Fatalf("served: %d, %s, %d bytes", got.status, got.header.Get("Content-Type"), len(got.body))
	}
	doc, err := openapi3.NewLoader().LoadFromData(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Error(err)
	}
	var described, routed []string
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			described = append(described, method+" /admin/v1"+path)
		}
	}
	param := regexp.MustCompile(`:(\w+)`)
	for _, r := range w.api.Handler().(*echo.Echo).Routes() {
		if strings.HasPrefix(r.Path, "/admin/v1/") && !strings.HasPrefix(r.Method, "echo_") {
			routed = append(routed, r.Method+" "+param.ReplaceAllString(r.Path, "{$1}"))
		}
	}
	slices.Sort(described)
	slices.Sort(routed)
	if !slices.Equal(described, routed) {
		t.Errorf("described %q\nrouted    %q", described, routed)
	}
}

// TestDocumentNamesEveryDrift: a client knows all kinds that reconcile reports.
func TestDocumentNamesEveryDrift(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromFile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	drift := doc.Components.Schemas["Reconciled"].Value.Properties["identities"].Value.Items.Value
	var want []any
	for _, k := range outbound.DriftKinds() {
		want = append(want, string(k))
	}
	if got := drift.Properties["kind"].Value.Enum; !slices.Equal(got, want) {
		t.Errorf("the document has %q, reconcile %q", got, want)
	}
}

// FuzzQuery: every query is answered or refused, as the document says.
func FuzzQuery(f *testing.F) {
	for _, seed := range []string{
		"", "page_size=10", "page_size=1e3", "page_token=AAAA", "state=active&userstore=default", "state=%zz", "a=b;c=d",
		"issuer=https://acme.example&subject=s-1", "subject=%00", "identity=%ff", "flow_id=x&decision=denied", "page_size=10&page_size=20",
	} {
		f.Add(seed)
	}
	w := newWorld(f)
	f.Fuzz(func(t *testing.T, query string) {
		for _, path := range []string{"/identities", "/decisions"} {
			r := request(http.MethodGet, path, "")
			r.URL.RawQuery = query
			if got := serve(w, r); got.status != http.StatusOK && got.status != http.StatusBadRequest {
				t.Errorf("%s: %d %s", path, got.status, got.body)
			}
		}
	})
}

// FuzzPlan: every body is a plan or a problem, and none a fault of ours.
func FuzzPlan(f *testing.F) {
	for _, seed := range []string{
		`{"version":1,"provider":"acme","subject":"s-1","claims":{"hd":"acme.example","email":"ann@acme.example","email_verified":true,"groups":["staff"]}}`,
		`{"version":1,"provider":"umbrella","subject":"s-1","claims":{"iss":"https://umbrella.example"},"at":"2026-01-01T00:00:00Z"}`,
		`{"version":1,"provider":"acme","subject":"s-1","claims":{"hd":["acme.example"],"email":{"a":null},"groups":[1,[2]]}}`,
		`{"version":1,"provider":"acme","subject":"s-1","claims":{"email":"\ud800@acme.example"}}`, `{}`, ``, `null`,
	} {
		f.Add([]byte(seed))
	}
	w := newWorld(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		got := serve(w, request(http.MethodPost, "/plan", string(body)))
		if !slices.Contains([]int{http.StatusOK, http.StatusBadRequest, http.StatusRequestEntityTooLarge}, got.status) {
			t.Errorf("%d %s", got.status, got.body)
		}
	})
}
