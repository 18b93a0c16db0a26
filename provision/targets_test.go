package provision_test

// Whoever is to learn of a revision is armed by the write that makes it, and by
// nothing else: the targets of the linked providers' files, and those that may have
// the identity from before.

import (
	"slices"
	"strings"
	"testing"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/provision"
)

// wantArmed compares the targets that wait, then settles all of them as if they
// had the identity.
func wantArmed(t *testing.T, h *house, revision int64, want ...string) {
	t.Helper()
	i := h.only()
	var got []string
	for _, d := range i.Outbox {
		if got = append(got, d.Target); d.Revision > i.Revision {
			t.Errorf("%s is armed for revision %d of %d", d.Target, d.Revision, i.Revision)
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, want) || i.Revision != revision {
		t.Errorf("armed %q at revision %d, want %q at %d", got, i.Revision, want, revision)
	}
	if len(want) == 0 {
		return
	}
	for _, d := range i.Outbox {
		i.Remember(identity.Resource{Target: d.Target, ID: "u-1"})
	}
	i.Outbox = nil
	i.OutboxVersion++
	if err := h.store.SetOutbox(t.Context(), i); err != nil {
		t.Fatal(err)
	}
}

func TestTargetsAreArmed(t *testing.T) {
	sends := func(list string) string { return acme + "outbound: " + list + "\n" }
	h := open(t, sends("[hr]"))
	want(t, h.Provision(t.Context(), kratos(identity.HookPrepare, "", "s-1", ann())), identity.Created)
	i := h.only()
	if len(i.Outbox) != 1 || i.Released(i.Outbox[0]) {
		t.Errorf("pending: %+v", i.Outbox)
	}
	// The file begins to name a second target before the commit.
	h.edit(sends("[crm, hr]"))
	h.Commit(t.Context(), kratos(identity.HookCommit, "k-1", "s-1", ann()))
	if i = h.only(); i.State != identity.StateActive || !i.Released(i.Outbox[0]) {
		t.Errorf("active: %+v", i)
	}
	wantArmed(t, h, 2, "crm", "hr")

	want(t, h.Provision(t.Context(), kratos(identity.HookLogin, "k-1", "s-1", ann())), identity.Unchanged)
	wantArmed(t, h, 2)
	want(t, h.Provision(t.Context(), generic("s-1", ann(with("name", "Ann Other")))), identity.Updated)
	wantArmed(t, h, 3, "crm", "hr")
	h.store.writes.Store(0)
	want(t, h.Provision(t.Context(), generic("s-1", ann(with("hd", "else.example")))), identity.Denied)
	wantArmed(t, h, 3)

	// What it went to and does not go to any more has to learn that.
	h.edit(sends("[hr]"))
	if _, err := h.Edit(t.Context(), provision.Target{ID: i.ID}, provision.Suspend()); err != nil {
		t.Fatal(err)
	}
	wantArmed(t, h, 4, "crm", "hr")
	if _, err := h.Edit(t.Context(), provision.Target{ID: i.ID}, provision.Unlink("acme")); err != nil {
		t.Fatal(err)
	}
	wantArmed(t, h, 5, "crm", "hr")
}

func TestNoTargetIsArmed(t *testing.T) {
	h := open(t)
	want(t, h.Provision(t.Context(), generic("s-1", ann())), identity.Created)
	want(t, h.Provision(t.Context(), generic("s-1", ann(with("name", "Ann Other")))), identity.Updated)
	wantArmed(t, h, 2)
	if strings.Contains(acme, "outbound") {
		t.Error("the sample sends somebody somewhere: the test shows nothing")
	}
}
