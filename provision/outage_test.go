package provision_test

// These tests prove that records which the store does not take are kept for minutes
// and written when it is back, that what is lost is counted, and that a login which
// could not be decided is a warning that names its record.

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/provision"
	"github.com/jithook/jithook/store"
)

// outage is a house whose store takes no records while it is down.
type outage struct {
	*house
	down atomic.Bool
	lost atomic.Int64
	log  bytes.Buffer
	end  func()
}

// newOutage starts the recorder; end stops it. It belongs into a bubble.
func newOutage(t *testing.T, files ...string) *outage {
	t.Helper()
	o := &outage{house: open(t, files...)}
	o.store.fail = func(string) error {
		if o.down.Load() {
			return fmt.Errorf("bolt: %w", store.ErrUnavailable)
		}
		return nil
	}
	o.Log = slog.New(slog.NewJSONHandler(&o.log, &slog.HandlerOptions{Level: slog.LevelWarn}))
	o.Later = provision.NewRecorder(o.store, o.Log, func() { o.lost.Add(1) })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { o.Later.Run(ctx); close(done) }()
	o.end = func() { cancel(); <-done }
	return o
}

// kept reports whether the store has a record.
func (o *outage) kept(t *testing.T, id string) bool {
	t.Helper()
	_, err := o.store.Decision(t.Context(), id)
	return err == nil
}

func TestRecordsWaitForTheStore(t *testing.T) {
	for name, c := range map[string]struct {
		outage time.Duration
		kept   bool
	}{"a minute": {time.Minute, true}, "an hour": {time.Hour, false}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newOutage(t)
				o.down.Store(true)
				failed := o.Provision(t.Context(), generic("s-1", ann()))
				want(t, failed, identity.Error, identity.CodeStoreUnavailable)
				time.Sleep(c.outage)
				o.down.Store(false)
				time.Sleep(10 * time.Second)
				if kept := o.kept(t, failed.Record.ID); kept != c.kept || o.lost.Load() != map[bool]int64{true: 0, false: 1}[c.kept] {
					t.Errorf("kept %v, lost %d", kept, o.lost.Load())
				}
				o.end()
				var line struct {
					Level, Msg, Decision, Reason string
					ID                           string `json:"decision_id"`
				}
				if first, _, _ := strings.Cut(o.log.String(), "\n"); json.Unmarshal([]byte(first), &line) != nil || line.Level != "WARN" || line.Msg != "login decided" ||
					line.ID != failed.Record.ID || line.Reason != string(identity.CodeStoreUnavailable) {
					t.Errorf("the log at warn:\n%s", o.log.String())
				}
			})
		})
	}
}

// TestRecordsAreLostAtTheEnd: a server that ends tries once more, and counts.
func TestRecordsAreLostAtTheEnd(t *testing.T) {
	for name, back := range map[string]bool{"the store is down": false, "it is back": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newOutage(t)
				o.down.Store(true)
				first := o.Provision(t.Context(), generic("s-1", ann()))
				time.Sleep(1500 * time.Millisecond) // it was tried once
				second := o.Provision(t.Context(), generic("s-2", ann()))
				o.down.Store(!back)
				o.end()
				o.down.Store(false)
				if a, b := o.kept(t, first.Record.ID), o.kept(t, second.Record.ID); a != back || b != back || (o.lost.Load() == 0) != back {
					t.Errorf("kept: %v, %v; %d lost", a, b, o.lost.Load())
				}
			})
		})
	}
}

// TestRecordsOfAnOutageAreBounded: what is kept for later is no more than the queue
// holds, and everything else is counted.
func TestRecordsOfAnOutageAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutage(t)
		o.down.Store(true)
		const all, room = 9000, 4096
		for n := range all {
			o.Later.Add(identity.Record{ID: fmt.Sprintf("d-%05d", n), At: o.now, Decision: identity.Error, Hook: identity.HookLogin}, nil)
			if n%256 == 255 {
				synctest.Wait()
			}
		}
		time.Sleep(10 * time.Second)
		if lost := o.lost.Load(); lost != all-room {
			t.Errorf("%d lost, want %d", lost, all-room)
		}
		o.down.Store(false)
		time.Sleep(time.Minute) // a batch of them every second
		o.end()
		for id, want := range map[string]bool{"d-00000": true, "d-04095": true, "d-08999": false} {
			if o.kept(t, id) != want {
				t.Errorf("%s is kept: %v", id, !want)
			}
		}
	})
}

// TestDenialsWaitForTheStore: a denial whose record could not be written stands, and
// its record comes later, also where something was written before.
func TestDenialsWaitForTheStore(t *testing.T) {
	for name, c := range map[string]struct {
		file  string
		login identity.Login
		code  identity.Code
	}{
		"by a rule":   {acme, generic("s-1", ann(with("hd", "evil.example"))), identity.CodeNotAllowed},
		"by a target": {acme + "outbound: [crm]\n", generic("s-1", ann()), identity.CodeTargetUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newOutage(t, c.file)
				o.Blocking = map[string]bool{"crm": true}
				o.Await = func(context.Context, string, identity.Identity) error { return errors.New("it is down") }
				o.store.fail = failing("record", 1, fmt.Errorf("bolt: %w", store.ErrUnavailable))
				out := o.Provision(t.Context(), c.login)
				want(t, out, identity.Denied, c.code)
				time.Sleep(5 * time.Second)
				if r, err := o.store.Decision(t.Context(), out.Record.ID); err != nil || r.Decision != identity.Denied {
					t.Errorf("its record says %q: %v", r.Decision, err)
				}
				o.end()
			})
		})
	}
}
