package outbound

import (
	"context"
	"errors"
	"time"

	"github.com/jithook/jithook/identity"
)

var (
	errNoComparer = errors.New("this kind of target cannot be compared")
	errNoLister   = errors.New("this kind of target does not list its accounts")
)

// whole is a Connector with all that one may be able to do beside delivering.
// Who wraps a Connector embeds it: what a wrapper does not deal with reaches the
// one inside, and nothing is lost on the way.
type whole struct{ Connector }

// Intend implements Intender; a Connector that is none may grant every group.
func (w whole) Intend(ctx context.Context, i identity.Identity, d identity.Delivery) identity.Resource {
	if c, ok := w.Connector.(Intender); ok {
		return c.Intend(ctx, i, d)
	}
	has, _ := i.Resource(d.Target)
	has.Groups = i.GroupNames()
	return has
}

// Compare implements Comparer, if the Connector is one.
func (w whole) Compare(ctx context.Context, i identity.Identity, d identity.Delivery) ([]Difference, error) {
	if c, ok := w.Connector.(Comparer); ok {
		return c.Compare(ctx, i, d)
	}
	return nil, errNoComparer
}

// Accounts implements Lister, if the Connector is one.
func (w whole) Accounts(ctx context.Context, behind, count int) (page []Account, next int, err error) {
	if l, ok := w.Connector.(Lister); ok {
		return l.Accounts(ctx, behind, count)
	}
	return nil, 0, errNoLister
}

// compares reports whether the Connector inside is a Comparer.
func (w whole) compares() bool {
	if in, ok := w.Connector.(interface{ compares() bool }); ok {
		return in.compares()
	}
	_, ok := w.Connector.(Comparer)
	return ok
}

// Wants reports whether an identity goes to a target; told says whether the
// target may have it already. Its error is stored and shown like one of Deliver.
type Wants func(ctx context.Context, i *identity.Identity, told bool) (bool, error)

// Route returns the way to a target: only those go there whom it is to have, and
// nobody calls it while it wants to be left alone. c speaks the target's protocol.
func Route(c Connector, target string, r Receipts, wants Wants, now func() time.Time) Connector {
	return Limit(Spare(c, target, r, now), wants)
}

// Comparable returns the Connector as a Comparer, if what is behind it is one.
func Comparable(c Connector) (Comparer, bool) {
	w := whole{c}
	return w, w.compares()
}

// A wrapper has all of it.
var (
	_ Lister   = Only{}
	_ Intender = Only{}
	_ Lister   = (*Spared)(nil)
	_ Intender = (*Spared)(nil)
)
