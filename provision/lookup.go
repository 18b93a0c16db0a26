package provision

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/jithook/jithook/claims"
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/expr"
	"github.com/jithook/jithook/mapper"
	"github.com/jithook/jithook/policy"
	"github.com/jithook/jithook/provider"
	"github.com/jithook/jithook/store"
)

const (
	// freshEvidence is how old "verified" may be for a stored value to find its
	// owner by: who had an address a year ago may have lost it.
	freshEvidence = 90 * 24 * time.Hour
	// renewEvidence is when a login that verifies the same value again is worth
	// a write.
	renewEvidence = 30 * 24 * time.Hour
)

// question is what a lookup rule asks the store.
type question struct {
	rule  policy.LookupRule
	trait mapper.Trait
	key   identity.Key
}

// match is whom the lookup rules found. With a refusal it is nobody's to be
// linked to.
type match struct {
	identity identity.Identity
	evidence identity.Match
	refusal  identity.Verdict // Reason.Code is empty where there is none
}

// lookup asks the policy's rules whose subject this may be, in one read more.
// They are asked where nobody has the subject nor the caller's id. nil says that
// no rule found anybody. Errors: store.ErrConflict, besides the store's.
func (s *Service) lookup(ctx context.Context, l identity.Login, prov *provider.Provider, e claims.Evidence, p *Plan) (*match, error) {
	userstore := cmp.Or(p.pinned, p.place.name)
	if !p.open(l) || userstore == "" {
		return nil, nil
	}
	in := policy.Input{Vars: expr.Vars{Claims: e.Claims, Login: p.login}}
	asked, refusal, err := questions(ctx, prov, in, userstore, p.notes)
	if err != nil || refusal.Reason.Code != "" {
		return &match{refusal: refusal}, err
	}
	if len(asked) == 0 {
		return nil, nil
	}
	keys := make([]identity.Key, len(asked))
	for n, q := range asked {
		keys[n] = q.key
	}
	found, err := s.Store.Look(ctx, userstore, keys...)
	if err != nil {
		return nil, err
	}
	if p.Before == nil && slices.ContainsFunc(found.Identities, func(i identity.Identity) bool { return slices.Contains(i.Keys, p.Record.SubjectKey) }) {
		return nil, store.ErrConflict // another login has linked the subject since this one looked for it
	}
	m := s.first(prov, asked, found.Identities, p.now)
	p.notes.answered(asked, m)
	if m != nil && p.Before != nil && !yields(*p.Before, m.identity) {
		return nil, nil // the subject stays whose it is
	}
	return m, nil
}

// open reports whether a login may belong to somebody who is there: nobody has
// the subject, or a pending identity that Kratos has not confirmed.
func (p *Plan) open(l identity.Login) bool {
	if p.Before != nil {
		return l.Hook == identity.HookPrepare && p.Before.State == identity.StatePending
	}
	return l.Hook == identity.HookGeneric || l.Hook == identity.HookLogin || l.Hook == identity.HookPrepare
}

// questions are what the rules ask with these claims: only values that the
// provider vouches for. That is judged on the mapped trait, of which `verified`
// speaks; a rule that yields another value asks nothing, since nobody has
// verified that one.
func questions(ctx context.Context, prov *provider.Provider, in policy.Input, userstore string, n *notes) (asked []question, refusal identity.Verdict, err error) {
	for _, rule := range prov.Policy.Lookup() {
		value, verdict, err := rule.Value(ctx, in)
		if err != nil || !verdict.Allow {
			return nil, verdict, err
		}
		trait, ok, err := prov.Mapping.Trait(ctx, rule.Path, in.Vars)
		n.question(rule, value, trait, ok)
		var rejected *mapper.Rejection
		switch {
		case errors.As(err, &rejected):
			continue // the mapping as a whole will say why
		case err != nil:
			return nil, identity.Verdict{}, err
		case !ok || !trait.Verified || !spelt(value, trait.Value):
			continue
		}
		q := question{rule: rule, trait: trait, key: identity.MailKey(userstore, trait.Canonical)}
		if trait.CanonicalForm == mapper.CanonicalUsername {
			q.key = identity.NameKey(userstore, trait.Path, trait.Canonical)
		}
		asked = append(asked, q)
	}
	return asked, identity.Verdict{}, nil
}

