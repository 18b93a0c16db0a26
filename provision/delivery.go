package provision

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jithook/jithook/claims"
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

// Delivery is a message that a caller has signed. It may come several times:
// from the caller, who heard no answer, or from somebody who has seen it.
type Delivery struct {
	// ID is the caller's own id of it, Key stands for the caller and the ID,
	// Digest for the content.
	ID, Key, Digest string
	// Expires is when nobody can send it any more.
	Expires time.Time
}

// Receipts remembers which messages came; see store.Store.
type Receipts interface {
	Receive(ctx context.Context, r store.Receipt) (store.Receipt, error)
}

// ErrReused says that a message's id came before, with another content.
var ErrReused = errors.New("the message's id was used for another content")

// Deliver is Provision for a message, which is decided once: whoever sends it
// again gets the same answer and writes nothing, unless the identity is barred,
// gone or no longer the subject's. Where the first attempt ended without a decision, the next one
// decides, under the same id. Errors: ErrReused.
func (s *Service) Deliver(ctx context.Context, d Delivery, l identity.Login) (Outcome, error) {
	start := s.Now()
	l.DeliveryID, l.DecisionID = d.ID, newID()
	noted, err := s.Receipts.Receive(ctx, store.Receipt{Key: d.Key, Digest: d.Digest, DecisionID: l.DecisionID, Expires: d.Expires})
	switch {
	case err != nil:
		return s.finish(ctx, s.fault(ctx, s.begin(l), err), start), nil
	case noted.Digest != d.Digest:
		return Outcome{}, ErrReused
	case noted.DecisionID == l.DecisionID:
		return s.Provision(ctx, l), nil
	}
	l.DecisionID = noted.DecisionID
	out, ok, err := s.decided(ctx, l)
	switch {
	case err != nil:
		return s.finish(ctx, s.fault(ctx, s.begin(l), err), start), nil
	case ok:
		return out, nil
	}
	return s.Provision(ctx, l), nil
}

// decided returns the answer that a message has had before, if it has. A plan is
// not carried out before this was asked: several may decide one message at a
// time, and who read the identity after another one wrote it must not decide
// again.
func (s *Service) decided(ctx context.Context, l identity.Login) (Outcome, bool, error) {
	if l.DecisionID == "" {
		return Outcome{}, false, nil
	}
	r, err := s.Journal.Decision(ctx, l.DecisionID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return Outcome{}, false, nil
	case err != nil:
		return Outcome{}, false, err
	}
	out := Outcome{Record: r}
	if r.Decision.Allowed() && r.IdentityID != "" {
		i, err := s.Editable.Get(ctx, r.IdentityID)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return Outcome{}, false, err
		}
		if i.State == identity.StateDeleted {
			i = identity.Identity{}
		}
		if err != nil || i.ID == "" || i.Barred() || r.SubjectKey != "" && !slices.Contains(i.Keys, r.SubjectKey) {
			return s.barred(ctx, l, r, i), true, nil
		}
		out.Identity = &i
	}
	s.Log.InfoContext(ctx, "login answered again", "decision_id", r.ID, "hook", r.Hook, "caller", r.Caller,
		"decision", r.Decision, "identity_id", r.IdentityID, "request_id", l.RequestID)
	return out, true, nil
}

// barred refuses somebody whom a message let in before. It is a decision of its
// own: that of the message stands.
func (s *Service) barred(ctx context.Context, l identity.Login, before identity.Record, i identity.Identity) Outcome {
	start := s.Now()
	l.DecisionID = ""
	p := s.begin(l)
	p.Record.Issuer, p.Record.SubjectKey, p.Record.Source = before.Issuer, before.SubjectKey, before.Source
	switch p.known(i); {
	case i.ID == "":
		p.forget()
		p.deny(identity.Because(identity.CodeIdentityMissing), "")
	case !p.veto():
		p.deny(identity.Because(identity.CodeLinkStale), "") // the subject is none of its own any more
	}
	out, err := s.apply(ctx, p)
	if err != nil {
		out = s.fault(ctx, p, err)
	}
	return s.finish(ctx, out, start)
}

// fault is the outcome of a failure of our own, under an id of its own. That of the
// plan may be in the store by now, with what was written although the store did not
// say so, and a message's belongs to the attempt that decides.
func (s *Service) fault(ctx context.Context, p Plan, err error) Outcome {
	r := p.Record
	r.ID, r.Decision, r.Change = newID(), identity.Error, nil
	r.Reasons = []identity.Reason{identity.Because(faultCode(ctx, err))}
	r.Claims = s.ClaimLog.Keep(r.ID, p.evidence.Subject, p.evidence.Claims) // which are bound to it
	return Outcome{Record: r}
}

// faultCode is the reason code of a fault of our own.
func faultCode(ctx context.Context, err error) identity.Code {
	var fault *claims.Fault
	switch {
	case errors.As(err, &fault):
		return fault.Code
	case errors.Is(err, store.ErrConflict):
		return identity.CodeConflict
	case ctx.Err() != nil:
		return identity.CodeDeadlineExceeded
	case errors.Is(err, store.ErrUnavailable):
		return identity.CodeStoreUnavailable
	default:
		return identity.CodeInternal
	}
}

// keep makes a decision durable that wrote no identity: without its record the
// message would be decided again.
func (s *Service) keep(ctx context.Context, p Plan) error {
	var touched []store.Touch
	if t := p.touch(); t != nil {
		touched = append(touched, *t)
	}
	return s.Journal.Record(ctx, []identity.Record{p.Record}, touched)
}
