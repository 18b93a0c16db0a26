package provision_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

// Whoever is overtaken waits for those before: were they all to try again at
// once, one of them would win each time and most be sent away.
func TestOvertakenLoginsGoOneAtATime(t *testing.T) {
	const logins = 16
	h := open(t)
	h.Provision(t.Context(), generic("s-1", ann()))
	var first sync.WaitGroup // all have read before anybody writes
	first.Add(logins)
	var swaps atomic.Int64
	h.store.fail = func(op string) error {
		if op == "swap" && swaps.Add(1) <= logins {
			first.Done()
			first.Wait()
		}
		return nil
	}
	out := make([]identity.Decision, logins)
	var all sync.WaitGroup
	for n := range logins {
		all.Go(func() {
			out[n] = h.Provision(t.Context(), generic("s-1", ann(with("name", fmt.Sprintf("Ann %d", n))))).Record.Decision
		})
	}
	all.Wait()
	for n, d := range out {
		if d != identity.Updated {
			t.Errorf("login %d: %s", n, d)
		}
	}
	// Each but the first was refused once and never again.
	if n := swaps.Load(); n != 2*logins-1 {
		t.Errorf("%d writes were tried", n)
	}
}

// Whose time ends while waiting is told so, and keeps nobody behind them waiting.
func TestWaitingForATurnEndsWithTheLogin(t *testing.T) {
	h := open(t)
	h.Provision(t.Context(), generic("s-1", ann()))
	waits, cancel := context.WithCancel(t.Context())
	holding, released := make(chan struct{}), make(chan struct{})
	var swaps atomic.Int64
	h.store.fail = func(op string) error {
		if op != "swap" {
			return nil
		}
		switch swaps.Add(1) {
		case 1:
			return store.ErrConflict
		case 2: // the same login, which has its turn now
			close(holding)
			<-released
		case 3: // the other one, which will have to wait
			cancel()
			return store.ErrConflict
		}
		return nil
	}
	var all sync.WaitGroup
	all.Go(func() {
		want(t, h.Provision(t.Context(), generic("s-1", ann(with("name", "Ann First")))), identity.Updated)
	})
	<-holding
	want(t, h.Provision(waits, generic("s-1", ann(with("name", "Ann Second")))), identity.Error, identity.CodeDeadlineExceeded)
	close(released)
	all.Wait()
	want(t, h.Provision(t.Context(), generic("s-1", ann(with("name", "Ann Third")))), identity.Updated)
}
