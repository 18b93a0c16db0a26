package outbound

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jithook/jithook/identity"
)

// queue delivers to one target. Nothing is shared with other targets: one that
// is slow or down keeps only its own waiting.
type queue struct {
	*Worker
	target    string
	connector Connector
	woken     chan struct{}
	leases    chan struct{} // one is taken by each lease that is held
	slots     chan struct{} // one is taken by each delivery under way
	jobs      sync.WaitGroup

	mu sync.Mutex
	// failures counts what the target failed at in a row; until then it is
	// left alone.
	failures int
	failure  string // the last
	until    time.Time
	// quick says that the last delivery took no time worth mentioning.
	quick bool
}

// run delivers until ctx ends, and for grace what is under way.
func (q *queue) run(ctx context.Context) {
	delivering, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(grace, cancel) })()
	for ctx.Err() == nil {
		if pause := q.round(ctx, delivering); pause > 0 {
			q.sleep(ctx, pause)
		}
	}
	q.jobs.Wait()
}

func (q *queue) wake() {
	select {
	case q.woken <- struct{}{}:
	default: // it is awake anyway
	}
}

// sleep returns after d, or when woken, or when ctx ends.
func (q *queue) sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-q.woken:
	case <-ctx.Done():
	}
}

// round starts what is due, and returns how long to wait before the next.
func (q *queue) round(ctx, delivering context.Context) time.Duration {
	rest, failing := q.state()
	if rest > 0 {
		return rest
	}
	limit := batch
	if failing {
		limit = 1 // one shows whether the target is back
	}
	due, err := q.Store.Due(ctx, q.target, q.Now(), limit)
	if err != nil {
		if ctx.Err() == nil {
			q.Log.WarnContext(ctx, "what is due cannot be read", "target", q.target, "error", err)
		}
		return pollEvery
	}
	leased := q.start(ctx, delivering, due)
	if failing {
		q.jobs.Wait()
	}
	if leased > 0 && len(due) == limit {
		return 0 // there may be more
	}
	return pollEvery
}

// start leases and delivers, and returns how many it could lease, when the last of
// them is leased. Of a target that is quick it leases more than can be delivered
// at once, so that those who are leased or settled together share a write of the
// store.
func (q *queue) start(ctx, delivering context.Context, due []identity.Identity) int64 {
	var leased atomic.Int64
	var leasing sync.WaitGroup
	for _, i := range due {
		leave, ok := q.enter(ctx)
		if !ok {
			break
		}
		leasing.Add(1)
		q.jobs.Go(func() {
			defer func() { <-q.leases }()
			c, ok := q.claim(delivering, i)
			if ok {
				leased.Add(1)
			}
			leasing.Done()
			q.turn(ctx, delivering, c, ok, leave)
		})
	}
	leasing.Wait()
	return leased.Load()
}

// turn delivers a claim, if it is one, as soon as there is a slot; leave gives back
// the one that there is already. Where it takes too long, or the target begins to
// fail, or ctx ends, the lease is released.
func (q *queue) turn(ctx, delivering context.Context, c claim, ok bool, leave func()) {
	if leave == nil && ok {
		waiting, cancel := context.WithTimeout(ctx, q.timeout()/2)
		leave = q.slot(waiting)
		cancel()
	}
	switch {
	case ok && leave != nil:
		_ = q.deliver(delivering, c, leave) // it is settled, and logged
	case ok:
		q.settle(delivering, c, identity.Resource{}, &uncalledError{errResting}, true)
	case leave != nil:
		leave()
	}
}

// enter makes room for one lease more, unless ctx ends or the target begins to fail
// before there is some. For a target that is not quick it takes the slot, too: a
// lease must not run out while it waits for one.
func (q *queue) enter(ctx context.Context) (leave func(), ok bool) {
	select {
	case q.leases <- struct{}{}:
	case <-ctx.Done():
		return nil, false
	}
	q.mu.Lock()
	quick := q.quick
	q.mu.Unlock()
	if rest, failing := q.state(); rest > 0 || ctx.Err() != nil {
		<-q.leases
		return nil, false
	} else if quick && !failing {
		return nil, true
	}
	if leave = q.slot(ctx); leave == nil {
		<-q.leases
	}
	return leave, leave != nil
}

// slot takes one and returns what gives it back; nil if ctx ends or the target
// begins to fail before one is free.
func (q *queue) slot(ctx context.Context) (leave func()) {
	select {
	case q.slots <- struct{}{}:
	case <-ctx.Done():
		return nil
	}
	if rest, _ := q.state(); rest > 0 || ctx.Err() != nil {
		<-q.slots
		return nil
	}
	return func() { <-q.slots }
}

// state returns how long the target is to be left alone, and whether its last
// delivery failed.
func (q *queue) state() (rest time.Duration, failing bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.until.Sub(q.Now()), q.failures > 0
}

const (
	// maxRest is how long a target is left alone that fails; maxLater, how long
	// one that asks for it.
	maxRest  = time.Minute
	maxLater = 24 * time.Hour
)

// note takes from a delivery what it says of the target: how long it took, and how it
// failed. Deliveries that were under way together count as one failure; one that was
// refused before the target was called says nothing.
func (q *queue) note(ctx context.Context, took time.Duration, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	_, uncalled := errors.AsType[*uncalledError](err)
	if !uncalled {
		q.quick = took < quickTime
	}
	if !targetFailed(err) {
		if !uncalled {
			q.failures = 0
		}
		return
	}
	q.failure = failureText(err)
	now := q.Now()
	until := now.Add(later(err))
	if !now.Before(q.until) {
		q.failures++
		until = now.Add(max(later(err), pause(q.failures, maxRest)))
		q.Log.WarnContext(ctx, "target is left alone", "target", q.target, "failures", q.failures, "until", until, "error", err)
	}
	if until.After(q.until) {
		q.until = until
	}
}

// targetFailed reports whether an error is about the target and not about one
// delivery.
func targetFailed(err error) bool {
	var rejected *RejectedError
	return err != nil && !errors.As(err, &rejected) && !errors.Is(err, errPanic)
}

// later is how long the target asks to be left alone.
func later(err error) time.Duration {
	var l *LaterError
	if !errors.As(err, &l) {
		return 0
	}
	return min(max(l.After, 0), maxLater)
}

// pause is how long to wait after so many failures, from one on: twice as long
// each time, up to most, less up to half of it, so that many do not come back
// at once.
func pause(failures int, most time.Duration) time.Duration {
	d := most
	if n := min(failures-1, 20); time.Second<<n < most {
		d = time.Second << n
	}
	return d - rand.N(d/2)
}
