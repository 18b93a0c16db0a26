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

	"github.com/google/uuid"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
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

// disturb breaks one of the commands again and again until ctx ends, and returns how often
// one came.
func disturb(ctx context.Context, p *faultproxy.Proxy, commands ...string) (met int) {
	defer p.Heal()
	for tick := time.NewTicker(20 * time.Millisecond); ; {
		if rand.N(30) == 0 {
			p.Cut()
		}
		match := faultproxy.Match{Command: commands[rand.N(len(commands))], Collection: "identities", Nth: 1 + rand.N(2)}
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
		troubles.Go(func() { met[n] = disturb(trouble, p, "find", "update") })
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

// What is left of people who are deleted is told like all else, and then gone,
// whatever happens to the removal: nobody is forgotten before the target knows.
func TestI4_DeletedUnderFaults(t *testing.T) {
	srv := peer.Server(t)
	c := newTarget(t)
	j := job{URI: srv.URI, Database: srv.Database(t), Target: c.URL, Workers: 2}
	s, err := j.open()
	must(t, err)
	defer s.Close()
	fill(t, s)
	deleted := map[string]bool{}
	page, err := s.List(t.Context(), store.Query{PageSize: people / 4})
	must(t, err)
	for _, i := range page.Identities {
		i.State, i.Revision = identity.StateDeleted, i.Revision+1
		i.Arm(hr, time.Now())
		must(t, s.Swap(t.Context(), i, identity.Record{ID: uuid.Must(uuid.NewV7()).String(), At: time.Now(), IdentityID: i.ID, Decision: identity.Deleted}))
		deleted[i.ID] = true
	}
	trouble, calm := context.WithCancel(t.Context())
	defer calm()
	var troubles sync.WaitGroup
	p := faultproxy.Start(t, srv.URI)
	through := j
	through.URI = p.URI + "&retryWrites=false"
	child := through.start(t)
	met := 0
	troubles.Go(func() { met = disturb(trouble, p, "find", "update", "delete", "delete") })
	c.wait(t, people/2, child)
	calm()
	troubles.Wait()
	finish(t, child)
	left := 0
	for q := (store.Query{PageSize: store.MaxPageSize}); ; {
		page, err := s.List(t.Context(), q)
		must(t, err)
		for _, i := range page.Identities {
			left++
			if deleted[i.ID] {
				t.Errorf("left: %+v", i)
			}
		}
		if q.PageToken = page.NextPageToken; q.PageToken == "" {
			break
		}
	}
	for id := range deleted {
		if c.knows[id] != 2 {
			t.Errorf("the target knows revision %d of somebody who is gone", c.knows[id])
		}
	}
	if left != people-len(deleted) || c.back > 0 || met < 10 {
		t.Errorf("%d are left, told backwards %d times, %d faults", left, c.back, met)
	}
	t.Logf("%d faults, told %d times", met, c.told())
}
