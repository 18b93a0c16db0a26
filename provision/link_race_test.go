package provision_test

// These tests prove that links hold under races: of many subjects of one
// provider that come at once for one person one is linked, of many logins of one
// subject one links, and a proposal that is approved while its subject makes an
// identity of its own ends with one of the two.

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/provision"
)

// atOnce runs f(0) … f(n-1) together and counts the decisions and codes.
func atOnce(n int, f func(int) provision.Outcome) map[string]int {
	var ready, done sync.WaitGroup
	var mu sync.Mutex
	got := map[string]int{}
	ready.Add(1)
	for k := range n {
		done.Go(func() {
			ready.Wait()
			r := f(k).Record
			mu.Lock()
			defer mu.Unlock()
			got[fmt.Sprint(r.Decision, " ", r.Reasons[0].Code)]++
		})
	}
	ready.Done()
	done.Wait()
	return got
}

func TestManySubjectsOfOneProvider(t *testing.T) {
	h := findable(t, auto)
	got := atOnce(12, func(n int) provision.Outcome { return h.Provision(t.Context(), fromGlobex(fmt.Sprint("g-", n))) })
	if got["linked linked"] != 1 || got["denied link_refused"] != 11 {
		t.Errorf("%v", got)
	}
	if i := h.only(); len(i.Links) != 2 || i.Revision != 2 {
		t.Errorf("%+v", i)
	}
}

func TestManyLoginsOfOneSubject(t *testing.T) {
	h := findable(t, auto)
	got := atOnce(12, func(int) provision.Outcome { return h.Provision(t.Context(), fromGlobex("g-1")) })
	if got["linked linked"] != 1 || got["unchanged unchanged"] != 11 {
		t.Errorf("%v", got)
	}
	if i := h.only(); len(i.Links) != 2 || i.Revision != 2 {
		t.Errorf("%+v", i)
	}
}

func TestManyAskAtOnce(t *testing.T) {
	h := findable(t, confirm)
	got := atOnce(12, func(int) provision.Outcome { return h.Provision(t.Context(), fromGlobex("g-1")) })
	if got["denied link_approval_required"] != 12 {
		t.Errorf("%v", got)
	}
	if i := h.only(); len(i.Proposals) != 1 || i.Revision != 2 {
		t.Errorf("%+v", i)
	}
}

func TestApprovedWhileItsSubjectIsMade(t *testing.T) {
	for range 8 {
		h, id := proposal(t, confirm)
		ann := h.only()
		got := atOnce(2, func(n int) provision.Outcome {
			if n == 0 {
				return h.Provision(t.Context(), fromGlobex("g-1", with("email", "other@acme.example")))
			}
			out, err := h.Edit(t.Context(), provision.Target{ID: ann.ID}, provision.Approve(id))
			if err != nil {
				t.Error(err)
			}
			return out
		})
		all := h.all()
		holders := slices.DeleteFunc(slices.Clone(all), func(i identity.Identity) bool { return i.Link("https://globex.example", "g-1") < 0 })
		approved := got["linked admin_link_approved"] == 1 && len(all) == 1
		made := got["denied subject_taken"] == 1 && got["created created"] == 1 && len(all) == 2
		if len(holders) != 1 || !approved && !made {
			t.Errorf("%v, %d people", got, len(all))
		}
	}
}

// TestLinkedMeanwhile: between this login's look for the subject and its look
// for the person, another one links the two.
func TestLinkedMeanwhile(t *testing.T) {
	h := findable(t, auto)
	finds := 0
	h.store.fail = func(op string) error {
		if op != "find" {
			return nil
		}
		if finds++; finds == 2 {
			h.store.fail = nil
			want(t, h.Provision(t.Context(), fromGlobex("g-1")), identity.Linked)
		}
		return nil
	}
	want(t, h.Provision(t.Context(), fromGlobex("g-1")), identity.Unchanged)
	if i := h.only(); len(i.Links) != 2 {
		t.Errorf("%+v", i)
	}
}
