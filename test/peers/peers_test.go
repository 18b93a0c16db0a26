//go:build unix

// These tests prove that a missing peer skips a test or fails it as RequireEnv
// says, and that the reason names what to do.
package peers_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/jithook/jithook/test/peers"
)

// verdict stands for a test whose Require stops it.
type verdict struct {
	testing.TB
	skipped, failed string
}

func (v *verdict) Skipf(format string, args ...any) {
	v.skipped = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func (v *verdict) Fatalf(format string, args ...any) {
	v.failed = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func TestMissing(t *testing.T) {
	for name, tc := range map[string]struct {
		require string
		fails   bool
	}{
		"nothing required":    {require: "", fails: false},
		"something else":      {require: "mongo,kratosx", fails: false},
		"kratos":              {require: "kratos", fails: true},
		"kratos among others": {require: "mongo, kratos", fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(peers.RequireEnv, tc.require)
			v := &verdict{TB: t}
			done := make(chan struct{})
			go func() {
				defer close(done)
				peers.Missing(v, "kratos", "run `make peers`", errors.New("not built"))
			}()
			<-done
			got, silent := v.skipped, v.failed
			if tc.fails {
				got, silent = v.failed, v.skipped
			}
			if !strings.Contains(got, "run `make peers`: not built") || silent != "" {
				t.Errorf("skipped %q, failed %q", v.skipped, v.failed)
			}
		})
	}
}

// TestWhere: the script's own reason reaches whoever reads the skip.
func TestWhere(t *testing.T) {
	t.Setenv("JITHOOK_CACHE", t.TempDir())
	if _, _, err := peers.Where(t.Context(), "kratos", "kratos"); err == nil || !strings.Contains(err.Error(), "Kratos is not built") {
		t.Errorf("with an empty cache: %v", err)
	}
	if _, _, err := peers.Where(t.Context(), "nobody"); err == nil || !strings.Contains(err.Error(), "no folder test/nobody") {
		t.Errorf("without a script: %v", err)
	}
}
