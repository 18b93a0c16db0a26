// Package replay decides logins again: by the providers' files in force and by
// candidates for them, over one and the same view of the userstore, and says in
// what the two differ. Logins come from decision records (Run) or, a sample of
// them, from the server itself (Shadow).
//
// It must not write an identity, and it asks no other system: what a login
// rested on is in its record. It never shows a value.
package replay

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/provider"
	"github.com/jithook/jithook/provision"
	"github.com/jithook/jithook/store"
)

// Login is a sign-in as a record keeps it.
type Login struct {
	Record  identity.Record
	Subject string
	Claims  map[string]any
}

// Again is the login as provision is asked about it. At prepare and at the
// generic contract the same claims count in the same way; but prepare would
// refuse a person who is there by now, as somebody whom Kratos has lost.
func (l Login) Again() identity.Login {
	r := l.Record
	again := identity.Login{
		Hook: r.Hook, Caller: r.Caller, Providers: []string{"*"}, Provider: r.Provider,
		Offers: []identity.Offer{{
			Source: r.Source, Provider: r.Provider, Issuer: r.Issuer, Subject: l.Subject, Claims: l.Claims, Normalised: r.Normalised,
		}},
	}
	if r.Hook == identity.HookPrepare {
		again.Hook, again.Told = identity.HookGeneric, r.Hook
	}
	return again
}

// Pair is two versions of the providers' files over one userstore. It is safe
// for concurrent use.
type Pair struct {
	store      Store
	userstores []string
	now        func() time.Time
	log        *slog.Logger
	later      *provision.Recorder

	live, candidate *provider.Set
}

// NewPair returns the pair of the files in force and of those that might be.
// userstores are the names that a policy may put an identity into.
func NewPair(s Store, live, candidate *provider.Set, userstores []string, now func() time.Time) *Pair {
	quiet := slog.New(slog.DiscardHandler)
	return &Pair{
		store: s, userstores: userstores, now: now, log: quiet, live: live.Recorded(), candidate: candidate.Recorded(),
		later: provision.NewRecorder(nil, quiet, func() {}), // it is asked what is queued, and has nothing
	}
}

// attempts bounds how often a login is decided again because others overtake it.
const attempts = 3

// compare decides a login by both, over views that fresh returns: a plan that
// finds that the store has changed under it needs another one.
func (p *Pair) compare(ctx context.Context, l Login, as As, fresh func(attempt int) *view) (d Difference, err error) {
	for n := range attempts {
		if d, err = p.once(ctx, l, as, fresh(n)); !errors.Is(err, store.ErrConflict) {
			break
		}
	}
	return d, err
}

func (p *Pair) once(ctx context.Context, l Login, as As, v *view) (Difference, error) {
	again := l.Again()
	live, err := p.service(p.live, v).Preview(ctx, again)
	if err != nil {
		return Difference{}, err
	}
	candidate, err := p.service(p.candidate, v).Preview(ctx, again)
	if err != nil {
		return Difference{}, err
	}
	d := differ(live, candidate)
	d.ID, d.At, d.Provider, d.As = l.Record.ID, l.Record.At, l.Record.Provider, as
	d.IdentityID = l.Record.IdentityID
	for _, side := range []identity.Record{live.Record, candidate.Record} {
		if side.Decision != identity.Created { // else it was made up
			d.IdentityID = cmp.Or(d.IdentityID, side.IdentityID)
		}
	}
	return d, nil
}

// service decides over a view. Without a journal, budgets and Admin APIs it has
// nothing to write to, and nobody to ask.
func (p *Pair) service(set *provider.Set, v *view) *provision.Service {
	return &provision.Service{
		Store: v, Providers: func() *provider.Set { return set }, Userstores: p.userstores, Now: p.now, Log: p.log, Later: p.later,
	}
}
