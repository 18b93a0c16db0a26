package provision_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/provision"
	"github.com/jithook/jithook/store"
)

// batches is a journal that only counts.
type batches struct {
	provision.Journal
	mu    sync.Mutex
	sizes []int
	last  string
}

func (b *batches) Record(_ context.Context, records []identity.Record, touched []store.Touch) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sizes, b.last = append(b.sizes, len(records)+len(touched)), records[len(records)-1].ID
	return nil
}

// What need not be durable is written a second later, a full batch of it at
// once, and what is left at the end; what finds no place is dropped.
func TestRecorder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var journal batches
		dropped, added := 0, 0
		r := provision.NewRecorder(&journal, slog.New(slog.DiscardHandler), func() { dropped++ })
		add := func(n int) {
			for range n {
				added++
				r.Add(identity.Record{ID: strconv.Itoa(added)}, nil)
			}
			synctest.Wait()
		}
		want := func(when string, sizes ...int) {
			t.Helper()
			journal.mu.Lock()
			defer journal.mu.Unlock()
			if !slices.Equal(journal.sizes, sizes) || journal.last != strconv.Itoa(added) && len(sizes) > 0 {
				t.Errorf("%s: batches of %v up to %s, want %v up to %d", when, journal.sizes, journal.last, sizes, added)
			}
			journal.sizes = nil
		}
		ctx, end := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); r.Run(ctx) }()
		add(3)
		r.Add(identity.Record{ID: "3"}, &store.Touch{ID: "i"})
		want("at once")
		time.Sleep(time.Second)
		synctest.Wait()
		want("a second later", 5)
		add(256)
		want("a full batch", 256)
		add(2)
		end()
		<-done
		want("at the end", 2)
		add(5000)
		if dropped != 5000-4096 {
			t.Errorf("%d dropped, want %d", dropped, 5000-4096)
		}
		r.Run(ctx)
		if n := len(journal.sizes); n != 16 || slices.Max(journal.sizes) != 256 {
			t.Errorf("a full queue was written in batches of %v", journal.sizes)
		}
	})
}

// hung is a journal that never answers.
type hung struct{ provision.Journal }

func (hung) Record(ctx context.Context, _ []identity.Record, _ []store.Touch) error {
	<-ctx.Done()
	return fmt.Errorf("hung: %w", store.ErrUnavailable)
}

// A full queue and a store that hangs hold up the end no longer than one write may
// take, and what is lost is counted.
func TestRecorderEndsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const queued = 4096
		dropped := 0
		r := provision.NewRecorder(hung{}, slog.New(slog.DiscardHandler), func() { dropped++ })
		for n := range queued {
			r.Add(identity.Record{ID: strconv.Itoa(n)}, nil)
		}
		ctx, end := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); r.Run(ctx) }()
		time.Sleep(8 * time.Second) // while it writes
		end()
		began := time.Now()
		<-done
		if took := time.Since(began); took > 5*time.Second || dropped != queued {
			t.Errorf("it took %s, and %d are counted as lost", took, dropped)
		}
	})
}

// oneHangs is a journal of several stores, one of which never answers.
type oneHangs struct {
	provision.Journal
	kept atomic.Int64
	slow atomic.Bool // the next answer does not come before the end
}

func (j *oneHangs) Record(ctx context.Context, records []identity.Record, _ []store.Touch) error {
	if slices.ContainsFunc(records, func(r identity.Record) bool { return r.Userstore == "partners" }) {
		<-ctx.Done()
		return fmt.Errorf("partners: %w", store.ErrUnavailable)
	}
	if j.slow.CompareAndSwap(true, false) {
		<-ctx.Done()
	}
	if ctx.Err() != nil {
		return fmt.Errorf("employees: %w", store.ErrUnavailable)
	}
	j.kept.Add(int64(len(records)))
	return nil
}

// What one store does not take is tried again beside what is new: a single record of it
// loses nobody else's.
func TestRecorderGoesOnBesideAStoreThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const perSecond, seconds = 500, 60
		var journal oneHangs
		dropped := 0
		r := provision.NewRecorder(&journal, slog.New(slog.DiscardHandler), func() { dropped++ })
		ctx, end := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); r.Run(ctx) }()
		r.Add(identity.Record{ID: "0", Userstore: "partners"}, nil)
		for range seconds {
			for n := range perSecond {
				r.Add(identity.Record{ID: strconv.Itoa(n), Userstore: "employees"}, nil)
			}
			time.Sleep(time.Second)
		}
		if dropped > 0 || journal.kept.Load() < perSecond*(seconds-2) {
			t.Errorf("of %d records beside one that waits %d were written, %d lost", perSecond*seconds, journal.kept.Load(), dropped)
		}
		before := journal.kept.Load()
		journal.slow.Store(true)
		for n := range 2 * perSecond {
			r.Add(identity.Record{ID: strconv.Itoa(n), Userstore: "employees"}, nil)
		}
		synctest.Wait() // the first of them are being written
		end()
		<-done
		if last := journal.kept.Load() - before; last < 2*perSecond {
			t.Errorf("of %d records that were left at the end %d were written", 2*perSecond, last)
		}
	})
}
