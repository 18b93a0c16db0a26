package provision

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/jithook/jithook/identity"
)

const (
	// sweepPage is how many identities a step looks at; askingPage of those that
	// a Kratos is asked about, each of them with calls of a second.
	sweepPage  = 200
	askingPage = 20
	// maxIdentifiers is for how many credentials a Kratos is asked about one
	// identity. Thousands of providers may share an issuer, and the person may have
	// come by any of them.
	maxIdentifiers = 50
)

// expiry returns how a rule is carried out; ok is false where it is off.
func (s *Service) expiry(w Sweep) (e expiry, ok bool) {
	switch w.Rule {
	case RulePending:
		spared, summary := s.claimed()
		return expiry{
			code: identity.CodePendingSwept, state: identity.StatePending, page: askingPage,
			over: (*Service).abandoned, spared: spared, summary: summary, change: func(_ *Service, p *Plan) { p.erase(p.Before.StateSource) },
		}, true
	case RuleQuarantine:
		return expiry{
			code: identity.CodeQuarantineOver, state: identity.StateDeprovisioned, page: sweepPage,
			over: (*Service).quarantined, change: func(_ *Service, p *Plan) { p.releaseNames() },
		}, s.Quarantine > 0
	case RuleInactive:
		return expiry{
			code: identity.CodeLeaseOver, state: identity.StateActive, page: sweepPage,
			over: (*Service).unused, change: (*Service).endLease,
		}, s.Providers().Leases()
	case RuleOrphaned:
		return expiry{
			code: identity.CodeProviderGone, page: sweepPage,
			over: (*Service).orphaned, change: (*Service).disown,
		}, true
	case RuleGone:
		return s.gone(w.Instance), len(s.Kratos) > 0
	}
	return expiry{}, false
}

// orphaned reports whether the identity has groups that nobody answers for any
// more. Nobody noted since when: its last change stands for that.
func (s *Service) orphaned(_ time.Time, i *identity.Identity) (since time.Time, over bool) {
	return i.UpdatedAt, slices.ContainsFunc(i.Groups, s.ownerless(i))
}

// abandoned reports whether nobody went on with the sign-in that made a pending
// identity.
func (s *Service) abandoned(now time.Time, i *identity.Identity) (since time.Time, over bool) {
	since = i.PendingSince()
	return since, now.Sub(since) > identity.PendingTime
}

// claimed returns what keeps a pending identity: a Kratos has the person, or it
// cannot be told that none has. Whoever did not answer once is not asked again
// in this step; for how many there were too many credentials to ask for, its
// summary logs.
func (s *Service) claimed() (spared func(context.Context, *identity.Identity) Fate, summary func(context.Context)) {
	down, crowded, most := false, 0, 0
	summary = func(ctx context.Context) {
		if crowded > 0 {
			s.Log.WarnContext(ctx, "too many providers have the issuer to ask Kratos under the name of each: pending identities stay",
				"identities", crowded, "credentials", most, "asked", maxIdentifiers)
		}
	}
	spared = func(ctx context.Context, i *identity.Identity) Fate {
		lacks := slices.ContainsFunc(s.Instances, func(name string) bool { return s.Kratos[name] == nil })
		switch {
		case len(s.Instances) == 0 || lacks || len(i.Links) == 0 || len(i.ExternalIDs) > 0:
			return FateUnasked
		case down:
			return FateUnheard
		}
		identifiers, all := s.identifiers(i)
		for instance, admin := range s.Kratos {
			for _, identifier := range identifiers {
				held, err := admin.Holds(ctx, identifier)
				if err != nil {
					s.Log.ErrorContext(ctx, "Kratos's Admin API not heard: a pending identity stays", "instance", instance, "identity_id", i.ID, "error", err)
					down = true
					return FateUnheard
				}
				if held {
					return FateKnown
				}
			}
		}
		if all > len(identifiers) {
			crowded, most = crowded+1, max(most, all)
			return FateUnasked
		}
		return ""
	}
	return spared, summary
}

// identifiers are those of the credentials that a Kratos may have for the
// identity's links, the likeliest first: under the provider's name then, or its
// name now, which may be that of any provider with the issuer. They are no more
// than maxIdentifiers; all is how many there are.
func (s *Service) identifiers(i *identity.Identity) (some []string, all int) {
	add := func(name string, l identity.Link) {
		if all++; all <= maxIdentifiers {
			some = append(some, name+":"+cmp.Or(l.Credential, l.Subject))
		}
	}
	for _, l := range i.Links {
		add(l.Provider, l)
	}
	for _, l := range i.Links {
		for _, prov := range s.Providers().OfIssuer(l.Issuer) {
			if prov.ID != l.Provider {
				add(prov.ID, l)
			}
		}
	}
	return some, all
}

// quarantined reports whether a closed account has kept its names for long
// enough. Where nobody noted when it was closed, its last change counts.
func (s *Service) quarantined(now time.Time, i *identity.Identity) (since time.Time, over bool) {
	since = i.StateAt
	if since.IsZero() {
		since = i.UpdatedAt
	}
	return since, slices.ContainsFunc(i.Keys, ofName) && s.Quarantine > 0 && now.Sub(since) > s.Quarantine
}

// releaseNames takes the keys of names and addresses; the traits stay.
func (p *Plan) releaseNames() {
	p.After.Keys = slices.DeleteFunc(p.After.Keys, ofName)
	p.changed("/keys", identity.OpRemove)
}

// unused reports whether nobody has signed in for as long as the identity's
// providers allow. What an administrator did to its state stays.
func (s *Service) unused(now time.Time, i *identity.Identity) (since time.Time, over bool) {
	since = i.CreatedAt
	if i.LastLoginAt.After(since) {
		since = i.LastLoginAt
	}
	lease, _ := s.lease(i)
	return since, lease > 0 && now.Sub(since) > lease
}

// lease returns how long the identity may go without a login, and the provider
// that says so: the one that allows most. It is 0, for ever, unless all of its
// providers, under whatever names they go on, have one.
func (s *Service) lease(i *identity.Identity) (longest time.Duration, by string) {
	if i.StateSource == identity.SourceAdmin {
		return 0, ""
	}
	for _, l := range i.Links {
		speakers := s.speakers(i, identity.ProviderSource(l.Provider))
		if len(speakers) == 0 {
			return 0, ""
		}
		for _, prov := range speakers {
			d := prov.Policy.Lifecycle().InactiveAfter
			if d == 0 {
				return 0, ""
			}
			if d > longest {
				longest, by = d, prov.ID
			}
		}
	}
	return longest, by
}

// endLease suspends the identity by the word of its provider.
func (s *Service) endLease(p *Plan) {
	_, p.Record.Provider = s.lease(p.Before)
	p.move(identity.StateSuspended, BySweep, identity.ProviderSource(p.Record.Provider))
}
