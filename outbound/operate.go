package outbound

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

// ErrUnderWay says that a delivery is being made right now.
var ErrUnderWay = errors.New("the delivery is under way: try again when it is over")

// Retry has a target told of an identity, at once and as if it had not failed
// before; whether the target was owed that or not, and even of what it has been told already. Errors: store.ErrNotFound,
// store.ErrConflict when other writers were faster each time, other store errors.
func Retry(ctx context.Context, s Store, id, target string, now time.Time) error {
	return rewrite(ctx, s, id, func(i *identity.Identity) error {
		i.Arm(target, now)
		i.Outbox[i.DeliveryTo(target)].Again = true
		return nil
	})
}

// Drop takes an entry out of an identity's outbox: the target is not told, until
// the identity's next revision. What it has stays noted. Errors: as Retry;
// store.ErrNotFound also where there is no entry; ErrUnderWay.
func Drop(ctx context.Context, s Store, id, target string, now time.Time) error {
	return rewrite(ctx, s, id, func(i *identity.Identity) error {
		n := i.DeliveryTo(target)
		switch {
		case n < 0:
			return store.ErrNotFound
		case i.Outbox[n].Lease != "" && now.Before(i.Outbox[n].Due):
			return ErrUnderWay
		}
		i.Outbox = slices.Delete(i.Outbox, n, n+1)
		return nil
	})
}

// rewrite changes an outbox, and begins again where others were faster.
func rewrite(ctx context.Context, s Store, id string, change func(*identity.Identity) error) error {
	for range settleAttempts {
		i, err := s.Get(ctx, id)
		if err != nil {
			return err
		}
		if err := change(&i); err != nil {
			return err
		}
		i.OutboxVersion++
		if err := s.SetOutbox(ctx, i); !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
	return store.ErrConflict
}
