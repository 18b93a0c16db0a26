package outbound_test

// A comparison names those whom the target has otherwise, asks only for them again,
// and passes over whom the target is about to be told of anyway.

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/outbound"
)

// comparer is a target whose answers the test chooses by identity.
type comparer map[string]func() ([]outbound.Difference, error)

func (c comparer) Compare(_ context.Context, i identity.Identity, _ identity.Delivery) ([]outbound.Difference, error) {
	if answer := c[i.ID]; answer != nil {
		return answer()
	}
	return nil, nil
}

func TestReconcile(t *testing.T) {
	s := open(t)
	page := people(t, s, 6)
	differs := []outbound.Difference{{What: "update user", Attributes: []string{"title"}}}
	says := func(d []outbound.Difference, err error) func() ([]outbound.Difference, error) {
		return func() ([]outbound.Difference, error) { return d, err }
	}
	waits, given, pending := &page[3], &page[4], &page[5]
	waits.Arm(hr, time.Now())
	given.Outbox = []identity.Delivery{{Target: hr, Revision: 1, Dead: true}}
	for _, i := range []*identity.Identity{waits, given} {
		i.OutboxVersion++
		must(t, s.SetOutbox(t.Context(), *i))
	}
	pending.State = identity.StatePending
	c := comparer{
		page[1].ID: says(differs, nil), page[2].ID: says(nil, &outbound.RejectedError{Err: errors.New("jithook.yaml:7:3: no")}),
		waits.ID: says(differs, nil), given.ID: says(differs, nil), pending.ID: says(differs, nil),
	}
	for _, mend := range []bool{false, true} {
		want := []outbound.Drift{
			{Kind: outbound.DriftDiffers, IdentityID: page[1].ID, Differences: differs, Mended: mend},
			{Kind: outbound.DriftDiffers, IdentityID: page[2].ID, Differences: []outbound.Difference{}, Failure: "jithook.yaml:7:3: no"},
			{Kind: outbound.DriftDiffers, IdentityID: given.ID, Differences: differs, Mended: mend},
		}
		got, err := outbound.Reconcile(t.Context(), s, c, hr, page, mend, time.Now())
		must(t, err)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("mend %v (-want +got):\n%s", mend, diff)
		}
	}
	wantBacklog(t, s, hr, 3, 0)
	c[page[0].ID] = says(nil, errDown)
	if _, err := outbound.Reconcile(t.Context(), s, c, hr, page, true, time.Now()); !errors.Is(err, errDown) {
		t.Errorf("a target that is down: %v", err)
	}
}
