//go:build linux

package callers_test

import "testing"

// How much garbage the server lets gather is its own choice only where its
// environment says nothing.
func TestGarbage(t *testing.T) {
	for name, c := range map[string]struct {
		said string
		want float64
	}{
		"nothing said": {"", 200},
		"GOGC":         {"50", 50},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("GOGC", c.said)
			if got := start(t).Metric(t, "go_gc_gogc_percent"); got != c.want {
				t.Errorf("garbage may gather to %v %%, want %v", got, c.want)
			}
		})
	}
}
