package doctor_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jithook/jithook/kratos"
	"github.com/jithook/jithook/kratos/doctor"
	"github.com/jithook/jithook/kratos/setup"
)

const (
	hookURL = "http://127.0.0.1:4480"
	acme    = "https://acme.example"
)

const kratosYAML = `selfservice:
  flows:
    recovery: {enabled: true}
  methods:
    profile: {enabled: true}
    oidc:
      enabled: true
      config:
        providers:
          - id: acme
            provider: generic
            issuer_url: ` + acme + `
            mapper_url: file://old
identity:
  schemas: [{id: default, url: file://schema}]
`

// registered is a sound configuration, and what jithook says to it.
func registered(t *testing.T) (map[string]any, doctor.Jithook) {
	t.Helper()
	doc, err := kratos.Render(kratos.Config{
		HookURL: hookURL, APIKey: kratos.APIKey{Header: "X-API-Key", Value: "canary-key"},
		Providers: []kratos.Provider{{ID: "acme", Issuers: []string{acme}, AllClaims: true}},
	})
	if err != nil {
		t.Fatal(err)
	}
	live, err := setup.ReadYAML([]byte(kratosYAML))
	if err != nil {
		t.Fatal(err)
	}
	plan, err := setup.Register(live, doc, hookURL, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := setup.Edit([]byte(kratosYAML), plan.Changes)
	if err != nil {
		t.Fatal(err)
	}
	if live, err = setup.ReadYAML(text); err != nil {
		t.Fatal(err)
	}
	return live, doctor.Jithook{
		Document: doc, HookURL: hookURL, Header: "X-API-Key", Keys: []string{"canary-key"},
		Providers: []doctor.Provider{{ID: "acme", Issuers: []string{acme}}},
		Schema:    []byte(`{"properties":{"traits":{"properties":{}}}}`),
	}
}

// TestVeto: what is said of a way in is what it is.
func TestVeto(t *testing.T) {
	config, jithook := registered(t)
	flows := setup.At(config, "selfservice", "flows").(map[string]any)
	delete(flows["recovery"].(map[string]any), "after")
	delete(flows["login"].(map[string]any), "after")
	setup.At(config, "selfservice", "methods").(map[string]any)["saml"] = map[string]any{"enabled": true}
	said := map[string]string{}
	for _, f := range doctor.Examine(config, jithook, nil) {
		said[strings.Join(f.Path[2:], ".")] = f.Text
	}
	const here = "whoever is suspended comes in here"
	if diff := cmp.Diff(map[string]string{
		"login.after.oidc.hooks": here, "login.after.password.hooks": here, "recovery.after.hooks": here,
		"login.after.hooks": "whoever is suspended comes in by a method that is on and has no list of its own",
	}, said); diff != "" {
		t.Errorf("said (-want +got):\n%s", diff)
	}
}

// TestExamine: faults that come together are found each at its own place, and what a
// Kratos may have beside ours is no fault.
func TestExamine(t *testing.T) {
	hook := func(config map[string]any, path ...string) map[string]any {
		return setup.At(config, append([]string{"selfservice", "flows"}, path...)...).(map[string]any)
	}
	provider := func(config map[string]any) map[string]any {
		return setup.At(config, append(setup.Providers(), "0")...).(map[string]any)
	}
	methods := func(config map[string]any) map[string]any {
		return setup.At(config, "selfservice", "methods").(map[string]any)
	}
	on := map[string]any{"enabled": true}
	theirs := map[string]any{"hook": "require_verified_address"}
	for name, c := range map[string]struct {
		edit func(config map[string]any)
		want []string
	}{
		"sound": {func(map[string]any) {}, nil},
		"three faults of one hook": {func(config map[string]any) {
			h := hook(config, "login", "after", "oidc", "hooks", "0", "config")
			h["url"], h["response"], h["auth"] = "https://elsewhere.example/hooks/kratos/login", map[string]any{}, nil
		}, []string{
			"hook_url selfservice.flows.login.after.oidc.hooks.0.config.url",
			"hook_reply selfservice.flows.login.after.oidc.hooks.0.config.response",
			"key_differs selfservice.flows.login.after.oidc.hooks.0.config.auth",
		}},
		"two faults of one provider": {func(config map[string]any) {
			p := provider(config)
			p["issuer_url"], p["mapper_url"] = "https://other.example", "file://x"
		}, []string{
			"issuer_differs selfservice.methods.oidc.config.providers.0.issuer_url",
			"claims_missing selfservice.methods.oidc.config.providers.0.mapper_url",
		}},
		"commit may interrupt": {func(config map[string]any) {
			hook(config, "registration", "after", "oidc", "hooks", "1", "config")["can_interrupt"] = true
		}, []string{"hook_reply selfservice.flows.registration.after.oidc.hooks.1.config.can_interrupt"}},
		"a name for the logs": {func(config map[string]any) {
			hook(config, "login", "after", "oidc", "hooks", "0", "config")["id"] = "theirs"
		}, nil},
		"a slash more": {func(config map[string]any) { provider(config)["issuer_url"] = acme + "/" },
			[]string{"issuer_differs selfservice.methods.oidc.config.providers.0.issuer_url"}},
		"the address of a kind": {func(config map[string]any) {
			provider(config)["issuer_url"], provider(config)["provider"] = acme+"/", "auth0"
		}, nil},
		"linked unasked": {func(config map[string]any) { provider(config)["account_linking_mode"] = "automatic" },
			[]string{"link_unproven selfservice.methods.oidc.config.providers.0.account_linking_mode"}},
		"linked by a proof": {func(config map[string]any) {
			provider(config)["account_linking_mode"] = "confirm_with_existing_credential"
		}, nil},
		"a global hook that nothing runs": {func(config map[string]any) {
			hook(config, "login", "after")["hooks"] = []any{map[string]any{"hook": "session"}, theirs}
			hook(config, "registration", "after")["hooks"] = []any{theirs}
			methods(config)["password"] = map[string]any{"enabled": false}
		}, []string{"hook_overridden selfservice.flows.login.after.hooks.1", "hook_overridden selfservice.flows.registration.after.hooks.0"}},
		"a global hook that a method runs": {func(config map[string]any) {
			hook(config, "registration", "after")["hooks"] = []any{theirs} // of password
		}, nil},
		"a global hook that came along": {func(config map[string]any) {
			hook(config, "login", "after")["hooks"] = []any{theirs}
			list := hook(config, "login", "after", "password")
			list["hooks"] = append(list["hooks"].([]any), theirs)
		}, nil},
		"a method of Ory Network's": {func(config map[string]any) { methods(config)["saml"] = on },
			[]string{"veto_missing selfservice.flows.login.after.hooks"}},
		"a code for whoever has no other way": {func(config map[string]any) {
			methods(config)["code"] = map[string]any{"passwordless_login_fallback_enabled": true}
			delete(hook(config, "login", "after"), "code")
		}, []string{"veto_missing selfservice.flows.login.after.code.hooks"}},
		"codes for nobody": {func(config map[string]any) { delete(hook(config, "login", "after"), "code") }, nil},
		"with a list of its own": {func(config map[string]any) {
			methods(config)["saml"] = on
			hook(config, "login", "after")["saml"] = map[string]any{"hooks": []any{map[string]any{"hook": "theirs"}}}
		}, []string{"veto_missing selfservice.flows.login.after.saml.hooks"}},
		"methods that sign nobody in": {func(config map[string]any) {
			methods(config)["captcha"], methods(config)["link"], methods(config)["saml"] = on, on, map[string]any{"enabled": false}
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			config, jithook := registered(t)
			c.edit(config)
			var got []string
			for _, f := range doctor.Examine(config, jithook, nil) {
				if got = append(got, string(f.Code)+" "+strings.Join(f.Path, ".")); strings.Contains(f.Text, "canary") {
					t.Errorf("it says %q", f.Text)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("found (-want +got):\n%s", diff)
			}
		})
	}
}
