package provision_test

// These tests prove what an administrator's word on a state is worth: which
// states lead where, that no login passes one that bars, that the person is not
// made anew, that a deletion is whole, and that every edit leaves its record.

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/provision"
	"github.com/jithook/jithook/store"
)

// bring is the edits that lead a new identity into a state.
var bring = map[identity.State][]provision.Edit{
	identity.StateActive:        nil,
	identity.StateSuspended:     {provision.Suspend()},
	identity.StateDeprovisioned: {provision.Deprovision()},
}

// in returns a house with one identity in a state: one that the generic
// contract made and a login has used, or that prepare made.
func in(t *testing.T, state identity.State, files ...string) *house {
	t.Helper()
	h := open(t, files...)
	if state == identity.StatePending {
		want(t, h.Provision(t.Context(), kratos(identity.HookPrepare, "", "s-1", ann())), identity.Created)
		return h
	}
	want(t, h.Provision(t.Context(), generic("s-1", ann())), identity.Created)
	for _, e := range bring[state] {
		h.admin(e, identity.Updated)
	}
	return h
}

// admin edits the only identity.
func (h *house) admin(e provision.Edit, d identity.Decision, codes ...identity.Code) provision.Outcome {
	h.t.Helper()
	i := h.only()
	out, err := h.Edit(h.t.Context(), provision.Target{ID: i.ID, Revision: i.Revision, RequestID: "request-1"}, e)
	if err != nil {
		h.t.Fatal(err)
	}
	want(h.t, out, d, codes...)
	record, err := h.store.Decision(h.t.Context(), out.Record.ID)
	if err != nil || record.Decision != d || record.Hook != identity.HookAdmin || record.Caller != "admin" ||
		record.IdentityID != i.ID || record.Userstore != i.Userstore || record.RequestID != "request-1" {
		h.t.Fatalf("record %+v, %v", record, err)
	}
	return out
}

func TestStates(t *testing.T) {
	const pending, active, suspended, deprovisioned = identity.StatePending, identity.StateActive, identity.StateSuspended, identity.StateDeprovisioned
	edits := map[string]provision.Edit{"suspend": provision.Suspend(), "deprovision": provision.Deprovision(), "activate": provision.Activate()}
	for _, c := range []struct {
		from     identity.State
		edit     string
		decision identity.Decision
		code     identity.Code
		to       identity.State
	}{
		{pending, "suspend", identity.Updated, identity.CodeAdminSuspended, suspended},
		{pending, "deprovision", identity.Updated, identity.CodeAdminDeprovisioned, deprovisioned},
		{pending, "activate", identity.Denied, identity.CodeStateRefused, pending},
		{active, "suspend", identity.Updated, identity.CodeAdminSuspended, suspended},
		{active, "deprovision", identity.Updated, identity.CodeAdminDeprovisioned, deprovisioned},
		{active, "activate", identity.Unchanged, identity.CodeAdminActivated, active},
		{suspended, "suspend", identity.Unchanged, identity.CodeAdminSuspended, suspended},
		{suspended, "deprovision", identity.Updated, identity.CodeAdminDeprovisioned, deprovisioned},
		{suspended, "activate", identity.Activated, identity.CodeAdminActivated, active},
		{deprovisioned, "suspend", identity.Denied, identity.CodeStateRefused, deprovisioned},
		{deprovisioned, "deprovision", identity.Unchanged, identity.CodeAdminDeprovisioned, deprovisioned},
		{deprovisioned, "activate", identity.Activated, identity.CodeAdminActivated, active},
	} {
		t.Run(string(c.from)+", "+c.edit, func(t *testing.T) {
			h := in(t, c.from)
			before := h.only()
			out := h.admin(edits[c.edit], c.decision, c.code)
			after := h.only()
			changed := c.decision == identity.Updated || c.decision == identity.Activated
			if after.State != c.to || changed != (after.Revision == before.Revision+1) || changed != (after.DecisionID == out.Record.ID) {
				t.Errorf("%s at revision %d (before %d), written by %q", after.State, after.Revision, before.Revision, after.DecisionID)
			}
			if changed && after.StateSource != identity.SourceAdmin {
				t.Errorf("state of %q", after.StateSource)
			}
			if !slices.Equal(before.Keys, after.Keys) || len(after.Links) != 1 {
				t.Errorf("keys %v, then %v", before.Keys, after.Keys)
			}
			kept := c.from != deprovisioned && c.to != deprovisioned
			if got := groups(after); kept && !slices.Equal(got, []string{"engineering"}) || !kept && len(got) > 0 {
				t.Errorf("groups %v", got)
			}
		})
	}
}

