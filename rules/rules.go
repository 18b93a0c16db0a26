// Package rules tries providers' files the way code is tested: a case gives
// claims, and perhaps whom they are about, and says what must become of them.
//
// It owns the files with cases, how one is played, and what no case reached.
// Every case is decided by package provision, over a userstore that holds
// nobody but the person whom the case names: nothing is written, no server is
// asked. It must not know how a result is shown.
package rules

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/jithook/jithook/claims"
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/expr"
	"github.com/jithook/jithook/provider"
	"github.com/jithook/jithook/provision"
)

// caseTime bounds a case: what is explained has no other limit.
const caseTime = 10 * time.Second

// Runner plays cases. It is safe for concurrent use.
type Runner struct {
	Providers *provider.Set
	// Userstores are the names that a policy may put an identity into.
	Userstores []string
	Now        func() time.Time
}

// Result is what became of a case.
type Result struct {
	Case *Case
	// Diffs are what is not as wanted; without any the case passes.
	Diffs []Diff
	// Rules are the expressions that were evaluated, in their order.
	Rules []expr.Explanation
	// Decision is what became of the login, Decided the line that decided, where
	// one did.
	Decision identity.Decision
	Decided  string
	code     identity.Code // the first reason's
	Duration time.Duration
}

// Run plays a case. Errors: the context's, and that a case cannot be decided,
// with its place.
func (r Runner) Run(ctx context.Context, c *Case) (Result, error) {
	start := r.Now()
	g, err := r.game(ctx, c)
	if err != nil {
		return Result{}, err
	}
	result := Result{Case: c}
	ctx, cancel := context.WithTimeout(ctx, caseTime)
	defer cancel()
	out, err := g.play(expr.Explaining(ctx, func(x expr.Explanation) { result.Rules = append(result.Rules, x) }))
	if err != nil {
		return Result{}, err
	}
	result.Diffs, result.Decision, result.Decided = c.Want.compare(out), out.Record.Decision, out.Record.Rule
	prov, _ := r.Providers.Get(c.File.Provider.Value)
	result.Diffs = append(result.Diffs, result.said(prov)...)
	result.code = out.Record.Reasons[0].Code
	if err := g.because(ctx, result.Diffs); err != nil {
		return Result{}, fmt.Errorf("%s: %w", g.Pos(), err)
	}
	result.Duration = r.Now().Sub(start)
	return result, nil
}

// Bench plays a case over and over for about as long as it is told, as a login
// plays it, and returns how long one takes, on average.
func (r Runner) Bench(ctx context.Context, c *Case, lasting time.Duration) (time.Duration, error) {
	g, err := r.game(ctx, c)
	if err != nil {
		return 0, err
	}
	start := r.Now()
	for n := 1; ; n++ {
		if _, err := g.play(ctx); err != nil {
			return 0, err
		}
		if spent := r.Now().Sub(start); spent >= lasting {
			return spent / time.Duration(n), nil
		}
	}
}

// Explain plays a case and says why it becomes what it does. Errors are those of
// Run.
func (r Runner) Explain(ctx context.Context, c *Case) (provision.Outcome, provision.Explanation, error) {
	g, err := r.game(ctx, c)
	if err != nil {
		return provision.Outcome{}, provision.Explanation{}, err
	}
	out, why, err := g.service.Explain(ctx, g.login)
	if err != nil {
		err = fmt.Errorf("%s: %w", g.Pos(), err)
	}
	return out, why, err
}

// game is a case that is set up.
type game struct {
	*Case
	service *provision.Service
	login   identity.Login
}

func (r Runner) game(ctx context.Context, c *Case) (game, error) {
	prov, ok := r.Providers.Get(c.File.Provider.Value)
	if !ok {
		return game{}, fmt.Errorf("%s: no provider's file has the id %q", c.Pos(), c.File.Provider.Value)
	}
	log := slog.New(slog.DiscardHandler)
	userstore, _ := prov.Policy.Userstore()
	return game{c, &provision.Service{
		Store: world{c.person(ctx, prov, userstore, r.Now())}, Providers: func() *provider.Set { return r.Providers },
		Userstores: r.Userstores, Now: r.Now, Log: log, Later: provision.NewRecorder(nil, log, func() {}),
	}, c.login(prov)}, nil
}

