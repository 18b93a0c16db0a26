// Package scim is the connector to services that keep accounts by SCIM 2.0
// (RFC 7643, RFC 7644): it creates, changes, deactivates and deletes users there,
// and their memberships of groups.
//
// It owns which account at the target is an identity's, and what is sent of it.
// An account is ours if its id was noted with the identity, or its externalId is
// the identity's id; no other is ever changed, unless the operator has allowed to
// adopt those without an externalId. It must not know why an identity is as it
// is, who goes out, nor when something is tried again.
package scim

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/expr"
	"github.com/jithook/jithook/internal/safedial"
	"github.com/jithook/jithook/outbound"
)

// How a target takes changes of what it has.
const (
	// PatchAuto asks the target's ServiceProviderConfig: PATCH, or PUT where it
	// has no PATCH.
	PatchAuto = "auto"
	// PatchRFC sends an operation for each attribute (RFC 7644, section 3.5.2).
	PatchRFC = "rfc"
	// PatchMicrosoft sends one Replace without a path, with all attributes, and
	// operations with capital letters, as Microsoft Entra does.
	PatchMicrosoft = "microsoft"
	// PatchPut reads, changes and replaces the whole resource.
	PatchPut = "put"
)

// By which filter an account is looked for whose id is not noted.
const (
	LookupExternalID = "external_id"
	// LookupUserName is for targets that cannot filter on externalId, but show
	// it.
	LookupUserName = "user_name"
	// LookupNone is for targets that cannot filter.
	LookupNone = "none"
)

// What becomes of groups.
const (
	GroupsNone = "none"
	// GroupsKnown grants memberships of groups that the target has.
	GroupsKnown = "known"
	// GroupsCreate makes those that it lacks.
	GroupsCreate = "create"
)

// What becomes of an account whose identity is deprovisioned or deleted, or does
// not go to this target any more.
const (
	Deactivate = "deactivate"
	Delete     = "delete"
)

// Options are a target as it is configured.
type Options struct {
	// URL is the base of the target's SCIM endpoints.
	URL  string
	Auth Auth
	// Attributes are what an account has, beside externalId and active.
	Attributes []Attribute
	// Patch, Lookup, Groups and OnDeprovision are words of the lists above.
	Patch, Lookup, Groups, OnDeprovision string
	// Adopt takes over an account with the same userName that has no externalId.
	Adopt bool
	// DryRun reads, and logs what would be written.
	DryRun bool
	// First reports whether this process is the one, of all that deliver to the
	// target, to make what must not be made twice.
	First func(ctx context.Context, what string) (bool, error)
	// Guard judges the addresses of connections.
	Guard safedial.Guard
	Now   func() time.Time
	Log   *slog.Logger
}

// Connector tells one target. It is safe for concurrent use.
type Connector struct {
	Options

	client *client
	ids    groupIDs

	mu       sync.Mutex
	features features
	asked    time.Time // when features was read; zero if never
}

var (
	_ outbound.Connector = (*Connector)(nil)
	_ outbound.Lister    = (*Connector)(nil)
)

// CheckURL returns what is wrong with the URL of a target. It makes no
// connection.
func CheckURL(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || strings.Contains(s, "#") || safedial.Secure(u) != nil {
		return errors.New("the URL of a SCIM service is absolute, https (http on the loopback interface, for development), without credentials, query and fragment")
	}
	return nil
}

// New returns the connector to a target; it makes no connection. Errors: that of
// CheckURL.
func New(o Options) (*Connector, error) {
	if err := CheckURL(o.URL); err != nil {
		return nil, err
	}
	return &Connector{Options: o, client: newClient(o), ids: groupIDs{making: make(chan struct{}, 1)}}, nil
}

// Deliver implements outbound.Connector. Somebody who is barred here is
// deactivated there, first of all and whatever else may fail; who was barred
// before the target was ever told is nobody to tell it of.
func (c *Connector) Deliver(ctx context.Context, i identity.Identity, d identity.Delivery) (identity.Resource, error) {
	return c.deliver(ctx, i, d, nil)
}

// Compare implements outbound.Comparer.
func (c *Connector) Compare(ctx context.Context, i identity.Identity, d identity.Delivery) ([]outbound.Difference, error) {
	found := []outbound.Difference{}
	_, err := c.deliver(ctx, i, d, &found)
	return found, err
}

