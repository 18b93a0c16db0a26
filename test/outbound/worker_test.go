//go:build unix

package outbound_test

// The other side of these tests: a process with workers, which is killed, and
// the target that it tells over HTTP.

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/outbound"
	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/store/bolt"
	"github.com/jithook/jithook/store/mongo"
	"github.com/jithook/jithook/test/process"
)

const hr = "hr"

// childEnv names the variable with a child's job.
const childEnv = "JITHOOK_TEST_OUTBOUND"

// job is what a child does.
type job struct {
	Bolt        string // the file, or
	URI, Target string // the database's server, and where the target is
	Database    string
	Workers     int
	// Logins says that identities change meanwhile. Without them the child ends
	// when nothing waits any more.
	Logins bool
}

func (j job) open() (store.Store, error) {
	if j.Bolt != "" {
		return bolt.Open(j.Bolt, bolt.Options{LockTimeout: 10 * time.Second})
	}
	return mongo.Open(context.Background(), mongo.Options{URI: j.URI, Database: j.Database})
}

// start runs the job in a child.
func (j job) start(t *testing.T) *process.Process {
	t.Helper()
	text, err := json.Marshal(j)
	must(t, err)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+string(text))
	return process.Start(t, "worker", cmd)
}

// work is the child. It ends with an exit code.
func work(text string) int {
	var j job
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	s, err := j.open()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer s.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var all sync.WaitGroup
	for range j.Workers {
		w := &outbound.Worker{
			Store: s, Connectors: map[string]outbound.Connector{hr: connector(j.Target)}, Now: time.Now, Timeout: 500 * time.Millisecond,
			Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
		}
		all.Go(func() { w.Run(ctx) })
	}
	for j.Logins {
		if err := login(ctx, s); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	for {
		b, err := s.Backlog(ctx, hr)
		if err == nil && b.Waiting == 0 {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	cancel()
	all.Wait()
	return 0
}

// login changes some identity and arms the target, as a login does.
func login(ctx context.Context, s store.Store) error {
	page, err := s.List(ctx, store.Query{PageSize: store.MaxPageSize})
	if err != nil {
		return err
	}
	for range 50 {
		i := page.Identities[rand.N(len(page.Identities))]
		if i, err = s.Get(ctx, i.ID); err != nil {
			return err
		}
		i.Revision++
		i.Arm(hr, time.Now())
		if err := s.Swap(ctx, i, identity.Record{}); err != nil && !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
	return nil
}

// message is what a target is told.
type message struct {
	ID       string
	Revision int64
}

// connector tells a target over HTTP.
type connector string

func (c connector) Deliver(ctx context.Context, i identity.Identity, _ identity.Delivery) (identity.Resource, error) {
	return identity.Resource{}, c.tell(ctx, i)
}

func (c connector) tell(ctx context.Context, i identity.Identity) error {
	body, err := json.Marshal(message{i.ID, i.Revision})
	if err != nil {
		return &outbound.RejectedError{Err: err}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, string(c), bytes.NewReader(body))
	if err != nil {
		return err
	}
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		return errors.New("no answer")
	}
	reply.Body.Close()
	if reply.StatusCode == http.StatusNoContent {
		return nil
	}
	err = fmt.Errorf("answered %d", reply.StatusCode)
	if after, ok := outbound.RetryAfter(reply.Header, time.Now()); ok {
		return &outbound.LaterError{After: after, Err: err}
	}
	return err
}

// target is the system that is told: it keeps what came last.
type target struct {
	URL string

	mu    sync.Mutex
	n     int
	knows map[string]int64
	back  int // how often it was told something older than it knew
}

func newTarget(t *testing.T) *target {
	c := &target{knows: map[string]int64{}}
	s := httptest.NewServer(c)
	t.Cleanup(s.Close)
	c.URL = s.URL
	return c
}

// ServeHTTP takes what it is told; once in a while it is busy, or does not say
// that it has taken it.
func (c *target) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var m message
	if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	if c.n%400 == 0 {
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
		return
	}
	if m.Revision < c.knows[m.ID] {
		c.back++
	}
	c.knows[m.ID] = m.Revision
	if c.n%300 == 0 {
		panic(http.ErrAbortHandler) // the reply is lost
	}
	w.WriteHeader(http.StatusNoContent)
}

func (c *target) told() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

// wait waits until the target was told so many times.
func (c *target) wait(t *testing.T, n int, children ...*process.Process) {
	t.Helper()
	for until := time.Now().Add(time.Minute); c.told() < n; time.Sleep(time.Millisecond) {
		for _, child := range children {
			if child.HasExited() {
				t.Fatalf("a worker ended by itself:\n%s", child.LogTail())
			}
		}
		if time.Now().After(until) {
			t.Fatalf("told %d times in a minute, want %d", c.told(), n)
		}
	}
}
