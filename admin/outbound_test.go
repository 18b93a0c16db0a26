package admin_test

// These tests prove what the API shows of deliveries to other systems, that what
// was given up can be asked for again or dropped, and that nothing else is touched.

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/jithook/jithook/admin"
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/outbound"
)

// differing is a target that has one identity otherwise, or is down.
type differing struct {
	id   string
	down error
}

// Deliver closes what it is told of.
func (d differing) Deliver(context.Context, identity.Identity, identity.Delivery) (identity.Resource, error) {
	return identity.Resource{}, d.down
}

// Accounts is one account of the identity, and one of nobody here.
func (d differing) Accounts(_ context.Context, behind, _ int) ([]outbound.Account, int, error) {
	if behind == 0 {
		return []outbound.Account{{ID: "u-7", Active: true}}, 1, d.down
	}
	return []outbound.Account{{ID: "u-1", ExternalID: d.id, Active: true}}, -1, d.down
}

func (d differing) Compare(_ context.Context, i identity.Identity, _ identity.Delivery) ([]outbound.Difference, error) {
	if d.down != nil || i.ID != d.id {
		return nil, d.down
	}
	return []outbound.Difference{{What: "update user", Attributes: []string{"title"}}}, nil
}

func TestReconcile(t *testing.T) {
	w := newWorld(t)
	id := ann(t, w)
	step := func(target, query string) reply {
		return w.ask(t, request(http.MethodPost, "/outbound/"+target+"/reconcile"+query, ""))
	}
	refused(t, step("hr", ""), http.StatusNotFound)
	w.api.Comparers = map[string]outbound.Comparer{"hr": differing{id: id}, "down": differing{down: errors.New("the target answered 503")}}
	for _, mend := range []string{"false", "true"} {
		got := into[admin.Reconciled](t, step("hr", "?mend="+mend))
		want := admin.Reconciled{Foreign: []string{}, NextPageToken: "accounts.0", Checked: 1, Identities: []outbound.Drift{{
			Kind: outbound.DriftDiffers, IdentityID: id, Differences: []outbound.Difference{{What: "update user", Attributes: []string{"title"}}}, Mended: mend == "true",
		}}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("mend=%s (-want +got):\n%s", mend, diff)
		}
		i, err := w.store.Get(t.Context(), id)
		if err != nil || len(i.Outbox) == 1 != (mend == "true") {
			t.Errorf("mend=%s: outbox %+v, %v", mend, i.Outbox, err)
		}
	}
	if got := into[admin.Reconciled](t, step("hr", "")); len(got.Identities) != 0 || got.Checked != 1 {
		t.Errorf("about to be told: %+v", got)
	}
	i, err := w.store.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	i.Outbox, i.OutboxVersion = nil, i.OutboxVersion+1
	if err := w.store.SetOutbox(t.Context(), i); err != nil {
		t.Fatal(err)
	}
	refused(t, step("down", ""), http.StatusServiceUnavailable)
	refused(t, step("down", "?page_token=accounts.0"), http.StatusServiceUnavailable)
	for _, query := range []string{"?page_token=accounts.x", "?page_token=accounts.-1", "?page_token=x", "?rate=-1", "?rate=1001", "?rate=x", "?mend=yes"} {
		refused(t, step("hr", query), http.StatusBadRequest)
	}

	// The target's own list, step by step.
	first := into[admin.Reconciled](t, step("hr", "?page_token=accounts.0&rate=500"))
	if len(first.Identities) != 0 || len(first.Foreign) != 1 || first.Accounts != 1 || first.NextPageToken != "accounts.1" {
		t.Errorf("%+v", first)
	}
	last := into[admin.Reconciled](t, step("hr", "?page_token=accounts.1"))
	if len(last.Identities) != 1 || last.Identities[0].Kind != outbound.DriftUnnoted || last.NextPageToken != "" {
		t.Errorf("%+v", last)
	}
	if only := into[admin.Reconciled](t, step("hr", "?accounts=false")); only.NextPageToken != "" {
		t.Errorf("%+v", only)
	}
}

// TestReconcileSlowly: where requests are spaced out a step has time for whoever is
// in many groups.
func TestReconcileSlowly(t *testing.T) {
	w := newWorld(t)
	ann(t, w)
	for _, id := range []string{"01920000-0000-7000-8000-00000000000a", "01920000-0000-7000-8000-00000000000b"} {
		if err := w.store.Insert(t.Context(), identity.Identity{ID: id, Userstore: "default", State: identity.StateActive, Revision: 1}, identity.Record{}); err != nil {
			t.Fatal(err)
		}
	}
	w.api.Comparers = map[string]outbound.Comparer{"hr": differing{}}
	for rate, want := range map[string]int{"1": 1, "2": 2, "0": 3} {
		got := into[admin.Reconciled](t, w.ask(t, request(http.MethodPost, "/outbound/hr/reconcile?accounts=false&rate="+rate, "")))
		if got.Checked != want || (got.NextPageToken == "") != (want == 3) {
			t.Errorf("rate %s: %+v", rate, got)
		}
	}
}

