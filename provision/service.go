// Package provision is the only place where business order is written: which
// provider, which evidence, which identity, what changes, and in which order it
// reaches the store. Plan reads, Apply writes, Commit acknowledges, Edit does
// what an administrator asks.
//
// It must not know how a caller spells a request or a reply (package hook), nor
// how a store keeps a promise (package store).
package provision

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/jithook/jithook/claims"
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/claimlog"
	"github.com/jithook/jithook/internal/tracing"
	"github.com/jithook/jithook/kratos"
	"github.com/jithook/jithook/provider"
	"github.com/jithook/jithook/store"
)

// Store is what provisioning needs of a userstore, which may be several; see
// package store/directory and store.Store for the promises.
type Store interface {
	Look(ctx context.Context, first string, keys ...identity.Key) (store.Found, error)
	Insert(ctx context.Context, i identity.Identity, r identity.Record) error
	Swap(ctx context.Context, i identity.Identity, r identity.Record) error
	Renew(ctx context.Context, id string, revision int64, at time.Time, r identity.Record) error
}

// Editable is what edits and sweeps of identities that are there need of a
// userstore besides Store.
type Editable interface {
	List(ctx context.Context, q store.Query) (store.Page, error)
	Get(ctx context.Context, id string) (identity.Identity, error)
	// Pin is called before a subject is linked to an identity that is there.
	Pin(ctx context.Context, key identity.Key, userstore string) error
	Delete(ctx context.Context, id string, revision int64, renewedAt time.Time, r identity.Record) error
}

// Journal keeps the records of decisions that write no identity, and what a
// login that changed nothing leaves behind.
type Journal interface {
	Record(ctx context.Context, records []identity.Record, touched []store.Touch) error
	Decision(ctx context.Context, id string) (identity.Record, error)
}

// Service decides logins and carries out edits. Its fields are set before the first call and not
// changed after; its methods are safe for concurrent use.
type Service struct {
	Store    Store
	Editable Editable
	Journal  Journal
	// Receipts may be nil where nobody calls Deliver.
	Receipts Receipts
	// Budgets may be nil where no provider's file limits anything.
	Budgets Budgets
	// Later takes what need not be durable before the answer.
	Later *Recorder
	// Providers returns the live set of providers' files.
	Providers func() *provider.Set
	// Kratos are the Admin APIs of the Kratos instances that have one, by the
	// instance's name.
	Kratos map[string]*kratos.Admin
	// Instances are the names of all Kratos instances that may call: any of them
	// may have the person of a pending identity.
	Instances []string
	// Quarantine is how long a deprovisioned identity keeps its names and
	// addresses; 0 is for ever.
	Quarantine time.Duration
	// Userstores are the names that a policy may put an identity into.
	Userstores []string
	Now        func() time.Time
	Log        *slog.Logger
	// Tickets remembers which flow an ID token was used in.
	Tickets claims.Tickets
	// ClaimLog keeps claims in records; nil keeps none.
	ClaimLog *claimlog.Keeper
	// Blocking are the targets that a login waits for, and whether it is refused
	// where one does not learn of it; Await has one learn of the identity as it
	// was last written or read. It may be nil where there are none.
	Blocking map[string]bool
	Await    func(ctx context.Context, target string, i identity.Identity) error
	// Observe, if set, sees every record as it is answered.
	Observe func(identity.Record)
	// Decided, if set, sees every login that claims have decided. It holds nobody
	// up, and what it sees is not its to change.
	Decided func(Decided)

	turns turns
}

// Outcome is the answer to one login.
type Outcome struct {
	Record identity.Record
	// Identity is the identity after the decision; nil unless the decision lets
	// the login pass and jithook knows the person.
	Identity *identity.Identity
	// Emails are the e-mail addresses among its traits.
	Emails []Email
	// Match is how a lookup rule came to the record's identity, if one did.
	Match identity.Match
	// Unproved says that Kratos lets the person in only if they prove the account
	// that it has. The Identity is without an id then, unless the link was made
	// before: it is the person as the provider describes them.
	Unproved bool
}

// Email is an address, where it stands (a JSON Pointer into the identity), and
// whether somebody whose word counts verified it.
type Email struct {
	Path     string
	Address  string
	Verified bool
}

// attempts bounds how often a login is planned when other writers overtake it.
const attempts = 3

