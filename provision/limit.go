package provision

import (
	"context"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

// Budgets counts what may happen only so often; see store.Store.
type Budgets interface {
	Spend(ctx context.Context, b store.Budget) (left bool, err error)
}

// afford refuses to make a further identity in an hour in which the provider's
// logins have made as many as its file lets them. A login counts once, however
// often it is planned. Who cannot be made, because somebody has their name, does
// not count: else one person could use up the hour for everybody. It is one read
// more; whoever is overtaken after it has counted.
func (s *Service) afford(ctx context.Context, p *Plan, counted *bool) error {
	if p.op != opInsert || *counted {
		return nil
	}
	prov, ok := s.Providers().Get(p.Record.Provider)
	if !ok || prov.Policy.Lifecycle().MaxCreatesPerHour == 0 {
		return nil
	}
	if err := s.foresee(ctx, p); err != nil || p.refused() {
		return err
	}
	left, err := s.Budgets.Spend(ctx, store.Budget{
		Key: "creates " + prov.ID, From: p.now.Truncate(time.Hour), Limit: prov.Policy.Lifecycle().MaxCreatesPerHour,
	})
	if err != nil {
		return err
	}
	if *counted = left; !left {
		p.deny(identity.Because(identity.CodeCreateLimit), "")
	}
	return nil
}
