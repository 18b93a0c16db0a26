package replay

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

// Store is what is read of a userstore; nothing is ever written.
type Store interface {
	Look(ctx context.Context, first string, keys ...identity.Key) (store.Found, error)
}

// errWrites says that something that only plans has tried to write.
var errWrites = errors.New("a login that is decided again is never carried out")

// view is the userstore as both sides of one comparison see it: what one of them
// was told, the other is told too, whatever has changed since. It serves one
// goroutine.
type view struct {
	store Store
	// batch has the answers to what was asked for many logins at once; told what
	// was asked for this one.
	batch batch
	told  map[string]store.Found
	// gone is the id of an identity that is not there in this view; instead, if
	// not nil, is what it was before.
	gone    string
	instead *identity.Identity
	// free is a subject that nobody has in this view: whoever has it in the store
	// is as they were without that link.
	free identity.Key
}

// Look implements provision.Store.
func (v *view) Look(ctx context.Context, first string, keys ...identity.Key) (store.Found, error) {
	found, err := v.look(ctx, first, keys)
	if err != nil {
		return store.Found{}, err
	}
	found.Identities = v.then(found.Identities, keys)
	return found, nil
}

func (v *view) look(ctx context.Context, first string, keys []identity.Key) (store.Found, error) {
	if found, ok := v.batch.find(keys); ok {
		return found, nil
	}
	keys = slices.Sorted(slices.Values(keys)) // the same question, however it is put
	question := first
	for _, k := range keys {
		question += " " + string(k)
	}
	found, ok := v.told[question]
	if ok {
		return found, nil
	}
	found, err := v.store.Look(ctx, first, keys...)
	if err != nil {
		return store.Found{}, err
	}
	if v.told == nil {
		v.told = map[string]store.Found{}
	}
	v.told[question] = found
	return found, nil
}

// then are the identities as they are in this view: copies, since a plan changes
// what it is given.
func (v *view) then(found []identity.Identity, keys []identity.Key) []identity.Identity {
	var all []identity.Identity
	for _, i := range found {
		if i.ID == v.gone {
			continue
		}
		i, linked := unlinked(i.Clone(), v.free)
		if linked && !slices.ContainsFunc(keys, func(k identity.Key) bool { return slices.Contains(i.Keys, k) }) {
			continue // found by that subject alone
		}
		all = append(all, i)
	}
	if v.instead != nil && slices.ContainsFunc(keys, func(k identity.Key) bool { return slices.Contains(v.instead.Keys, k) }) {
		all = append(all, v.instead.Clone())
		slices.SortFunc(all, func(a, b identity.Identity) int { return strings.Compare(a.ID, b.ID) })
	}
	return all
}

// unlinked is an identity without a subject, and whether it had it.
func unlinked(i identity.Identity, subject identity.Key) (identity.Identity, bool) {
	at := slices.Index(i.Keys, subject)
	if subject == "" || at < 0 {
		return i, false
	}
	i.Keys = slices.Delete(i.Keys, at, at+1)
	i.Links = slices.DeleteFunc(i.Links, func(l identity.Link) bool { return identity.FedKey(l.Issuer, l.Subject) == subject })
	return i, true
}

// Insert implements provision.Store; so do the following.
func (*view) Insert(context.Context, identity.Identity, identity.Record) error { return errWrites }

func (*view) Swap(context.Context, identity.Identity, identity.Record) error { return errWrites }

func (*view) Renew(context.Context, string, int64, time.Time, identity.Record) error {
	return errWrites
}
