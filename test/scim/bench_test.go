//go:build linux

package scim_test

// What a delivery costs: logins while a target is down for an hour, how fast it
// learns of everybody afterwards, and how much memory a backlog takes.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/outbound/scim"
	"github.com/jithook/jithook/store/bolt"
	"github.com/jithook/jithook/test/scim/scimtest"
	"github.com/jithook/jithook/test/server"
)

const (
	benchRounds  = 7
	benchPeople  = 1000
	benchPart    = 6000 // logins in one part of a round
	benchCallers = 8
	drainRuns    = 5
	drainPeople  = 2000
	backlog      = 100_000
	phase        = 20 * time.Second
)

// BenchmarkOutbound prints what it measured as a Markdown table. b.N does not
// matter: run it with -benchtime 1x, on a machine that does nothing else.
func BenchmarkOutbound(b *testing.B) {
	var table strings.Builder
	load, err := os.ReadFile("/proc/loadavg")
	must(b, err)
	before, _, _ := strings.Cut(string(load), " ")
	fmt.Fprintf(&table, "\n%s, %s, %d processors, load %s\n\n| measured | is | asked |\n|---|---|---|\n", time.Now().UTC().Format(time.DateOnly), runtime.Version(), runtime.NumCPU(), before)
	row := func(what, is, asked string) { fmt.Fprintf(&table, "| %s | %s | %s |\n", what, is, asked) }

	idle, down := downForAnHour(b)
	ratio := make([]float64, len(idle))
	for n := range idle {
		ratio[n] = float64(down[n]) / float64(idle[n])
	}
	row("p99 of a login, nothing to tell", fmt.Sprint(middle(idle).Round(10*time.Microsecond)), "")
	row("p99 of a login, target down for an hour", fmt.Sprint(middle(down).Round(10*time.Microsecond)), "")
	row("their ratio, median of the rounds'", fmt.Sprintf("%.2f", middle(ratio)), "≤ 1.2")

	speeds, costs := []float64{}, []time.Duration{}
	for range drainRuns {
		speed, cost := drained(b)
		speeds, costs = append(speeds, speed), append(costs, cost)
	}
	row("drained, a target that answers in 1 ms", fmt.Sprintf("%.0f people/s", middle(speeds)), "≥ 500")
	row("processor time of a person, target and all", fmt.Sprint(middle(costs).Round(10*time.Microsecond)), "")
	for _, m := range backlogMemory(b) {
		row("RssAnon, "+m.what, fmt.Sprintf("%.1f MB, then %.1f MB", m.first, m.last), "flat")
	}
	fmt.Println(table.String())
}

func middle[T time.Duration | float64](all []T) T {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2]
}

// downForAnHour signs people in by turns where nobody is told and where a target
// is down, whose clock goes on by an hour meanwhile, and returns the p99 of each
// part. Then the target learns of everybody.
func downForAnHour(b *testing.B) (idle, down []time.Duration) {
	quiet, loud := prepareWith(b, strings.Replace(acme, "outbound: [hr]", "outbound: []", 1), nil), prepare(b, nil)
	quiet.work(b)
	loud.work(b)
	var fails atomic.Bool
	fails.Store(true)
	loud.target.Before = func(rw http.ResponseWriter, _ *http.Request) bool {
		if fails.Load() {
			rw.WriteHeader(http.StatusServiceUnavailable)
		}
		return fails.Load()
	}
	serial := 0
	part := func(w *world, logins int) time.Duration {
		took := make([]time.Duration, logins)
		turns := make(chan int)
		var all sync.WaitGroup
		for range benchCallers {
			all.Go(func() {
				for n := range turns {
					began := time.Now()
					w.login(b, fmt.Sprint("s-", (serial+n)%benchPeople), fmt.Sprint("round ", (serial+n)/benchPeople), "eng")
					took[n] = time.Since(began)
				}
			})
		}
		for n := range logins {
			if turns <- n; w == loud && n%100 == 99 {
				w.pass(time.Hour / benchRounds / (benchPart / 100))
			}
		}
		close(turns)
		all.Wait()
		slices.Sort(took)
		return took[int(math.Ceil(float64(logins)*0.99))-1]
	}
	part(quiet, benchPeople)
	part(loud, benchPeople)
	for round := range benchRounds {
		serial += benchPart
		both := []*world{quiet, loud}
		if round%2 == 1 {
			slices.Reverse(both)
		}
		for _, w := range both {
			if p99 := part(w, benchPart); w == quiet {
				idle = append(idle, p99)
			} else {
				down = append(down, p99)
			}
		}
	}
	if n := loud.backlog(b); n.Waiting != benchPeople {
		b.Errorf("%+v waits, want all", n)
	}
	fails.Store(false)
	loud.drain(b)
	loud.wantEqual(b, benchPeople)
	return idle, down
}

// drained returns how many people a second a target learns of that answers in a
// millisecond, and what of the processor one of them takes, with the target's part.
func drained(b *testing.B) (perSecond float64, each time.Duration) {
	w := prepare(b, func(o *scim.Options) { o.Groups = scim.GroupsNone })
	w.target.Before = func(rw http.ResponseWriter, r *http.Request) bool { return quickly(rw, r) }
	w.fill(b, drainPeople)
	began, spent := time.Now(), processor(b)
	stop := w.work(b)
	for w.backlog(b).Waiting > 0 {
		time.Sleep(10 * time.Millisecond)
	}
	perSecond, each = drainPeople/time.Since(began).Seconds(), (processor(b)-spent)/drainPeople
	stop()
	return perSecond, each
}

