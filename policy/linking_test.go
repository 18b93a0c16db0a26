package policy_test

// These tests prove what a policy says of linking where nothing is written, and
// that what cannot be evaluated protects.

import (
	"context"
	"errors"
	"testing"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/expr"
	"github.com/jithook/jithook/policy"
)

func TestLinkingByDefault(t *testing.T) {
	p := newPolicy(t, "")
	protected, err := p.Protects(t.Context(), policy.Input{})
	if p.Linking() != policy.LinkingDisabled || len(p.Lookup()) != 0 || !p.Missed().Allow || protected || err != nil {
		t.Errorf("%s, %d rules, %+v, protected %t, %v", p.Linking(), len(p.Lookup()), p.Missed(), protected, err)
	}
}

func TestProtects(t *testing.T) {
	env, err := expr.NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	source := at(3, `identity.traits.level > 3`)
	p, err := policy.New(env, policy.Spec{Linking: policy.Linking{Protected: &source}})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		who  *identity.Identity
		want bool
	}{
		"true":        {&identity.Identity{Traits: map[string]any{"level": int64(4)}}, true},
		"false":       {&identity.Identity{Traits: map[string]any{"level": int64(3)}}, false},
		"missing":     {&identity.Identity{Traits: map[string]any{}}, true},
		"a string":    {&identity.Identity{Traits: map[string]any{"level": "0"}}, true},
		"no identity": {nil, true},
	} {
		got, err := p.Protects(t.Context(), policy.Input{Vars: expr.Vars{Identity: c.who.Vars()}})
		if err != nil || got != c.want {
			t.Errorf("%s: %t, %v", name, got, err)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := p.Protects(ended, policy.Input{}); !got || !errors.Is(err, context.Canceled) {
		t.Errorf("an ended context: %t, %v", got, err)
	}
}
