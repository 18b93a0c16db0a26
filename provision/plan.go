package provision

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jithook/jithook/claims"
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/expr"
	"github.com/jithook/jithook/internal/tracing"
	"github.com/jithook/jithook/kratos"
	"github.com/jithook/jithook/mapper"
	"github.com/jithook/jithook/policy"
	"github.com/jithook/jithook/provider"
	"github.com/jithook/jithook/store"
)

// operation is what Apply does with a plan.
type operation int

const (
	opNone operation = iota
	opInsert
	opSwap
	opRenew
	opDelete
)

// Plan is a decision that has not been carried out: the dry run.
type Plan struct {
	Record identity.Record
	// Before is the identity that was found, After what it becomes. Before is
	// nil for a new one; After is nil when the login is refused or nobody is
	// known.
	Before, After *identity.Identity

	op operation
	// paths says which trait holds a unique key, for the answer "taken".
	paths map[identity.Key]string
	// names are the unique traits that may get a number where they are taken.
	names map[string]string
	// there says that the identity which the caller names was found, even if
	// nothing in this login proves that it is about it.
	there bool
	// answered are the traits, by path, for which this login has brought another
	// answer of the person, or taken one back.
	answered map[string]bool
	// place is where the policy puts a new identity; pinned, if not empty, is
	// where this subject's belongs whatever the policy says.
	place  place
	pinned string
	// partial says that not every store was asked: who was not found may be
	// known elsewhere.
	partial bool
	// seen are dated claims that changed nothing: older ones that come later
	// must not either.
	seen *claims.Evidence
	// evidence is what the login rests on, login what expressions see of it;
	// ticket is what came with it and is good for one flow only.
	evidence claims.Evidence
	login    map[string]any
	ticket   *claims.Ticket
	emails   []Email
	now      time.Time
	// linked says that the plan gives an identity that was there a subject.
	linked bool
	// found is how a lookup rule came to Before, if one did.
	found identity.Match
	// promised says that the decision's id stands for it already: it counts only
	// with its record.
	promised bool
	// account is what Kratos holds of the person, nil if that is not known;
	// remove are the credentials there that the login is refused for.
	account *kratos.Account
	remove  []kratos.Credential
	// yields are the pending identities that are deleted before the plan's takes
	// their subjects.
	yields []identity.Identity
	// proof is the id of the Kratos identity whose owner has to prove that they
	// are meant, if the plan rests on that; awaited is the link that is made
	// then, and stranger whom Kratos is told of meanwhile.
	proof    string
	awaited  *identity.Link
	stranger *identity.Identity
	notes    *notes
}

// Plan decides a login without writing: provider, evidence, identity, policy,
// mapping, difference. It reads each store at most once, and once more for lookup
// rules or for a link to be taken over, and asks the Admin API of the Kratos that
// called. Errors are the store's and the context's; every
// refusal is a Plan.
func (s *Service) Plan(ctx context.Context, l identity.Login) (Plan, error) {
	account := s.account(ctx, &l)
	p, err := s.plan(ctx, l, account, view{everywhere: true})
	for n := 1; n < attempts && errors.Is(err, store.ErrConflict); n++ {
		p, err = s.plan(ctx, l, account, view{everywhere: true})
	}
	return p, err
}

func (s *Service) plan(ctx context.Context, l identity.Login, account *kratos.Account, v view) (p Plan, err error) {
	ctx, span := tracing.Start(ctx, "provision.plan")
	defer func() { span.End(err) }()
	p = s.begin(l)
	p.account, p.notes = account, v.notes
	prov, evidence, err := s.vouched(ctx, l, &p)
	if err != nil || p.refused() && !l.Linking {
		return p, err
	}
	if err := s.locate(ctx, l, prov, evidence, &p); err != nil {
		return p, err
	}
	if err := s.find(ctx, l, evidence, v, &p); err != nil {
		return p, err
	}
	if s.untangle(l, &p); p.refused() {
		return p, nil
	}
	s.reconcile(l, &p)
	s.distrust(&p)
	s.disown(&p)
	if prov == nil || evidence.Claims == nil {
		p.withoutClaims(l, evidence)
	} else if err := s.withClaims(ctx, l, prov, evidence, &p); err != nil {
		return p, err
	}
	if p.After != nil && p.After.Barred() {
		p.veto() // whichever way it came here: nobody passes who is barred
	}
	s.ahead(ctx, l, &p)
	p.remind(prov)
	return p, nil
}

func (s *Service) begin(l identity.Login) Plan {
	now := s.Now().UTC()
	return Plan{now: now, promised: l.DecisionID != "", answered: map[string]bool{}, Record: identity.Record{
		ID: cmp.Or(l.DecisionID, newID()), At: now, Hook: l.Hook, Caller: l.Caller, Provider: l.Provider,
		FlowID: l.FlowID, DeliveryID: l.DeliveryID, RequestID: l.RequestID,
	}}
}

