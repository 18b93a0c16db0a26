//go:build unix

package faults_test

// The other system that every lane's server tells of its people: it keeps what
// it was told last of each, and whether that ever went backwards.

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/jithook/jithook/outbound/webhook"
)

// events is the target's name.
const events = "events"

// soon is until when the target may know less than the store, if the faults are
// over by now: a worker that has lost the reply to its lease takes the delivery up
// again after 20 s.
func soon() time.Time { return time.Now().Add(time.Minute) }

// receiver is the target. It verifies no signature: that is test/outbound's.
type receiver struct {
	url string

	mu    sync.Mutex
	knows map[string]webhook.Identity
	back  map[string]bool // whom it was told of as they were before
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	c := &receiver{knows: map[string]webhook.Identity{}, back: map[string]bool{}}
	s := httptest.NewServer(c)
	s.Config.SetKeepAlivesEnabled(false) // or what the server holds on to would depend on it
	t.Cleanup(s.Close)
	c.url = s.URL
	return c
}

// section is the target in the configuration.
func (c *receiver) section() object {
	return object{events: object{"webhook": object{"url": c.url, "secret": "env:JITHOOK_TEST_WEBHOOK_SECRET"}}}
}

func (c *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var m webhook.Message
	if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
		w.WriteHeader(http.StatusBadGateway) // and it comes again
		return
	}
	i := m.Data.Identity
	c.mu.Lock()
	defer c.mu.Unlock()
	if i.Revision < c.knows[i.ID].Revision {
		c.back[i.ID] = true
	}
	c.knows[i.ID] = i
}

// of returns what it knows of somebody, and whether it was ever told less.
func (c *receiver) of(id string) (now webhook.Identity, back bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.knows[id], c.back[id]
}
