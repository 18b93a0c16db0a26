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
	return &Recorder{journal: j, log: log, queue: make(chan entry, recorderQueue), dropped: dropped, seen: map[identity.Key]time.Time{}}
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
	for {
		select {
		case <-ctx.Done():
			for len(r.queue) > 0 {
				r.flush(<-r.queue, nil)
			}
			return
		case first := <-r.queue:
			r.flush(first, time.After(recorderDelay))
		}
	}
}

// flush writes one batch: what is queued already, and what comes until the
// batch is full or wait fires; with a nil wait it does not wait.
func (r *Recorder) flush(first entry, wait <-chan time.Time) {
	records := []identity.Record{first.record}
	var touched []store.Touch
	note := func(t *store.Touch) {
		if t != nil {
			touched = append(touched, *t)
		}
	}
	note(first.touch)
collect:
	for len(records) < recorderBatch {
		var e entry
		if wait == nil {
			select {
			case e = <-r.queue:
			default:
				break collect
			}
		} else {
			select {
			case e = <-r.queue:
			case <-wait:
				break collect
			}
		}
		records = append(records, e.record)
		note(e.touch)
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
