// These tests prove that what an alert asks for is there before anything has
// failed, under the names that the store uses, and that what waits for an
// administrator is counted whatever the first reason says.
package metrics_test

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/metrics"
)

// scrape returns the lines of a metric.
func scrape(t *testing.T, m *metrics.Metrics, name string) []string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	var lines []string
	for line := range strings.Lines(w.Body.String()) {
		if strings.HasPrefix(line, name) {
			lines = append(lines, strings.TrimRight(line, "\n"))
		}
	}
	return lines
}

// TestStoreErrorsFromTheStart compares with the operations in the source of the
// embedded store: they stand there as text, in a call or in a constant op.
func TestStoreErrorsFromTheStart(t *testing.T) {
	operation := regexp.MustCompile(`(?:s\.(?:view|update|dropInSteps)\(ctx, |const op = )"([^"]+)"`)
	files, err := filepath.Glob("../../store/bolt/*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("no source, %v", err)
	}
	var want []string
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		source, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range operation.FindAllStringSubmatch(string(source), -1) {
			want = append(want, `jithook_store_errors_total{operation="`+found[1]+`"} 0`)
		}
	}
	slices.Sort(want)
	m := metrics.New("v1")
	if diff := cmp.Diff(want, scrape(t, m, "jithook_store_errors_total")); diff != "" {
		t.Errorf("from the start (-store +metrics):\n%s", diff)
	}
	m.StoreError("ping")
	if got := scrape(t, m, `jithook_store_errors_total{operation="ping"}`); !slices.Equal(got, []string{`jithook_store_errors_total{operation="ping"} 1`}) {
		t.Errorf("after a failure: %v", got)
	}
}

func TestHeldChanges(t *testing.T) {
	m := metrics.New("v1")
	m.ProvidersLoaded(2, []string{"acme"}, true)
	if got := scrape(t, m, "jithook_group_changes_held_total"); !slices.Equal(got, []string{`jithook_group_changes_held_total{provider="acme"} 0`}) {
		t.Errorf("from the load on: %v", got)
	}
	m.Login(identity.Record{Provider: "acme", Policy: "d1", Reasons: []identity.Reason{identity.Because(identity.CodeUpdated)}})
	m.Login(identity.Record{Provider: "acme", Policy: "d1", Reasons: []identity.Reason{identity.Because(identity.CodeUnchanged), identity.Because(identity.CodeGroupChangeHeld)}})
	if got := scrape(t, m, "jithook_group_changes_held_total"); !slices.Equal(got, []string{`jithook_group_changes_held_total{provider="acme"} 1`}) {
		t.Errorf("%v", got)
	}
}
