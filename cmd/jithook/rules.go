package main

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"github.com/jithook/jithook/claims/idtoken"
	"github.com/jithook/jithook/hook"
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/expr"
	"github.com/jithook/jithook/internal/strictyaml"
	"github.com/jithook/jithook/provider"
)

func newLoader(c config, log *slog.Logger) (provider.Loader, error) {
	env, err := expr.NewEnv()
	if err != nil {
		return provider.Loader{}, err
	}
	keys := idtoken.NewKeys(c.guard, now, log)
	return provider.Loader{Env: env, Userstores: c.userstores, Targets: c.targetNames(), Keys: keys, Now: now}, nil
}

// loadProviders reads the providers' files of a configuration that names them.
// With any problem there is no set.
func loadProviders(c config) (*provider.Set, []strictyaml.Problem, error) {
	loader, err := newLoader(c, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, nil, err
	}
	set, problems := loader.Load(os.DirFS(c.providersDir))
	return set, c.located(problems), nil
}

// located gives problems of the providers' files the places that a person can
// open.
func (c config) located(problems []strictyaml.Problem) []strictyaml.Problem {
	return located(problems, c.providersAt, c.providersShown)
}

// located are problems of files: below the folder as the configuration spells it,
// and for the folder as a whole the line that names it, if one does.
func located(problems []strictyaml.Problem, at strictyaml.Text, folder string) []strictyaml.Problem {
	problems = slices.Clone(problems)
	for i, p := range problems {
		if p.Line == 0 && at.Line == 0 {
			problems[i].File = folder
			continue
		}
		if p.Line == 0 {
			problems[i] = at.Problemf("%s", p.Message)
			continue
		}
		problems[i].File = filepath.Join(folder, p.File)
	}
	return problems
}

// providerProblems is the error of a command that cannot go on with them.
func providerProblems(problems []strictyaml.Problem) error {
	return fmt.Errorf("the providers' files have problems:\n%s", list(problems))
}

// callingInstances are the instances whose Kratos may call.
func (c config) callingInstances() []string {
	var names []string
	for _, k := range c.apiKeys {
		if k.May(hook.EndpointKratos) {
			names = append(names, k.Instance)
		}
	}
	for _, b := range c.basics {
		if b.May(hook.EndpointKratos) {
			names = append(names, b.Instance)
		}
	}
	return names
}

// unmatched returns what the configuration says about providers that no file
// bears out: most likely a slip, and one that opens or closes a door quietly.
func (c config) unmatched(set *provider.Set) []strictyaml.Problem {
	var problems []strictyaml.Problem
	for _, t := range c.spokenFor {
		if _, ok := set.Get(t.Value); !ok && t.Value != "*" {
			problems = append(problems, t.Problemf("no provider's file has the id %q", t.Value))
		}
	}
	for _, i := range c.instances {
		if !slices.Contains(c.callingInstances(), i.name.Value) {
			problems = append(problems, i.name.Problemf("no credential that Kratos calls with has the instance %q: this Admin API would never be asked", i.name.Value))
		}
	}
	var mapped []string
	for _, p := range set.All() {
		for _, t := range p.Listed {
			if t.Value == identity.SourceKratosAdmin && len(c.instances) == 0 {
				problems = append(problems, c.located([]strictyaml.Problem{t.Problemf("no kratos.instances of the configuration has an Admin API: this source never has claims")})...)
			}
		}
		mapped = append(mapped, p.TraitNames()...)
	}
	slices.Sort(mapped)
	mapped = slices.Compact(mapped)
	for _, t := range c.restoreTraits {
		if !slices.Contains(mapped, t.Value) {
			problems = append(problems, t.Problemf("no provider maps the trait %q: misspelt, it leaves the true one open to whoever signs in; else take it out of Kratos's schema, or map it", t.Value))
		}
	}
	return problems
}