// BenchmarkDrain is how many people a second a target learns of that answers in a
// millisecond.
func BenchmarkDrain(b *testing.B) {
	total := 0.0
	for range b.N {
		speed, _ := drained(b)
		total += speed
	}
	b.ReportMetric(total/float64(b.N), "people/s")
}

// quickly is a target that answers in a millisecond, has nobody, and takes
// everybody.
func quickly(rw http.ResponseWriter, r *http.Request) bool {
	if !strings.HasPrefix(r.URL.Path, "/Users") {
		return false
	}
	time.Sleep(time.Millisecond)
	answer := map[string]any{"Resources": []any{}}
	if r.Method == http.MethodPost {
		answer = map[string]any{}
		_ = json.NewDecoder(r.Body).Decode(&answer)
		answer["id"] = uuid.NewString()
		rw.WriteHeader(http.StatusCreated)
	}
	_ = json.NewEncoder(rw).Encode(answer)
	return true
}

// processor is what this process has spent of the processor.
func processor(b *testing.B) time.Duration {
	var u syscall.Rusage
	must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// memory is the anonymous memory of a server in one phase.
type memory struct {
	what        string
	first, last float64 // MB: medians of the phase's first and last half
}

// backlogMemory has the real program serve a userstore of a hundred thousand whom
// a target has yet to learn of: a target that is not configured, then one that is
// down, then back.
func backlogMemory(b *testing.B) []memory {
	path := filepath.Join(b.TempDir(), "j.db")
	fillFile(b, path)
	var fails atomic.Bool
	target := scimtest.New(b)
	target.Before = func(rw http.ResponseWriter, r *http.Request) bool {
		if fails.Load() {
			rw.WriteHeader(http.StatusServiceUnavailable)
			return true
		}
		return quickly(rw, r)
	}
	binary := server.Build(b)
	start := func(name string) *server.Server {
		return server.Start(b, server.Config{
			Binary: binary, Store: map[string]any{"bolt": map[string]any{"path": path}},
			Providers: map[string]string{"acme.yaml": strings.Replace(acme, "[hr]", "["+name+"]", 1)},
			Outbound: map[string]any{name: map[string]any{"scim": map[string]any{
				"url": target.URL, "auth": map[string]any{"bearer": scimtest.Token}, "groups": "none",
				"attributes": map[string]any{"userName": "identity.traits.email", "title": "identity.traits.title"},
			}}},
		})
	}
	var out []memory
	fails.Store(true)
	s := start("crm")
	out = append(out, measure(b, s, "nobody waits, of "+strconv.Itoa(backlog)))
	must(b, s.Process.Stop())
	s = start("hr")
	out = append(out, measure(b, s, strconv.Itoa(backlog)+" wait, target down"))
	fails.Store(false)
	out = append(out, measure(b, s, "the same, while it drains"))
	return out
}

// fillFile makes a file with people whom hr has yet to learn of.
func fillFile(b *testing.B, path string) {
	s, err := bolt.Open(path, bolt.Options{})
	must(b, err)
	fill(b, s, backlog)
	must(b, s.Close())
}

// fill inserts people who are linked and armed for hr.
func fill(b *testing.B, s *bolt.Store, people int) {
	var all sync.WaitGroup
	room := make(chan struct{}, 128)
	errs := make([]error, people)
	for n := range people {
		room <- struct{}{}
		all.Go(func() {
			defer func() { <-room }()
			subject := fmt.Sprint("f-", n)
			i := identity.Identity{
				ID: uuid.Must(uuid.NewV7()).String(), Userstore: "default", State: identity.StateActive, StateSource: "provider:acme",
				Traits:   map[string]any{"email": subject + "@acme.example", "title": "one"},
				Links:    []identity.Link{{Provider: "acme", Issuer: "https://acme.example", Subject: subject, LinkedAt: time.Now()}},
				Keys:     []identity.Key{identity.FedKey("https://acme.example", subject)},
				Revision: 1, CreatedAt: time.Now(), UpdatedAt: time.Now(),
			}
			i.Arm(hr, time.Now())
			errs[n] = s.Insert(context.Background(), i, identity.Record{})
		})
	}
	all.Wait()
	must(b, errors.Join(errs...))
}

func (w *world) fill(b *testing.B, people int) { fill(b, w.Bolt, people) }

// measure samples the server's anonymous memory for a while, in which people sign in.
func measure(b *testing.B, s *server.Server, what string) memory {
	var samples []float64
	for began := time.Now(); time.Since(began) < phase; time.Sleep(10 * time.Millisecond) {
		n := len(samples)
		s.Post(b, "/hooks/login", map[string]any{"version": 1, "provider": "acme", "subject": fmt.Sprint("s-", n%100), "claims": map[string]any{
			"email": fmt.Sprintf("s-%d@acme.example", n%100), "title": fmt.Sprint("round ", n/100),
		}})
		samples = append(samples, anonymous(b, s.Process.Pid()))
	}
	half := len(samples) / 2
	return memory{what, middle(samples[half/2 : half]), middle(samples[len(samples)-half/2:])}
}

// anonymous returns a process's RssAnon in MB.
func anonymous(b *testing.B, pid int) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	must(b, err)
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); fields[0] == "RssAnon:" {
			kB, err := strconv.ParseFloat(fields[1], 64)
			must(b, err)
			return kB / 1024
		}
	}
	b.Fatal("no RssAnon")
	return 0
}
