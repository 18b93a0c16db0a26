package directory

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

// Pin notes at home that a subject's identity is, or will be, in the named
// userstore, where that has a store of its own; see store.Store. Insert does so
// by itself. Who adds a link to an identity that is there pins its subject
// before the Swap.
func (d *Directory) Pin(ctx context.Context, key identity.Key, userstore string) error {
	if d.place(userstore) == home {
		return nil // its own key will do
	}
	return d.places[home].Store.Pin(ctx, key, userstore)
}

// Insert writes a new identity into its userstore; see store.Store. In a store
// of its own its subjects are pinned at home first: only what is durable there
// keeps a second one from being made elsewhere. Without the identity the pin is
// harmless, since the person is then made in that userstore. It outlives the
// identity. Errors: TakenError and ElsewhereError also from home.
func (d *Directory) Insert(ctx context.Context, i identity.Identity, r identity.Record) error {
	for _, k := range i.Keys {
		if k.Kind() != identity.KeyFed {
			continue
		}
		if err := d.Pin(ctx, k, i.Userstore); err != nil {
			return err
		}
	}
	p := d.of(i.Userstore)
	return p.explain(p.Store.Insert(ctx, i, r))
}

// Swap replaces an identity in its userstore; see store.Store.
func (d *Directory) Swap(ctx context.Context, i identity.Identity, r identity.Record) error {
	p := d.of(i.Userstore)
	return p.explain(p.Store.Swap(ctx, i, r))
}

// Renew sets renewed_at of a pending identity in the record's userstore; see
// store.Store.
func (d *Directory) Renew(ctx context.Context, id string, revision int64, at time.Time, r identity.Record) error {
	p := d.of(r.Userstore)
	return p.explain(p.Store.Renew(ctx, id, revision, at, r))
}

// Delete removes an identity from whichever store has it, and keeps its record
// there; see store.Store.
func (d *Directory) Delete(ctx context.Context, id string, revision int64, renewedAt time.Time, r identity.Record) error {
	_, n, err := anywhere(ctx, d.places, func(ctx context.Context, s store.Store) (identity.Identity, error) { return s.Get(ctx, id) })
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("delete identity: %w", store.ErrConflict)
	}
	if err != nil {
		return err
	}
	return d.places[n].explain(d.places[n].Store.Delete(ctx, id, revision, renewedAt, r))
}

// SetOutbox writes the outbox of an identity in its userstore; see store.Store.
func (d *Directory) SetOutbox(ctx context.Context, i identity.Identity) error {
	p := d.of(i.Userstore)
	return p.explain(p.Store.SetOutbox(ctx, i))
}

// Record keeps every record and notes every login where the identity is that it
// is about, and records about nobody at home; see store.Store. A store that is
// down keeps its own from being written, and nobody else's.
func (d *Directory) Record(ctx context.Context, records []identity.Record, touched []store.Touch) error {
	type batch struct {
		records []identity.Record
		touched []store.Touch
	}
	batches := make([]batch, len(d.places))
	for _, r := range records {
		n := home
		if r.IdentityID != "" {
			n = d.place(r.Userstore)
		}
		batches[n].records = append(batches[n].records, r)
	}
	for _, t := range touched {
		n := d.place(t.Userstore)
		batches[n].touched = append(batches[n].touched, t)
	}
	return d.each(func(n int, s store.Store) error {
		if b := batches[n]; len(b.records)+len(b.touched) > 0 {
			return s.Record(ctx, b.records, b.touched)
		}
		return nil
	})
}
