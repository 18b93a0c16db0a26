package provision

import (
	"slices"
	"strings"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/mapper"
	"github.com/jithook/jithook/policy"
	"github.com/jithook/jithook/provider"
)

// inquiry is what a login asks the person, and what they answered: for the
// required traits that the claims have no value for, and for their consent, where
// the scheme of the provider's file says so. Of all that came as an answer only
// what is asked for counts: in front of Kratos, a browser can post any trait.
type inquiry struct {
	*Plan

	login identity.Login
	// open are the questions that have no good answer yet.
	open []identity.Reason
}

// asks reports whether the caller can put a question to the person: Kratos has a
// form in a registration, and none when somebody who is known signs in.
func asks(h identity.Hook) bool { return h == identity.HookPrepare || h == identity.HookGeneric }

// ask brings what the person answered into the identity, and turns the plan into
// a prompt while something is open. A required trait that is missing and not
// asked for is a denial: it spares the person all questions.
func (p *Plan) ask(l identity.Login, prov *provider.Provider, traits []mapper.Trait) {
	q := inquiry{Plan: p, login: l}
	if prov.Policy.Prompts() && asks(l.Hook) {
		for _, t := range traits {
			if t.Required {
				q.trait(t)
			}
		}
	} else if missing, ok := firstMissing(p.After, traits); ok {
		p.deny(identity.BecauseOf(identity.CodeTraitMissing, missing), "")
		return
	}
	if c, ok := prov.Policy.Consent(); ok {
		q.consent(c, identity.ProviderSource(prov.ID))
	}
	if len(q.open) > 0 {
		p.prompt(q.open)
	}
}

// trait asks for a trait. An answer that the identity server has not acknowledged
// yet may still be changed: it may have refused the value itself.
func (q *inquiry) trait(t mapper.Trait) {
	path := "/traits" + t.Path
	stored, has := q.After.Trait(t.Path)
	by, _ := q.After.ProvenanceOf(t.Path)
	missing := !has || stored == ""
	if !missing && (q.After.State != identity.StatePending || by.Source != identity.SourceUser) {
		return
	}
	answer, given := q.login.Answers[path]
	if !given || answer == "" {
		if missing {
			q.open = append(q.open, identity.BecauseOf(identity.CodePromptRequired, path))
		}
		return
	}
	v, why := mapper.Check(answer, t.CanonicalForm)
	if why != "" {
		q.open = append(q.open, identity.BecauseOf(identity.CodeTraitInvalid, path))
		return
	}
	q.answer(t.Path, v)
}

// consent asks for a consent. Nobody is made without; who exists already, and
// cannot be asked here, is let in.
func (q *inquiry) consent(c policy.Consent, source string) {
	if q.After.Accepted(c.Path, c.Version) {
		return
	}
	path := "/traits" + c.Path
	switch yes, _ := q.login.Answers[path].(bool); {
	case yes && asks(q.login.Hook):
		q.answer(c.Path, true)
		q.After.Consents = append(q.After.Consents, identity.Consent{Path: c.Path, Version: c.Version, At: q.now, Source: source})
		q.changed("/consents"+c.Path, identity.OpSet)
	case asks(q.login.Hook) || q.Before == nil:
		q.open = append(q.open, identity.BecauseOf(identity.CodeConsentRequired, path))
	}
}

// answer writes what the person answered. Nobody vouches for it: an address
// takes no key and links nothing.
func (q *inquiry) answer(path string, v any) {
	q.answered[path] = true
	stored, _ := q.After.Trait(path)
	if by, known := q.After.ProvenanceOf(path); known && by.Source == identity.SourceUser && equalJSON(stored, v) {
		return
	}
	q.After.SetTrait(v, identity.Provenance{Path: path, Source: identity.SourceUser, At: q.now})
	q.Record.Change = slices.DeleteFunc(q.Record.Change, func(c identity.Change) bool { return c.Path == "/traits"+path })
	q.changed("/traits"+path, identity.OpSet)
}

// withdraw takes back what the person answered where the provider has a value
// after all, as long as the identity server has not acknowledged the answer.
func (p *Plan) withdraw(traits []mapper.Trait) {
	if p.Before == nil || p.After.State != identity.StatePending {
		return
	}
	for _, t := range traits {
		if by, known := p.After.ProvenanceOf(t.Path); known && by.Source == identity.SourceUser && !t.Absent {
			p.answered[t.Path] = true
			p.After.RemoveTrait(t.Path)
		}
	}
}

// prompt has the person asked. At a hook that cannot ask it is a refusal.
func (p *Plan) prompt(open []identity.Reason) {
	p.deny(open[0], "")
	p.Record.Reasons = open
	if asks(p.Record.Hook) {
		p.Record.Decision = identity.Prompt
	}
}

// taken says that somebody else holds the unique trait at the path. Who answered
// it themselves is asked for another one.
func (p *Plan) taken(path string) {
	why := identity.BecauseOf(identity.CodeTraitTaken, path)
	if by, _ := p.After.ProvenanceOf(strings.TrimPrefix(path, "/traits")); by.Source == identity.SourceUser && asks(p.Record.Hook) {
		p.prompt([]identity.Reason{why})
		return
	}
	p.deny(why, "")
}

// remind adds to a login that passes that the person has not accepted what the
// provider's file asks for now.
func (p *Plan) remind(prov *provider.Provider) {
	if prov == nil || !prov.Policy.Enabled() || p.After == nil || !p.Record.Decision.Allowed() {
		return
	}
	if c, ok := prov.Policy.Consent(); ok && !p.After.Accepted(c.Path, c.Version) {
		p.Record.Reasons = append(p.Record.Reasons, identity.BecauseOf(identity.CodeConsentOutdated, "/traits"+c.Path))
	}
}
