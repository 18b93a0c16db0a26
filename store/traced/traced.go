// Package traced shows what a login does to the stores as spans of its trace. It
// must not know what is read or written: a span says which operation it was, and
// in whose userstore.
package traced

import (
	"context"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/tracing"
	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/store/directory"
)

// Directory is a directory whose operations are spans. What is not here no login
// calls.
type Directory struct{ *directory.Directory }

var _ store.Store = Directory{}

func span(ctx context.Context, operation, userstore string) (context.Context, tracing.Span) {
	ctx, s := tracing.Start(ctx, "store."+operation)
	s.Set("jithook.userstore", userstore)
	return ctx, s
}

// Look implements provision.Store.
func (d Directory) Look(ctx context.Context, first string, keys ...identity.Key) (store.Found, error) {
	ctx, s := span(ctx, "find", first)
	found, err := d.Directory.Look(ctx, first, keys...)
	s.Count("jithook.found", len(found.Identities))
	s.End(err)
	return found, err
}

// Insert implements store.Store.
func (d Directory) Insert(ctx context.Context, i identity.Identity, r identity.Record) error {
	ctx, s := span(ctx, "insert", i.Userstore)
	err := d.Directory.Insert(ctx, i, r)
	s.End(err)
	return err
}

// Swap implements store.Store.
func (d Directory) Swap(ctx context.Context, i identity.Identity, r identity.Record) error {
	ctx, s := span(ctx, "swap", i.Userstore)
	err := d.Directory.Swap(ctx, i, r)
	s.End(err)
	return err
}

// Renew implements store.Store.
func (d Directory) Renew(ctx context.Context, id string, revision int64, at time.Time, r identity.Record) error {
	ctx, s := span(ctx, "renew", "")
	err := d.Directory.Renew(ctx, id, revision, at, r)
	s.End(err)
	return err
}

// Delete implements store.Store.
func (d Directory) Delete(ctx context.Context, id string, revision int64, renewedAt time.Time, r identity.Record) error {
	ctx, s := span(ctx, "delete", "")
	err := d.Directory.Delete(ctx, id, revision, renewedAt, r)
	s.End(err)
	return err
}

// Get implements store.Store.
func (d Directory) Get(ctx context.Context, id string) (identity.Identity, error) {
	ctx, s := span(ctx, "get", "")
	i, err := d.Directory.Get(ctx, id)
	s.End(err)
	return i, err
}

// Pin implements store.Store.
func (d Directory) Pin(ctx context.Context, key identity.Key, userstore string) error {
	ctx, s := span(ctx, "pin", userstore)
	err := d.Directory.Pin(ctx, key, userstore)
	s.End(err)
	return err
}

// Record implements store.Store.
func (d Directory) Record(ctx context.Context, records []identity.Record, touched []store.Touch) error {
	ctx, s := span(ctx, "record", "")
	err := d.Directory.Record(ctx, records, touched)
	s.End(err)
	return err
}

// Decision implements store.Store.
func (d Directory) Decision(ctx context.Context, id string) (identity.Record, error) {
	ctx, s := span(ctx, "decision", "")
	r, err := d.Directory.Decision(ctx, id)
	s.End(err)
	return r, err
}

// Receive implements store.Store.
func (d Directory) Receive(ctx context.Context, r store.Receipt) (store.Receipt, error) {
	ctx, s := span(ctx, "receive", "")
	noted, err := d.Directory.Receive(ctx, r)
	s.End(err)
	return noted, err
}

// Spend implements store.Store.
func (d Directory) Spend(ctx context.Context, b store.Budget) (bool, error) {
	ctx, s := span(ctx, "spend", "")
	left, err := d.Directory.Spend(ctx, b)
	s.End(err)
	return left, err
}

// SetOutbox implements store.Store.
func (d Directory) SetOutbox(ctx context.Context, i identity.Identity) error {
	ctx, s := span(ctx, "settle", i.Userstore)
	err := d.Directory.SetOutbox(ctx, i)
	s.End(err)
	return err
}
