package provision

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/expr"
	"github.com/jithook/jithook/mapper"
	"github.com/jithook/jithook/policy"
	"github.com/jithook/jithook/provider"
	"github.com/jithook/jithook/store"
)

// explainTime bounds an explanation, which has no limit on what an expression
// costs.
const explainTime = 10 * time.Second

// Explanation says why a login would become what it would: what every rule of
// the provider's file was asked, read and yielded, and what became of each trait
// and group. It holds claims and traits in clear, for who may see both.
type Explanation struct {
	Provider string `json:"provider,omitempty"`
	File     string `json:"file,omitempty"`
	// Match is whom the login is about, and how they were found.
	Match Finding `json:"match"`
	// Link is what becomes of the subject.
	Link Effect `json:"link"`
	// Rules are those of the policy, in the order in which they are asked.
	Rules  []RuleStory  `json:"rules"`
	Traits []TraitStory `json:"traits"`
	Groups *GroupStory  `json:"groups,omitempty"`
	// Outbound are the systems that would learn of the identity.
	Outbound []TargetStory `json:"outbound"`
}

// Effect is what becomes of something, why, and which line says so
// (file:line:col; empty for a default, and where no single line does).
type Effect struct {
	Outcome string `json:"outcome"`
	Why     string `json:"why,omitempty"`
	Place   string `json:"place,omitempty"`
}

// Finding is whom a login is about: found by their subject, by the caller's
// external_id, by a lookup rule, or nobody.
type Finding struct {
	By string `json:"by"`
	// IdentityID is who was found.
	IdentityID string `json:"identity_id,omitempty"`
	// Match is how a lookup rule found them.
	Match identity.Match `json:"match,omitzero"`
}

// RuleStory is one expression of a file, and what came of it.
type RuleStory struct {
	Kind string `json:"kind"` // policy's kinds, value, verified, from, unknown_when
	// Name is the operator's own, of a lookup rule the stored trait.
	Name string `json:"name,omitempty"`
	// Asked says that it was evaluated; else there is no value.
	Asked bool `json:"asked"`
	// Decided says that the decision rests on it.
	Decided bool   `json:"decided,omitempty"`
	Note    string `json:"note,omitempty"`
	expr.Trace
}

// TargetStory is a system that would learn of the identity.
type TargetStory struct {
	Name string `json:"name"`
	// Waits says that the login waits for it.
	Waits bool   `json:"waits,omitempty"`
	Place string `json:"place,omitempty"`
}

// Explain is Preview with the reasons for all that it says.
func (s *Service) Explain(ctx context.Context, l identity.Login) (Outcome, Explanation, error) {
	ctx, cancel := context.WithTimeout(ctx, explainTime)
	defer cancel()
	account := s.account(ctx, &l)
	for n := 1; ; n++ {
		notes := newNotes()
		telling := expr.Explaining(ctx, notes.evaluated)
		p, err := s.plan(telling, l, account, view{everywhere: true, notes: notes})
		if errors.Is(err, store.ErrConflict) && n < attempts {
			continue
		}
		if err == nil {
			err = s.foresee(telling, &p)
		}
		if err != nil {
			return Outcome{}, Explanation{}, err
		}
		return p.outcome(), s.story(l, p, notes), nil
	}
}

// explainer tells the story of a plan.
type explainer struct {
	*notes
	Plan
	prov *provider.Provider
}

func (s *Service) story(l identity.Login, p Plan, n *notes) Explanation {
	x := explainer{notes: n, Plan: p}
	e := Explanation{Provider: l.Provider, Rules: []RuleStory{}, Traits: []TraitStory{}, Outbound: s.heralded(p), Match: x.finding(l)}
	prov, ok := s.Providers().Get(l.Provider)
	if !ok {
		return e
	}
	x.prov = prov
	e.File, e.Link = prov.File, x.linking(l)
	for _, info := range prov.Policy.Describe() {
		e.Rules = append(e.Rules, x.rule(info))
	}
	for _, t := range prov.Mapping.Traits() {
		e.Traits = append(e.Traits, x.trait(t))
	}
	e.Traits = append(e.Traits, x.leftovers()...)
	e.Groups = x.groups()
	for n, t := range e.Outbound {
		e.Outbound[n].Place = prov.Place("outbound." + t.Name)
	}
	return e
}

