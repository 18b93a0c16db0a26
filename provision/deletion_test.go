package provision_test

// Whoever is deleted is nobody at once, and what is left of them is no more than
// what other systems that may have an account have yet to learn.

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/provision"
	"github.com/jithook/jithook/store"
)

func TestDeletionReachesTargets(t *testing.T) {
	h := open(t, acme+"outbound: [hr, crm]\n")
	want(t, h.Provision(t.Context(), generic("s-1", ann())), identity.Created)
	before := h.only()
	// One has the account, the other was never told of it.
	h.outbox(func(i *identity.Identity) {
		i.Remember(identity.Resource{Target: "hr", ID: "u-1", Groups: []string{"eng"}})
		i.Outbox = slices.DeleteFunc(i.Outbox, func(d identity.Delivery) bool { return d.Target == "hr" })
	})
	h.now = h.now.Add(time.Minute)
	out := h.admin(provision.Delete(), identity.Deleted, identity.CodeAdminDeleted)
	if out.Identity != nil || len(out.Record.Change) > 0 {
		t.Errorf("outcome %+v", out)
	}
	left := h.only()
	wanted := identity.Identity{
		ID: before.ID, Userstore: before.Userstore, State: identity.StateDeleted, StateSource: identity.SourceAdmin, StateAt: h.now,
		Revision: 2, CreatedAt: before.CreatedAt, UpdatedAt: h.now, LastLoginAt: before.LastLoginAt, DecisionID: out.Record.ID, OutboxVersion: 1,
		Outbox:    []identity.Delivery{{Target: "hr", Revision: 2, Since: h.now, Due: h.now}},
		Resources: []identity.Resource{{Target: "hr", ID: "u-1", Groups: []string{"eng"}}},
	}
	if diff := cmp.Diff(wanted, left, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("what is left (-want +got):\n%s", diff)
	}

	// Nobody edits them any more, and whoever signs in is somebody else.
	for name, e := range map[string]provision.Edit{"delete": provision.Delete(), "activate": provision.Activate(), "suspend": provision.Suspend()} {
		if _, err := h.Edit(t.Context(), provision.Target{ID: left.ID}, e); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	want(t, h.Provision(t.Context(), generic("s-1", ann())), identity.Created)
	all := h.all()
	if len(all) != 2 || all[0].ID != left.ID || all[0].State != identity.StateDeleted || all[1].State != identity.StateActive {
		t.Fatalf("%d identities", len(all))
	}
	h.now = h.now.Add(1000 * day)
	for _, r := range provision.Rules() {
		for _, e := range h.sweep(r, true) {
			if e.IdentityID == left.ID {
				t.Errorf("%s: %+v", r, e)
			}
		}
	}

	// The last of them learns of it.
	h.outbox(func(i *identity.Identity) { i.Outbox = nil })
	if anew := h.only(); anew.ID == left.ID {
		t.Error("what was left is there still")
	}
}

// A sign-in that nobody finished and that a target may have, from before an
// administrator's hand, goes the same way.
func TestSweptReachesTargets(t *testing.T) {
	h := open(t)
	h.asks(map[string]*knows{"main": {}})
	h.prepares()
	h.told()
	h.now = h.now.Add(2 * day)
	h.sweep(provision.RulePending, true)
	if left := h.only(); left.State != identity.StateDeleted || len(left.Keys) > 0 || left.DeliveryTo("hr") < 0 {
		t.Errorf("%+v", left)
	}
}

// A deletion by itself changes nothing in a Kratos; one that has yet to learn
// whom it is to keep out learns that still.
func TestDeletionAndKratos(t *testing.T) {
	const main = "kratos:main"
	for name, c := range map[string]struct {
		edit provision.Edit // before the deletion
		owed bool           // it has not been delivered
		left bool
	}{
		"barred, and owed":      {provision.Suspend(), true, true},
		"barred, and delivered": {provision.Suspend(), false, false},
		"active, and owed":      {provision.Activate(), true, false},
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t)
			h.asks(map[string]*knows{"main": {}})
			h.signsIn()
			h.Provision(t.Context(), kratos(identity.HookLogin, "k-1", "s-1", ann()))
			h.admin(provision.Suspend(), identity.Updated)
			if name == "active, and owed" {
				h.admin(c.edit, identity.Activated)
			}
			h.outbox(func(i *identity.Identity) {
				i.Remember(identity.Resource{Target: main}) // it has been tried
				if !c.owed {
					i.Forget(main)
					i.Outbox = nil
				}
			})
			h.admin(provision.Delete(), identity.Deleted)
			all := h.all()
			if (len(all) == 1) != c.left {
				t.Fatalf("left: %+v", all)
			}
			if !c.left {
				return
			}
			if id, ok := all[0].External(identity.SystemKratos, "main"); !ok || id != "k-1" || all[0].DeliveryTo(main) < 0 || len(all[0].Keys) > 0 {
				t.Errorf("left: %+v", all[0])
			}
		})
	}
}