// first is the match of the first rule that finds somebody. Where another rule
// finds somebody else, nobody can tell whose subject it is.
func (s *Service) first(prov *provider.Provider, asked []question, found []identity.Identity, now time.Time) *match {
	var m *match
	for _, q := range asked {
		for _, i := range found {
			evidence, ok := s.matches(prov, q, &i, now)
			switch {
			case !ok:
			case m == nil:
				m = &match{identity: i, evidence: evidence}
				if stored, _ := i.Trait(q.rule.Path); !spelt(q.trait.Value, stored) {
					m.refuse(identity.CodeLinkRefused)
				}
			case m.identity.ID != i.ID:
				m.refuse(identity.CodeLinkAmbiguous)
				return m
			}
		}
	}
	return m
}

// matches reports whether a rule finds an identity: it holds the value there,
// and somebody whose word counts has verified that, not too long ago. A pending
// one is nobody yet.
func (s *Service) matches(prov *provider.Provider, q question, i *identity.Identity, now time.Time) (identity.Match, bool) {
	value, _ := i.Trait(q.rule.Path)
	canonical, why := mapper.Check(value, q.trait.CanonicalForm)
	by, _ := i.ProvenanceOf(q.rule.Path)
	if i.State == identity.StatePending || !slices.Contains(i.Keys, q.key) || why != "" || canonical != q.trait.Canonical ||
		by.VerifiedBy == "" || !s.believed(i, by) || now.Sub(by.Vouched()) >= freshEvidence {
		return identity.Match{}, false
	}
	return identity.Match{
		Rule: q.rule.Pos(), Path: q.rule.Path, StoredBy: by.VerifiedBy, ClaimedBy: identity.ProviderSource(prov.ID),
	}, true
}

// or is whom the rules found, if there is somebody and no reason against it,
// else the other one.
func (m *match) or(other *identity.Identity) *identity.Identity {
	if m == nil || m.identity.ID == "" || m.refusal.Reason.Code != "" {
		return other
	}
	return &m.identity
}

func (m *match) refuse(code identity.Code) {
	m.refusal = identity.Verdict{Reason: identity.Because(code), Rule: m.evidence.Rule}
}

// spelt reports whether two values are the same text but for the case of ASCII
// letters. Two that only share a canonical form look alike to us; to whoever
// verified them they may be two (GitHub 2016; CVE-2019-19844).
func spelt(a, b any) bool {
	x, ok := a.(string)
	y, also := b.(string)
	return ok && also && lower(x) == lower(y)
}

func lower(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// renewEvidence notes that the provider has verified again what it verified
// before, once that is a month old, where a lookup rule may ask for it. Without
// it nobody who stays would be found any more; more often it would cost writes
// for nothing.
func (s *Service) renewEvidence(source string, result mapper.Result, p *Plan) {
	for _, t := range result.Traits {
		at := slices.IndexFunc(p.After.Provenance, func(by identity.Provenance) bool { return by.Path == t.Path })
		if p.Before == nil || at < 0 || t.Action != mapper.Set || !t.Verified || !s.Providers().LooksUp(t.Path) {
			continue
		}
		by := &p.After.Provenance[at]
		if stored, _ := p.After.Trait(t.Path); by.VerifiedBy == source && equalJSON(stored, traitValue(t)) && p.now.Sub(by.Vouched()) >= renewEvidence {
			by.VerifiedAt = p.now
			p.changed("/provenance"+t.Path, identity.OpSet)
		}
	}
}
