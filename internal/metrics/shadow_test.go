package metrics_test

// What candidates would change is counted by provider and kind, and whether they
// can be compared at all is seen.

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jithook/jithook/internal/metrics"
)

func TestShadow(t *testing.T) {
	m := metrics.New("v1")
	if got := scrape(t, m, "jithook_shadow"); len(got) != 0 {
		t.Errorf("without a shadow: %v, want nothing", got)
	}
	s := m.Shadow()
	s.Loaded(true)
	s.Shadowed("acme", nil)
	s.Shadowed("acme", []string{"groups", "traits"})
	s.ShadowDropped()
	s.ShadowFailed()
	want := []string{
		`jithook_shadow_differences_total{kind="groups",provider="acme"} 1`,
		`jithook_shadow_differences_total{kind="traits",provider="acme"} 1`,
		`jithook_shadow_dropped_total 1`,
		`jithook_shadow_failures_total 1`,
		`jithook_shadow_load_good 1`,
		`jithook_shadow_logins_total{provider="acme"} 2`,
	}
	got := scrape(t, m, "jithook_shadow")
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	s.Loaded(false)
	if got := scrape(t, m, "jithook_shadow_load_good"); !slices.Equal(got, []string{"jithook_shadow_load_good 0"}) {
		t.Errorf("%v", got)
	}
}