// deliver is Deliver, or where found is not nil what it would write.
func (c *Connector) deliver(ctx context.Context, i identity.Identity, d identity.Delivery, found *[]outbound.Difference) (identity.Resource, error) {
	has, told := i.Resource(d.Target)
	if i.Barred() && !told {
		return identity.Resource{}, nil
	}
	t := task{Connector: c, identity: i, found: found, note: readNote(has.Told)}
	before := has
	err := t.run(ctx, &has)
	has.Told = t.note.text(err != nil)
	if c.DryRun || found != nil { // what was not done is not noted
		has = before
	}
	return has, err
}

// task is one delivery.
type task struct {
	*Connector
	features features
	identity identity.Identity
	// found, if not nil, is what would be written: nothing is then.
	found *[]outbound.Difference
	note  note
}

// run brings the target up to the identity; has is what the target has, as far
// as is known, all the while.
func (t *task) run(ctx context.Context, has *identity.Resource) (err error) {
	if t.features, err = t.discover(ctx); err != nil {
		return err
	}
	account, err := t.find(ctx, has.ID)
	if err != nil {
		return err
	}
	switch {
	case account == nil && t.identity.Barred():
		t.forget(has)
		return nil
	case account == nil:
		account, err = t.create(ctx)
		if account != nil {
			t.known(account, has)
		}
		if err != nil || account == nil {
			return err
		}
	default:
		t.known(account, has)
		if t.closed() && t.OnDeprovision == Delete {
			return t.remove(ctx, account, has)
		}
		if err := t.update(ctx, account); err != nil {
			return err
		}
	}
	if t.Groups == GroupsNone {
		return nil
	}
	return t.memberships(ctx, account, has)
}

// known notes the account: no other is looked for.
func (t *task) known(account resource, has *identity.Resource) {
	has.ID, t.note.Names = account.id(), nil
}

// forget notes that the target has nothing of the identity.
func (t *task) forget(has *identity.Resource) { *has, t.note = identity.Resource{}, note{} }

// closed reports whether the identity is never to come back by itself.
func (t *task) closed() bool {
	return t.identity.State == identity.StateDeprovisioned || t.identity.State == identity.StateDeleted
}

// create makes the account. Where the target refuses since there is such an
// account, it is ours if it says so: the reply to an earlier attempt was lost.
// With a dry run there is none afterwards.
func (t *task) create(ctx context.Context) (resource, error) {
	wanted, err := t.wanted(ctx)
	if err != nil {
		return nil, err
	}
	if t.Adopt {
		if account, err := t.orphan(ctx, wanted); err != nil || account != nil {
			return account, t.adopt(ctx, account, err)
		}
	}
	name := t.hash(wanted.userName())
	first := t.note.named(name)
	account, err := t.post(ctx, users, wanted.document())
	if first && undone(err) {
		t.note.unnamed(name)
	}
	if !isTaken(err) {
		return account, err
	}
	account, again := t.look(ctx)
	switch {
	case again != nil:
		return nil, again
	case account != nil:
		return account, t.update(ctx, account)
	}
	return t.taken(ctx, wanted.userName(), err)
}

// ours reports whether an account says that it is the identity's.
func (t *task) ours(account resource) bool { return account.text("externalId") == t.identity.ID }

// orphan returns the one account with the identity's userName, if it is nobody
// else's.
func (t *task) orphan(ctx context.Context, wanted wanted) (resource, error) {
	named, err := t.withName(ctx, wanted.userName())
	switch {
	case err != nil || len(named) == 0:
		return nil, err
	case len(named) > 1:
		return nil, rejected("the target has several accounts with this userName: none is adopted")
	case t.ours(named[0]): // the reply to an earlier attempt was lost
		return named[0], nil
	case named[0].text("externalId") != "":
		return nil, holder(named[0])
	}
	return named[0], nil
}

// adopt makes an orphan ours, or brings up to date what is.
func (t *task) adopt(ctx context.Context, account resource, err error) error {
	if err != nil {
		return err
	}
	if !t.ours(account) {
		t.Log.InfoContext(ctx, "account at the target is adopted", "identity_id", t.identity.ID, "dry_run", t.DryRun)
	}
	return t.update(ctx, account)
}

// remove deletes the account.
func (t *task) remove(ctx context.Context, account resource, has *identity.Resource) error {
	if err := t.delete(ctx, account); err != nil {
		return err
	}
	t.forget(has)
	return nil
}

func rejected(why string) error { return &outbound.RejectedError{Err: errors.New(why)} }

// vars is what the expressions of attributes see.
func vars(i *identity.Identity) expr.Vars { return expr.Vars{Identity: i.Vars()} }
