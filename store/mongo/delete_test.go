//go:build unix

package mongo_test

// Nobody is gone without a record of it, and nobody who is there has one, where
// the outcome is clear.

import (
	"errors"
	"testing"
	"time"

	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/test/mongo/faultproxy"
)

func TestDeleteRecord(t *testing.T) {
	w := newWorld(t, peer.Server(t))
	w.quiet(t, w.store)
	at := faultproxy.Match{Command: "delete", Collection: "identities", Nth: 1}
	for name, c := range map[string]struct {
		fault faultproxy.Fault
		// meanwhile, if set, happens while the delete is under way.
		meanwhile bool
		gone      bool
	}{
		"clear":          {fault: faultproxy.Delay(0), gone: true},
		"a lost reply":   {fault: faultproxy.DropReply(), gone: true},
		"refused":        {fault: faultproxy.Answer(commandError(13), false)},
		"somebody first": {fault: faultproxy.Delay(time.Second), meanwhile: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := w.through(t)
			w.quiet(t, s)
			i, _ := moved(t, w.direct)
			r := newRecord(i)
			rule := w.proxy.On(at, c.fault)
			defer w.proxy.Heal()
			if c.meanwhile {
				go func() {
					<-rule.Arrived()
					next := i
					next.Revision++
					if err := w.direct.Swap(t.Context(), next, newRecord(next)); err != nil {
						t.Error(err)
					}
				}()
			}
			err := s.Delete(impatient(t, recovery), i.ID, i.Revision, i.RenewedAt, r)
			if (err == nil) != c.gone {
				t.Errorf("Delete: %v", err)
			}
			w.proxy.Heal()
			if _, err := w.direct.Get(t.Context(), i.ID); errors.Is(err, store.ErrNotFound) != c.gone {
				t.Errorf("Get: %v", err)
			}
			if _, err := w.direct.Decision(t.Context(), r.ID); errors.Is(err, store.ErrNotFound) == c.gone {
				t.Errorf("the record: %v", err)
			}
		})
	}
}

// What other systems have yet to learn changes before each attempt: who stands
// after the last one has no record of being gone.
func TestDeleteOvertakenByDeliveries(t *testing.T) {
	w := newWorld(t, peer.Server(t))
	w.quiet(t, w.store)
	i, _ := moved(t, w.direct)
	r := newRecord(i)
	var rules []*faultproxy.Rule
	for n := 1; n <= 3; n++ {
		at := faultproxy.Match{Command: "delete", Collection: "identities", Nth: n}
		rules = append(rules, w.proxy.On(at, faultproxy.Delay(time.Second)))
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		now := i
		for _, rule := range rules {
			select {
			case <-rule.Arrived():
			case <-t.Context().Done():
				return
			}
			now.OutboxVersion++
			now.Outbox = nil
			now.Arm("hr", time.Now())
			if err := w.direct.SetOutbox(t.Context(), now); err != nil {
				t.Error(err)
			}
		}
	}()
	if err := w.store.Delete(impatient(t, 20*time.Second), i.ID, i.Revision, i.RenewedAt, r); !errors.Is(err, store.ErrConflict) {
		t.Errorf("Delete: %v, want ErrConflict", err)
	}
	<-done
	if _, err := w.direct.Get(t.Context(), i.ID); err != nil {
		t.Errorf("Get: %v", err)
	}
	if _, err := w.direct.Decision(t.Context(), r.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the record of a deletion that was not: %v", err)
	}
}
