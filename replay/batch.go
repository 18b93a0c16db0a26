package replay

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

// batch is who holds what, by key, as far as one read for many logins has shown:
// for keys that were asked for, and for those of whoever was found, since a key
// of a subject or of a unique trait has one holder. It is not changed once made.
type batch map[identity.Key]store.Found

// prefetch asks in one read who has the subjects of all these logins.
func prefetch(ctx context.Context, s Store, jobs []job) (batch, error) {
	var subjects []identity.Key
	for _, j := range jobs {
		subjects = append(subjects, j.record.SubjectKey)
	}
	slices.Sort(subjects)
	if subjects = slices.Compact(subjects); len(subjects) == 0 {
		return nil, nil
	}
	looked, err := s.Look(ctx, "", subjects...)
	var elsewhere *store.ElsewhereError
	if errors.As(err, &elsewhere) {
		return nil, nil // somebody is where nobody looks any more: each is asked for alone
	}
	if err != nil {
		return nil, err
	}
	b := batch{}
	for _, k := range subjects {
		b[k] = store.Found{}
	}
	for _, i := range looked.Identities {
		for _, k := range i.Keys {
			if k.Kind() != identity.KeyExt { // several stores may each have a holder
				b[k] = store.Found{Identities: []identity.Identity{i}}
			}
		}
	}
	for k, userstore := range looked.Pins {
		b[k] = store.Found{Pins: map[identity.Key]string{k: userstore}}
	}
	return b, nil
}

// find answers what can be answered without a read.
func (b batch) find(keys []identity.Key) (store.Found, bool) {
	var found store.Found
	for _, k := range keys {
		one, ok := b[k]
		if !ok {
			return store.Found{}, false
		}
		for _, i := range one.Identities {
			if !slices.ContainsFunc(found.Identities, func(other identity.Identity) bool { return other.ID == i.ID }) {
				found.Identities = append(found.Identities, i)
			}
		}
		for key, userstore := range one.Pins {
			if found.Pins == nil {
				found.Pins = map[identity.Key]string{}
			}
			found.Pins[key] = userstore
		}
	}
	slices.SortFunc(found.Identities, func(a, b identity.Identity) int { return strings.Compare(a.ID, b.ID) })
	return found, true
}
