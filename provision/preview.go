package provision

import (
	"context"
	"maps"
	"slices"

	"github.com/jithook/jithook/identity"
)

// Preview is Provision without its writes: the same decision, nothing done, no
// ID token spent. It costs one read more, to see whether a unique trait is
// taken.
func (s *Service) Preview(ctx context.Context, l identity.Login) (Outcome, error) {
	plan, err := s.Plan(ctx, l)
	if err != nil {
		return Outcome{}, err
	}
	if len(plan.paths) > 0 && (plan.op == opInsert || plan.op == opSwap) {
		holders, err := s.Store.Look(ctx, plan.After.Userstore, slices.Collect(maps.Keys(plan.paths))...)
		if err != nil {
			return Outcome{}, err
		}
		for _, h := range holders.Identities {
			if h.ID == plan.After.ID {
				continue
			}
			for _, k := range h.Keys {
				if path, ok := plan.paths[k]; ok {
					plan.taken(path)
					return plan.outcome(), nil
				}
			}
		}
	}
	return plan.outcome(), nil
}
