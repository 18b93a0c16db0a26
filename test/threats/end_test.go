//go:build unix

package threats_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/store/bolt"
	"github.com/jithook/jithook/test/server"
)

// TestF15_EndUnderLoad: the running server is asked to end while people sign in,
// as fast as it can, and a target hangs. Who has an account afterwards has had an
// answer, and who had none has no account; the server ends within its drain and
// says it went well; no delivery stays leased. A call may find the port closed, or
// its connection: HTTP/1.1 cannot keep a client from sending on one that is being
// closed. But then nobody had begun to answer it, and nothing has happened.
func TestF15_EndUnderLoad(t *testing.T) {
	const (
		callers = 16
		before  = 300              // logins answered before the end
		drain   = 10 * time.Second // of requests, see jithook serve --help
		slack   = 10 * time.Second // of deliveries and of a busy machine
	)
	hang, told := make(chan struct{}), make(chan struct{}, 1)
	target := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case told <- struct{}{}:
		default:
		}
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	}))
	defer target.Close()
	defer close(hang)
	file := filepath.Join(t.TempDir(), "jithook.db")
	s := server.Start(t, server.Config{
		Binary: server.Build(t), Store: object{"bolt": object{"path": file}}, Providers: map[string]string{"acme.yaml": acme + "outbound: [events]\n"},
		Outbound: object{"events": object{"webhook": object{"url": target.URL, "secret": "env:JITHOOK_TEST_WEBHOOK_SECRET"}}},
	})
	s.AwaitReady(t)

	var answered atomic.Int64
	var all sync.WaitGroup
	enough := make(chan struct{})
	type outcome struct {
		subject string
		err     error // nil: an account
		torn    bool  // the answer broke off
	}
	outcomes := make([][]outcome, callers)
	for n := range callers {
		all.Go(func() {
			client := &http.Client{Timeout: drain + slack, Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for i := 0; ; i++ {
				o := outcome{subject: fmt.Sprintf("s-%d-%d", n, i)}
				o.torn, o.err = signIn(client, s.Hooks, o.subject)
				outcomes[n] = append(outcomes[n], o)
				if o.err != nil {
					return
				}
				if answered.Add(1) == before {
					close(enough)
				}
			}
		})
	}
	<-enough
	<-told
	began := time.Now()
	if err := s.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	all.Wait()
	select {
	case <-s.Process.Exited():
	case <-time.After(drain + slack):
		t.Fatalf("still there %v after SIGTERM", time.Since(began))
	}
	if code := s.Process.State().ExitCode(); code != 0 {
		t.Errorf("exit code %d", code)
	}

	subjects, leased := kept(t, file)
	if leased > 0 {
		t.Errorf("%d deliveries are still leased", leased)
	}
	refused := 0
	for _, list := range outcomes {
		for _, o := range list {
			if subjects[o.subject] != (o.err == nil) {
				t.Errorf("%s has an account: %v; the answer: %v", o.subject, subjects[o.subject], o.err)
			}
			var late net.Error
			if o.err != nil && (o.torn || errors.As(o.err, &late) && late.Timeout()) {
				t.Errorf("%s was heard, and has no whole answer: %v", o.subject, o.err)
			}
			if errors.Is(o.err, syscall.ECONNREFUSED) {
				refused++
			}
		}
	}
	t.Logf("%d logins answered, ended after %v; of the last %d calls %d were not connected", answered.Load(), time.Since(began).Round(time.Millisecond), callers, refused)
}

// signIn has somebody get an account; an error says that there was no answer, or
// another one; torn, that one had begun.
func signIn(client *http.Client, url, subject string) (torn bool, err error) {
	body, err := json.Marshal(object{"version": 1, "provider": "acme", "subject": subject, "claims": object{"name": "Ann"}})
	if err != nil {
		return false, err
	}
	var begun atomic.Bool
	trace := &httptrace.ClientTrace{GotFirstResponseByte: func() { begun.Store(true) }}
	r, err := http.NewRequestWithContext(httptrace.WithClientTrace(context.Background(), trace), http.MethodPost, url+"/hooks/login", bytes.NewReader(body))
	if err != nil {
		return false, err
	}
	r.Header = http.Header{"Content-Type": {"application/json"}, "X-Api-Key": {server.Secret}}
	reply, err := client.Do(r)
	if err != nil {
		return begun.Load(), err
	}
	defer reply.Body.Close()
	if _, err := io.Copy(io.Discard, reply.Body); err != nil {
		return begun.Load(), err
	}
	if reply.StatusCode != http.StatusOK {
		return false, fmt.Errorf("status %d", reply.StatusCode)
	}
	return false, nil
}

// kept returns the subjects in the file of a server that has ended, and how many
// deliveries are leased there.
func kept(t *testing.T, file string) (subjects map[string]bool, leased int) {
	t.Helper()
	s, err := bolt.Open(file, bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	subjects = map[string]bool{}
	for q := (store.Query{PageSize: store.MaxPageSize}); ; {
		page, err := s.List(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range page.Identities {
			subjects[i.Links[0].Subject] = true
			for _, d := range i.Outbox {
				if d.Lease != "" {
					leased++
				}
			}
			if i.State != identity.StateActive {
				t.Errorf("%s is %s", i.Links[0].Subject, i.State)
			}
		}
		if q.PageToken = page.NextPageToken; q.PageToken == "" {
			return subjects, leased
		}
	}
}
