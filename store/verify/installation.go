package verify

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

// Installation checks all stores of an installation, one after the other, and
// that a subject is in one of them only. Like Checker it is safe while others
// read and write.
type Installation struct {
	Stores []Place // home first
	// Home reports whether a userstore has its identities in the home store.
	Home func(userstore string) bool
	Now  func() time.Time
}

// Place is a store, and the userstore whose own it is; that of home is empty.
type Place struct {
	Userstore string
	Store     store.Store
}

// has reports whether the identities of a userstore belong to the place.
func (v Installation) has(p Place, userstore string) bool {
	if v.Home(userstore) {
		return p.Userstore == ""
	}
	return p.Userstore == userstore
}

// Page is Checker.Page; a token begins with the number of the store.
func (v Installation) Page(ctx context.Context, pageToken string, mend bool) (store.Inspection, error) {
	n, token := 0, ""
	if pageToken != "" {
		number, rest, ok := strings.Cut(pageToken, ".")
		at, err := strconv.Atoi(number)
		if !ok || err != nil || at < 0 || at >= len(v.Stores) {
			return store.Inspection{}, store.ErrPageToken
		}
		n, token = at, rest
	}
	out, err := v.checker(n).Page(ctx, token, mend)
	if err != nil {
		return store.Inspection{}, err
	}
	for f := range out.Findings {
		out.Findings[f].Userstore = v.Stores[n].Userstore
	}
	switch {
	case out.NextPageToken != "":
		out.NextPageToken = strconv.Itoa(n) + "." + out.NextPageToken
	case n+1 < len(v.Stores):
		out.NextPageToken = strconv.Itoa(n+1) + "."
	}
	return out, nil
}

func (v Installation) checker(n int) Checker {
	s := v.Stores[n].Store
	c := Checker{Store: s, Now: v.Now, also: func(ctx context.Context, page []identity.Identity, mend bool) ([]store.Finding, error) {
		return v.places(ctx, n, page, mend)
	}}
	if n > 0 {
		c.Store = pinning{s, v.Stores[0].Store}
	}
	c.Inspector, _ = s.(store.Inspector)
	c.Counter, _ = s.(store.Counter)
	return c
}

// places checks that the identities of a page are where they belong, and that
// home says so of their subjects.
func (v Installation) places(ctx context.Context, n int, page []identity.Identity, mend bool) ([]store.Finding, error) {
	var out []store.Finding
	var here []identity.Identity
	var keys []identity.Key
	for _, i := range page {
		if !v.has(v.Stores[n], i.Userstore) {
			out = append(out, store.Finding{Code: store.FindingMisplaced, IdentityID: i.ID, Text: "it is of the userstore " + i.Userstore +
				", whose identities are in another store, and its logins fail: export with the configuration that was, import with this one into empty stores"})
			continue
		}
		here = append(here, i)
		keys = append(keys, subjects(i)...)
	}
	if n == 0 || len(keys) == 0 {
		return out, nil
	}
	pins, holders, err := v.known(ctx, n, keys)
	if err != nil {
		return nil, err
	}
	for _, i := range here {
		for _, k := range subjects(i) {
			f, err := v.subject(ctx, n, i, k, pins[k], holders[k], mend)
			if err != nil {
				return nil, err
			}
			if f != nil {
				out = append(out, *f)
			}
		}
	}
	return out, nil
}

func subjects(i identity.Identity) []identity.Key {
	return slices.DeleteFunc(slices.Clone(i.Keys), func(k identity.Key) bool { return k.Kind() != identity.KeyFed })
}

// known returns what home has pinned of the keys, and who holds those that it
// has not, in any other store than n.
func (v Installation) known(ctx context.Context, n int, keys []identity.Key) (pins, holders map[identity.Key]string, err error) {
	pins, holders = map[identity.Key]string{}, map[identity.Key]string{}
	for other, p := range v.Stores {
		if other == n || len(keys) == 0 {
			continue
		}
		found, err := p.Store.Find(ctx, keys...)
		var elsewhere *store.ElsewhereError
		if err != nil && !errors.As(err, &elsewhere) {
			return nil, nil, err
		}
		if elsewhere != nil && other == 0 {
			pins = elsewhere.Pins
		}
		for _, i := range found {
			for _, k := range i.Keys {
				holders[k] = i.ID
			}
		}
		keys = slices.DeleteFunc(keys, func(k identity.Key) bool { return pins[k] != "" || holders[k] != "" })
	}
	return pins, holders, nil
}

// subject checks one subject of an identity in a store that is not home.
func (v Installation) subject(ctx context.Context, n int, i identity.Identity, k identity.Key, pinned, holder string, mend bool) (*store.Finding, error) {
	f := store.Finding{Code: store.FindingElsewhere, IdentityID: i.ID}
	switch {
	case pinned == i.Userstore:
		return nil, nil
	case pinned != "":
		f.Text = "one of its subjects is pinned to the userstore " + pinned + ": where the person belongs, people must decide"
		return &f, nil
	case holder != "":
		f.Text = "the identity " + holder + " of another store has one of its subjects as well: whose it is, people must decide"
		return &f, nil
	}
	now, err := v.Stores[n].Store.Get(ctx, i.ID)
	if errors.Is(err, store.ErrNotFound) || err == nil && !slices.Contains(now.Keys, k) {
		return nil, nil // gone since it was listed
	}
	if err != nil {
		return nil, err
	}
	f.Code = store.FindingPinMissing
	f.Text = "the home store does not know one of its subjects, who could be made anew elsewhere"
	if !mend {
		return &f, nil
	}
	err = v.Stores[0].Store.Pin(ctx, k, i.Userstore)
	f.Mended = err == nil
	if first(err) {
		err = nil // the next check says who
	}
	return &f, err
}

// pinning is a store that is not home, whose identities are given no subject
// that home does not know of.
type pinning struct {
	store.Store
	home store.Store
}

func (p pinning) Swap(ctx context.Context, i identity.Identity, r identity.Record) error {
	now, err := p.Get(ctx, i.ID)
	if errors.Is(err, store.ErrNotFound) {
		return store.ErrConflict
	}
	if err != nil {
		return err
	}
	for _, k := range subjects(i) {
		if slices.Contains(now.Keys, k) {
			continue
		}
		if err := p.home.Pin(ctx, k, i.Userstore); err != nil {
			return err
		}
	}
	return p.Store.Swap(ctx, i, r)
}
