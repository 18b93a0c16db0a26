package provision

import (
	"context"
	"log/slog"
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
	return &Recorder{journal: j, log: log, queue: make(chan entry, recorderQueue), dropped: dropped}
}

// Add queues a record and, if touch is not nil, a login's time. It never
// blocks.
func (r *Recorder) Add(record identity.Record, touch *store.Touch) {
	select {
	case r.queue <- entry{record, touch}:
	default:
		r.dropped()
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
	if err := r.journal.Record(ctx, records, touched); err != nil {
		r.log.ErrorContext(ctx, "records of unchanged logins lost", "count", len(records), "error", err)
	}
}
