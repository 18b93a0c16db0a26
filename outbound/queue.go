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
	slots     chan struct{} // one is taken by each delivery under way
	jobs      sync.WaitGroup

	mu sync.Mutex
	// failures counts what the target failed at in a row; until then it is
	// left alone.
	failures int
	until    time.Time
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

// start delivers to as many at once as there are slots, and returns how many
// it could lease, when the last of them is leased.
func (q *queue) start(ctx, delivering context.Context, due []identity.Identity) int64 {
	var leased atomic.Int64
	var leasing sync.WaitGroup
	for _, i := range due {
		if !q.enter(ctx) {
			break
		}
		leasing.Add(1)
		q.jobs.Go(func() {
			defer func() { <-q.slots }()
			c, ok := q.claim(delivering, i)
			if ok {
				leased.Add(1)
			}
			leasing.Done()
			if ok {
				_ = q.deliver(delivering, c) // it is settled, and logged
			}
		})
	}
	leasing.Wait()
	return leased.Load()
}

// enter takes a slot, unless ctx ends or the target begins to fail before one is
// free.
func (q *queue) enter(ctx context.Context) bool {
	select {
	case q.slots <- struct{}{}:
	case <-ctx.Done():
		return false
	}
	if rest, _ := q.state(); rest > 0 || ctx.Err() != nil {
		<-q.slots
		return false
	}
	return true
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
	maxLater = time.Hour
)

// note takes from a delivery's error what it says of the target. Deliveries
// that were under way together count as one failure.
func (q *queue) note(ctx context.Context, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !targetFailed(err) {
		q.failures = 0
		return
	}
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