// Whatever door a person comes to: barred is barred, nobody is made anew, and
// activation opens the doors again.
func TestBarred(t *testing.T) {
	for state, code := range map[identity.State]identity.Code{
		identity.StateSuspended: identity.CodeSuspended, identity.StateDeprovisioned: identity.CodeDeprovisioned,
	} {
		t.Run(string(state), func(t *testing.T) {
			h := in(t, identity.StatePending)
			want(t, h.Provision(t.Context(), kratos(identity.HookLogin, "k-1", "s-1", nil)), identity.Activated)
			h.admin(bring[state][0], identity.Updated)
			password := kratos(identity.HookLogin, "k-1", "", nil)
			password.Provider, password.Offers = "", nil
			doors := map[string]identity.Login{
				"generic": generic("s-1", ann(with("name", "Ann Other"))), "prepare": kratos(identity.HookPrepare, "", "s-1", ann()),
				"login": kratos(identity.HookLogin, "k-1", "s-1", ann()), "password": password,
			}
			for door, l := range doors {
				out := h.Provision(t.Context(), l)
				if out.Record.Decision != identity.Denied || out.Record.Reasons[0].Code != code {
					t.Errorf("%s: %s %v", door, out.Record.Decision, out.Record.Reasons)
				}
			}
			if out := h.Commit(t.Context(), kratos(identity.HookCommit, "k-1", "s-1", nil)); out.Record.Decision.Allowed() {
				t.Errorf("commit: %s", out.Record.Decision)
			}
			if i := h.only(); i.State != state || i.Traits["name"] != "Ann Example" {
				t.Errorf("%s, %v", i.State, i.Traits)
			}
			h.admin(provision.Activate(), identity.Activated)
			want(t, h.Provision(t.Context(), doors["password"]), identity.Unchanged)
			back := h.Provision(t.Context(), doors["generic"])
			want(t, back, identity.Updated)
			if !slices.Equal(groups(*back.Identity), []string{"engineering"}) {
				t.Errorf("groups %v: the provider still grants them", groups(*back.Identity))
			}
		})
	}
}

// The administrator's word stands where a provider's was, and not the other way
// around.
func TestStateSource(t *testing.T) {
	h := in(t, identity.StateActive)
	i := h.only()
	if i.StateSource != "provider:acme" {
		t.Errorf("made active by %q", i.StateSource)
	}
	i.State, i.Revision = identity.StateSuspended, i.Revision+1
	if err := h.store.Swap(t.Context(), i, identity.Record{}); err != nil {
		t.Fatal(err)
	}
	h.admin(provision.Suspend(), identity.Updated, identity.CodeAdminSuspended)
	if i := h.only(); i.State != identity.StateSuspended || i.StateSource != identity.SourceAdmin {
		t.Errorf("%s by %q", i.State, i.StateSource)
	}
}

// Who was suspended before the identity server acknowledged them waits for it
// again, from now on.
func TestActivateWhoWasNeverAcknowledged(t *testing.T) {
	h := in(t, identity.StatePending)
	h.admin(provision.Suspend(), identity.Updated)
	h.now = h.now.Add(25 * time.Hour)
	h.admin(provision.Activate(), identity.Activated)
	if i := h.only(); i.State != identity.StatePending || !i.RenewedAt.Equal(h.now) {
		t.Errorf("%s, renewed at %s", i.State, i.RenewedAt)
	}
	want(t, h.Provision(t.Context(), kratos(identity.HookPrepare, "", "s-1", ann())), identity.Unchanged)
	want(t, h.Commit(t.Context(), kratos(identity.HookCommit, "k-1", "s-1", nil)), identity.Activated)
}

