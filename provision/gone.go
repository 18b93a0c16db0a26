package provision

import (
	"context"
	"slices"
	"time"

	"github.com/jithook/jithook/identity"
)

// gone finds identities whose Kratos has deleted its own, and has them be bound
// to it no longer: this instance, or every one if it is empty. Whoever is barred keeps the id: it is what keeps them out.
func (s *Service) gone(instance string) expiry {
	asked := func(e identity.ExternalID) bool { return s.asksAbout(e) && (instance == "" || e.Instance == instance) }
	deleted, down := map[string][]identity.ExternalID{}, map[string]bool{}
	return expiry{
		code: identity.CodeKratosGone, page: askingPage,
		over: func(_ *Service, _ time.Time, i *identity.Identity) (since time.Time, over bool) {
			return i.UpdatedAt, !i.Barred() && slices.ContainsFunc(i.ExternalIDs, asked)
		},
		spared: func(ctx context.Context, i *identity.Identity) Fate {
			fate := fateFine
			for _, e := range i.ExternalIDs {
				if !asked(e) {
					continue
				}
				if !down[e.Instance] {
					gone, err := s.Kratos[e.Instance].Gone(ctx, e.ID)
					if err == nil {
						if gone {
							deleted[i.ID], fate = append(deleted[i.ID], e), ""
						}
						continue
					}
					down[e.Instance] = true
					s.Log.ErrorContext(ctx, "Kratos's Admin API not heard: nobody is unbound from it", "instance", e.Instance, "identity_id", i.ID, "error", err)
				}
				return FateUnheard
			}
			return fate
		},
		change: func(_ *Service, p *Plan) {
			for _, e := range deleted[p.Before.ID] {
				p.unbind(e)
			}
		},
	}
}

// asksAbout reports whether the id is that of a Kratos whose Admin API answers
// here.
func (s *Service) asksAbout(e identity.ExternalID) bool {
	return e.System == identity.SystemKratos && s.Kratos[e.Instance] != nil
}

// unbind takes an id of the identity server from the identity.
func (p *Plan) unbind(old identity.ExternalID) {
	p.After.ExternalIDs = slices.DeleteFunc(p.After.ExternalIDs, func(e identity.ExternalID) bool { return e == old })
	p.After.Keys = slices.DeleteFunc(p.After.Keys, func(k identity.Key) bool { return k == identity.ExtKey(old) })
	p.changed("/external_ids/"+old.System, identity.OpRemove)
}
