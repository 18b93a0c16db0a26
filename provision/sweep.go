package provision

import (
	"context"
	"errors"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

// Rule names what time does to identities.
type Rule string

const (
	// RulePending removes who began to sign in a day ago and did not come back,
	// so that their names are free again; but only if every Kratos that may
	// have the person says that it has not.
	RulePending Rule = "pending"
	// RuleQuarantine has deprovisioned identities let go of their names and
	// addresses once the Service's Quarantine is over. Their subjects stay.
	RuleQuarantine Rule = "quarantine"
	// RuleInactive suspends who has not signed in for the time that the files
	// of all their providers give.
	RuleInactive Rule = "inactive"
	// RuleOrphaned revokes groups whose provider has no file any more, as the
	// person's next login would. A file that is gone for an hour must not cost
	// everybody their groups: it is no matter of time, somebody asks for it.
	RuleOrphaned Rule = "orphaned"
	// RuleGone unbinds identities from those that their Kratos has deleted. It
	// is no matter of time either: whoever asks has seen to it that the Admin
	// API is the right one.
	RuleGone Rule = "gone"
)

// Rules returns the closed list of rules.
func Rules() []Rule { return []Rule{RulePending, RuleQuarantine, RuleInactive, RuleOrphaned, RuleGone} }

// Timed reports whether time alone brings the rule about.
func (r Rule) Timed() bool { return r != RuleOrphaned && r != RuleGone }

// Sweep is one step of a walk through all identities.
type Sweep struct {
	Rule Rule
	// Apply carries out what is found; without it nothing is written.
	Apply bool
	// Instance is the Kratos that RuleGone is about; every one if it is empty.
	Instance string
	// PageToken is the NextPageToken of the step before.
	PageToken string
	// Caller and RequestID stand in records; an administrator asks if Caller is
	// empty.
	Caller, RequestID string
}

// Swept is what a step came upon.
type Swept struct {
	Found []Expired
	// Checked is how many identities were looked at.
	Checked       int
	NextPageToken string
}

// Expired is an identity whose time by a rule is over.
type Expired struct {
	IdentityID string    `json:"identity_id"`
	Userstore  string    `json:"userstore"`
	Since      time.Time `json:"since"` // when the time began
	Fate       Fate      `json:"outcome"`
	// DecisionID names the record, if something was done.
	DecisionID string `json:"decision_id,omitempty"`
}

// Fate is what became of an Expired.
type Fate string

// The closed list of fates.
const (
	FateDue  Fate = "due"  // would be done
	FateDone Fate = "done" // was done
	// FateChanged: somebody changed the identity meanwhile.
	FateChanged Fate = "changed"
	// FateKnown: a Kratos has the person; their next sign-in goes on with it.
	FateKnown Fate = "known_to_kratos"
	// FateUnheard: a Kratos did not answer.
	FateUnheard Fate = "kratos_unheard"
	// FateUnasked: a Kratos that may have the person has no Admin API here, or
	// there is no subject to ask for, or there are too many names of providers to
	// ask under, and the person was not found under the likeliest.
	FateUnasked Fate = "cannot_ask"
	// FateDamaged: the identity cannot be read, nor is its Userstore or Since
	// known. For a backup.
	FateDamaged Fate = "damaged"

	// fateFine is that of who is not expired after all.
	fateFine Fate = "fine"
)

// Fates returns the closed list of fates.
func Fates() []Fate {
	return []Fate{FateDue, FateDone, FateChanged, FateKnown, FateUnheard, FateUnasked, FateDamaged}
}

// expiry is how a rule is carried out.
type expiry struct {
	code  identity.Code
	state identity.State // that it is about
	page  int            // identities in one step
	// over returns when the identity's time began, and whether it is over.
	over func(s *Service, now time.Time, i *identity.Identity) (since time.Time, over bool)
	// spared, if not nil, says what keeps an identity whose time is over;
	// empty if nothing does.
	spared func(ctx context.Context, i *identity.Identity) Fate
	// summary, if not nil, logs at the end of a step what is worth a line.
	summary func(ctx context.Context)
	change  func(s *Service, p *Plan)
}

var errEarly = errors.New("the identity's time is not over any more")

// Sweep looks at some identities and, with Apply, does to those whose time is
// over what the rule says: each in one write with its record, which counts only
// if the identity is as it was when it was looked at. Several may sweep at a
// time. Errors: ErrNoKratos; store.ErrPageToken and others of the store, after which the step
// may be repeated.
func (s *Service) Sweep(ctx context.Context, w Sweep) (Swept, error) {
	if w.Instance != "" && s.Kratos[w.Instance] == nil {
		return Swept{}, ErrNoKratos
	}
	rule, ok := s.expiry(w)
	if !ok {
		return Swept{Found: []Expired{}}, nil
	}
	page, err := s.Editable.List(ctx, store.Query{State: rule.state, PageSize: rule.page, PageToken: w.PageToken, Damaged: true})
	if err != nil {
		return Swept{}, err
	}
	if rule.summary != nil {
		defer rule.summary(ctx)
	}
	out := Swept{Found: []Expired{}, Checked: len(page.Identities) + len(page.Damaged), NextPageToken: page.NextPageToken}
	for _, id := range page.Damaged {
		out.Found = append(out.Found, Expired{IdentityID: id, Fate: FateDamaged})
	}
	for _, i := range page.Identities {
		since, over := rule.over(s, s.Now(), &i)
		if !over {
			continue
		}
		e := Expired{IdentityID: i.ID, Userstore: i.Userstore, Since: since, Fate: FateDue}
		if rule.spared != nil {
			why := rule.spared(ctx, &i)
			if why == fateFine {
				continue
			}
			if why != "" {
				e.Fate = why
			}
		}
		if e.Fate == FateDue && w.Apply {
			if e.DecisionID, err = s.expire(ctx, w, rule, i); err != nil {
				return Swept{}, err
			}
			e.Fate = FateDone
			if e.DecisionID == "" {
				e.Fate = FateChanged
			}
		}
		out.Found = append(out.Found, e)
	}
	return out, nil
}

// expire carries out a rule, unless somebody has changed or renewed the identity
// since it was listed.
func (s *Service) expire(ctx context.Context, w Sweep, rule expiry, listed identity.Identity) (decision string, err error) {
	out, err := s.Edit(ctx, Target{ID: listed.ID, Revision: listed.Revision, RequestID: w.RequestID, Caller: w.Caller}, Edit{
		hook: identity.HookSweep, code: rule.code,
		change: func(s *Service, p *Plan) error {
			if _, over := rule.over(s, p.now, p.Before); !over {
				return errEarly
			}
			rule.change(s, p)
			return nil
		},
	})
	switch {
	case errors.Is(err, errEarly), errors.Is(err, ErrRevision), errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrConflict):
		return "", nil
	case err != nil:
		return "", err
	}
	return out.Record.ID, nil
}
