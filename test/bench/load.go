//go:build linux

// Package bench measures the whole program beside what could be had instead: it
// makes load, closed and open, takes turns between two servers, and writes down
// what came out as JSON, as a section of docs/benchmarks.md and as plots.
//
// It owns how a number is come by; what is promised of speed stands in its table
// of scenarios. It must not know how the program does its work.
package bench

import (
	"cmp"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Part is what one stretch of load came to.
type Part struct {
	// Good are the answers that were as they should be, Shed those that said that
	// the server is busy, Bad all others. Lost are the calls of Open for which the
	// generator had no place any more: too many had no answer yet.
	Good, Shed, Bad, Lost int64
	// Length is how long it took, to the last answer.
	Length time.Duration

	good, shed *hdrhistogram.Histogram // microseconds
}

// Answer is what became of one call.
type Answer int

// The answers that are told apart.
const (
	Good Answer = iota
	Shed
	Bad
	lost // before it was made
)

// slowest bounds what a histogram tells apart: slower answers count as this.
const slowest = time.Minute

func newPart() Part {
	return Part{
		good: hdrhistogram.New(1, slowest.Microseconds(), 3),
		shed: hdrhistogram.New(1, slowest.Microseconds(), 3),
	}
}

func (p *Part) note(a Answer, took time.Duration) {
	micros := min(max(1, took.Microseconds()), slowest.Microseconds())
	switch a {
	case Good:
		p.Good++
		_ = p.good.RecordValue(micros) // it is within the bounds
	case Shed:
		p.Shed++
		_ = p.shed.RecordValue(micros)
	case lost:
		p.Lost++
	default:
		p.Bad++
	}
}

func (p *Part) add(other Part) {
	p.Good, p.Shed, p.Bad, p.Lost = p.Good+other.Good, p.Shed+other.Shed, p.Bad+other.Bad, p.Lost+other.Lost
	p.Length = max(p.Length, other.Length)
	p.good.Merge(other.good)
	p.shed.Merge(other.shed)
}

// Rate is how many good answers there were in a second.
func (p Part) Rate() float64 {
	return float64(p.Good) / cmp.Or(p.Length.Seconds(), 1)
}

// Took returns how long the good answers took, at a percentile.
func (p Part) Took(percentile float64) time.Duration { return at(p.good, percentile) }

// ShedTook returns how long it took to be told that the server is busy.
func (p Part) ShedTook(percentile float64) time.Duration { return at(p.shed, percentile) }

func at(h *hdrhistogram.Histogram, percentile float64) time.Duration {
	return time.Duration(h.ValueAtPercentile(percentile)) * time.Microsecond
}

// Call makes the nth call; no two have the same n.
type Call func(n int64) Answer

// Closed has so many callers call, each again as soon as it has its answer, until
// the time is up. Calls are numbered from first; it returns the next number, too.
func Closed(callers int, length time.Duration, first int64, call Call) (Part, int64) {
	parts := make([]Part, callers)
	var mu sync.Mutex
	number := func() int64 {
		mu.Lock()
		defer mu.Unlock()
		first++
		return first - 1
	}
	began := time.Now()
	var all sync.WaitGroup
	for w := range parts {
		parts[w] = newPart()
		all.Go(func() {
			for again := true; again; again = time.Since(began) < length { // once at least, however slow the machine
				start := time.Now()
				a := call(number())
				parts[w].note(a, time.Since(start))
			}
		})
	}
	all.Wait()
	return sum(parts, time.Since(began)), first
}

// mostWaiting bounds how many calls of Open are under way: what comes beyond it
// is Lost, as with a client that has no socket left.
const mostWaiting = 8192

// Open calls so often a second whether or not earlier calls have been answered.
// An answer's time counts from when the call was due, so that a generator that
// cannot keep up makes nothing look faster.
func Open(rate float64, length time.Duration, first int64, call Call) (Part, int64) {
	var mu sync.Mutex
	whole := newPart()
	places := make(chan struct{}, mostWaiting)
	began := time.Now()
	var all sync.WaitGroup
	calls := int64(rate * length.Seconds())
	for n := range calls {
		due := began.Add(time.Duration(float64(n) / rate * float64(time.Second)))
		time.Sleep(time.Until(due))
		select {
		case places <- struct{}{}:
		default:
			mu.Lock()
			whole.note(lost, 0)
			mu.Unlock()
			continue
		}
		all.Go(func() {
			defer func() { <-places }()
			a := call(first + n)
			took := time.Since(due)
			mu.Lock()
			defer mu.Unlock()
			whole.note(a, took)
		})
	}
	all.Wait()
	whole.Length = max(length, time.Since(began))
	return whole, first + calls
}

func sum(parts []Part, length time.Duration) Part {
	whole := newPart()
	for _, p := range parts {
		whole.add(p)
	}
	whole.Length = length
	return whole
}

// drain has so many callers call once with each number that comes.
func drain(callers int, numbers <-chan int64, call Call) Part {
	parts := make([]Part, callers)
	began := time.Now()
	var all sync.WaitGroup
	for w := range parts {
		parts[w] = newPart()
		all.Go(func() {
			for n := range numbers {
				start := time.Now()
				a := call(n)
				parts[w].note(a, time.Since(start))
			}
		})
	}
	all.Wait()
	return sum(parts, time.Since(began))
}