// withoutClaims decides a login about whom nothing new is known: an identity
// passes (and is acknowledged if it was pending), nobody is created.
func (p *Plan) withoutClaims(l identity.Login, e claims.Evidence) {
	why := identity.CodeClaimsAbsent
	switch {
	case l.Provider == "":
		why = identity.CodeNotFederated
	case undeterminable(l, p.account):
		why = identity.CodeSubjectUndeterminable
	}
	switch {
	case l.Hook != identity.HookLogin && l.Hook != identity.HookLinks && (e.Subject == "" || p.first(l)):
		p.deny(identity.Because(identity.CodeClaimsAbsent), "")
	case p.Before == nil && l.Known != "" && !p.there:
		// There was an identity: whether its state bars this login, nobody can
		// tell any more.
		p.deny(identity.Because(identity.CodeIdentityMissing), "")
	case p.Before == nil:
		// Kratos's login hook has the state veto only. Whoever is unknown here
		// was in Kratos before jithook was: their first login was not ours to
		// decide, and refusing would lock all of them out.
		p.pass(identity.Unchanged, identity.CodeIdentityUnknown, why)
	case l.Provider != "" && e.Subject == "" && !p.linkedTo(l.Provider):
		// The identity server has connected this provider to the account on
		// its own: no policy saw the subject that signs in here.
		p.deny(identity.Because(identity.CodeLinkingDisabled), "")
	default:
		// A pending identity is acknowledged only by its own subject.
		if e.Subject != "" {
			p.acknowledge(l)
		}
		p.settle(l, why)
	}
}

// first reports whether this is the person's first login: nobody is known, or
// somebody whom no login has acknowledged.
func (p *Plan) first(l identity.Login) bool {
	return p.Before == nil || l.Hook != identity.HookLogin && p.Before.State == identity.StatePending
}

// withClaims decides a login with evidence in full.
func (s *Service) withClaims(ctx context.Context, l identity.Login, prov *provider.Provider, e claims.Evidence, p *Plan) error {
	if !prov.Policy.Enabled() {
		if p.first(l) {
			p.deny(identity.Because(identity.CodeJITDisabled), "")
			return nil
		}
		p.acknowledge(l)
		p.settle(l, identity.CodeJITDisabled)
		return nil
	}
	m, err := s.lookup(ctx, l, prov, e, p)
	if err != nil {
		return err
	}
	vars := expr.Vars{Claims: e.Claims, Login: p.login, Identity: m.or(p.Before).Vars()}
	verdict, err := prov.Policy.Decide(ctx, policy.Input{Vars: vars})
	if err != nil {
		return err
	}
	p.Record.Rule = verdict.Rule
	if !verdict.Allow {
		p.deny(verdict.Reason, verdict.Rule)
		return nil
	}
	if err := s.link(ctx, l, prov, e, m, p); err != nil || p.refused() {
		return err
	}
	if s.comeBack(l, e, p); p.refused() {
		return nil
	}
	if p.Before != nil && p.awaited == nil && !s.takes(e, p) {
		p.acknowledge(l)
		if p.ask(l, prov, nil); p.undecided() {
			p.settle(l, identity.CodeClaimsStale)
		}
		return nil
	}
	mapping := prov.Mapping
	if !p.groupsDue(prov.Policy.Groups().Sync, e) {
		mapping = mapping.WithoutGroups()
	}
	result, err := mapping.Map(ctx, p.shown(vars))
	var rejected *mapper.Rejection
	switch {
	case errors.As(err, &rejected):
		p.deny(rejected.Reason, rejected.Rule)
		return nil
	case err != nil:
		return err
	}
	p.notes.yielded(result)
	if p.awaited != nil {
		s.await(l, prov, e, result, p)
		return nil
	}
	withheld, err := s.withhold(ctx, prov, vars, &result.Groups, p)
	if err != nil {
		return err
	}
	if s.merge(ctx, l, prov, e, result, p); withheld && p.Record.Decision.Allowed() {
		p.Record.Reasons = append(p.Record.Reasons, identity.Because(identity.CodeGroupsWithheld))
	}
	return nil
}

// merge turns the mapping's result into the identity after the login.
func (s *Service) merge(ctx context.Context, l identity.Login, prov *provider.Provider, e claims.Evidence, result mapper.Result, p *Plan) {
	if p.Before == nil {
		userstore := cmp.Or(p.pinned, p.place.name)
		if userstore == "" {
			p.deny(p.place.verdict.Reason, p.place.verdict.Rule)
			return
		}
		p.create(l, userstore, e)
	} else {
		p.acknowledge(l)
	}
	d := difference{
		source: identity.ProviderSource(prov.ID), heir: s.heirOf(p.After, prov), at: p.now, identity: p.After,
		method: prov.Policy.AttributeSync(), creating: p.first(l), dated: e.Time,
	}
	p.withdraw(result.Traits)
	p.notes.merging(d, result.Traits)
	infos := prov.Mapping.Traits()
	for _, c := range d.traits(result.Traits) {
		// What was verified no longer may have got a new value as well.
		p.Record.Change = append(slices.DeleteFunc(p.Record.Change, func(e identity.Change) bool { return e.Path == c.Path }), c)
	}
	why := p.regroup(d, prov.Policy.Groups(), e, result.Groups)
	if p.refused() {
		return
	}
	s.renewEvidence(d.source, result, p)
	due := d.due(result.Traits)
	if p.ask(l, prov, due); !p.undecided() {
		return
	}
	p.paths = rekey(p.Before, p.After, infos, func(path, source string) bool { return p.answered[path] || d.changed(path, source) })
	p.names = d.names(due)
	s.retake(p)
	if p.Before != nil && !slices.Equal(p.Before.Keys, p.After.Keys) && len(p.Record.Change) == 0 {
		// The mapping was edited: what is unique now is not what was.
		p.Record.Change = append(p.Record.Change, identity.Change{Path: "/keys", Op: identity.OpSet})
	}
	p.emails = emails(p.After, infos)
	if p.Before == nil || len(p.Record.Change) > 0 {
		p.applied(e)
	} else if e.Fresh && !e.Time.IsZero() {
		p.seen = &e
	}
	p.settle(l, why)
}
