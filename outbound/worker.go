package outbound

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/jithook/jithook/internal/tracing"
	"github.com/jithook/jithook/store"
)

const (
	// DefaultTimeout is what a Worker.Timeout of 0 means.
	DefaultTimeout = 10 * time.Second
	// parallel is how many deliveries to one target are under way at once.
	parallel = 8
	// ahead is how many leases there are at once, for a target that is quick: one
	// that takes less than quickTime for a delivery.
	ahead     = 64
	quickTime = 100 * time.Millisecond
	// pollEvery is how often a queue looks for what nobody woke it for: what
	// another replica armed, whose pause is over, whose lease ran out.
	pollEvery = 2 * time.Second
	// batch is how many identities a queue reads at once.
	batch = 32
	// grace is how long deliveries may go on after the worker was stopped.
	grace = 5 * time.Second
	// storeTime bounds a write of the outbox, which the end of the worker does
	// not interrupt: its outcome would be unclear.
	storeTime = 5 * time.Second
	// surveyEvery is how often the backlogs are measured.
	surveyEvery = 15 * time.Second
)

// Worker delivers what is due to the targets that it has connectors for; what
// is due to others stays. Any number of workers, in any number of processes,
// may share a store. Its fields are set before Run and not changed after.
type Worker struct {
	Store Store
	// Connectors are the targets, by the name that outboxes have.
	Connectors map[string]Connector
	Now        func() time.Time
	Log        *slog.Logger
	// Timeout bounds one delivery. A worker that dies holds what it was
	// delivering for twice as long.
	Timeout time.Duration
	// Wake, if not nil, announces that something may be due.
	Wake <-chan struct{}
	// Tracer, if set, begins a trace of each delivery, unless a login waits for it:
	// then it belongs to the login's.
	Tracer *tracing.Tracer
	// Attempted, if not nil, sees the outcome of every attempt, and how long
	// the target has been behind.
	Attempted func(target string, o Outcome, behind time.Duration)
	// Surveyed, if not nil, sees the backlog of every target now and then.
	Surveyed func(target string, b store.Backlog)

	making sync.Once
	queues map[string]*queue // by target
}

// all returns the queues, by target.
func (w *Worker) all() map[string]*queue {
	w.making.Do(func() {
		w.queues = map[string]*queue{}
		for target, c := range w.Connectors {
			w.queues[target] = &queue{
				Worker: w, target: target, connector: c,
				woken: make(chan struct{}, 1), slots: make(chan struct{}, parallel), leases: make(chan struct{}, ahead),
			}
		}
	})
	return w.queues
}

// Run delivers until ctx ends. Then it takes nothing more, gives deliveries
// under way a few seconds, releases what has not been delivered, and returns.
func (w *Worker) Run(ctx context.Context) {
	var all sync.WaitGroup
	queues := w.all()
	for _, q := range queues {
		all.Go(func() { q.run(ctx) })
	}
	if w.Surveyed != nil {
		all.Go(func() { w.survey(ctx) })
	}
	for {
		select {
		case <-ctx.Done():
			all.Wait()
			return
		case <-w.Wake:
			for _, q := range queues {
				q.wake()
			}
		}
	}
}

func (w *Worker) timeout() time.Duration {
	if w.Timeout <= 0 {
		return DefaultTimeout
	}
	return w.Timeout
}

// lease is how long a claim holds: half of that time at most it waits for a slot
// and is settled, for as long it may be delivered.
func (w *Worker) lease() time.Duration { return 2 * w.timeout() }

// survey measures the backlogs until ctx ends. A failure is the store's to
// report.
func (w *Worker) survey(ctx context.Context) {
	tick := time.NewTicker(surveyEvery)
	defer tick.Stop()
	for {
		for target := range w.Connectors {
			if b, err := w.Store.Backlog(ctx, target); err == nil {
				w.Surveyed(target, b)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