func (g game) play(ctx context.Context) (provision.Outcome, error) {
	out, err := g.service.Preview(ctx, g.login)
	if err != nil {
		return provision.Outcome{}, fmt.Errorf("%s: %w", g.Pos(), err)
	}
	return out, nil
}

// Passed reports whether everything is as wanted.
func (r Result) Passed() bool { return len(r.Diffs) == 0 }

// Summary counts results. A case that need not pass yet and does not is none of
// the failed ones.
type Summary struct {
	Passed, Failed, Todo int
	Duration             time.Duration
	Coverage             *Coverage
}

// Sum counts.
func Sum(results []Result) Summary {
	var s Summary
	for _, r := range results {
		switch {
		case r.Passed():
			s.Passed++
		case r.Case.Todo != "":
			s.Todo++
		default:
			s.Failed++
		}
	}
	return s
}

// Behind returns those of the evaluated expressions that made what is not as
// wanted: a trait's own for a trait, the groups' for the groups, and what says
// that a trait is verified, and for a decision deny, allow and the line that decided.
func (r Result) Behind(prov *provider.Provider) []expr.Explanation {
	var sources []expr.Source
	for _, d := range r.Diffs {
		programs := prov.Policy.Rules()
		if trait, ok := strings.CutPrefix(d.Path, "/traits"); ok {
			programs = prov.Mapping.ProgramsOf(trait)
		} else if d.Path == "/groups" || strings.HasPrefix(d.Path, "/groups/") {
			programs = prov.Mapping.ProgramsOf("")
		} else if d.Path == "/verified" {
			programs = nil
			for _, t := range prov.Mapping.Traits() {
				if t.Verified != nil {
					programs = append(programs, t.Verified)
				}
			}
		} else if at := slices.IndexFunc(r.Rules, r.decided); at >= 0 {
			sources = append(sources, r.Rules[at].Source)
		}
		for _, p := range programs {
			sources = append(sources, p.Source())
		}
	}
	return slices.DeleteFunc(slices.Clone(r.Rules), func(x expr.Explanation) bool { return !slices.Contains(sources, x.Source) })
}

// decided reports whether the decision rests on an expression: on what it yields,
// or on the place in it that failed.
func (r Result) decided(x expr.Explanation) bool {
	failed, ok := errors.AsType[*expr.RuntimeError](x.Err)
	return x.Source.Pos() == r.Decided || ok && failed.Pos == r.Decided
}

// login is the case's login as the provider's file expects it: its claims count
// as those of whichever source the file asks. A recorded one is as it was.
func (c *Case) login(prov *provider.Provider) identity.Login {
	if c.Recorded != nil {
		l := *c.Recorded
		l.Offers = slices.Clone(l.Offers)
		l.Offers[0].Subject = c.subject(prov)
		return l
	}
	l := identity.Login{Hook: identity.HookGeneric, Caller: "test", Providers: []string{"*"}, Provider: prov.ID}
	said := identity.Offer{Provider: prov.ID, Issuer: c.issuer(prov), Subject: c.subject(prov), Claims: c.Claims}
	if prov.Subject != nil {
		said.Credential = said.Subject
	}
	for _, name := range claims.Sources() {
		said.Source = name
		l.Offers = append(l.Offers, said)
	}
	return l
}

// issuer is that of the record, or the claims' own, or else the file's first.
func (c *Case) issuer(prov *provider.Provider) string {
	if c.Recorded != nil {
		return c.Recorded.Offers[0].Issuer
	}
	if iss, ok := c.Claims["iss"].(string); ok {
		return iss
	}
	return prov.Issuers[0]
}

// someone stands for a subject where the claims of a case name none.
const someone = "subject-of-the-case"

func (c *Case) subject(prov *provider.Provider) string {
	if c.Recorded != nil && c.Recorded.Offers[0].Subject != "" {
		return c.Recorded.Offers[0].Subject
	}
	path := prov.Subject
	if path == nil {
		path = []string{"sub"}
	}
	var at any = c.Claims
	for _, name := range path {
		m, _ := at.(map[string]any)
		at = m[name]
	}
	if s, ok := at.(string); ok {
		return s
	}
	return someone
}
