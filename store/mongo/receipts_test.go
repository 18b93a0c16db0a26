//go:build unix

package mongo_test

// A message of which nobody knows whether it was noted is never taken for a new
// one: whoever goes on knows what is noted.

import (
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/store/mongo"
	"github.com/jithook/jithook/test/mongo/faultproxy"
)

func TestUnclearReceipts(t *testing.T) {
	w := newWorld(t, peer.Server(t))
	for _, c := range unclear {
		t.Run(c.name, func(t *testing.T) {
			r := store.Receipt{Key: uuid.NewString(), Digest: "a", DecisionID: uuid.NewString(), Expires: time.Now().UTC()}
			w.proxy.On(faultproxy.Match{Command: "insert", Collection: "receipts"}, c.fault)
			defer w.proxy.Heal()
			var noted store.Receipt
			var err error
			within(t, c.limit+slack, func() { noted, err = w.store.Receive(impatient(t, c.limit), r) })
			w.proxy.Heal()
			if c.done {
				must(t, err)
				if noted != r {
					t.Errorf("noted %+v, want %+v", noted, r)
				}
			} else if !errors.Is(err, store.ErrConflict) {
				t.Errorf("Receive: %v, want ErrConflict: again", err)
			}
			again := r
			again.DecisionID = uuid.NewString()
			noted, err = w.direct.Receive(t.Context(), again)
			must(t, err)
			if (noted == r) != c.done {
				t.Errorf("the next one is told %+v, although the first was noted: %t", noted, c.done)
			}
		})
	}
}

// A message costs one round trip, one that comes again a second.
func TestReceiptRoundTrips(t *testing.T) {
	srv := peer.Server(t)
	var spy spy
	s := openWith(t, mongo.Options{URI: srv.URI, Database: srv.Database(t), Sent: spy.hear})
	must(t, s.Ping(t.Context()))
	r := store.Receipt{Key: uuid.NewString(), Expires: time.Now()}
	for step, want := range map[string][]string{"first": {"insert"}, "again": {"insert", "findAndModify"}} {
		if step == "again" {
			_, err := s.Receive(t.Context(), r)
			must(t, err)
		}
		_, err := s.Receive(spy.step(t, step), r)
		must(t, err)
		spy.want(t, step, want...)
		r.Key = uuid.NewString()
	}
}
