// Package directory makes one userstore of several: the home store, and those
// that some userstores have of their own. It owns where an identity lives and
// that a subject lives in one place only: the pin at home that is made before
// the identity (see Insert). With a home alone it passes everything on.
//
// It must not know what a login is, nor how a backend keeps its promise.
package directory

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

// Directory is the userstore of an installation. It keeps store.Store's
// promises with these differences: unique names and e-mails hold per userstore,
// as ever, and an external id (a key of kind ext) only per store and look-up,
// since no index spans two of them.
type Directory struct {
	places []Place // home is the first
	at     map[string]int
}

var _ store.Store = (*Directory)(nil)

// Place is one physical store.
type Place struct {
	// Userstore is whose own store it is; empty for home, where all others are.
	Userstore string
	Store     store.Store
}

// home is the index of the home store among the places.
const home = 0

// New returns the directory of a home store and the stores that userstores have
// of their own, by name. No two may be the same store.
func New(homeStore store.Store, own map[string]store.Store) *Directory {
	d := &Directory{places: []Place{{Store: homeStore}}, at: map[string]int{}}
	for _, name := range slices.Sorted(maps.Keys(own)) {
		d.at[name] = len(d.places)
		d.places = append(d.places, Place{name, own[name]})
	}
	return d
}

// Places returns the physical stores, home first, for what is done to each.
func (d *Directory) Places() []Place { return slices.Clone(d.places) }

// Home reports whether a userstore has its identities in the home store.
func (d *Directory) Home(userstore string) bool { return d.place(userstore) == home }

// place returns the index of the place of a userstore: its own store, or home.
func (d *Directory) place(userstore string) int { return d.at[userstore] }

func (d *Directory) of(userstore string) Place { return d.places[d.place(userstore)] }

// explain says which store failed; home goes without saying.
func (p Place) explain(err error) error {
	if err == nil || p.Userstore == "" {
		return err
	}
	return fmt.Errorf("userstore %s: %w", p.Userstore, err)
}

// Get returns the identity with this id, or store.ErrNotFound, from whichever
// store has it.
func (d *Directory) Get(ctx context.Context, id string) (identity.Identity, error) {
	i, _, err := anywhere(ctx, d.places, func(ctx context.Context, s store.Store) (identity.Identity, error) { return s.Get(ctx, id) })
	return i, err
}

// Decision returns the record with this id, or store.ErrNotFound, from
// whichever store has it.
func (d *Directory) Decision(ctx context.Context, id string) (identity.Record, error) {
	r, _, err := anywhere(ctx, d.places, func(ctx context.Context, s store.Store) (identity.Record, error) { return s.Decision(ctx, id) })
	return r, err
}

// Ping returns nil if a read works in any of the stores now: who is there can sign
// in, and a load balancer that took away every server would keep them out, too.
func (d *Directory) Ping(ctx context.Context) error {
	_, _, err := anywhere(ctx, d.places, func(ctx context.Context, s store.Store) (struct{}, error) { return struct{}{}, s.Ping(ctx) })
	return err
}

// Close releases all stores.
func (d *Directory) Close() error {
	return d.each(func(_ int, s store.Store) error { return s.Close() })
}

// DropDecisions removes old records from every store; see store.Store. One that
// is down keeps its own and nobody else's.
func (d *Directory) DropDecisions(ctx context.Context, before time.Time, limit int) (int, error) {
	total := 0
	var failed []error
	for _, p := range d.places {
		if total >= limit {
			break
		}
		n, err := p.Store.DropDecisions(ctx, before, limit-total)
		total += n
		failed = append(failed, p.explain(err))
	}
	return total, errors.Join(failed...)
}

// Receive notes a message at home: whose it is, nobody knows yet.
func (d *Directory) Receive(ctx context.Context, r store.Receipt) (store.Receipt, error) {
	return d.places[home].Store.Receive(ctx, r)
}

// DropReceipts removes expired receipts, which are at home.
func (d *Directory) DropReceipts(ctx context.Context, before time.Time, limit int) (int, error) {
	return d.places[home].Store.DropReceipts(ctx, before, limit)
}

// Spend takes one of a budget, which is at home.
func (d *Directory) Spend(ctx context.Context, b store.Budget) (left bool, err error) {
	return d.places[home].Store.Spend(ctx, b)
}

// Count is about how much all stores hold; zero where one of them does not
// know.
func (d *Directory) Count(ctx context.Context) (store.Count, error) {
	var sum store.Count
	for _, p := range d.places {
		counter, ok := p.Store.(store.Counter)
		if !ok {
			return store.Count{}, nil
		}
		n, err := counter.Count(ctx)
		if err != nil {
			return store.Count{}, p.explain(err)
		}
		sum.Identities += n.Identities
		sum.Decisions += n.Decisions
	}
	return sum, nil
}
