package provision_test

// A login waits for all its targets at once: one that hangs costs no other its
// time, and none is judged that was not asked.

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jithook/jithook/identity"
)

func TestTargetsOfALogin(t *testing.T) {
	answers := func(context.Context) error { return nil }
	fails := func(context.Context) error { return errors.New("it is down") }
	panics := func(context.Context) error { panic("ann@acme.example") }
	for name, c := range map[string]struct {
		denies, continues func(context.Context) error // nil hangs
		decision          identity.Decision
		ended             error // how the wait for one that hangs does
	}{
		"both know":              {answers, answers, identity.Created, nil},
		"the lesser hangs":       {answers, nil, identity.Created, context.DeadlineExceeded},
		"the lesser fails":       {answers, fails, identity.Created, nil},
		"the weightier fails":    {fails, answers, identity.Denied, nil},
		"the weightier hangs":    {nil, answers, identity.Denied, context.DeadlineExceeded},
		"the lesser panics":      {answers, panics, identity.Created, nil},
		"the weightier panics":   {panics, answers, identity.Denied, nil},
		"both hang":              {nil, nil, identity.Denied, context.DeadlineExceeded},
		"fails, and one hangs":   {fails, nil, identity.Denied, context.Canceled},
		"hangs, and one is down": {nil, fails, identity.Denied, context.DeadlineExceeded},
	} {
		for _, order := range [][2]string{{"crm", "hr"}, {"hr", "crm"}} {
			t.Run(name+", "+order[0]+" denies", func(t *testing.T) {
				t.Parallel()
				h := open(t, acme+"outbound: [crm, hr]\n")
				h.Blocking = map[string]bool{order[0]: true, order[1]: false}
				var log bytes.Buffer
				h.Log = slog.New(slog.NewTextHandler(&log, nil))
				var mu sync.Mutex
				var asked []string
				var ended error
				both := make(chan struct{})
				h.Await = func(ctx context.Context, target string, _ identity.Identity) error {
					if err := ctx.Err(); err != nil {
						return err // it is not asked
					}
					mu.Lock()
					if asked = append(asked, target); len(asked) == 2 {
						close(both)
					}
					mu.Unlock()
					select {
					case <-both:
					case <-ctx.Done(): // one after the other
					}
					answer := c.continues
					if target == order[0] {
						answer = c.denies
					}
					if answer != nil {
						return answer(ctx)
					}
					<-ctx.Done()
					mu.Lock()
					defer mu.Unlock()
					ended = ctx.Err()
					return ended
				}
				want(t, h.Provision(t.Context(), generic("s-1", ann())), c.decision)
				if !errors.Is(ended, c.ended) {
					t.Errorf("the wait for one that hangs ends with %v, want %v", ended, c.ended)
				}
				if strings.Contains(log.String(), "ann@") || strings.Contains(log.String(), "stack=") != strings.Contains(name, "panics") {
					t.Errorf("the log:\n%s", log.String())
				}
				if len(asked) != 2 {
					t.Errorf("asked %q", asked)
				}
			})
		}
	}
}

// TestRefusedWhileTheStoreHangs: who is refused by a target has written something, and
// then the store takes nothing more: they are told so in time, and their record waits.
func TestRefusedWhileTheStoreHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, acme+"outbound: [crm]\n")
		h.Blocking = map[string]bool{"crm": true}
		h.Await = func(context.Context, string, identity.Identity) error { return errors.New("it is down") }
		h.Journal = hung{h.store}
		began := time.Now()
		want(t, h.Provision(t.Context(), generic("s-1", ann())), identity.Denied, identity.CodeTargetUnavailable)
		if took := time.Since(began); took > time.Second {
			t.Errorf("it took %v", took)
		}
	})
}
