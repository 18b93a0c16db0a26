package provision_test

// These tests prove what becomes of a name that somebody has: it gets the first
// free number where the file says so, once, and keeps it; nobody is told whose it
// is, two at once get two, and what is not taken costs nothing.

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/provision"
)

var suffixed = replace(acme, "canonical: username, unique: true", "canonical: username, unique: true, on_taken: suffix")

// called is a login of a subject with a name and an address of its own.
func called(subject, name string) identity.Login {
	return generic(subject, ann(with("email", subject+"@acme.example"), with("preferred_username", name)))
}

// name is the username of whom a login let in.
func name(t *testing.T, out provision.Outcome) string {
	t.Helper()
	if out.Identity == nil {
		t.Fatalf("%s %v", out.Record.Decision, out.Record.Reasons)
	}
	return out.Identity.Traits["username"].(string)
}

func TestTakenNameGetsANumber(t *testing.T) {
	h := open(t, suffixed)
	for n, want := range []string{"ada", "ada2", "ada3"} {
		subject := fmt.Sprint("s-", n)
		h.store.reads.Store(0)
		h.store.writes.Store(0)
		out := h.Provision(t.Context(), called(subject, "Ada"))
		if got := name(t, out); got != want || out.Record.Decision != identity.Created {
			t.Errorf("%s is %s (%s), want %s", subject, got, out.Record.Decision, want)
		}
		// One who has the name to themselves costs what anybody does.
		reads, writes := int64(1), int64(1)
		if n > 0 {
			reads, writes = 2, 2
		}
		if r, w := h.store.reads.Load(), h.store.writes.Load(); r != reads || w != writes {
			t.Errorf("%s: %d reads, %d writes, want %d and %d", subject, r, w, reads, writes)
		}
		if !slices.Contains(out.Identity.Keys, identity.NameKey("employees", "/username", want)) {
			t.Errorf("%s does not hold the name", subject)
		}
		// It stays: one read, no write.
		h.store.reads.Store(0)
		h.store.writes.Store(0)
		again := h.Provision(t.Context(), called(subject, "Ada"))
		if got := name(t, again); got != want || again.Record.Decision != identity.Unchanged {
			t.Errorf("then %s (%s)", got, again.Record.Decision)
		}
		if r, w := h.store.reads.Load(), h.store.writes.Load(); r != 1 || w != 0 {
			t.Errorf("returning costs %d reads, %d writes", r, w)
		}
	}
}

func TestNumberedNameFollowsItsClaim(t *testing.T) {
	h := open(t, suffixed)
	h.Provision(t.Context(), called("s-1", "ada"))
	h.Provision(t.Context(), called("s-2", "ada"))
	for _, step := range []struct{ claim, want string }{
		{"ada", "ada2"}, {"ADA", "ada2"}, {"eve", "eve"}, {"ada", "ada2"}, {"ada2", "ada2"}, {"ad", "ad"}, {"ada", "ada2"},
	} {
		h.now = h.now.Add(time.Minute)
		if got := name(t, h.Provision(t.Context(), called("s-2", step.claim))); got != step.want {
			t.Errorf("claim %s: %s, want %s", step.claim, got, step.want)
		}
	}
	// Whoever gives a number back frees it, and the first free one is given.
	h.Provision(t.Context(), called("s-3", "ada"))
	h.Provision(t.Context(), called("s-2", "eve"))
	if got := name(t, h.Provision(t.Context(), called("s-4", "ada"))); got != "ada2" {
		t.Errorf("the fourth is %s", got)
	}
	// A number that is somebody's own name is theirs.
	if got := name(t, h.Provision(t.Context(), called("s-5", "ada4"))); got != "ada4" {
		t.Errorf("the fifth is %s", got)
	}
	if got := name(t, h.Provision(t.Context(), called("s-6", "ada"))); got != "ada5" {
		t.Errorf("the sixth is %s", got)
	}
}

