package metrics_test

// An operator sees what waits for each target, for how long, and what became of
// the attempts; a failure that has not happened yet is there as 0.

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jithook/jithook/internal/metrics"
)

func TestOutbound(t *testing.T) {
	m := metrics.New("v1")
	if got := scrape(t, m, "jithook_outbound"); len(got) != 0 {
		t.Errorf("without targets: %v, want nothing", got)
	}
	o := m.Outbound([]string{"hr"}, []string{"delivered", "failed"})
	o.Attempted("hr", "delivered", true, 2*time.Second)
	o.Backlog("hr", 7, 1, 90*time.Second)
	want := []string{
		`jithook_outbound_attempts_total{outcome="delivered",target="hr"} 1`,
		`jithook_outbound_attempts_total{outcome="failed",target="hr"} 0`,
		`jithook_outbound_delay_seconds_count{target="hr"} 1`,
		`jithook_outbound_delay_seconds_sum{target="hr"} 2`,
		`jithook_outbound_given_up{target="hr"} 1`,
		`jithook_outbound_overdue_seconds{target="hr"} 90`,
		`jithook_outbound_waiting{target="hr"} 7`,
	}
	got := slices.DeleteFunc(scrape(t, m, "jithook_outbound"), func(s string) bool { return strings.Contains(s, "_bucket{") })
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	o.Attempted("hr", "failed", false, time.Hour)
	o.Backlog("hr", 0, 0, -time.Hour)
	for _, line := range []string{
		`jithook_outbound_attempts_total{outcome="failed",target="hr"} 1`, `jithook_outbound_delay_seconds_count{target="hr"} 1`,
		`jithook_outbound_overdue_seconds{target="hr"} 0`,
	} {
		if got := scrape(t, m, line); !slices.Equal(got, []string{line}) {
			t.Errorf("%v, want %s", got, line)
		}
	}
}
