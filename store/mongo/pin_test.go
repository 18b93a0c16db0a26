//go:build unix

package mongo_test

// A pin of which nobody knows whether it was made is never guessed either: the
// caller may go on only when it is there.

import (
	"errors"
	"testing"

	"github.com/google/uuid"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/store/mongo"
	"github.com/jithook/jithook/test/mongo/faultproxy"
)

func TestUnclearPins(t *testing.T) {
	w := newWorld(t, peer.Server(t))
	for _, c := range unclear {
		t.Run(c.name, func(t *testing.T) {
			key := identity.FedKey("https://idp.example", uuid.NewString())
			w.proxy.On(faultproxy.Match{Command: "insert", Collection: "identities"}, c.fault)
			defer w.proxy.Heal()
			var err error
			within(t, c.limit+slack, func() { err = w.store.Pin(impatient(t, c.limit), key, "employees") })
			w.proxy.Heal()
			_, found := w.direct.Find(t.Context(), key)
			var elsewhere *store.ElsewhereError
			if c.done {
				must(t, err)
				if !errors.As(found, &elsewhere) || elsewhere.Pins[key] != "employees" {
					t.Errorf("Find after a pin that was done: %v", found)
				}
				return
			}
			if !errors.Is(err, store.ErrConflict) {
				t.Errorf("Pin: %v, want ErrConflict: plan again", err)
			}
			must(t, found)
			must(t, w.store.Pin(t.Context(), key, "employees"))
		})
	}
}

// A pin costs one round trip; one that is there, or a key that is held, one
// read more.
func TestPinRoundTrips(t *testing.T) {
	srv := peer.Server(t)
	var spy spy
	s := openWith(t, mongo.Options{URI: srv.URI, Database: srv.Database(t), Sent: spy.hear})
	must(t, s.Ping(t.Context()))
	key := identity.FedKey("https://idp.example", uuid.NewString())
	must(t, s.Pin(spy.step(t, "pin"), key, "employees"))
	spy.want(t, "pin", "insert")
	must(t, s.Pin(spy.step(t, "pin again"), key, "employees"))
	spy.want(t, "pin again", "insert", "find")
}
