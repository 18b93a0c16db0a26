//go:build unix

// These tests prove that the demo leaves nothing behind, however it ends: what was
// begun last ends first, its folder goes, a failure ends the run and is told, and
// being told to end is no failure.
package main

import (
	"bytes"
	"context"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestStage(t *testing.T) {
	for name, tc := range map[string]struct {
		run    func(s *stage, stop func())
		ok     bool
		output string
	}{
		"ends":             {func(*stage, func()) {}, true, ""},
		"fails":            {func(s *stage, _ func()) { s.Fatalf("no %s", "port") }, false, "no port"},
		"has no peer":      {func(s *stage, _ func()) { s.Skipf("run make peers") }, false, "run make peers"},
		"is told to end":   {func(_ *stage, stop func()) { stop() }, true, ""},
		"fails by the end": {func(s *stage, stop func()) { stop(); s.Fatal("nobody answers") }, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			var out bytes.Buffer
			var ended []string
			var dir string
			ok, err := perform(ctx, &out, func(s *stage) {
				dir = s.TempDir()
				s.Cleanup(func() { ended = append(ended, "first") })
				s.Cleanup(func() {
					ended = append(ended, "second")
					s.Cleanup(func() { ended = append(ended, "late") })
				})
				tc.run(s, stop)
			})
			if ok != tc.ok || err != nil || strings.TrimSpace(out.String()) != tc.output {
				t.Errorf("ok %v, %v, output %q", ok, err, out.String())
			}
			if want := []string{"second", "late", "first"}; !slices.Equal(ended, want) {
				t.Errorf("ended %v, want %v", ended, want)
			}
			if _, err := os.Stat(dir); !os.IsNotExist(err) {
				t.Errorf("its folder: %v", err)
			}
		})
	}
}

// TestFailingCleanup: what cannot be ended is told, and the rest ends all the same.
func TestFailingCleanup(t *testing.T) {
	var out bytes.Buffer
	ended := false
	ok, err := perform(t.Context(), &out, func(s *stage) {
		s.Cleanup(func() { ended = true })
		s.Cleanup(func() { s.Fatal("does not stop") })
	})
	if ok || err != nil || !ended || !strings.Contains(out.String(), "does not stop") {
		t.Errorf("ok %v, %v, ended %v, output %q", ok, err, ended, out.String())
	}
}
