//go:build linux

package callers_test

import "testing"

// TestGarbage: how much garbage the server lets gather is its own choice only where
// its environment says nothing.
func TestGarbage(t *testing.T) {
	for name, c := range map[string]struct {
		said        string
		least, most float64 // percent of what is in use, where that is little
	}{
		"nothing said": {"", 200, 10000},
		"GOGC":         {"50", 50, 50},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("GOGC", c.said)
			if got := start(t).Metric(t, "go_gc_gogc_percent"); got < c.least || got > c.most {
				t.Errorf("garbage may gather to %v %%, want %v to %v", got, c.least, c.most)
			}
		})
	}
}