// Provision decides a login and makes it so: plan, apply, and when another
// writer came first plan again, at most three times, in turn with those of the
// same subject whom that befell too. It never returns an error: a fault of our own
// is an Outcome with decision "error", so that whatever happened leaves a record
// and an answer.
func (s *Service) Provision(ctx context.Context, l identity.Login) Outcome {
	ctx, span := tracing.Start(ctx, "provision")
	defer span.End(nil)
	start, flow := s.Now(), flowOf(l)
	account := s.account(ctx, &l)
	var out Outcome
	var v view
	var counted bool
	done := func() {}
	defer func() { done() }()
	for attempt := range attempts {
		plan, err := s.nearby(ctx, l, account, v)
		if err == nil {
			err = s.spend(flow, &plan)
		}
		if err == nil {
			var before bool
			if out, before, err = s.decided(ctx, l); before {
				return out
			}
		}
		if err == nil {
			err = s.afford(ctx, &plan, &counted)
		}
		if err == nil {
			if plan.op == opNone && !plan.refused() && !s.tell(ctx, l, plan.After) {
				plan.deny(identity.Because(identity.CodeTargetUnavailable), "")
			}
			plan.Record.Duration = s.Now().Sub(start)
			out, err = s.apply(ctx, plan)
		}
		if err == nil {
			s.disconnect(ctx, l, plan)
			out = s.tellWritten(ctx, l, plan, out)
			s.show(plan, out)
			return s.finish(ctx, out, start)
		}
		v, err = plan.after(err)
		out = s.fault(ctx, plan, err)
		if !errors.Is(err, store.ErrConflict) {
			break
		}
		if attempt > 0 {
			continue // it has its turn
		}
		if done, err = s.turns.take(ctx, plan.Record.SubjectKey); err != nil {
			out = s.fault(ctx, plan, err)
			break
		}
	}
	return s.finish(ctx, out, start)
}

// spend ties what is good for one flow only to this one, before anything of it
// counts. Errors: claims.ErrTicketsFull.
func (s *Service) spend(flow string, p *Plan) error {
	if p.ticket == nil || p.refused() {
		return nil
	}
	err := s.Tickets.Spend(*p.ticket, flow, p.now)
	switch {
	case errors.Is(err, claims.ErrSpent):
		p.deny(identity.Because(identity.CodeTokenReplayed), "")
		return nil
	case err != nil:
		s.Log.Error("an ID token refused because no further one can be remembered", "limit", claims.MaxTickets)
	}
	return err
}

// flowOf names the flow of a login among those of all callers. Without a flow
// id, every message or else every request is a flow of its own.
func flowOf(l identity.Login) string {
	switch {
	case l.FlowID != "":
		return fmt.Sprintf("flow %q of %q", l.FlowID, l.Caller)
	case l.DecisionID != "":
		return "message " + l.DecisionID
	}
	return "request " + cmp.Or(l.RequestID, newID())
}

// apply carries out a plan. Errors: store.ErrConflict (plan again) and other
// store errors (nothing is half-written).
func (s *Service) apply(ctx context.Context, p Plan) (Outcome, error) {
	err := s.put(ctx, &p)
	if p.takenMeanwhile(err) {
		p.deny(identity.Because(identity.CodeSubjectTaken), "")
		err = s.write(ctx, p)
	}
	var taken *store.TakenError
	if errors.As(err, &taken) {
		path, ok := p.paths[taken.Key]
		if !ok {
			// Somebody made an identity for this very subject or external id
			// since we looked, or long ago where we did not look: the next plan
			// finds it.
			return Outcome{}, store.ErrConflict
		}
		p.taken(path)
		err = s.write(ctx, p)
	}
	if err != nil {
		return Outcome{}, err
	}
	return p.outcome(), nil
}

func (s *Service) write(ctx context.Context, p Plan) error {
	s.arm(&p)
	p.armed(ctx)
	switch p.op {
	case opInsert:
		return s.Store.Insert(ctx, *p.After, p.Record)
	case opSwap:
		if err := s.makeRoom(ctx, p); err != nil {
			return err
		}
		return s.Store.Swap(ctx, *p.After, p.Record)
	case opRenew:
		return s.Store.Renew(ctx, p.After.ID, p.After.Revision, p.After.RenewedAt, p.Record)
	case opDelete:
		return s.Editable.Delete(ctx, p.Before.ID, p.Before.Revision, p.Before.RenewedAt, p.Record)
	case opNone:
		if p.promised {
			return s.keep(ctx, p)
		}
		if p.Record.Decision == identity.Unchanged && p.Record.Hook != identity.HookAdmin {
			s.Later.Add(p.Record, p.touch())
			return nil
		}
		s.record(ctx, p.Record)
	}
	return nil
}

func (s *Service) finish(ctx context.Context, out Outcome, start time.Time) Outcome {
	out.Record.Duration = s.Now().Sub(start)
	if out.Record.Decision == identity.Error {
		s.Later.Add(out.Record, nil)
	}
	if s.Observe != nil {
		s.Observe(out.Record)
	}
	out.traced(ctx)
	s.logged(ctx, out.Record)
	return out
}

// logged writes the one line of a decision: a warning of an error, whose record may be lost.
func (s *Service) logged(ctx context.Context, r identity.Record) {
	level := slog.LevelInfo
	if r.Decision == identity.Error {
		level = slog.LevelWarn
	}
	s.Log.LogAttrs(ctx, level, "login decided",
		slog.String("decision_id", r.ID), slog.String("hook", string(r.Hook)), slog.String("caller", r.Caller),
		slog.String("provider", r.Provider), slog.String("decision", string(r.Decision)), slog.String("reason", string(r.Reasons[0].Code)),
		slog.String("rule", r.Rule), slog.String("identity_id", r.IdentityID), slog.String("flow_id", r.FlowID),
		slog.String("request_id", r.RequestID), slog.Int64("duration_us", r.Duration.Microseconds()))
}

// newID returns a UUIDv7 (RFC 9562): unique, and sorted by time, so that pages
// in id order are pages in order of creation.
func newID() string { return uuid.Must(uuid.NewV7()).String() }
