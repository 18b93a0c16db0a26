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
// often it is planned; whoever is taken for another one after all has counted.
func (s *Service) afford(ctx context.Context, p *Plan, counted *bool) error {
	if p.op != opInsert || *counted {
		return nil
	}
	prov, ok := s.Providers().Get(p.Record.Provider)
	if !ok || prov.Policy.Lifecycle().MaxCreatesPerHour == 0 {
		return nil
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
