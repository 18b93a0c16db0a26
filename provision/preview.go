package provision

import (
	"context"
	"maps"
	"slices"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

// Preview is Provision without its writes: the same decision, nothing done, no
// ID token spent. It costs one read more, to see whether a unique trait is
// taken, and two for one that gets a number then.
func (s *Service) Preview(ctx context.Context, l identity.Login) (Outcome, error) {
	plan, err := s.Plan(ctx, l)
	if err != nil {
		return Outcome{}, err
	}
	if err := s.foresee(ctx, &plan); err != nil {
		return Outcome{}, err
	}
	return plan.outcome(), nil
}

// foresee refuses a plan, or gives its name a number, where a write would find a
// unique trait taken, as far as a read can tell.
func (s *Service) foresee(ctx context.Context, p *Plan) error {
	for range maxNumber {
		if len(p.paths) == 0 || p.op != opInsert && p.op != opSwap {
			return nil
		}
		key, held, err := s.heldByOther(ctx, p)
		if err != nil || !held {
			return err
		}
		again, err := s.renumber(ctx, p, &store.TakenError{Key: key})
		if err != nil {
			return err
		}
		if !again {
			p.taken(p.paths[key])
			return nil
		}
	}
	return nil
}

// heldByOther returns the key of a unique trait that another identity has: of
// several the first, as a write does.
func (s *Service) heldByOther(ctx context.Context, p *Plan) (k identity.Key, held bool, err error) {
	keys := slices.Sorted(maps.Keys(p.paths))
	holders, err := s.Store.Look(ctx, p.After.Userstore, keys...)
	for _, k := range keys {
		if slices.ContainsFunc(holders.Identities, func(h identity.Identity) bool { return h.ID != p.After.ID && slices.Contains(h.Keys, k) }) {
			return k, true, err
		}
	}
	return "", false, err
}
