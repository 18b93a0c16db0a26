package provision

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

// Recorder writes what need not be durable before the answer: the records of
// logins that changed nothing or failed, and their time. It batches for at most a
// second and may lose that second in a crash. What the store does not take is tried
// again for minutes, so that an outage leaves records of those whom it befell. A
// full queue drops rather than slows a login.
type Recorder struct {
	journal Journal
	log     *slog.Logger
	queue   chan entry
	full    chan struct{} // holds a value once a batch is queued
	dropped func()

	mu   sync.Mutex
	seen map[link]time.Time // of queued touches: the newest claims
	late []entry            // the store did not take them
}

// link is one of an identity's: who comes again after a deletion has the subject,
// and another identity, of which nothing has been seen.
type link struct{ id, issuer, subject string }

type entry struct {
	record identity.Record
	touch  *store.Touch
	tries  int
}

const (
	recorderQueue = 4096 // of new ones, and as many that the store did not take
	recorderBatch = 256
	recorderDelay = time.Second
	recorderTries = 600             // one every recorderDelay at most
	recorderWrite = 5 * time.Second // also of all that is left at the end
)

// NewRecorder returns a Recorder that does nothing until Run. dropped is called
// for every record that is lost: it found the queue full, or the store did not take
// it.
func NewRecorder(j Journal, log *slog.Logger, dropped func()) *Recorder {
	return &Recorder{
		journal: j, log: log, queue: make(chan entry, recorderQueue), full: make(chan struct{}, 1), dropped: dropped,
		seen: map[link]time.Time{},
	}
}

// Add queues a record and, if touch is not nil, a login's time. It never
// blocks.
func (r *Recorder) Add(record identity.Record, touch *store.Touch) {
	if !r.add(entry{record: record, touch: touch}) {
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

// Seen returns the time of the newest claims for a link of the identity with that
// ID that are queued and not in the store yet; zero if there are none.
func (r *Recorder) Seen(id, issuer, subject string) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seen[link{id, issuer, subject}]
}

// add queues an entry and notes its claims, in one: they must not be written, and
// forgotten, before they are noted.
func (r *Recorder) add(e entry) (queued bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case r.queue <- e:
		r.note(e.touch)
		return true
	default:
		return false
	}
}

func (r *Recorder) note(t *store.Touch) {
	if t == nil || t.ClaimsTime.IsZero() {
		return
	}
	if l := (link{t.ID, t.Issuer, t.Subject}); t.ClaimsTime.After(r.seen[l]) {
		r.seen[l] = t.ClaimsTime
	}
}

// forget drops what the store has now or will not have, unless something newer
// came meanwhile.
func (r *Recorder) forget(entries []entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range entries {
		if e.touch == nil {
			continue
		}
		if l := (link{e.touch.ID, e.touch.Issuer, e.touch.Subject}); !r.seen[l].After(e.touch.ClaimsTime) {
			delete(r.seen, l)
		}
	}
}

// Run writes until ctx ends, then what is queued, and returns.
func (r *Recorder) Run(ctx context.Context) {
	var late sync.WaitGroup
	late.Go(func() { r.runLate(ctx) })
	tick := time.NewTicker(recorderDelay)
	defer tick.Stop()
	var cut []entry // while they were written ctx ended
	for ctx.Err() == nil {
		var waiting int
		select {
		case <-ctx.Done():
		case <-r.full:
			waiting = recorderBatch
		case <-tick.C:
			waiting = len(r.queue)
		}
		for ; waiting > 0 && ctx.Err() == nil; waiting -= recorderBatch {
			left := r.write(ctx, r.take())
			if ctx.Err() != nil {
				cut = left
				break
			}
			r.keep(left)
		}
	}
	late.Wait()
	r.end(cut, r.late)
}

// runLate tries again what the store did not take, until ctx ends. Those that are new
// do not wait for it: of several stores one may hang for long.
func (r *Recorder) runLate(ctx context.Context) {
	tick := time.NewTicker(recorderDelay)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			r.writeLate(ctx)
		}
	}
}

// keep keeps what the store did not take, as far as there is room.
func (r *Recorder) keep(left []entry) {
	r.mu.Lock()
	r.late = append(r.late, left...)
	over := slices.Clone(r.late[min(len(r.late), recorderQueue):])
	r.late = r.late[:len(r.late)-len(over)]
	r.mu.Unlock()
	r.lose(over, store.ErrUnavailable)
}

// writeLate writes what the store did not take, batch after batch, until it does not
// take one again: that is the last then.
func (r *Recorder) writeLate(ctx context.Context) {
	for ctx.Err() == nil {
		r.mu.Lock()
		batch := slices.Clone(r.late[:min(len(r.late), recorderBatch)])
		r.mu.Unlock()
		left := r.write(ctx, batch)
		r.mu.Lock()
		r.late = slices.Concat(r.late[len(batch):], left)
		r.mu.Unlock()
		if len(batch) == 0 || len(left) > 0 {
			return
		}
	}
}

// end writes what is left, once, and in no more time than one write has: what is
// queued, what was cut short, and last what a store did not take before, which may
// take all of that.
func (r *Recorder) end(cut, late []entry) {
	ctx, cancel := context.WithTimeout(context.Background(), recorderWrite)
	defer cancel()
	for len(r.queue) > 0 {
		r.lose(r.write(ctx, r.take()), store.ErrUnavailable)
	}
	r.lose(r.write(ctx, cut), store.ErrUnavailable)
	for batch := range slices.Chunk(late, recorderBatch) {
		r.lose(r.write(ctx, batch), store.ErrUnavailable)
	}
}

// take returns what is queued, as far as one batch goes.
func (r *Recorder) take() []entry {
	var batch []entry
	for len(batch) < recorderBatch && len(r.queue) > 0 {
		batch = append(batch, <-r.queue)
	}
	return batch
}

// write writes one batch and returns those of it that are to be tried again: all,
// where one of several userstores is down. What the others have is replaced by the
// same then.
func (r *Recorder) write(ctx context.Context, batch []entry) (again []entry) {
	if len(batch) == 0 {
		return nil
	}
	records := make([]identity.Record, len(batch))
	var touched []store.Touch
	for n, e := range batch {
		records[n] = e.record
		if e.touch != nil {
			touched = append(touched, *e.touch)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, recorderWrite)
	defer cancel()
	err := r.journal.Record(ctx, records, touched)
	if err == nil {
		r.forget(batch)
		return nil
	}
	var lost []entry
	for _, e := range batch {
		if e.tries++; e.tries < recorderTries && errors.Is(err, store.ErrUnavailable) {
			again = append(again, e)
		} else {
			lost = append(lost, e)
		}
	}
	r.lose(lost, err)
	return again
}

// lose gives up records.
func (r *Recorder) lose(lost []entry, err error) {
	if len(lost) == 0 {
		return
	}
	r.forget(lost)
	for range lost {
		r.dropped()
	}
	r.log.Error("records of decisions lost", "count", len(lost), "error", err)
}

// record writes a record by itself. What was decided stands whether or not that can
// be kept now.
func (s *Service) record(ctx context.Context, r identity.Record) {
	if err := s.Journal.Record(ctx, []identity.Record{r}, nil); err != nil {
		s.Log.WarnContext(ctx, "the record of a decision waits for the store", "decision_id", r.ID, "error", err)
		s.Later.Add(r, nil)
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