func TestNumbersEnd(t *testing.T) {
	h := open(t, suffixed)
	for n := range 20 {
		h.Provision(t.Context(), called(fmt.Sprint("s-", n), "ada"))
	}
	out := h.Provision(t.Context(), called("s-20", "ada"))
	want(t, out, identity.Denied, identity.CodeTraitTaken)
	if r := out.Record.Reasons[0]; r.Path != "/traits/username" || strings.Contains(r.Text, "ada") {
		t.Errorf("reason %+v", r)
	}
	if n := len(h.all()); n != 20 {
		t.Errorf("%d identities", n)
	}
}

// Without on_taken, and for another unique trait, taken is taken.
func TestOnlyTheNameGetsANumber(t *testing.T) {
	h := open(t)
	h.Provision(t.Context(), called("s-1", "ada"))
	want(t, h.Provision(t.Context(), called("s-2", "ada")), identity.Denied, identity.CodeTraitTaken)
	h = open(t, suffixed)
	h.Provision(t.Context(), called("s-1", "ada"))
	out := h.Provision(t.Context(), generic("s-2", ann(with("email", "s-1@acme.example"), with("preferred_username", "ada"))))
	want(t, out, identity.Denied, identity.CodeTraitTaken)
	if out.Record.Reasons[0].Path != "/traits/email" || len(h.all()) != 1 {
		t.Errorf("%+v, %d identities", out.Record.Reasons, len(h.all()))
	}
}

// Many at once get names of their own, whoever comes first.
func TestManyWantOneName(t *testing.T) {
	const many = 8
	h := open(t, suffixed)
	var wg sync.WaitGroup
	outs := make([]provision.Outcome, many)
	for n := range many {
		wg.Go(func() { outs[n] = h.Provision(t.Context(), called(fmt.Sprint("s-", n), "ada")) })
	}
	wg.Wait()
	var got, want []string
	for n, out := range outs {
		got = append(got, name(t, out))
		want = append(want, strings.TrimSuffix(fmt.Sprint("ada", n+1), "1"))
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}

// The dry run says which name it would be.
func TestPreviewOfANumber(t *testing.T) {
	h := open(t, suffixed)
	h.Provision(t.Context(), called("s-1", "ada"))
	out, err := h.Preview(t.Context(), called("s-2", "ada"))
	if err != nil || name(t, out) != "ada2" || len(h.all()) != 1 {
		t.Errorf("%v, %v", out.Identity, err)
	}
}

// A name that became unique, and that two have, gets its number at the login of
// the second; an administrator's does not.
func TestNumberWhereUniqueIsTurnedOn(t *testing.T) {
	shared := replace(acme, "canonical: username, unique: true", "canonical: username")
	h := open(t, shared)
	h.Provision(t.Context(), called("s-1", "ada"))
	h.Provision(t.Context(), called("s-2", "ada"))
	h.edit(suffixed)
	want(t, h.Provision(t.Context(), called("s-1", "ada")), identity.Updated)
	h.now = h.now.Add(time.Minute)
	out := h.Provision(t.Context(), called("s-2", "ada"))
	if got := name(t, out); got != "ada2" || !slices.Contains(out.Record.Change, set("/traits/username")) {
		t.Errorf("%s, changes %v", got, out.Record.Change)
	}
	if by, _ := out.Identity.ProvenanceOf("/username"); !by.At.Equal(h.now) || by.Source != "provider:acme" {
		t.Errorf("written by %+v", by)
	}
	want(t, h.Provision(t.Context(), called("s-2", "ada")), identity.Unchanged)
}

// Under override_all and force, too, a number stays.
func TestNumberUnderEveryMethod(t *testing.T) {
	for _, method := range []string{"override_all", "preserve_local", "none"} {
		h := open(t, replace(suffixed, "enabled: true", "enabled: true\n  attribute_sync: "+method))
		h.Provision(t.Context(), called("s-1", "ada"))
		h.Provision(t.Context(), called("s-2", "ada"))
		out := h.Provision(t.Context(), called("s-2", "ada"))
		if got := name(t, out); got != "ada2" || out.Record.Decision != identity.Unchanged {
			t.Errorf("%s: %s (%s)", method, got, out.Record.Decision)
		}
	}
}
