package provision

import (
	"context"
	"errors"
	"slices"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

// Commit notes that the identity server persisted what prepare decided: its id
// is recorded, a pending identity becomes active, and the record of prepare is
// amended. Whatever fails here the next login repairs, so the caller is told
// nothing; the outcome is for the log and the metrics.
func (s *Service) Commit(ctx context.Context, l identity.Login) Outcome {
	start := s.Now()
	var out Outcome
	for range attempts {
		p := s.begin(l)
		err := s.commit(ctx, l, &p)
		out = Outcome{Record: p.Record, Identity: p.After}
		if err == nil {
			return s.finish(ctx, out, start)
		}
		out = s.fault(ctx, p, err)
		if !errors.Is(err, store.ErrConflict) {
			break
		}
	}
	return s.finish(ctx, out, start)
}

func (s *Service) commit(ctx context.Context, l identity.Login, p *Plan) error {
	_, e, err := s.vouched(ctx, l, p)
	if err != nil {
		return err
	}
	if p.refused() {
		s.Later.Add(p.Record, nil)
		return nil
	}
	// Nobody holds the identity server's id yet: all stores have to say so.
	if err := s.find(ctx, l, e, view{everywhere: true}, p); err != nil {
		return err
	}
	if p.refused() {
		s.Later.Add(p.Record, nil)
		return nil
	}
	if p.Before == nil || e.Subject == "" {
		return s.unmatched(p)
	}
	p.acknowledge(l)
	p.settle(l, "")
	if p.op == opNone {
		return nil
	}
	record := s.amended(ctx, p)
	p.After.DecisionID = record.ID
	s.arm(p)
	p.armed(ctx)
	err = s.Store.Swap(ctx, *p.After, record)
	var taken *store.TakenError
	if errors.As(err, &taken) {
		// The identity server's id belongs to another identity already.
		return s.unmatched(p)
	}
	return err
}

func (s *Service) unmatched(p *Plan) error {
	p.deny(identity.Because(identity.CodeCommitUnmatched), "")
	s.Later.Add(p.Record, nil)
	return nil
}

// amended is the record of the decision that is being acknowledged, with the
// time; its own record, should that one be gone.
func (s *Service) amended(ctx context.Context, p *Plan) identity.Record {
	earlier, err := s.Journal.Decision(ctx, p.Before.DecisionID)
	if err != nil {
		earlier = p.Record
	}
	earlier.CommittedAt = p.now
	return earlier
}

// Known returns the identity that a login of this kind is about, for hooks that
// decide nothing but must know who it is: by the caller's own id, else by the
// origin that it has kept. ok is false if there is none.
func (s *Service) Known(ctx context.Context, l identity.Login) (i identity.Identity, ok bool, err error) {
	keys := []identity.Key{identity.ExtKey(l.External)}
	if origin := s.origin(l); origin != "" {
		keys = append(keys, origin)
	}
	found, err := s.Store.Look(ctx, "", keys...)
	if err != nil || len(found.Identities) == 0 {
		return identity.Identity{}, false, err
	}
	for _, i := range found.Identities {
		if slices.Contains(i.Keys, keys[0]) {
			return i, true, nil
		}
	}
	return found.Identities[0], true, nil
}
