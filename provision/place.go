package provision

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/jithook/jithook/claims"
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/expr"
	"github.com/jithook/jithook/kratos"
	"github.com/jithook/jithook/policy"
	"github.com/jithook/jithook/provider"
	"github.com/jithook/jithook/store"
)

// view is where a plan looks for the person, if there are several stores.
type view struct {
	// everywhere: nobody is unknown before every store that may have them has
	// said so. Otherwise one looks where the policy would put them, first.
	everywhere bool
	// pinned is the userstore that has the person, once that is known.
	pinned string
	// notes are taken for who asks why; nil takes none.
	notes *notes
}

// after is the view of the next plan when this one came to err. Only a conflict
// is planned again.
func (p *Plan) after(err error) (view, error) {
	var elsewhere *store.ElsewhereError
	if errors.As(err, &elsewhere) {
		return view{pinned: elsewhere.Pins[p.Record.SubjectKey]}, store.ErrConflict
	}
	return view{everywhere: p.op == opInsert}, err
}

// first is the userstore where to look first; empty for everywhere.
func (v view) first(p *Plan) string {
	if v.everywhere {
		return ""
	}
	return cmp.Or(v.pinned, p.place.name)
}

// nearby is Plan that looks no further than it must: whoever would be created
// is not looked for elsewhere, since the write finds out; for everybody else
// who is not found, "unknown" takes all stores.
func (s *Service) nearby(ctx context.Context, l identity.Login, account *kratos.Account, v view) (Plan, error) {
	p, err := s.plan(ctx, l, account, v)
	if err == nil && p.partial && p.op != opInsert {
		return s.plan(ctx, l, account, view{everywhere: true})
	}
	return p, err
}

// place is what a policy says of where an identity is created.
type place struct {
	name    string // empty where the verdict refuses
	verdict identity.Verdict
}

// locate asks the policy where the login's identity would be created. It is
// asked as of a new one, whoever that turns out to be: who exists stays.
func (s *Service) locate(ctx context.Context, l identity.Login, prov *provider.Provider, e claims.Evidence, p *Plan) error {
	if prov == nil || e.Claims == nil {
		return ctx.Err()
	}
	var err error
	p.place.name, p.place.verdict, err = prov.Policy.Place(ctx, policy.Input{Vars: expr.Vars{Claims: e.Claims, Login: p.login}})
	if err == nil && !slices.Contains(s.Userstores, p.place.name) && p.place.verdict.Allow {
		p.place = place{verdict: identity.Verdict{Reason: identity.Because(identity.CodeUserstoreUnknown), Rule: p.place.verdict.Rule}}
	}
	return err
}