// A state that a newer version wrote bars, and is left to that version.
func TestUnknownState(t *testing.T) {
	h := in(t, identity.StateActive)
	i := h.only()
	i.State, i.Revision = "frozen", i.Revision+1
	if err := h.store.Swap(t.Context(), i, identity.Record{}); err != nil {
		t.Fatal(err)
	}
	want(t, h.Provision(t.Context(), generic("s-1", ann())), identity.Denied)
	for _, e := range []provision.Edit{provision.Suspend(), provision.Deprovision(), provision.Activate()} {
		h.admin(e, identity.Denied, identity.CodeStateRefused)
	}
}

func TestDelete(t *testing.T) {
	for _, state := range []identity.State{identity.StatePending, identity.StateActive, identity.StateSuspended, identity.StateDeprovisioned} {
		t.Run(string(state), func(t *testing.T) {
			h := in(t, state)
			i := h.only()
			out, err := h.Edit(t.Context(), provision.Target{ID: i.ID, Revision: i.Revision}, provision.Delete())
			if err != nil || out.Record.Decision != identity.Deleted || out.Identity != nil || out.Record.Reasons[0].Code != identity.CodeAdminDeleted {
				t.Fatalf("%+v, %v", out, err)
			}
			if r, err := h.store.Decision(t.Context(), out.Record.ID); err != nil || r.Decision != identity.Deleted || r.IdentityID != i.ID {
				t.Errorf("record %+v, %v", r, err)
			}
			if _, err := h.Edit(t.Context(), provision.Target{ID: i.ID}, provision.Delete()); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("deleted again: %v", err)
			}
			want(t, h.Provision(t.Context(), generic("s-1", ann())), identity.Created)
			if anew := h.only(); anew.ID == i.ID {
				t.Error("the id was used again")
			}
		})
	}
}

func TestEditRevision(t *testing.T) {
	h := in(t, identity.StateActive)
	i := h.only()
	for _, e := range []provision.Edit{provision.Suspend(), provision.Delete()} {
		if _, err := h.Edit(t.Context(), provision.Target{ID: i.ID, Revision: i.Revision + 1}, e); !errors.Is(err, provision.ErrRevision) {
			t.Errorf("another revision: %v", err)
		}
	}
	if _, err := h.Edit(t.Context(), provision.Target{ID: "nobody"}, provision.Suspend()); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("nobody: %v", err)
	}
	if h.only().Revision != i.Revision {
		t.Error("something was written")
	}
}

// Whoever is overtaken plans again, on what is there now; three times, and then
// says so.
func TestEditOvertaken(t *testing.T) {
	h := in(t, identity.StateActive)
	i := h.only()
	swaps := 0
	h.store.fail = func(op string) error {
		if op != "swap" {
			return nil
		}
		swaps++
		return store.ErrConflict
	}
	if _, err := h.Edit(t.Context(), provision.Target{ID: i.ID}, provision.Suspend()); !errors.Is(err, store.ErrConflict) || swaps != 3 {
		t.Errorf("%v after %d swaps", err, swaps)
	}
	// A login's change comes between reading and writing.
	overtaken := false
	h.store.fail = func(op string) error {
		if op == "swap" && !overtaken {
			overtaken = true
			want(t, h.Provision(t.Context(), generic("s-1", ann(with("name", "Ann Other")))), identity.Updated)
			return store.ErrConflict
		}
		return nil
	}
	out, err := h.Edit(t.Context(), provision.Target{ID: i.ID}, provision.Suspend())
	if err != nil || out.Identity.Traits["name"] != "Ann Other" || out.Identity.State != identity.StateSuspended {
		t.Errorf("%+v, %v", out, err)
	}
	// Who named a revision is told instead.
	overtaken, i = false, h.only()
	h.store.fail = func(op string) error {
		if op == "swap" && !overtaken {
			overtaken = true
			if _, err := h.Edit(t.Context(), provision.Target{ID: i.ID}, provision.Activate()); err != nil {
				t.Error(err)
			}
			return store.ErrConflict
		}
		return nil
	}
	if _, err := h.Edit(t.Context(), provision.Target{ID: i.ID, Revision: i.Revision}, provision.Deprovision()); !errors.Is(err, provision.ErrRevision) {
		t.Errorf("overtaken at a revision: %v", err)
	}
	h.store.fail = func(string) error { return store.ErrUnavailable }
	if _, err := h.Edit(t.Context(), provision.Target{ID: i.ID}, provision.Suspend()); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("store down: %v", err)
	}
}
