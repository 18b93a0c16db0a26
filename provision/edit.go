package provision

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

// Target is the identity that an administrator edits.
type Target struct {
	ID string
	// Revision is the one that the administrator has seen; 0 is any.
	Revision int64
	// RequestID ties the record to the log.
	RequestID string
	// Caller is who asks, if not an administrator.
	Caller string
}

// Edit is one thing that an administrator may do to an identity: Suspend,
// Deprovision, Activate, Delete, Unlink, Amend, Release, Approve or
// Reject.
type Edit struct {
	hook   identity.Hook // HookAdmin if empty
	code   identity.Code
	change func(*Service, *Plan) error
}

// ErrRevision says that the identity is not at the revision of the Target.
var ErrRevision = errors.New("the identity was changed since that revision")

// Edit carries out an administrator's edit in one compare-and-swap, with its
// record. Where another writer came first it begins again, at most three times.
// An edit that would change nothing writes its record only.
//
// A refusal is an Outcome with decision "denied" and its reason. Errors:
// store.ErrNotFound; ErrRevision; what the edit says; store.ErrConflict when other writers were
// faster each time; other store errors, after which the edit may have been
// carried out, whole.
func (s *Service) Edit(ctx context.Context, t Target, e Edit) (Outcome, error) {
	start := s.Now()
	for range attempts {
		p, err := s.planEdit(ctx, t, e)
		if err != nil {
			return Outcome{}, err
		}
		p.Record.Duration = s.Now().Sub(start)
		out, err := s.apply(ctx, p)
		if err == nil {
			s.Log.InfoContext(ctx, "identity edited", "decision_id", out.Record.ID, "decision", out.Record.Decision,
				"reason", out.Record.Reasons[0].Code, "identity_id", out.Record.IdentityID, "request_id", out.Record.RequestID)
			return out, nil
		}
		if !errors.Is(err, store.ErrConflict) {
			return Outcome{}, err
		}
	}
	return Outcome{}, store.ErrConflict
}

func (s *Service) planEdit(ctx context.Context, t Target, e Edit) (Plan, error) {
	i, err := s.Editable.Get(ctx, t.ID)
	if err != nil {
		return Plan{}, err
	}
	if i.State == identity.StateDeleted { // nobody any more, whoever has yet to learn that
		return Plan{}, fmt.Errorf("edit identity: %w", store.ErrNotFound)
	}
	if t.Revision != 0 && t.Revision != i.Revision {
		return Plan{}, ErrRevision
	}
	p := s.begin(identity.Login{
		Hook: cmp.Or(e.hook, identity.HookAdmin), Caller: cmp.Or(t.Caller, identity.SourceAdmin), RequestID: t.RequestID,
	})
	p.known(i)
	if err := e.change(s, &p); err != nil {
		return Plan{}, err
	}
	p.edited(e.code)
	return p, nil
}

// edited names the decision of an edit and chooses the write.
func (p *Plan) edited(code identity.Code) {
	p.once()
	switch {
	case p.refused():
	case p.op == opDelete:
		p.After = nil
		p.pass(identity.Deleted, code)
	case p.After.State == identity.StateDeleted:
		p.pass(identity.Deleted, code)
	case len(p.Record.Change) == 0:
		p.pass(identity.Unchanged, code)
	default:
		p.op = opSwap
		p.After.Revision++
		p.After.UpdatedAt = p.now
		p.After.DecisionID = p.Record.ID
		if p.linked {
			p.pass(identity.Linked, code)
		} else if p.Before.Barred() && !p.After.Barred() {
			p.pass(identity.Activated, code)
		} else {
			p.pass(identity.Updated, code)
		}
	}
}
