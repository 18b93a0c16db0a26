package outbound_test

// What a target has of an identity is noted with it: before the target is told,
// so that a process that dies leaves behind what may be ours there; exactly, once
// it is known; and never less than may be there.

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/outbound"
	"github.com/jithook/jithook/store/bolt"
)

// directory is a target that keeps accounts.
type directory func(i identity.Identity, has identity.Resource, told bool) (identity.Resource, error)

func (f directory) Deliver(_ context.Context, i identity.Identity, d identity.Delivery) (identity.Resource, error) {
	has, told := i.Resource(d.Target)
	return f(i, has, told)
}

func tell(t *testing.T, s *bolt.Store, c outbound.Connector) func() {
	w := worker(s, nil)
	w.Connectors = map[string]outbound.Connector{hr: c}
	return start(t, w)
}

func members(names ...string) func(*identity.Identity) {
	return func(i *identity.Identity) {
		i.Groups = nil
		for _, n := range names {
			i.Groups = append(i.Groups, identity.Group{Name: n})
		}
	}
}

func wantNoted(t *testing.T, s *bolt.Store, id string, want ...identity.Resource) {
	t.Helper()
	i, err := s.Get(t.Context(), id)
	must(t, err)
	if diff := cmp.Diff(want, i.Resources, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("noted (-want +got):\n%s", diff)
	}
}

func TestNoted(t *testing.T) {
	simulate(t, func(t *testing.T) {
		s := open(t)
		id := people(t, s, 1)[0].ID
		var answer identity.Resource
		var failure error
		var saw identity.Resource
		var sawTold bool
		var mu sync.Mutex
		says := func(has identity.Resource, err error) {
			mu.Lock()
			defer mu.Unlock()
			answer, failure = has, err
		}
		seen := func() (identity.Resource, bool) {
			mu.Lock()
			defer mu.Unlock()
			return saw, sawTold
		}
		c := directory(func(_ identity.Identity, has identity.Resource, told bool) (identity.Resource, error) {
			mu.Lock()
			defer mu.Unlock()
			saw, sawTold = has, told
			return answer, failure
		})
		tell(t, s, c)

		// Told for the first time, and nobody knows what it has done.
		says(identity.Resource{}, errDown)
		change(t, s, id, members("eng", "staff"))
		time.Sleep(time.Minute)
		maybe := identity.Resource{Target: hr, Groups: []string{"eng", "staff"}}
		wantNoted(t, s, id, maybe)
		if _, told := seen(); !told {
			t.Error("an attempt that failed does not count as told")
		}

		// It has made the account, and failed at the groups: one goes, one comes.
		says(identity.Resource{ID: "u-1"}, errDown)
		change(t, s, id, members("staff", "board"))
		time.Sleep(time.Hour)
		wantNoted(t, s, id, identity.Resource{Target: hr, ID: "u-1", Groups: []string{"board", "eng", "staff"}})

		// An answer that knows nothing takes nothing away; a success says all.
		says(identity.Resource{}, errDown)
		time.Sleep(2 * time.Hour)
		wantNoted(t, s, id, identity.Resource{Target: hr, ID: "u-1", Groups: []string{"board", "eng", "staff"}})
		if has, _ := seen(); has.ID != "u-1" || !slices.Equal(has.Groups, []string{"board", "eng", "staff"}) {
			t.Errorf("the connector saw %+v", has)
		}
		says(identity.Resource{ID: "u-1", Groups: []string{"staff", "board"}}, nil)
		time.Sleep(2 * time.Hour)
		wantNoted(t, s, id, identity.Resource{Target: hr, ID: "u-1", Groups: []string{"board", "staff"}})

		says(identity.Resource{}, nil)
		change(t, s, id, members())
		time.Sleep(time.Minute)
		wantNoted(t, s, id)
		change(t, s, id, nothing)
		time.Sleep(time.Minute)
		if _, told := seen(); told {
			t.Error("what the target has nothing of counts as told")
		}
	})
}

// A process dies while the target is told: what the identity had then may be
// there, and is known to be ours when it is taken away.
func TestNotedBeforeItIsTold(t *testing.T) {
	simulate(t, func(t *testing.T) {
		s := open(t)
		i := people(t, s, 1, hr)[0]
		i = change(t, s, i.ID, members("eng"))
		var attempts atomic.Int64
		c := directory(func(i identity.Identity, _ identity.Resource, told bool) (identity.Resource, error) {
			wantNoted(t, s, i.ID, identity.Resource{Target: hr, Groups: []string{"eng"}})
			if n := attempts.Add(1); told != (n > 1) {
				t.Errorf("attempt %d: told = %v", n, told)
			}
			panic("dies")
		})
		stop := tell(t, s, c)
		time.Sleep(3 * time.Second)
		stop()
		change(t, s, i.ID, members())
		c = directory(func(i identity.Identity, has identity.Resource, told bool) (identity.Resource, error) {
			if !told || !slices.Equal(has.Groups, []string{"eng"}) || len(i.Groups) > 0 {
				t.Errorf("told %v, noted %+v", told, has)
			}
			return identity.Resource{ID: "u-1"}, nil
		})
		tell(t, s, c)
		time.Sleep(time.Minute)
		wantNoted(t, s, i.ID, identity.Resource{Target: hr, ID: "u-1"})
	})
}

