//go:build linux

package callers_test

import (
	"testing"
	"time"
)

// TestGarbage: how much garbage the server lets gather is its own choice only where
// its environment says nothing: then there is room however little is in use.
func TestGarbage(t *testing.T) {
	const cycles, percent = "go_gc_duration_seconds_count", "go_gc_gogc_percent"
	for name, c := range map[string]struct {
		said string
		want func(percent float64) bool
	}{
		"nothing said": {"", func(percent float64) bool { return percent > 200 }},
		"GOGC":         {"50", func(percent float64) bool { return percent == 50 }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("GOGC", c.said)
			s := start(t)
			for until := time.Now().Add(20 * time.Second); ; { // each look at the metrics leaves garbage
				got := s.Metric(t, percent)
				if s.Metric(t, cycles) > 2 && c.want(got) {
					return
				}
				if time.Now().After(until) {
					t.Fatalf("garbage may gather to %v %% after %v collections", got, s.Metric(t, cycles))
				}
			}
		})
	}
}
