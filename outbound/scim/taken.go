package scim

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/jithook/jithook/outbound"
)

// withName returns the accounts of this userName, as far as the target can tell.
func (t *task) withName(ctx context.Context, name string) ([]resource, error) {
	if name == "" || t.Lookup == LookupNone || !t.features.filter {
		return nil, nil
	}
	found, err := t.filter(ctx, users, "userName", name)
	return slices.DeleteFunc(found, func(r resource) bool { return !strings.EqualFold(r.text("userName"), name) }), err
}

// taken is for where the target refuses to make an account since it has one that was
// not found by what is ours in it. It is, if it says so: by the userName a target may
// find sooner what it has just made. Otherwise taken returns why no account is made,
// and how people go on. Whose that is only they can know: of who was deleted here a
// closed account may have stayed, but the name may be another person's by now.
func (t *task) taken(ctx context.Context, name string, refusal error) (resource, error) {
	named, err := t.withName(ctx, name)
	if later, ok := errors.AsType[*outbound.LaterError](err); ok {
		return nil, later
	}
	if err != nil || len(named) != 1 {
		return nil, rejected("the target has an account with this userName, or another unique attribute, that is not ours: it is not taken over (" + refusal.Error() + ")")
	}
	if t.ours(named[0]) {
		return named[0], t.update(ctx, named[0])
	}
	return nil, holder(named[0])
}

// holder says of an account that it is not taken over. An error is cut after 200
// bytes.
func holder(account resource) error {
	switch {
	case account.text("externalId") == "":
		return rejected("the target has an account with this userName and no externalId; if it is this person's, give it this identity's id as externalId there, or set `adopt`, then `jithook outbound retry`")
	case same(false, account.value("active")):
		return rejected("the target has a closed account with this userName, as of somebody deleted; delete or rename it there, or give it this identity's id as externalId, then `jithook outbound retry`")
	}
	return rejected("the target has an account with this userName that is in use and whose externalId is another's: it is not taken over; one of the two needs another userName")
}
