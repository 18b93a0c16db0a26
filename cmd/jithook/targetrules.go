package main

import (
	"context"
	"errors"
	"slices"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/expr"
	"github.com/jithook/jithook/internal/strictyaml"
	"github.com/jithook/jithook/outbound"
)

// keptOfLogin is what an identity keeps of a login, see identity.LoginVars.
var keptOfLogin = []string{"provider", "issuer", "at"}

// rule compiles one that says who goes to a target. It sees an identity, its
// groups, and what is kept of its newest login, so that it can be told at any time
// who goes out.
func (r *configReader) rule(env *expr.Env, t strictyaml.Text) *expr.Program {
	p := r.expression(env.CompileBool, t)
	if p == nil {
		return nil
	}
	if names, all := p.ClaimNames(); all || len(names) > 0 {
		r.wrong(t, "there are no claims here: nobody signs in when a target is told; use identity, groups and login")
	}
	names, all := p.LoginNames()
	if all || slices.ContainsFunc(names, func(n string) bool { return !slices.Contains(keptOfLogin, n) }) {
		r.wrong(t, "of a login only %q is kept with the identity: name one of them", keptOfLogin)
	}
	return p
}

// attribute compiles one that says what an account has: it sees the identity alone.
func (r *configReader) attribute(env *expr.Env, t strictyaml.Text) *expr.Program {
	p := r.expression(env.Compile, t)
	if p == nil {
		return nil
	}
	if names, all := p.ClaimNames(); all || len(names) > 0 || p.ReadsLogin() {
		r.wrong(t, "there are neither claims nor a login here: what goes out is what the identity is by now; use identity")
	}
	return p
}

func (r *configReader) expression(compile func(expr.Source) (*expr.Program, error), t strictyaml.Text) *expr.Program {
	p, err := compile(expr.Source{Text: t.Value, File: t.File, Line: t.Line, Col: t.Col})
	if failed, ok := errors.AsType[*expr.CompileError](err); ok {
		for _, problem := range failed.Problems {
			r.problems = append(r.problems, strictyaml.Problem(problem))
		}
		return nil
	}
	return p
}

// wants says who goes to a target: whom the file of a linked provider sends
// there, if the target's rules hold. A provider without a file sends nobody and
// takes nobody back.
func (a *app) wants(t target) outbound.Wants {
	return func(ctx context.Context, i *identity.Identity, told bool) (bool, error) {
		sends, unknown := a.live.Set().Sends(i, t.name.Value)
		if !sends && !(unknown && told) {
			return false, nil
		}
		vars := expr.Vars{Identity: i.Vars(), Login: i.LoginVars(), Groups: i.GroupNames()}
		for _, rule := range t.rules {
			if ok, err := rule.EvalBool(ctx, vars); err != nil || !ok {
				return false, err
			}
		}
		return true, nil
	}
}
