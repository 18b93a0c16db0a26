//go:build unix

package faults_test

// The whole store slow, down or hanging: at the start, under way and at the end.

import (
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jithook/jithook/test/mongo/faultproxy"
	"github.com/jithook/jithook/test/server"
)

// signIns are a person's calls from the first to a later one.
var signIns = map[string][]call{
	"generic": {login, login},
	"Kratos":  {prepare, prepare, commit, kratosLogin},
}

var anything = faultproxy.Match{Command: faultproxy.Any}

// TestF2_SlowStore: at 200 ms a command everybody gets in; at 5 s everybody gets
// a clean answer in time, and in again when it is over.
func TestF2_SlowStore(t *testing.T) {
	t.Parallel()
	l := newLane(t, server.Build(t), peer.Server(t), "")
	for name, calls := range signIns {
		t.Run(name, func(t *testing.T) {
			l.proxy.On(anything, faultproxy.Delay(200*time.Millisecond))
			p := newPerson()
			for _, c := range calls {
				l.must(t, c, p)
			}
			i6Healed(t, people(t, l.direct), p)

			l.proxy.Heal()
			l.proxy.On(anything, faultproxy.Delay(5*time.Second))
			q := newPerson()
			for _, c := range calls {
				l.fails(t, c, q)
			}
			l.notReady(t)
			l.proxy.Heal()
			l.server.AwaitReady(t)
			l.heals(t, calls[len(calls)-1:], p)
			l.heals(t, calls, q)
			i4Told(t, l, soon(), p, q)
		})
	}
	quiet(t, "the log", l.server.Log(t), server.Secret, subjects)
}

// fails makes a call that cannot be decided; only commit passes, since Kratos
// has the person by then.
func (l lane) fails(t testing.TB, c call, p *person) {
	t.Helper()
	r := c.make(t, l.server, p)
	allowed(t, r, p)
	if r.passed() != (c.path == commit.path) {
		t.Errorf("the store is out of reach: %v", r)
	}
}

// notReady: the server lives, and says within its deadline that it is not ready.
func (l lane) notReady(t testing.TB) {
	t.Helper()
	ready := l.server.Get(t, "/readyz")
	if ready.Status != http.StatusServiceUnavailable || ready.Took > 1500*time.Millisecond+slack {
		t.Errorf("/readyz: %d after %v", ready.Status, ready.Took)
	}
	quiet(t, "/readyz", string(ready.Body), server.Secret)
	if live := l.server.Get(t, "/livez"); live.Status != http.StatusOK {
		t.Errorf("/livez: %d", live.Status)
	}
}

// TestF1_StoreDownAtStart: the server starts all the same, says so, and needs no
// second start.
func TestF1_StoreDownAtStart(t *testing.T) {
	t.Parallel()
	l := openLane(t, server.Build(t), peer.Server(t), "", func(p *faultproxy.Proxy) { p.Down() })
	p, q := newPerson(), newPerson()
	l.notReady(t)
	l.fails(t, login, p)
	for _, c := range signIns["Kratos"] {
		l.fails(t, c, q)
	}
	l.proxy.Up()
	l.server.AwaitReady(t)
	l.heals(t, signIns["generic"], p)
	l.heals(t, signIns["Kratos"], q)
	i4Told(t, l, soon(), p, q)
	quiet(t, "the log", l.server.Log(t), server.Secret, subjects)
}

// TestF1_StoreDownUnderWay: logins go on while the store is down for a while:
// each gets its answer, and neither a goroutine nor a connection stays behind.
// Pools let go of what is idle here, so that what stays is held by somebody.
func TestF1_StoreDownUnderWay(t *testing.T) {
	t.Parallel()
	l := newLane(t, server.Build(t), peer.Server(t), "&maxIdleTimeMS=5000")
	before := l.held(t) // at rest

	passed, failed := l.traffic(t, func() {
		l.proxy.Down()
		l.notReady(t)
		time.Sleep(4 * time.Second) // the length of the outage
		l.notReady(t)
		l.proxy.Up()
		l.server.AwaitReady(t)
	})
	if passed == 0 || failed == 0 {
		t.Errorf("%d logins passed and %d failed around an outage", passed, failed)
	}
	p := newPerson()
	l.heals(t, signIns["Kratos"], p)
	i4Told(t, l, soon(), p)
	all := people(t, l.direct)
	i1OnePerSubject(t, all)
	i8NobodySharesAName(t, all)

	const play = 12 // heartbeats, a metrics request, eight idle clients
	after := l.held(t)
	for until := time.Now().Add(30 * time.Second); after.over(before, play) && time.Now().Before(until); after = l.held(t) {
		time.Sleep(200 * time.Millisecond)
	}
	if after.over(before, play) {
		t.Errorf("before the outage %+v, long after it %+v", before, after)
	}
	quiet(t, "the log", l.server.Log(t), server.Secret, subjects)
}

// held is what the server holds on to.
type held struct{ goroutines, files float64 }

func (l lane) held(t testing.TB) held {
	return held{l.server.Metric(t, "go_goroutines"), l.server.Metric(t, "process_open_fds")}
}

func (h held) over(other held, play float64) bool {
	return h.goroutines > other.goroutines+play || h.files > other.files+play
}

// traffic makes logins, eight at a time, until during returns.
func (l lane) traffic(t testing.TB, during func()) (passed, failed int64) {
	t.Helper()
	var ok, no atomic.Int64
	var clients sync.WaitGroup
	stop := make(chan struct{})
	for range 8 {
		clients.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				p := newPerson()
				r := login.make(t, l.server, p)
				allowed(t, r, p)
				if r.passed() {
					ok.Add(1)
				} else {
					no.Add(1)
				}
			}
		})
	}
	during()
	close(stop)
	clients.Wait()
	return ok.Load(), no.Load()
}

// drain is how long the server may take to end; see cmd/jithook.
const drain = 10 * time.Second

// TestF15_EndWhileTheStoreHangs: requests under way get their answers, and the
// server ends within its drain.
func TestF15_EndWhileTheStoreHangs(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]faultproxy.Fault{"hangs": faultproxy.Hang(), "done, then hangs": faultproxy.HangReply()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLane(t, server.Build(t), peer.Server(t), "")
			back := newPerson()
			l.must(t, login, back) // its record waits
			var answers sync.WaitGroup
			var underWay []*faultproxy.Rule
			for range 8 {
				p := newPerson()
				underWay = append(underWay, l.proxy.On(faultproxy.Match{Command: "find", Holds: string(p.fedKey())}, fault))
				answers.Go(func() { l.fails(t, login, p) })
			}
			l.proxy.On(anything, fault)
			for _, rule := range underWay {
				<-rule.Arrived()
			}
			began := time.Now()
			if err := l.server.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			answers.Wait()
			select {
			case <-l.server.Process.Exited():
			case <-time.After(drain + slack):
				t.Fatalf("still there %v after SIGTERM", time.Since(began))
			}
			if code := l.server.Process.State().ExitCode(); code != 0 {
				t.Errorf("exit code %d", code)
			}
			t.Logf("ended after %v", time.Since(began))
			quiet(t, "the log", l.server.Log(t), server.Secret, subjects)
		})
	}
}