// Of somebody deleted, what is left can be seen and given up, and nothing else.
func TestDeletedOutbox(t *testing.T) {
	w := newWorld(t)
	w.api.Targets = []string{"hr"}
	id := ann(t, w)
	i, err := w.store.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	i.Remember(identity.Resource{Target: "hr", ID: "u-1"})
	i.OutboxVersion++
	if err := w.store.SetOutbox(t.Context(), i); err != nil {
		t.Fatal(err)
	}
	e := into[admin.Edited](t, w.edit(t, http.MethodDelete, id, "", `"1"`))
	if e.Decision != identity.Deleted || e.Identity != nil {
		t.Errorf("%+v", e)
	}
	if left := into[admin.Identity](t, w.get(t, "/identities/"+id)); left.State != identity.StateDeleted || len(left.Traits)+len(left.Links)+len(left.Groups)+len(left.ExternalIDs) > 0 {
		t.Errorf("left: %+v", left)
	}
	if list := into[admin.Identities](t, w.get(t, "/identities?state=deleted")); len(list.Identities) != 1 {
		t.Errorf("%+v", list)
	}
	refused(t, w.edit(t, http.MethodDelete, id, "", ""), http.StatusNotFound)
	refused(t, w.edit(t, http.MethodPost, id+"/activate", "", ""), http.StatusNotFound)
	if o := into[admin.Outbox](t, w.get(t, "/identities/"+id+"/outbox")); len(o.Outbox) != 1 || len(o.Resources) != 1 {
		t.Errorf("%+v", o)
	}
	if o := into[admin.Outbox](t, w.ask(t, request(http.MethodDelete, "/identities/"+id+"/outbox/hr", ""))); len(o.Outbox) != 0 {
		t.Errorf("%+v", o)
	}
	refused(t, w.get(t, "/identities/"+id), http.StatusNotFound)
}

func TestOutbound(t *testing.T) {
	w := newWorld(t)
	w.api.Targets = []string{"crm", "hr"}
	id := ann(t, w)
	i, err := w.store.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	since := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	i.Outbox = []identity.Delivery{
		{Target: "hr", Revision: 1, Since: since, Due: since, Attempts: 50, Failure: "create user: the target answered 409", Dead: true},
		{Target: "old", Revision: 1, Since: since, Due: since.Add(time.Hour)},
	}
	i.Remember(identity.Resource{Target: "hr", ID: "u-1", Groups: []string{"eng"}})
	i.OutboxVersion++
	if err := w.store.SetOutbox(t.Context(), i); err != nil {
		t.Fatal(err)
	}
	status := func(want ...admin.Target) {
		t.Helper()
		got := into[admin.Targets](t, w.get(t, "/outbound"))
		if diff := cmp.Diff(want, got.Targets, cmpopts.IgnoreFields(admin.Target{}, "Due")); diff != "" {
			t.Error(diff)
		}
	}
	listed := func(query string, want int) {
		t.Helper()
		got := into[admin.Deliveries](t, w.get(t, "/outbound/"+query))
		if len(got.Deliveries) != want || want > 0 && got.Deliveries[0].IdentityID != id {
			t.Errorf("%s: %+v", query, got)
		}
	}
	post := func(path string) reply { return w.ask(t, request(http.MethodPost, path, "")) }
	drop := func(path string) reply { return w.ask(t, request(http.MethodDelete, path, "")) }

	status(admin.Target{Name: "crm"}, admin.Target{Name: "hr", GivenUp: 1})
	listed("hr?given_up=true", 1)
	listed("hr", 0)
	listed("crm?given_up=true", 0)
	listed("old?page_size=1", 1)
	shown := into[admin.Outbox](t, w.get(t, "/identities/"+id+"/outbox"))
	if len(shown.Outbox) != 2 || !shown.Outbox[0].Dead || shown.Outbox[0].Attempts != 50 || len(shown.Resources) != 1 || shown.Resources[0].ID != "u-1" {
		t.Errorf("%+v", shown)
	}

	for path, status := range map[string]int{
		"/identities/" + id + "/outbox/old/retry":    http.StatusNotFound, // nobody would deliver it
		"/identities/nobody/outbox/hr/retry":         http.StatusNotFound,
		"/identities/" + id + "/outbox/hr/retry?x=1": http.StatusBadRequest,
	} {
		refused(t, post(path), status)
	}
	again := into[admin.Outbox](t, post("/identities/"+id+"/outbox/hr/retry"))
	if d := again.Outbox[0]; d.Dead || d.Attempts != 0 || d.Failure != "" || !d.Since.Equal(since) {
		t.Errorf("%+v", d)
	}
	into[admin.Outbox](t, post("/identities/"+id+"/outbox/crm/retry")) // of somebody that it has not been told of
	status(admin.Target{Name: "crm", Waiting: 1}, admin.Target{Name: "hr", Waiting: 1})
	listed("hr?given_up=true", 0)
	listed("crm", 1)

	into[admin.Outbox](t, drop("/identities/"+id+"/outbox/old"))
	refused(t, drop("/identities/"+id+"/outbox/old"), http.StatusNotFound)
	i, err = w.store.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	i.Outbox[0].Lease, i.Outbox[0].Due = "l", time.Now().Add(time.Hour)
	i.OutboxVersion++
	if err := w.store.SetOutbox(t.Context(), i); err != nil {
		t.Fatal(err)
	}
	refused(t, drop("/identities/"+id+"/outbox/hr"), http.StatusConflict)
	refused(t, w.get(t, "/outbound/hr?given_up=yes"), http.StatusBadRequest)
	refused(t, w.get(t, "/outbound?x=1"), http.StatusBadRequest)
	refused(t, w.get(t, "/identities/nobody/outbox"), http.StatusNotFound)
	if after := into[admin.Identity](t, w.get(t, "/identities/"+id)); after.Revision != 1 {
		t.Errorf("the identity is at revision %d", after.Revision)
	}
}
