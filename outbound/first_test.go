package outbound_test

// Of all processes that share a userstore one is first, until its time is over.

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jithook/jithook/outbound"
)

func TestFirst(t *testing.T) {
	s := open(t)
	now := time.Date(2026, 11, 28, 12, 3, 0, 0, time.UTC)
	process := func(n int) outbound.Election {
		return outbound.Election{Store: s, Process: fmt.Sprint("p-", n), Now: func() time.Time { return now }}
	}
	chosen := func(what string) (first int) {
		t.Helper()
		var all sync.WaitGroup
		var count, who atomic.Int64
		for n := range 8 {
			all.Go(func() {
				ok, err := process(n).First(t.Context(), what)
				if err != nil {
					t.Error(err)
				}
				if ok {
					count.Add(1)
					who.Store(int64(n))
				}
			})
		}
		all.Wait()
		if count.Load() != 1 {
			t.Errorf("%d are first for %s", count.Load(), what)
		}
		return int(who.Load())
	}
	first := chosen("eng")
	now = now.Add(5 * time.Minute)
	if again := chosen("eng"); again != first {
		t.Errorf("%d, then %d", first, again)
	}
	chosen("staff")
	now = now.Add(3 * time.Minute) // the first may have died
	if ok, err := process(9).First(t.Context(), "eng"); !ok || err != nil {
		t.Errorf("nobody succeeds it: %v", err)
	}
}
