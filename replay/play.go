package replay

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/jithook/jithook/identity"
)

// play replays logins side by side, and returns what differs in their order.
func (r *Replay) play(ctx context.Context, jobs []job, sum *Summary) ([]Difference, error) {
	together, err := prefetch(ctx, r.store, jobs)
	if err != nil {
		return nil, err
	}
	found := make([][]Difference, len(jobs))
	failed := make([]error, len(jobs))
	var next atomic.Int64
	var workers sync.WaitGroup
	for range max(1, min(len(jobs), r.workers())) {
		workers.Go(func() {
			for n := next.Add(1) - 1; n < int64(len(jobs)) && ctx.Err() == nil; n = next.Add(1) - 1 {
				found[n], failed[n] = r.survived(ctx, jobs[n], together)
			}
		})
	}
	workers.Wait()
	var all []Difference
	for n := range jobs {
		switch {
		case errors.Is(failed[n], errUnreadable):
			sum.LeftOut[LeftUnreadable]++
			continue
		case failed[n] != nil:
			return nil, failed[n]
		}
		sum.Replayed++
		sum.count(found[n])
		all = append(all, found[n]...)
	}
	return all, ctx.Err()
}

func (r *Replay) workers() int {
	if r.Workers > 0 {
		return r.Workers
	}
	return runtime.GOMAXPROCS(0)
}

// errUnreadable says that a record does not say what its login rested on.
var errUnreadable = errors.New("the claims of a record cannot be used")

// job replays one login, and returns what differs.
func (r *Replay) job(ctx context.Context, j job, together batch) ([]Difference, error) {
	opened, err := r.Claims.Open(j.record)
	l := Login{Record: j.record, Subject: opened.Subject, Claims: opened.Claims()}
	if err != nil || l.Claims == nil || identity.FedKey(j.record.Issuer, l.Subject) != j.record.SubjectKey {
		return nil, errUnreadable
	}
	var all []Difference
	for _, as := range j.as {
		fresh := func(attempt int) *view {
			v := &view{store: r.store}
			if attempt == 0 {
				v.batch = together
			}
			if as == First {
				v.free = j.record.SubjectKey
			}
			if as == First && j.record.Decision == identity.Created {
				v.gone = j.record.IdentityID
			}
			return v
		}
		d, err := r.compare(ctx, l, as, fresh)
		if err != nil {
			return nil, err
		}
		if len(d.Kinds) > 0 {
			all = append(all, d)
		}
	}
	return all, nil
}

// survived is job, of which a panic is an error: in a goroutine of its own it would
// end the server, in the middle of people's logins. Its value may hold a claim, and
// is not said.
func (r *Replay) survived(ctx context.Context, j job, together batch) (found []Difference, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic in a replay: %T\n%s", v, debug.Stack())
		}
	}()
	return r.job(ctx, j, together)
}
