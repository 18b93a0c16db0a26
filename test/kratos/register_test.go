//go:build unix

// This file proves that what `jithook kratos register` writes into a file of
// Kratos is what a Kratos needs that has hooks and a mapper of its own: it starts
// with the file, people come in through jithook, and after --remove they come in
// without.
package kratos_test

import (
	"errors"
	"testing"

	"github.com/jithook/jithook/test/kratos/kratostest"
)

// plainMapper is what an operator had before jithook.
const plainMapper = `local claims = std.extVar('claims'); {identity: {traits: {email: claims.email, name: claims.name}}}`

func TestRegister(t *testing.T) {
	t.Parallel()
	for name, removed := range map[string]bool{"registered": false, "removed": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := registeredWorld(t, removed)
			w.j.Start(t)
			w.person("s-1")
			for _, when := range []string{"first", "second"} {
				if r := w.signIn(kratostest.SignIn{Subject: "s-1"}); r.Outcome != kratostest.OutcomeSession {
					t.Fatalf("%s: %q %v %s", when, r.Outcome, r.Messages, r.Error)
				}
			}
			if removed {
				if ours := w.ours("s-1"); len(ours) != 0 {
					t.Errorf("jithook was asked and has %d identities", len(ours))
				}
				return
			}
			w.wantWhole("s-1")
			w.wantDecision("s-1", "unchanged")
		})
	}
}

// registeredWorld is a world whose Kratos was configured by hand, then by
// `jithook kratos register`.
func registeredWorld(t *testing.T, removed bool) world {
	w := newJithookWorld(t, kratostest.JithookConfig{Restore: kratosTraits})
	provider := w.op.ForKratos("acme")
	provider.MapperURL = kratostest.Base64URL(plainMapper)
	theirs := map[string]any{"hook": "revoke_active_sessions"}
	w.k = kratostest.StartKratos(t, kratostest.Config{
		Providers: []kratostest.OIDCProvider{provider},
		Documents: []map[string]any{
			kratostest.Hooks("registration", "oidc", map[string]any{"hook": "session"}),
			kratostest.Hooks("login", "oidc", theirs),
		},
		Edit: func(file string) error {
			err := w.j.Register(file)
			if removed {
				err = errors.Join(err, w.j.Register(file, "--remove", "--mapper", "acme="+provider.MapperURL))
			}
			return err
		},
	})
	return w
}
