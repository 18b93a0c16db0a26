package provision

import (
	"slices"
	"strings"

	"github.com/jithook/jithook/claims"
	"github.com/jithook/jithook/identity"
)

// known makes i the identity that the plan is about.
func (p *Plan) known(i identity.Identity) {
	after := i.Clone()
	p.Before, p.After = &i, &after
	p.Record.IdentityID, p.Record.Userstore = i.ID, i.Userstore
}

// forget undoes known.
func (p *Plan) forget() {
	p.Before, p.After = nil, nil
	p.Record.IdentityID, p.Record.Userstore = "", ""
}

// create makes a new identity the plan's result: pending where the caller
// acknowledges later, active where it asks once.
func (p *Plan) create(l identity.Login, userstore string, e claims.Evidence) {
	i := identity.Identity{
		ID: newID(), Userstore: userstore, State: identity.StateActive, StateSource: identity.ProviderSource(l.Provider), StateAt: p.now,
		Traits: map[string]any{},
		Links: []identity.Link{{
			Provider: l.Provider, Issuer: e.Issuer, Subject: e.Subject, Credential: e.Credential,
			LinkedAt: p.now, Evidence: e.Source,
		}},
		Revision: 1, CreatedAt: p.now, UpdatedAt: p.now,
		DecisionID: p.Record.ID,
	}
	if l.Hook == identity.HookPrepare {
		i.State, i.RenewedAt = identity.StatePending, p.now
	} else {
		i.LastLoginAt = p.now
	}
	if l.External.ID != "" {
		i.ExternalIDs = []identity.ExternalID{l.External}
	}
	p.After = &i
	p.Record.IdentityID, p.Record.Userstore = i.ID, i.Userstore
}

// acknowledge notes what a login beyond prepare proves about an identity: the
// identity server has it, and under this id.
func (p *Plan) acknowledge(l identity.Login) {
	if l.Hook == identity.HookPrepare {
		return
	}
	if p.After.State == identity.StatePending {
		p.move(identity.StateActive, ByLogin, identity.ProviderSource(l.Provider))
	}
	if _, ok := p.After.External(l.External.System, l.External.Instance); !ok && l.External.ID != "" {
		p.After.ExternalIDs = append(p.After.ExternalIDs, l.External)
		p.After.Keys = sortKeys(append(p.After.Keys, identity.ExtKey(l.External)))
		p.Record.Change = append(p.Record.Change, identity.Change{Path: "/external_ids/" + l.External.System, Op: identity.OpSet})
	}
}

func (p *Plan) linkedTo(provider string) bool {
	return slices.ContainsFunc(p.Before.Links, func(l identity.Link) bool { return l.Provider == provider })
}

// veto refuses an identity whose state bars every login.
func (p *Plan) veto() bool {
	switch {
	case p.Before == nil || !p.Before.Barred():
		return false
	case p.Before.State == identity.StateSuspended:
		p.deny(identity.Because(identity.CodeSuspended), "")
	default: // deprovisioned, and whatever a newer version may have written
		p.deny(identity.Because(identity.CodeDeprovisioned), "")
	}
	return true
}

// settle names the decision by what changed, and chooses the write. why, if
// not empty, is a further reason.
func (p *Plan) settle(l identity.Login, why identity.Code) {
	p.once()
	p.After.DecisionID = p.Record.ID
	switch {
	case p.Before == nil:
		p.op = opInsert
		p.pass(identity.Created, identity.CodeCreated, why)
	case len(p.Record.Change) == 0:
		p.After.DecisionID = p.Before.DecisionID
		if l.Hook == identity.HookPrepare && p.Before.State == identity.StatePending {
			// An acknowledged prepare must not be swept: it always writes.
			p.op, p.After.RenewedAt = opRenew, p.now
		}
		p.pass(identity.Unchanged, identity.CodeUnchanged, why)
	default:
		p.op = opSwap
		p.After.Revision++
		p.After.UpdatedAt = p.now
		switch l.Hook {
		case identity.HookPrepare:
			p.After.RenewedAt = p.now
		case identity.HookLinks:
		default:
			p.After.LastLoginAt = p.now
		}
		switch {
		case p.linked:
			p.pass(identity.Linked, identity.CodeLinked, why)
		case p.Before.State != p.After.State:
			p.pass(identity.Activated, identity.CodeActivated, why)
		default:
			p.pass(identity.Updated, identity.CodeUpdated, why)
		}
	}
}

// pass lets the login through.
func (p *Plan) pass(d identity.Decision, codes ...identity.Code) {
	p.Record.Decision = d
	p.Record.Reasons = nil
	for _, c := range codes {
		if c != "" {
			p.Record.Reasons = append(p.Record.Reasons, identity.Because(c))
		}
	}
}

// deny refuses the login; rule is the line that decided, if one did.
func (p *Plan) deny(why identity.Reason, rule string) {
	p.op, p.After, p.linked, p.yields = opNone, nil, false, nil
	p.Record.Decision = identity.Denied
	p.Record.Reasons = []identity.Reason{why}
	p.Record.Change = nil
	if p.Before == nil {
		p.Record.IdentityID, p.Record.Userstore = "", ""
	}
	p.Record.Rule = rule
}

// outcome is the answer that the plan makes. A refusal shows nobody, even where
// it writes.
func (p *Plan) outcome() Outcome {
	if p.refused() || p.Record.Decision == identity.Deleted {
		return Outcome{Record: p.Record, Match: p.found}
	}
	out := Outcome{Record: p.Record, Identity: p.After, Emails: p.emails, Match: p.found, Unproved: p.proof != ""}
	if p.stranger != nil {
		out.Identity = p.stranger
	}
	return out
}

func (p *Plan) refused() bool { return p.Record.Decision == identity.Denied }

// undecided reports whether nothing has refused the login yet, nor let it pass.
func (p *Plan) undecided() bool { return p.Record.Decision == "" }

func sortKeys(keys []identity.Key) []identity.Key {
	slices.SortFunc(keys, func(a, b identity.Key) int { return strings.Compare(string(a), string(b)) })
	return slices.Compact(keys)
}