// Who lost the lease adds what it gave and takes away nothing.
func TestNotedLate(t *testing.T) {
	simulate(t, func(t *testing.T) {
		s := open(t)
		i := people(t, s, 1, hr)[0]
		i = change(t, s, i.ID, members("eng"))
		first := make(chan struct{}, 1)
		first <- struct{}{}
		c := directory(func(i identity.Identity, _ identity.Resource, _ bool) (identity.Resource, error) {
			select {
			case <-first:
				time.Sleep(8 * time.Second)
				return identity.Resource{ID: "u-late", Groups: i.GroupNames()}, nil
			default:
				return identity.Resource{ID: "u-1", Groups: i.GroupNames()}, nil
			}
		})
		tell(t, s, c)
		time.Sleep(time.Second)
		change(t, s, i.ID, members("staff"))
		ahead := worker(s, nil)
		ahead.Connectors = map[string]outbound.Connector{hr: c}
		ahead.Now = func() time.Time { return time.Now().Add(10 * time.Minute) }
		stop := start(t, ahead)
		time.Sleep(3 * time.Second)
		stop()
		time.Sleep(7 * time.Second)
		wantNoted(t, s, i.ID, identity.Resource{Target: hr, ID: "u-1", Groups: []string{"eng", "staff"}})
	})
}

func TestOnly(t *testing.T) {
	barred := errors.New("jithook.yaml:7:3: there is no x here")
	for name, c := range map[string]struct {
		wants       bool
		err         error
		told        bool
		in          []string
		asked       bool // the connector
		state       identity.State
		groups      int
		rejected    bool
		stillThere  bool
		stateBefore identity.State
	}{
		"goes":                {wants: true, asked: true, state: identity.StateActive, groups: 1, stillThere: true},
		"goes, known":         {wants: true, told: true, asked: true, state: identity.StateActive, groups: 1, stillThere: true},
		"goes, suspended":     {wants: true, told: true, asked: true, state: identity.StateSuspended, stateBefore: identity.StateSuspended, groups: 1, stillThere: true},
		"never went":          {},
		"goes no more":        {told: true, asked: true, state: identity.StateDeprovisioned, stillThere: true},
		"deleted":             {err: barred, told: true, asked: true, state: identity.StateDeleted, stateBefore: identity.StateDeleted, groups: 1, stillThere: true},
		"deleted, never went": {err: barred, stateBefore: identity.StateDeleted},
		"cannot be told":      {err: barred, told: true, rejected: true, stillThere: true},
		"cannot be told yet":  {err: barred, rejected: true},

		"suspended, cannot be told":     {err: barred, told: true, asked: true, state: identity.StateSuspended, stateBefore: identity.StateSuspended, stillThere: true},
		"suspended in a group there":    {err: barred, told: true, in: []string{"eng"}, asked: true, state: identity.StateSuspended, stateBefore: identity.StateSuspended, groups: 1, stillThere: true},
		"deprovisioned, cannot be told": {err: barred, told: true, asked: true, state: identity.StateDeprovisioned, stateBefore: identity.StateDeprovisioned, stillThere: true},
		"suspended, never went":         {err: barred, stateBefore: identity.StateSuspended, rejected: true},
	} {
		t.Run(name, func(t *testing.T) {
			i := identity.Identity{State: identity.StateActive, Groups: []identity.Group{{Name: "eng"}}}
			if c.stateBefore != "" {
				i.State = c.stateBefore
			}
			if c.told {
				i.Remember(identity.Resource{Target: hr, ID: "u-1", Groups: c.in})
			}
			asked := false
			o := outbound.Limit(
				directory(func(i identity.Identity, has identity.Resource, _ bool) (identity.Resource, error) {
					asked = true
					if i.State != c.state || len(i.Groups) != c.groups {
						t.Errorf("told of %s with %d groups", i.State, len(i.Groups))
					}
					return identity.Resource{ID: "u-1"}, nil
				}),
				func(_ context.Context, _ *identity.Identity, told bool) (bool, error) {
					if told != c.told {
						t.Errorf("told = %v", told)
					}
					return c.wants, c.err
				},
			)
			has, err := o.Deliver(t.Context(), i, identity.Delivery{Target: hr})
			_, rejected := errors.AsType[*outbound.RejectedError](err)
			if asked != c.asked || rejected != c.rejected || (has.ID != "") != (c.stillThere && (c.told || c.asked)) {
				t.Errorf("asked %v, %+v, %v", asked, has, err)
			}
		})
	}
}

