//go:build unix

package replicas_test

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/test/server"
)

// TestOneClockIsOff: logins spread over two servers, one of which has a clock ten
// minutes ahead of, or behind, the other's.
func TestOneClockIsOff(t *testing.T) {
	binary := server.Build(t)
	for name, off := range map[string]time.Duration{"ahead": 10 * time.Minute, "behind": -10 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			both := start(t, binary, server.BuildAhead(t, off))
			records := everybodyAtBoth(t, both)
			newerClaimsWin(t, both, off)
			for id := range records {
				for n, r := range both {
					if got := r.Ask(t, http.MethodGet, "/admin/v1/decisions/"+id, nil); got.Status != http.StatusOK {
						t.Errorf("the record %s is lost at replica %d: %d", id, n, got.Status)
					}
				}
			}
			var found struct{ Findings []any }
			both[1].Ask(t, http.MethodPost, "/admin/v1/store/verify", nil).Decode(t, &found)
			if len(found.Findings) > 0 {
				t.Errorf("store verify finds %v", found.Findings)
			}
		})
	}
}

// everybodyAtBoth signs people in at both servers at once and returns the
// records of what that made: nobody is there twice, nothing acknowledged is
// missing.
func everybodyAtBoth(t *testing.T, both []replica) map[string]bool {
	t.Helper()
	const subjects = 24
	var mu sync.Mutex
	told, records, created := map[string]string{}, map[string]bool{}, map[string]int{}
	var wg sync.WaitGroup
	slots := make(chan struct{}, 8)
	for n := range subjects {
		for _, r := range both {
			wg.Go(func() {
				slots <- struct{}{}
				defer func() { <-slots }()
				subject := fmt.Sprintf("s-%d", n)
				a := r.login(t, subject, "Ann", time.Time{})
				mu.Lock()
				defer mu.Unlock()
				if a.status == http.StatusServiceUnavailable {
					return // a busy machine: nobody was told anything
				}
				if a.status != http.StatusOK || told[subject] != "" && told[subject] != a.Identity.ID {
					t.Errorf("%s: %+v, after %q", subject, a, told[subject])
				}
				told[subject] = a.Identity.ID
				if a.Decision == identity.Created {
					records[a.DecisionID] = true
					created[subject]++
				}
			})
		}
	}
	wg.Wait()
	people := both[0].people(t)
	for subject, id := range told {
		if people[subject].ID != id || created[subject] > 1 {
			t.Errorf("%s: told %s, there is %s, created %d times", subject, id, people[subject].ID, created[subject])
		}
	}
	if len(told) < subjects/2 || len(people) > subjects {
		t.Errorf("%d identities, %d acknowledged, of %d subjects", len(people), len(told), subjects)
	}
	return records
}

// newerClaimsWin changes a person at one server and at once at the other, then
// lets older claims come late to each.
func newerClaimsWin(t *testing.T, both []replica, off time.Duration) {
	t.Helper()
	good, wrong := both[0], both[1]
	stored := func(what, want string) {
		t.Helper()
		if got := good.people(t)["p"].Traits["name"]; got != want {
			t.Errorf("%s: the name is %v, want %s", what, got, want)
		}
	}
	for n := range 6 {
		name := fmt.Sprintf("Undated %d", n)
		if a := both[(n+1)%2].login(t, "p", name, time.Time{}); a.status != http.StatusOK {
			t.Errorf("undated, %d: %+v", n, a)
		}
		stored("undated claims", name)
	}
	start := time.Now()
	if a := good.login(t, "p", "Dated", start); a.Decision != identity.Updated {
		t.Errorf("dated claims after undated ones: %+v", a)
	}
	// A server that is behind takes today's claims for tomorrow's, and says so.
	a := wrong.login(t, "p", "Dated elsewhere", start.Add(time.Second))
	if refused := a.status == http.StatusBadRequest; refused != (off < 0) {
		t.Errorf("dated claims at the wrong clock: %+v", a)
	}
	if off > 0 {
		stored("dated claims at the server ahead", "Dated elsewhere")
	}
	if a := good.login(t, "p", "Newest", start.Add(2*time.Second)); a.Decision != identity.Updated {
		t.Errorf("dated claims after those at the wrong clock: %+v", a)
	}
	for _, r := range both {
		// Late for both clocks: that of the server behind says they are of now.
		a := r.login(t, "p", "Older", start.Add(-10*time.Minute))
		stale := slices.ContainsFunc(a.Reasons, func(r identity.Reason) bool { return r.Code == identity.CodeClaimsStale })
		if a.status != http.StatusOK || !stale {
			t.Errorf("older claims: %+v", a)
		}
		stored("older claims", "Newest")
	}
}
