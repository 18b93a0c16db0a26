package scim

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/jithook/jithook/identity"
)

// find returns the identity's account at the target, nil if it has none.
func (t *task) find(ctx context.Context, id string) (resource, error) {
	if id != "" {
		account, err := t.get(ctx, users, id)
		if err != nil {
			return nil, err
		}
		if account != nil {
			// An id may be given to somebody else once its account is deleted.
			if owner := account.text("externalId"); owner != "" && owner != t.identity.ID {
				return nil, rejected("the account that was made for this identity belongs to another by now: its externalId is not ours")
			}
			return account, nil
		}
	}
	account, err := t.look(ctx)
	if account != nil || err != nil {
		return account, err
	}
	return nil, t.absent(ctx)
}

// absent returns why it cannot be told that the identity has no account, where
// none was found: one may have been made, and the reply was lost.
func (t *task) absent(ctx context.Context) error {
	barred := t.identity.Barred()
	switch {
	case barred && t.blind():
		// Nor does 404 for an id that was noted prove anything: a gateway answers
		// so, too.
		return rejected("whether the target has an account cannot be told without a filter: see to it there that it is not active")
	case t.Lookup == LookupExternalID && t.features.filter, len(t.note.Names) == 0:
		return nil
	}
	name, err := t.userName(ctx)
	switch {
	case err != nil:
		return err
	case !t.note.others(t.hash(name)):
		return nil
	case barred:
		return rejected("an account may have been made by an earlier userName: see to it there that it is not active, or have `jithook outbound reconcile --mend` find it")
	}
	return rejected("an account may have been made by an earlier userName: have `jithook outbound reconcile --mend` find it by its externalId; if it does not, make it there")
}

// blind reports whether nobody can be found whose id is not known: the name by
// which to look for somebody deleted went with them.
func (t *task) blind() bool {
	return t.Lookup == LookupNone || !t.features.filter || t.Lookup == LookupUserName && t.identity.State == identity.StateDeleted
}

// look looks for the account by what is ours in it: a reply may have been lost.
func (t *task) look(ctx context.Context) (resource, error) {
	attribute, value := "externalId", t.identity.ID
	switch {
	case t.blind():
		return nil, nil
	case t.Lookup == LookupUserName:
		name, err := t.userName(ctx)
		if err != nil {
			return nil, err
		}
		attribute, value = "userName", name
	}
	found, err := t.filter(ctx, users, attribute, value)
	if err != nil {
		return nil, err
	}
	// What a target makes of a filter is its word: some ignore it and list
	// everybody. Only the externalId says that an account is ours.
	ours := slices.DeleteFunc(slices.Clone(found), func(r resource) bool { return r.text("externalId") != t.identity.ID })
	switch {
	case len(ours) > 1:
		return nil, rejected("the target has several accounts with this identity's externalId: remove all but one there")
	case len(ours) == 1:
		return ours[0], nil
	case t.identity.Barred() && attribute == "userName" && len(found) > 0 && !slices.ContainsFunc(found, func(r resource) bool { return strings.EqualFold(r.text(attribute), value) }):
		return nil, rejected("the target answers the filter on userName with accounts that do not have it: see to it there that this identity's is not active")
	case len(found) > 0 && t.Lookup == LookupExternalID:
		return nil, errors.New("find user: the target answers the filter on externalId with accounts that do not have it; set `lookup` to what it can")
	}
	return nil, nil
}