// intender is a directory that has it noted what it is about to do.
type intender struct{ directory }

func (intender) Intend(_ context.Context, i identity.Identity, d identity.Delivery) identity.Resource {
	has, _ := i.Resource(d.Target)
	has.Told += "?"
	return has
}

// TestIntended: what a connector is about to do is in the store before it is
// called, and stays there where nobody can say what became of it.
func TestIntended(t *testing.T) {
	simulate(t, func(t *testing.T) {
		s := open(t)
		id := people(t, s, 1)[0].ID
		var answer func() (identity.Resource, error)
		var mu sync.Mutex
		says := func(f func() (identity.Resource, error)) {
			mu.Lock()
			defer mu.Unlock()
			answer = f
		}
		wants := true
		c := outbound.Route(
			intender{func(i identity.Identity, has identity.Resource, _ bool) (identity.Resource, error) {
				stored, err := s.Get(context.Background(), i.ID)
				if noted, _ := stored.Resource(hr); err != nil || noted.Told != has.Told+"?" {
					t.Errorf("called with %q, and noted is %q (%v)", has.Told, noted.Told, err)
				}
				mu.Lock()
				defer mu.Unlock()
				return answer()
			}}, hr, s,
			func(context.Context, *identity.Identity, bool) (bool, error) {
				mu.Lock()
				defer mu.Unlock()
				if !wants {
					return false, errors.New("no such trait")
				}
				return true, nil
			}, time.Now,
		)
		tell(t, s, c)
		says(func() (identity.Resource, error) { panic("died") })
		change(t, s, id, nothing)
		last := ""
		for range 2 { // each attempt adds what it was about to do
			time.Sleep(time.Minute)
			i, err := s.Get(t.Context(), id)
			must(t, err)
			noted, _ := i.Resource(hr)
			if !strings.HasPrefix(noted.Told, last+"?") {
				t.Errorf("noted %q, after %q", noted.Told, last)
			}
			last = noted.Told
		}

		says(func() (identity.Resource, error) { return identity.Resource{Told: "sure"}, errDown })
		time.Sleep(time.Hour)
		wantNoted(t, s, id, identity.Resource{Target: hr, Told: "sure"})

		says(func() (identity.Resource, error) { return identity.Resource{ID: "u-1"}, nil })
		time.Sleep(2 * time.Hour)
		wantNoted(t, s, id, identity.Resource{Target: hr, ID: "u-1"})

		mu.Lock()
		wants = false
		mu.Unlock()
		change(t, s, id, nothing)
		time.Sleep(time.Hour)
		wantNoted(t, s, id, identity.Resource{Target: hr, ID: "u-1"})
	})
}

// TestUncalled: what was not begun leaves nothing that anybody has to reckon with.
func TestUncalled(t *testing.T) {
	for name, before := range map[string][]identity.Resource{"never told": nil, "told": {{Target: hr, ID: "u-1", Told: "sure", Groups: []string{"old"}}}} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(t *testing.T) {
				s := open(t)
				i := change(t, s, people(t, s, 1)[0].ID, members("eng"))
				i.Resources = before
				i.OutboxVersion++
				must(t, s.SetOutbox(t.Context(), i))
				called := 0
				in := intender{func(identity.Identity, identity.Resource, bool) (identity.Resource, error) {
					called++
					return identity.Resource{}, &outbound.LaterError{After: time.Hour, Err: errDown}
				}}
				everybody := func(context.Context, *identity.Identity, bool) (bool, error) { return true, nil }
				if _, err := outbound.Spare(in, hr, s, time.Now).Deliver(t.Context(), identity.Identity{}, identity.Delivery{Target: hr}); err == nil {
					t.Fatal("the target does not ask for time")
				}
				tell(t, s, outbound.Route(in, hr, s, everybody, time.Now))
				time.Sleep(time.Minute)
				got, err := s.Get(t.Context(), i.ID)
				must(t, err)
				if n := got.DeliveryTo(hr); called != 1 || n < 0 || got.Outbox[n].Attempts != 1 {
					t.Fatalf("called %d times, %+v", called-1, got.Outbox)
				}
				wantNoted(t, s, i.ID, before...)
			})
		})
	}
}
