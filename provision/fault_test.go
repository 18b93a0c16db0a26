package provision_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

// failing fails the named operation n times.
func failing(op string, n int64, err error) func(string) error {
	var left atomic.Int64
	left.Store(n)
	return func(o string) error {
		if o == op && left.Add(-1) >= 0 {
			return err
		}
		return nil
	}
}

func TestConflictsArePlannedAgainThreeTimesAtMost(t *testing.T) {
	for name, c := range map[string]struct {
		times    int64
		decision identity.Decision
		code     identity.Code
	}{
		"twice":       {2, identity.Updated, identity.CodeUpdated},
		"three times": {3, identity.Error, identity.CodeConflict},
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t)
			h.Provision(t.Context(), generic("s-1", ann()))
			h.store.fail = failing("swap", c.times, store.ErrConflict)
			out := h.Provision(t.Context(), generic("s-1", ann(with("name", "Ann Other"))))
			want(t, out, c.decision, c.code)
			if len(out.Record.Change) != 0 && c.decision == identity.Error {
				t.Error("an error claims changes")
			}
		})
	}
}

func TestStoreFailures(t *testing.T) {
	down := fmt.Errorf("bolt: %w", store.ErrUnavailable)
	for _, op := range []string{"find", "insert"} {
		t.Run(op, func(t *testing.T) {
			h := open(t)
			h.store.fail = failing(op, 1, down)
			want(t, h.Provision(t.Context(), kratos(identity.HookPrepare, nobody, "s-1", ann())), identity.Error, identity.CodeStoreUnavailable)
			if n := len(h.all()); n != 0 {
				t.Fatalf("%d identities after a failed %s", n, op)
			}
			want(t, h.Provision(t.Context(), kratos(identity.HookPrepare, nobody, "s-1", ann())), identity.Created)
			h.settle()
			page, err := h.store.Decisions(t.Context(), store.DecisionQuery{Decision: identity.Error})
			if err != nil || len(page.Records) != 1 {
				t.Errorf("%d records of the failure, %v", len(page.Records), err)
			}
		})
	}
	t.Run("commit, then the next login heals", func(t *testing.T) {
		h := open(t)
		h.Provision(t.Context(), kratos(identity.HookPrepare, nobody, "s-1", ann()))
		h.store.fail = failing("swap", 1, down)
		want(t, h.Commit(t.Context(), kratos(identity.HookCommit, "k-1", "s-1", nil)), identity.Error, identity.CodeStoreUnavailable)
		if i := h.only(); i.State != identity.StatePending {
			t.Fatalf("half committed: %+v", i)
		}
		want(t, h.Provision(t.Context(), kratos(identity.HookLogin, "k-1", "s-1", nil)), identity.Activated)
	})
	t.Run("a denial stands without its record", func(t *testing.T) {
		h := open(t)
		h.store.fail = failing("record", 1, down)
		want(t, h.Provision(t.Context(), generic("s-1", ann(with("hd", "evil.example")))), identity.Denied, identity.CodeNotAllowed)
	})
	t.Run("the deadline", func(t *testing.T) {
		h := open(t)
		ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
		defer cancel()
		want(t, h.Provision(ctx, generic("s-1", ann())), identity.Error, identity.CodeDeadlineExceeded)
	})
}

// TestM2_OneAccountUnderARace is M2 and I1: of many first logins of one subject at
// once exactly one creates, and every other finds what it made.
func TestM2_OneAccountUnderARace(t *testing.T) {
	h := open(t)
	var created, other atomic.Int64
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			out := h.Provision(t.Context(), generic("s-1", ann()))
			switch out.Record.Decision {
			case identity.Created:
				created.Add(1)
			case identity.Unchanged:
				other.Add(1)
			default:
				t.Errorf("decision %s %v", out.Record.Decision, out.Record.Reasons)
			}
		})
	}
	wg.Wait()
	h.only()
	if created.Load() != 1 || other.Load() != 63 {
		t.Errorf("%d created, %d unchanged", created.Load(), other.Load())
	}
}

// TestTwoPeopleOneAddressAtOnce is I8.
func TestTwoPeopleOneAddressAtOnce(t *testing.T) {
	h := open(t)
	var created atomic.Int64
	var wg sync.WaitGroup
	for n := range 16 {
		wg.Go(func() {
			claims := ann(with("preferred_username", fmt.Sprintf("user-%d", n)))
			out := h.Provision(t.Context(), generic(fmt.Sprintf("s-%d", n), claims))
			switch {
			case out.Record.Decision == identity.Created:
				created.Add(1)
			case out.Record.Decision != identity.Denied || out.Record.Reasons[0].Code != identity.CodeTraitTaken:
				t.Errorf("%s %v", out.Record.Decision, out.Record.Reasons)
			}
		})
	}
	wg.Wait()
	h.only()
	if created.Load() != 1 {
		t.Errorf("%d created", created.Load())
	}
}

// TestPlanApplyPlan is the property that makes replays harmless: whatever the
// history, a login that was just applied changes nothing when it comes again.
func TestPlanApplyPlan(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := open(t)
		word := rapid.SampledFrom([]string{"", "ann", "Ann", "bob", "\u00e4nn"})
		for range rapid.IntRange(1, 6).Draw(rt, "logins") {
			claims := ann()
			for _, c := range []string{"name", "preferred_username", "nickname", "department"} {
				switch rapid.IntRange(0, 2).Draw(rt, c) {
				case 0:
					delete(claims, c)
				case 1:
					claims[c] = word.Draw(rt, c+" value")
				}
			}
			if rapid.Bool().Draw(rt, "groups known") {
				claims["groups"] = rapid.SliceOf(rapid.SampledFrom([]any{"eng", "staff", "other"})).Draw(rt, "groups")
			} else {
				delete(claims, "groups")
			}
			claims["email_verified"] = rapid.SampledFrom([]any{true, false, "true"}).Draw(rt, "verified")
			subject := rapid.SampledFrom([]string{"s-1", "s-2"}).Draw(rt, "subject")
			claims["email"] = subject + "@acme.example"
			h.now = h.now.Add(time.Second)
			if !h.Provision(t.Context(), generic(subject, claims)).Record.Decision.Allowed() {
				continue
			}
			if again := h.Provision(t.Context(), generic(subject, claims)); again.Record.Decision != identity.Unchanged {
				rt.Fatalf("again: %s %v", again.Record.Decision, again.Record.Change)
			}
		}
	})
}
