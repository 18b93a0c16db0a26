//go:build unix

package outbound_test

// I4 of the store's contract where not a process fails but what lies between it
// and MongoDB: two processes share a database, each behind a proxy that breaks
// single commands and sometimes all connections, while logins arm more.

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/jithook/jithook/test/mongo/faultproxy"
	"github.com/jithook/jithook/test/process"
)

// faults happen to commands on identities: look-ups of what is due, leases, and
// the notes of what was delivered.
var faults = []faultproxy.Fault{
	faultproxy.Cut(), faultproxy.DropReply(), faultproxy.NotWritablePrimary(false), faultproxy.NotWritablePrimary(true),
	faultproxy.WriteConcernError(64, false), faultproxy.WriteConcernError(64, true),
	faultproxy.Delay(100 * time.Millisecond), faultproxy.DelayReply(300 * time.Millisecond),
}

// disturb breaks a command again and again until ctx ends, and returns how often
// one came.
func disturb(ctx context.Context, p *faultproxy.Proxy) (met int) {
	defer p.Heal()
	for tick := time.NewTicker(20 * time.Millisecond); ; {
		if rand.N(30) == 0 {
			p.Cut()
		}
		match := faultproxy.Match{Command: []string{"find", "update"}[rand.N(2)], Collection: "identities", Nth: 1 + rand.N(2)}
		rule := p.On(match, faults[rand.N(len(faults))])
		select {
		case <-ctx.Done():
			tick.Stop()
			return met
		case <-tick.C:
		}
		select {
		case <-rule.Arrived():
			met++
		default:
		}
		p.Heal()
	}
}

func TestI4_FaultsOnMongo(t *testing.T) {
	t.Parallel()
	srv := peer.Server(t)
	c := newTarget(t)
	j := job{URI: srv.URI, Database: srv.Database(t), Target: c.URL, Workers: 2}
	s, err := j.open()
	must(t, err)
	defer s.Close()
	fill(t, s)

	trouble, calm := context.WithCancel(t.Context())
	defer calm()
	var troubles sync.WaitGroup
	var children []*process.Process
	met := make([]int, 2)
	for n := range met {
		p := faultproxy.Start(t, srv.URI)
		through := j
		through.URI = p.URI + "&retryWrites=false"
		children = append(children, through.start(t))
		troubles.Go(func() { met[n] = disturb(trouble, p) })
	}
	for goal := 0; goal < people; goal += 100 {
		must(t, login(t.Context(), s))
		c.wait(t, goal, children...)
	}
	calm()
	troubles.Wait()
	for n, child := range children {
		finish(t, child)
		if met[n] < 10 {
			t.Errorf("worker %d met %d faults: this proves little", n, met[n])
		}
	}
	t.Logf("the workers met %v faults", met)
	wantEqual(t, s, c)
}
