package provision

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

// Recorder writes what need not be durable before the answer: the records of
// logins that changed nothing, and their time. It batches for at most a second
// and may lose that second in a crash. A full queue drops rather than slows a
// login.
type Recorder struct {
	journal Journal
	log     *slog.Logger
	queue   chan entry
	full    chan struct{} // holds a value once a batch is queued
	dropped func()

	mu   sync.Mutex
	seen map[identity.Key]time.Time // of queued touches: the newest claims of a link
}

type entry struct {
	record identity.Record
	touch  *store.Touch
}

const (
	recorderQueue = 4096
	recorderBatch = 256
	recorderDelay = time.Second
	recorderWrite = 5 * time.Second
)

// NewRecorder returns a Recorder that does nothing until Run. dropped is called
// for every entry that found the queue full.
func NewRecorder(j Journal, log *slog.Logger, dropped func()) *Recorder {
	return &Recorder{
		journal: j, log: log, queue: make(chan entry, recorderQueue), full: make(chan struct{}, 1), dropped: dropped,
		seen: map[identity.Key]time.Time{},
	}
}

// Add queues a record and, if touch is not nil, a login's time. It never
// blocks.
func (r *Recorder) Add(record identity.Record, touch *store.Touch) {
	select {
	case r.queue <- entry{record, touch}:
		r.note(touch)
	default:
		r.dropped()
	}
	if len(r.queue) < recorderBatch {
		return // who writes is not woken for each
	}
	select {
	case r.full <- struct{}{}:
	default:
	}
}

// Seen returns the time of the newest claims of a subject that are queued and
// not in the store yet; zero if there are none.
func (r *Recorder) Seen(issuer, subject string) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seen[identity.FedKey(issuer, subject)]
}

func (r *Recorder) note(t *store.Touch) {
	if t == nil || t.ClaimsTime.IsZero() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if link := identity.FedKey(t.Issuer, t.Subject); t.ClaimsTime.After(r.seen[link]) {
		r.seen[link] = t.ClaimsTime
	}
}

// forget drops what the store has now, unless something newer came meanwhile.
func (r *Recorder) forget(touched []store.Touch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range touched {
		if link := identity.FedKey(t.Issuer, t.Subject); !r.seen[link].After(t.ClaimsTime) {
			delete(r.seen, link)
		}
	}
}

// Run writes until ctx ends, then what is queued, and returns.
func (r *Recorder) Run(ctx context.Context) {
	tick := time.NewTicker(recorderDelay)
	defer tick.Stop()
	for {
		var waiting int
		select {
		case <-ctx.Done():
			for len(r.queue) > 0 {
				r.flush()
			}
			return
		case <-r.full:
			waiting = recorderBatch
		case <-tick.C:
			waiting = len(r.queue)
		}
		for ; waiting > 0; waiting -= recorderBatch {
			r.flush()
		}
	}
}

// flush writes what is queued, as far as one batch goes.
func (r *Recorder) flush() {
	var records []identity.Record
	var touched []store.Touch
	for len(records) < recorderBatch && len(r.queue) > 0 {
		e := <-r.queue
		records = append(records, e.record)
		if e.touch != nil {
			touched = append(touched, *e.touch)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), recorderWrite)
	defer cancel()
	defer r.forget(touched)
	if err := r.journal.Record(ctx, records, touched); err != nil {
		r.log.ErrorContext(ctx, "records of unchanged logins lost", "count", len(records), "error", err)
	}
}

// touch is what a login that wrote nothing leaves behind: last_login_at, at
// most once an hour, and the time of its claims if they have one.
func (p *Plan) touch() *store.Touch {
	if p.After == nil || p.Record.Hook == identity.HookLinks || p.proof != "" {
		return nil
	}
	t := store.Touch{ID: p.After.ID, Userstore: p.After.Userstore, At: p.now}
	if p.seen != nil {
		t.Issuer, t.Subject, t.ClaimsTime = p.seen.Issuer, p.seen.Subject, p.seen.Time
		return &t
	}
	if p.now.Sub(p.After.LastLoginAt) < time.Hour {
		return nil
	}
	return &t
}
