package directory

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

// dueTime is how long of several stores one that hangs may keep the deliveries of the
// others waiting, each time that they are looked for.
const dueTime = 2 * time.Second

// Due returns whose deliveries to the target are due, from all stores; see
// store.Store. A store that is down keeps its own waiting and nobody else's: it
// is an error only where nobody else is due.
func (d *Directory) Due(ctx context.Context, target string, now time.Time, limit int) ([]identity.Identity, error) {
	if len(d.places) > 1 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, dueTime)
		defer cancel()
	}
	parts := make([][]identity.Identity, len(d.places))
	err := d.each(func(n int, s store.Store) (err error) {
		parts[n], err = s.Due(ctx, target, now, limit)
		return err
	})
	due := slices.Concat(parts...)
	if len(due) == 0 {
		return nil, err
	}
	slices.SortStableFunc(due, func(a, b identity.Identity) int {
		return cmp.Or(dueAt(a, target).Compare(dueAt(b, target)), cmp.Compare(a.ID, b.ID))
	})
	return due[:min(len(due), limit, store.MaxPageSize)], nil
}

// dueAt is when the delivery is due.
func dueAt(i identity.Identity, target string) time.Time {
	if n := i.DeliveryTo(target); n >= 0 {
		return i.Outbox[n].Due
	}
	return time.Time{}
}

// Backlog returns what waits for the target in all stores.
func (d *Directory) Backlog(ctx context.Context, target string) (store.Backlog, error) {
	parts := make([]store.Backlog, len(d.places))
	err := d.each(func(n int, s store.Store) (err error) {
		parts[n], err = s.Backlog(ctx, target)
		return err
	})
	if err != nil {
		return store.Backlog{}, err
	}
	var sum store.Backlog
	for _, b := range parts {
		sum.Waiting += b.Waiting
		sum.Dead += b.Dead
		if !b.Due.IsZero() && (sum.Due.IsZero() || b.Due.Before(sum.Due)) {
			sum.Due = b.Due
		}
	}
	return sum, nil
}
