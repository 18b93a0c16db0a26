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
