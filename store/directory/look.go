package directory

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

// Find is Look in every store that may have somebody.
func (d *Directory) Find(ctx context.Context, keys ...identity.Key) ([]identity.Identity, error) {
	found, err := d.Look(ctx, "", keys...)
	return found.Identities, err
}

// Look returns the identities that hold any of the keys. It looks first where
// the userstore of that name is, and no further when every key is held there. A
// subject that is not held there may be elsewhere: the result is partial then,
// unless first is empty or home, and tells nothing about it. That spares a
// first login a look at home, since Insert finds out as well. For an external
// id all other stores are asked, side by side.
//
// Names and e-mails are those of the userstore first.
//
// Unknown is not empty: the error of a store that may have somebody is Look's.
// But one that is down bars nobody whose keys were all found without it. A key
// that is pinned to a userstore without a store of its own here is an
// ElsewhereError, together with what was found: the configuration has changed.
func (d *Directory) Look(ctx context.Context, first string, keys ...identity.Key) (store.Found, error) {
	l := &look{Directory: d, keys: keys, said: make([]bool, len(d.places))}
	if first != "" {
		near := d.place(first)
		if err := l.ask(ctx, near); err != nil {
			return store.Found{}, err
		}
		if near != home && !l.open(identity.KeyExt) {
			return l.found(l.open(identity.KeyFed), nil)
		}
	}
	if l.open(identity.KeyExt) || first == "" && l.open(identity.KeyMail, identity.KeyName) {
		return l.found(false, l.ask(ctx, l.silent()...))
	}
	if err := l.ask(ctx, home); err != nil {
		return store.Found{}, err
	}
	var pinned []int
	for _, userstore := range l.pins {
		if n := d.place(userstore); !slices.Contains(pinned, n) {
			pinned = append(pinned, n)
		}
	}
	return l.found(false, l.ask(ctx, pinned...))
}

// look is one look-up on its way.
type look struct {
	*Directory
	keys       []identity.Key
	identities []identity.Identity
	pins       map[identity.Key]string
	said       []bool // which stores have answered
}

// ask asks stores that have not answered yet, side by side, until all keys are
// settled. Without that, the first error is the result.
func (l *look) ask(ctx context.Context, which ...int) error {
	which = slices.DeleteFunc(which, func(n int) bool { return l.said[n] })
	var failed []error
	question := func(ctx context.Context, s store.Store) ([]identity.Identity, error) { return s.Find(ctx, l.keys...) }
	ask(ctx, l.places, which, question, func(a answer[[]identity.Identity]) bool {
		if err := l.take(a); err != nil {
			failed = append(failed, err)
		}
		return l.settled()
	})
	if len(failed) > 0 && !l.settled() {
		return joined(failed)
	}
	return nil
}

// take notes the answer of one store.
func (l *look) take(a answer[[]identity.Identity]) error {
	var elsewhere *store.ElsewhereError
	if a.err != nil && !errors.As(a.err, &elsewhere) {
		return a.err
	}
	for n := range a.value {
		if i := &a.value[n]; l.place(i.Userstore) != a.place {
			return misplaced(*i)
		}
	}
	l.identities = append(l.identities, a.value...)
	if elsewhere != nil && a.place == home {
		l.pins = maps.Clone(elsewhere.Pins)
	}
	l.said[a.place] = true
	return nil
}

// misplaced refuses an identity that stands in another store than its
// userstore's: a write would go to the other one, and unique names would hold in
// neither.
func misplaced(i identity.Identity) error {
	return fmt.Errorf("the identity %s of the userstore %s stands in another store than the configuration says: export with the earlier configuration, and import with this one into empty stores: %w",
		i.ID, i.Userstore, store.ErrUnavailable)
}

// open reports whether a key of these kinds is not settled.
func (l *look) open(kinds ...string) bool {
	return slices.ContainsFunc(l.keys, func(k identity.Key) bool {
		return slices.Contains(kinds, k.Kind()) && !l.settles(k)
	})
}

// held reports whether somebody who was found holds the key.
func (l *look) held(k identity.Key) bool {
	for n := range l.identities {
		if slices.Contains(l.identities[n].Keys, k) {
			return true
		}
	}
	return false
}

func (l *look) settled() bool {
	return !slices.ContainsFunc(l.keys, func(k identity.Key) bool { return !l.settles(k) })
}

// settles reports whether no further store can have the key: it was found, or
// all stores that may have it said that they do not. A subject is where home
// says.
func (l *look) settles(k identity.Key) bool {
	userstore, pinned := l.pins[k]
	switch {
	case l.held(k):
		return true
	case k.Kind() == identity.KeyFed && l.said[home] && !pinned:
		return true
	case k.Kind() == identity.KeyFed && pinned:
		return l.said[l.place(userstore)]
	}
	return !slices.Contains(l.said, false)
}

// silent are the stores that have not answered.
func (l *look) silent() []int {
	var out []int
	for n := range l.places {
		if !l.said[n] {
			out = append(out, n)
		}
	}
	return out
}

// found is the result of a look-up that ended with err.
func (l *look) found(partial bool, err error) (store.Found, error) {
	if err != nil {
		return store.Found{}, err
	}
	slices.SortFunc(l.identities, func(a, b identity.Identity) int { return strings.Compare(a.ID, b.ID) })
	maps.DeleteFunc(l.pins, func(k identity.Key, _ string) bool { return l.held(k) })
	lost := maps.Clone(l.pins)
	maps.DeleteFunc(lost, func(_ identity.Key, userstore string) bool { return l.place(userstore) != home })
	if len(lost) > 0 {
		err = &store.ElsewhereError{Pins: lost}
	}
	return store.Found{Identities: l.identities, Pins: l.pins, Partial: partial}, err
}
