package provision_test

import (
	"slices"
	"testing"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/provision"
)

// replica is another server on the same store, whose clock is off.
func (h *house) replica(off time.Duration) *house {
	r := open(h.t)
	r.now = h.now.Add(off)
	r.Store, r.Journal, r.store = h.Store, h.store, h.store
	r.Later = provision.NewRecorder(h.store, r.Log, func() {})
	return r
}

// TestClocksOfReplicas proves that a clock which is ten minutes off neither
// keeps newer claims out nor lets older ones in (I7).
func TestClocksOfReplicas(t *testing.T) {
	const good, ahead, behind, undated = 0, 10 * time.Minute, -10 * time.Minute, time.Duration(-1)
	type step struct {
		off time.Duration // of the replica's clock
		at  time.Duration // the claims' own time, after the start
		ok  bool          // they are applied
	}
	for name, steps := range map[string][]step{
		"right after one ahead":                   {{ahead, undated, true}, {good, undated, true}},
		"right before one behind":                 {{good, undated, true}, {behind, undated, true}},
		"all three in turn":                       {{ahead, undated, true}, {behind, undated, true}, {good, undated, true}, {ahead, undated, true}},
		"dated claims after one ahead":            {{ahead, time.Second, true}, {good, 2 * time.Second, true}},
		"dated after undated ones ahead":          {{ahead, undated, true}, {good, time.Second, true}},
		"older ones that arrive late":             {{good, 30 * time.Second, true}, {good, 20 * time.Second, false}},
		"older ones that arrive late, one ahead":  {{good, 30 * time.Second, true}, {ahead, 20 * time.Second, false}},
		"older ones that arrive late, one behind": {{good, -9*time.Minute - 10*time.Second, true}, {behind, -9*time.Minute - 20*time.Second, false}},
		"older than undated ones":                 {{good, undated, true}, {good, -time.Second, false}},
		"older than undated ones, one ahead":      {{good, undated, true}, {ahead, -time.Second, false}},
		"a minute ahead is a tolerable clock":     {{good, 59 * time.Second, true}, {good, 58 * time.Second, false}},
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t)
			first := generic("s-1", ann())
			first.At = h.now.Add(-time.Hour)
			want(t, h.Provision(t.Context(), first), identity.Created)
			stored := h.only().Traits["name"]
			for n, s := range steps {
				fresh := string(rune('A' + n))
				l := generic("s-1", ann(with("name", fresh)))
				if s.at != undated {
					l.At = h.now.Add(s.at)
				}
				out := h.replica(s.off).Provision(t.Context(), l)
				stale := slices.ContainsFunc(out.Record.Reasons, func(r identity.Reason) bool { return r.Code == identity.CodeClaimsStale })
				if s.ok {
					stored = fresh
				}
				if !out.Record.Decision.Allowed() || stale == s.ok || h.only().Traits["name"] != stored {
					t.Fatalf("step %d: %v, %v; the store has %v, want %v", n+1, out.Record.Decision, out.Record.Reasons, h.only().Traits["name"], stored)
				}
			}
		})
	}
}

// TestClaimsOfTheFuture: whose time lies ahead of ours are refused, whatever
// hook names it.
func TestClaimsOfTheFuture(t *testing.T) {
	h := open(t)
	l := generic("s-1", ann())
	l.At = h.now.Add(61 * time.Second)
	want(t, h.Provision(t.Context(), l), identity.Denied, identity.CodeClaimsInvalid)
	l.At = h.now.Add(60 * time.Second)
	want(t, h.Provision(t.Context(), l), identity.Created)
}

// TestS53_LaterLoginsStillSync: claims of the next century make nobody's later
// ones look old.
func TestS53_LaterLoginsStillSync(t *testing.T) {
	h := open(t)
	want(t, h.Provision(t.Context(), generic("s-1", ann())), identity.Created)
	for n, ahead := range []time.Duration{100 * 365 * 24 * time.Hour, 0} {
		l := generic("s-1", ann(with("name", []string{"Far", "Next"}[n])))
		h.now = h.now.Add(time.Minute)
		l.At = h.now.Add(ahead)
		h.Provision(t.Context(), l)
	}
	if name := h.only().Traits["name"]; name != "Next" {
		t.Errorf("the name of a later login is not applied: it is %v", name)
	}
}
