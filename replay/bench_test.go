package replay_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"syscall"
	"testing"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/replay"
	"github.com/jithook/jithook/store/directory"
)

// benchLogins is how many logins BenchmarkReplay replays, of as many people.
const benchLogins = 100_000

// BenchmarkReplay replays recorded logins of an embedded store. Every tenth made
// the person, so that it is decided four times; the file of the candidate takes a
// group from one person in a hundred. It reports the logins, the time on the clock
// (s/op, of which a minute at most is asked) and that of all processors together
// (cpu-s/op), which does not grow with what else runs.
func BenchmarkReplay(b *testing.B) {
	h := open(b)
	h.populate(b, benchLogins)
	candidate := load(b, edited(b, "groups: {from: claims.groups",
		`groups: {from: 'claims.groups.filter(g, g != "eng" || !claims.name.endsWith("00"))'`))
	before := processorTime(b)
	for b.Loop() {
		r := &replay.Replay{Pair: replay.NewPair(directory.New(h.store, nil), h.Providers(), candidate, userstores, h.Now), Records: h.store, Claims: h.ClaimLog}
		sum, err := r.Run(b.Context(), func(replay.Summary, []replay.Difference) error { return nil })
		if err != nil || sum.Replayed != benchLogins || sum.Changed != benchLogins/100 {
			b.Fatalf("%v, %+v", err, sum)
		}
	}
	b.ReportMetric(benchLogins, "logins/op")
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/op")
	b.ReportMetric(float64(benchLogins*b.N)/b.Elapsed().Seconds(), "logins/s")
	b.ReportMetric((processorTime(b)-before)/float64(b.N), "cpu-s/op")
	b.ReportMetric(float64(runtime.GOMAXPROCS(0)), "processors")
}

// processorTime is what this process has used, in seconds: a busy machine makes it
// wait, but hardly makes it use more.
func processorTime(b *testing.B) float64 {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return float64(used.Utime.Nano()+used.Stime.Nano()) / 1e9
}

// populate makes people by their first logins, many at a time. Of nine in ten the
// record says that they had been there.
func (h *house) populate(b *testing.B, people int) {
	b.Helper()
	ctx, cancel := context.WithCancel(b.Context())
	var writing sync.WaitGroup
	writing.Go(func() { h.Later.Run(ctx) })
	next := make(chan int)
	var logins sync.WaitGroup
	for range 256 {
		logins.Go(func() {
			for n := range next {
				name := fmt.Sprintf("u%06d", n)
				out := h.Provision(b.Context(), identity.Login{
					Hook: identity.HookGeneric, Caller: "test", Providers: []string{"acme"}, Provider: "acme", At: h.now,
					Offers: []identity.Offer{{Source: identity.SourceHookBody, Provider: "acme", Subject: name, Claims: claims(name)}},
				})
				if out.Record.Decision != identity.Created {
					b.Errorf("%+v", out.Record)
				}
				if r := out.Record; n%10 > 0 {
					r.Decision, r.Reasons = identity.Unchanged, []identity.Reason{identity.Because(identity.CodeUnchanged)}
					if err := h.store.Record(b.Context(), []identity.Record{r}, nil); err != nil {
						b.Error(err)
					}
				}
			}
		})
	}
	for n := range people {
		next <- n
	}
	close(next)
	logins.Wait()
	cancel()
	writing.Wait()
}