// rule is a rule of the policy, with what came of it.
func (x explainer) rule(info policy.RuleInfo) RuleStory {
	r := x.expression(info.Kind, info.Program)
	r.Name = info.Name
	if info.Kind == policy.KindLookup {
		r.Note = x.questions[r.Pos]
	}
	return r
}

// expression is an expression with what came of it, if it was asked.
func (x explainer) expression(kind string, p *expr.Program) RuleStory {
	r := RuleStory{Kind: kind, Trace: p.Trace()}
	if t, ok := x.asked[p.Source()]; ok {
		r.Asked, r.Trace = true, t
	}
	r.Decided = r.Asked && (x.Record.Rule == r.Pos || x.Record.Rule != "" && strings.HasPrefix(r.Error, x.Record.Rule+": "))
	return r
}

// finding says who was found, and how.
func (x explainer) finding(l identity.Login) Finding {
	switch {
	case x.Before == nil:
		return Finding{By: "nobody"}
	case x.found.Path != "":
		return Finding{By: policy.KindLookup, IdentityID: x.Before.ID, Match: x.found}
	case slices.Contains(x.Before.Keys, x.Record.SubjectKey):
		return Finding{By: "subject", IdentityID: x.Before.ID}
	case l.External.ID != "" && slices.Contains(x.Before.Keys, identity.ExtKey(l.External)):
		return Finding{By: "external_id", IdentityID: x.Before.ID}
	}
	return Finding{By: "earlier sign-in", IdentityID: x.Before.ID}
}

// linking says what becomes of the subject.
func (x explainer) linking(l identity.Login) Effect {
	why := x.Record.Reasons[0]
	mode := "account_linking: " + x.prov.Policy.Linking()
	place := x.prov.Place("jit.account_linking")
	switch why.Code {
	case identity.CodeLookupMiss:
		return Effect{Outcome: "refused", Why: "no lookup rule finds anybody, and on_lookup_miss: deny", Place: x.prov.Place("jit.on_lookup_miss")}
	case identity.CodeLinkingDisabled, identity.CodeLinkApprovalRequired:
		return Effect{Outcome: "refused", Why: mode, Place: place}
	case identity.CodeLinkProtected, identity.CodeLinkAmbiguous, identity.CodeLinkRefused, identity.CodeLinkStale, identity.CodeIssuerChanged:
		return Effect{Outcome: "refused", Why: string(why.Code), Place: x.Record.Rule}
	}
	switch {
	case x.After == nil:
		return Effect{Outcome: "none", Why: "the login is refused before it comes to that"}
	case x.linked:
		return Effect{Outcome: "linked", Why: mode, Place: place}
	case x.Before == nil:
		return Effect{Outcome: "new", Why: "the identity is made for this subject"}
	case x.Record.SubjectKey == "" || !slices.Contains(x.Before.Keys, x.Record.SubjectKey):
		return Effect{Outcome: "none", Why: "the login names no subject of this identity"}
	}
	return Effect{Outcome: "known", Why: "the subject is linked already"}
}

// heralded are the systems that would learn of what the plan writes.
func (s *Service) heralded(p Plan) []TargetStory {
	targets := []TargetStory{}
	if p.op != opInsert && p.op != opSwap || p.After == nil {
		return targets
	}
	after := p.After.Clone()
	after.Outbox = nil
	p.After = &after
	s.arm(&p)
	for _, d := range after.Outbox {
		_, waits := s.Blocking[d.Target]
		targets = append(targets, TargetStory{Name: d.Target, Waits: waits})
	}
	return targets
}

// refusedBy reports whether the login was refused for something at a path.
func (x explainer) refusedBy(path string, programs ...*expr.Program) bool {
	if x.Record.Decision.Allowed() {
		return false
	}
	if slices.ContainsFunc(x.Record.Reasons, func(r identity.Reason) bool { return r.Path == path }) {
		return true
	}
	return slices.ContainsFunc(programs, func(p *expr.Program) bool { return p != nil && p.Source().Pos() == x.Record.Rule })
}

// because is a sentence on why the login was refused.
func (x explainer) because() string {
	info, _ := x.Record.Reasons[0].Code.Info()
	return string(x.Record.Reasons[0].Code) + ": " + info.Operator
}

// mappedTo returns what the mapping yields for a trait, if it came to that.
func (x explainer) mappedTo(path string) (mapper.Trait, bool) {
	at := slices.IndexFunc(x.mapped.Traits, func(t mapper.Trait) bool { return t.Path == path })
	if at < 0 {
		return mapper.Trait{}, false
	}
	return x.mapped.Traits[at], true
}
