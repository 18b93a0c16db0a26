// These tests prove what is asked of Ory Network's console, in a stand-in for it
// that applies what it is sent as RFC 6902 says and holds to revisions; and that
// its refusals, and replies that no console gives, become errors without a word
// of theirs.
package kratos_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jithook/jithook/kratos"
)

// console returns the console at a stand-in.
func console(t *testing.T, h http.HandlerFunc) *kratos.Console {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	c, err := kratos.NewConsole(server.URL, "canary-api-key")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const project = `{"id":"p-1","revision_id":"r-7","name":"ACME","services":{"identity":{"config":{"selfservice":{"flows":{}}}}}}`

// TestConsoleRequests: one read, and one patch of the revision that was read,
// below the configuration of Kratos, with the key.
func TestConsoleRequests(t *testing.T) {
	var got []string
	var patch any
	c := console(t, func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.Method+" "+r.URL.Path+" "+r.Header.Get("Authorization"))
		w.Header().Set("Content-Type", "application/json")
		if r.Method == http.MethodPatch {
			if err := json.NewDecoder(r.Body).Decode(&patch); err != nil {
				t.Error(err)
			}
			io.WriteString(w, `{"project":`+strings.Replace(project, "r-7", "r-8", 1)+`,"warnings":[]}`)
			return
		}
		io.WriteString(w, project)
	})
	p, err := c.Project(t.Context(), "p-1")
	if err != nil || p.Revision != "r-7" || p.Config["selfservice"] == nil {
		t.Fatalf("%+v, %v", p, err)
	}
	after, err := c.Change(t.Context(), p, []kratos.Patch{
		{Op: "add", Path: []string{"a/b", "c~d", "0"}, Value: kratos.Hook{Hook: "session"}},
		{Op: "remove", Path: []string{"x"}},
	})
	if err != nil || after.Revision != "r-8" || after.Config["selfservice"] == nil {
		t.Fatalf("%+v, %v", after, err)
	}
	want := []string{"GET /projects/p-1 Bearer canary-api-key", "PATCH /projects/p-1/revision/r-7 Bearer canary-api-key"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	wantPatch := []any{
		map[string]any{"op": "add", "path": "/services/identity/config/a~1b/c~0d/0", "value": map[string]any{"hook": "session"}},
		map[string]any{"op": "remove", "path": "/services/identity/config/x"},
	}
	if diff := cmp.Diff(any(wantPatch), patch); diff != "" {
		t.Errorf("patch (-want +got):\n%s", diff)
	}
}

func TestConsoleRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		status     int
		body, want string
	}{
		"no such key":   {401, `{"error":{"message":"canary"}}`, "the API key"},
		"may not":       {403, `{"error":{"message":"canary"}}`, "the API key"},
		"no project":    {404, `canary`, "no such project"},
		"overtaken":     {409, `{"error":{"message":"canary"}}`, kratos.ErrRevision.Error()},
		"broken":        {500, `canary`, "status 500: try again"},
		"away":          {503, `canary`, "status 503: try again"},
		"redirect":      {307, ``, "status 307"},
		"refused":       {400, `{"error":{"message":"canary"}}`, "status 400"},
		"no JSON":       {200, `canary`, "cannot be read"},
		"no project id": {200, `{"id":"","revision_id":"canary","services":{}}`, "is no project"},
		"too long":      {200, `{"id":"` + strings.Repeat("canary", 2<<20) + `"}`, "longer than"},
	} {
		t.Run(name, func(t *testing.T) {
			api := console(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.Header().Set("Location", "/canary")
				w.WriteHeader(c.status)
				fmt.Fprint(w, c.body)
			})
			_, err := api.Project(t.Context(), "p-1")
			wantConsole(t, "read", err, c.want)
			_, err = api.Change(t.Context(), kratos.Project{ID: "p-1", Revision: "r-1"}, nil)
			wantConsole(t, "change", err, c.want)
			if errors.Is(err, kratos.ErrRevision) != (c.status == http.StatusConflict) {
				t.Errorf("revision: %v", err)
			}
		})
	}
	for name, url := range map[string]string{
		"with credentials": "https://canary:canary@x.example", "in the clear": "http://canary.example", "no host": "https://", "another scheme": "ftp://canary.example",
	} {
		if _, err := kratos.NewConsole(url, "k"); err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("a URL %s: %v", name, err)
		}
	}
	if _, err := kratos.NewConsole(kratos.DefaultConsole, ""); err == nil {
		t.Error("no key is taken for one")
	}
}

func wantConsole(t *testing.T, call string, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "canary") {
		t.Errorf("%s: %v, want %q", call, err, want)
	}
}
