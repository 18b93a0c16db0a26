package outbound

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

// Account is one that a target has, whoever made it.
type Account struct {
	ID string
	// ExternalID is what somebody noted there as their own id of the account.
	ExternalID string
	Active     bool
}

// Lister is a Comparer that can say which accounts its target has.
type Lister interface {
	Comparer
	Connector
	// Accounts returns about count of the target's accounts, those behind the first
	// so many in the target's own order, and behind how many the next ones are; a
	// negative number is the end. Errors: those of Deliver.
	Accounts(ctx context.Context, behind, count int) (page []Account, next int, err error)
}

// Known is what Strangers needs of a userstore besides what Reconcile needs.
type Known interface {
	Store
	Decisions(ctx context.Context, q store.DecisionQuery) (store.DecisionPage, error)
}

// Mend is what to do about accounts that are not as they should be.
type Mend struct {
	// Tell has the target told again, and what is proven to have been ours closed
	// there.
	Tell bool
	// Orphans closes, too, what looks like ours and is in no record any more.
	Orphans bool
}

// Census is what came of looking at some accounts of a target.
type Census struct {
	Drifts []Drift
	// Foreign are the ids, at the target, of accounts that are none of ours:
	// nobody touches them.
	Foreign []string
	Checked int
	Next    int // behind how many accounts to go on; a negative number is the end
}

// Strangers looks at about count of the target's accounts, those behind the first so
// many, for what no identity answers for. One whose externalId is that of an identity which
// there was once is an orphan, and mended by closing it; another's is left alone.
func Strangers(ctx context.Context, s Known, c Lister, target string, behind, count int, mend Mend, now time.Time) (Census, error) {
	page, next, err := c.Accounts(ctx, behind, count)
	if err != nil {
		return Census{}, fmt.Errorf("list the accounts of %s: %w", target, err)
	}
	out := Census{Drifts: []Drift{}, Foreign: []string{}, Checked: len(page), Next: next}
	gone := 0
	for _, a := range page {
		if !couldBeOurs(a.ExternalID) {
			out.Foreign = append(out.Foreign, a.ID)
			continue
		}
		i, err := s.Get(ctx, a.ExternalID)
		var d *Drift
		switch {
		case err == nil:
			d, err = unnoted(ctx, s, i, a, target, mend, now)
		case errors.Is(err, store.ErrNotFound):
			d, err = orphan(ctx, s, c, a, target, mend)
		}
		if err != nil {
			return Census{}, err
		}
		if d != nil {
			out.Drifts = append(out.Drifts, *d)
			if d.Mended && d.Kind == DriftOrphan {
				gone++
			}
		}
	}
	if out.Next >= 0 { // what was removed is not in front of the rest any more
		out.Next = max(out.Next-gone, behind)
	}
	return out, nil
}

// couldBeOurs reports whether an externalId has the form of an identity's id. A
// UUIDv7 is also what others may use.
func couldBeOurs(externalID string) bool {
	return identity.IsID(externalID) && externalID[14] == '7'
}

// unnoted is about an account of an identity that there is. What is owed to the
// target, or was noted of it, has been looked at with the identity.
func unnoted(ctx context.Context, s Store, i identity.Identity, a Account, target string, mend Mend, now time.Time) (*Drift, error) {
	has, _ := i.Resource(target)
	switch n := i.DeliveryTo(target); {
	case has.ID == a.ID, n >= 0 && i.Released(i.Outbox[n]), !a.Active:
		return nil, nil
	case has.ID != "":
		return &Drift{Kind: DriftDouble, IdentityID: i.ID, Account: a.ID, Differences: []Difference{},
			Failure: "the target has a second account with this identity's externalId: which one is to stay, people must decide"}, nil
	}
	d := &Drift{Kind: DriftUnnoted, IdentityID: i.ID, Account: a.ID, Differences: []Difference{{What: "account not noted", Attributes: []string{}}}}
	if !mend.Tell {
		return d, nil
	}
	err := rewrite(ctx, s, i.ID, func(i *identity.Identity) error {
		if has, _ := i.Resource(target); has.ID == "" {
			has.ID = a.ID
			i.Remember(has)
		}
		i.Arm(target, now)
		return nil
	})
	d.Mended = err == nil
	if errors.Is(err, store.ErrNotFound) {
		err = nil // deleted meanwhile: an orphan, at the next look
	}
	return d, err
}

// orphan is about an account of an identity that there is not. It is told of as
// of somebody deleted, if it is sure that there was one: another installation, such as one for tests,
// may have identities that are not known here, and accounts at the same target.
func orphan(ctx context.Context, s Known, c Lister, a Account, target string, mend Mend) (*Drift, error) {
	left := identity.Identity{ID: a.ExternalID, State: identity.StateDeleted, Revision: 1, Resources: []identity.Resource{{Target: target, ID: a.ID}}}
	owed := identity.Delivery{Target: target, Revision: 1}
	d := &Drift{Kind: DriftOrphan, IdentityID: a.ExternalID, Account: a.ID}
	var err error
	d.Differences, err = c.Compare(ctx, left, owed)
	if rejected, refused := errors.AsType[*RejectedError](err); refused {
		d.Failure, d.Differences = failureText(rejected), []Difference{}
		return d, nil
	}
	if err != nil || len(d.Differences) == 0 {
		return nil, err
	}
	records, err := s.Decisions(ctx, store.DecisionQuery{IdentityID: a.ExternalID, PageSize: 1})
	if err != nil {
		return nil, err
	}
	if len(records.Records) == 0 && !mend.Orphans {
		d.Failure = "no decision record names this identity: it may be another installation's account"
		return d, nil
	}
	if !mend.Tell {
		return d, nil
	}
	_, err = c.Deliver(ctx, left, owed)
	if rejected, refused := errors.AsType[*RejectedError](err); refused {
		d.Failure = failureText(rejected)
		return d, nil
	}
	if err != nil {
		return nil, fmt.Errorf("close an account at %s: %w", target, err)
	}
	// Its word is not enough: it would be closed again at the next look, and so on.
	after, err := c.Compare(ctx, left, owed)
	if _, blind := errors.AsType[*RejectedError](err); blind { // it is not there by its id
		after, err = nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("see whether %s has closed an account: %w", target, err)
	}
	if d.Mended = len(after) == 0; !d.Mended {
		d.Failure = "the target was told to close it, and has it open still"
	}
	return d, nil
}
