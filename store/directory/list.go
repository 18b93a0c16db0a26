package directory

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

// List returns a page of the identities of all stores, or of one where q names
// its userstore; see store.Store. A store that is down is an error: a list that
// lacks somebody must not look whole.
func (d *Directory) List(ctx context.Context, q store.Query) (store.Page, error) {
	places := d.places
	if q.Userstore != "" {
		n := d.place(q.Userstore)
		places = places[n : n+1]
	}
	var mu sync.Mutex
	var damaged []string
	all, next, err := listing[identity.Identity]{
		places: places, kind: store.TokenIdentities, size: store.PageSize(q.PageSize),
		page: func(ctx context.Context, s store.Store) ([]identity.Identity, string, error) {
			p, err := s.List(ctx, q)
			mu.Lock()
			defer mu.Unlock()
			damaged = append(damaged, p.Damaged...)
			return p.Identities, p.NextPageToken, err
		},
		id:     func(i identity.Identity) string { return i.ID },
		before: func(a, b string) int { return strings.Compare(a, b) },
	}.merge(ctx)
	if err != nil {
		return store.Page{}, err
	}
	mu.Lock()
	defer mu.Unlock()
	return store.Page{Identities: all, NextPageToken: next, Damaged: within(damaged, next)}, nil
}

// within returns in order the ids of a page that ends with the token: whoever is
// behind it comes again.
func within(ids []string, token string) []string {
	slices.Sort(ids)
	end, err := store.ParsePageToken(store.TokenIdentities, token)
	if err != nil || end == "" {
		return ids
	}
	return slices.DeleteFunc(ids, func(id string) bool { return id > end })
}

// Decisions returns a page of the records of all stores, newest first; see List.
func (d *Directory) Decisions(ctx context.Context, q store.DecisionQuery) (store.DecisionPage, error) {
	all, next, err := listing[identity.Record]{
		places: d.places, kind: store.TokenDecisions, size: store.PageSize(q.PageSize),
		page: func(ctx context.Context, s store.Store) ([]identity.Record, string, error) {
			p, err := s.Decisions(ctx, q)
			return p.Records, p.NextPageToken, err
		},
		id:     func(r identity.Record) string { return r.ID },
		before: func(a, b string) int { return strings.Compare(b, a) },
	}.merge(ctx)
	return store.DecisionPage{Records: all, NextPageToken: next}, err
}

// listing is one page of several stores. Ids and page tokens mean the same in
// each: one token is where all of them go on.
type listing[T any] struct {
	places []Place
	kind   byte
	size   int
	page   func(context.Context, store.Store) (items []T, next string, err error)
	id     func(T) string
	before func(a, b string) int // compares ids in the order of the list
}

type part[T any] struct {
	items []T
	next  string
}

func (l listing[T]) merge(ctx context.Context) ([]T, string, error) {
	var parts []part[T]
	var failed []error
	all := make([]int, len(l.places))
	for n := range l.places {
		all[n] = n
	}
	question := func(ctx context.Context, s store.Store) (part[T], error) {
		items, next, err := l.page(ctx, s)
		return part[T]{items, next}, err
	}
	ask(ctx, l.places, all, question, func(a answer[part[T]]) bool {
		if a.err != nil {
			failed = append(failed, a.err)
		}
		parts = append(parts, a.value)
		return len(failed) > 0
	})
	if len(failed) > 0 {
		return nil, "", failed[0]
	}
	return l.join(parts)
}

// join puts the parts in order, as far as every store has been read: behind the
// end of the one that was read least, others may have more in between.
func (l listing[T]) join(parts []part[T]) ([]T, string, error) {
	items, end := []T{}, ""
	for _, p := range parts {
		items = append(items, p.items...)
		at, err := store.ParsePageToken(l.kind, p.next)
		if err != nil {
			return nil, "", err
		}
		if p.next != "" && (end == "" || l.before(at, end) < 0) {
			end = at
		}
	}
	slices.SortFunc(items, func(a, b T) int { return l.before(l.id(a), l.id(b)) })
	if end != "" {
		items = slices.DeleteFunc(items, func(i T) bool { return l.before(l.id(i), end) > 0 })
	}
	if len(items) > l.size {
		items = items[:l.size]
		end = l.id(items[l.size-1])
	}
	if end == "" {
		return items, "", nil
	}
	return items, store.NewPageToken(l.kind, end), nil
}
