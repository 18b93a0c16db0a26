// These tests prove the rendered configuration: which hook stands under which
// flow and method, in which order and how its reply is used; that what is
// written as YAML or JSON is what was rendered, whatever the key and the ids
// look like; that rendering is repeatable; and that a configuration Kratos
// would fail on is refused with everything that is wrong, and no secret.
package kratos_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/jithook/jithook/deploy"
	"github.com/jithook/jithook/kratos"
)

func TestHooksStandWhereKratosNeedsThem(t *testing.T) {
	login := []string{"parse http://127.0.0.1:4480/hooks/kratos/login"}
	want := map[string][]string{
		"registration.after.oidc": {
			"parse http://127.0.0.1:4480/hooks/kratos/registration/prepare",
			"http://127.0.0.1:4480/hooks/kratos/registration/commit",
			"session",
		},
		"login.after.code":          login,
		"login.after.lookup_secret": login,
		"login.after.oidc":          login,
		"login.after.passkey":       login,
		"login.after.password":      login,
		"login.after.totp":          login,
		"login.after.webauthn":      login,
		"settings.after.oidc": {
			"parse http://127.0.0.1:4480/hooks/kratos/settings/check",
		},
		"recovery.after":         login,
		"settings.after.profile": {"parse http://127.0.0.1:4480/hooks/kratos/settings/profile"},
	}
	got := map[string][]string{}
	for place, hooks := range hooksOf(mustRender(t, config(acme))) {
		for _, h := range hooks {
			got[place] = append(got[place], outline(h))
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("hooks (-want +got):\n%s", diff)
	}
}

// TestLinksHook: it stands after the veto, and only where jithook can follow it.
func TestLinksHook(t *testing.T) {
	c := config(acme)
	c.Links = true
	var got []string
	for _, h := range hooksOf(mustRender(t, c))["settings.after.oidc"] {
		got = append(got, outline(h))
	}
	want := []string{"parse http://127.0.0.1:4480/hooks/kratos/settings/check", "http://127.0.0.1:4480/hooks/kratos/settings/links"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("hooks (-want +got):\n%s", diff)
	}
}

func TestEveryWebHookCarriesKeyAndTemplate(t *testing.T) {
	template, err := fs.ReadFile(deploy.FS, "kratos/body.jsonnet")
	if err != nil {
		t.Fatal(err)
	}
	for place, hooks := range hooksOf(mustRender(t, config(acme))) {
		for _, h := range hooks {
			if h.Config == nil {
				continue
			}
			want := kratos.Auth{Type: "api_key", Config: kratos.AuthConfig{In: "header", Name: "X-API-Key", Value: "synthetic-key"}}
			if h.Config.Auth != want || h.Config.Method != "POST" {
				t.Errorf("%s: method %q, auth %+v", place, h.Config.Method, h.Config.Auth)
			}
			body, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(h.Config.Body, "base64://"))
			if err != nil || string(body) != string(template) {
				t.Errorf("%s: the body is not the template (%v)", place, err)
			}
		}
	}
}

func TestLoginMethodsAsAsked(t *testing.T) {
	cfg := config(acme)
	cfg.LoginMethods = []string{"oidc", "password"}
	got := mustRender(t, cfg).SelfService.Flows.Login.After
	if len(got) != 2 || len(got["oidc"].Hooks) != 1 || len(got["password"].Hooks) != 1 {
		t.Errorf("login hooks for %v, want oidc and password", got)
	}
}

func TestHookURLMayHaveAPath(t *testing.T) {
	for _, base := range []string{"https://acme.example/jithook", "https://acme.example/jithook/"} {
		cfg := config(acme)
		cfg.HookURL = base
		got := mustRender(t, cfg).SelfService.Flows.Login.After["oidc"].Hooks[0].Config.URL
		if want := "https://acme.example/jithook/hooks/kratos/login"; got != want {
			t.Errorf("%s: %s, want %s", base, got, want)
		}
	}
}

// The members are Kratos's own: a script that reads them relies on their names.
func TestJSONHasKratosStructure(t *testing.T) {
	raw, err := json.Marshal(mustRender(t, config(acme)))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{
		"selfservice.methods.oidc.config.providers.0.id",
		"selfservice.methods.oidc.config.providers.0.mapper_url",
		"selfservice.flows.registration.after.oidc.hooks.0.config.response.parse",
		"selfservice.flows.registration.after.oidc.hooks.2.hook",
		"selfservice.flows.login.after.password.hooks.0.config.auth.config.in",
		"selfservice.flows.settings.after.profile.hooks.0.config.body",
	} {
		here := decode(t, string(raw))
		for name := range strings.SplitSeq(path, ".") {
			here = step(here, name)
		}
		if here == nil {
			t.Errorf("there is no %s in %s", path, raw)
		}
	}
	if strings.Contains(string(raw), `{"hook":"session","config"`) {
		t.Error("Kratos refuses a config below session")
	}
}

// YAML has many ways to read a plain word as something else.
func TestYAMLIsTheDocument(t *testing.T) {
	words := append(slices.Clone(hostile), "true", "no", "~", "null", "1e3", "0x10", "012", "1_000", "2026-11-24", "- a", "a: b", "a #b",
		"!tag", "&anchor", "*alias", "<<", "[a]", "{a}", "? a", "| a", "> a", "@a", "%a", "a,b", strings.Repeat("long word ", 40))
	for _, w := range words {
		t.Run(w, func(t *testing.T) {
			p := acme
			p.ID = strings.ReplaceAll(w, ":", "")
			cfg := config(p)
			// A key is refused where a header could not carry it.
			cfg.APIKey.Value = w
			if _, err := kratos.Render(cfg); err != nil {
				cfg.APIKey.Value = "synthetic-key"
			}
			d := mustRender(t, cfg)
			text, err := d.YAML()
			if err != nil {
				t.Fatal(err)
			}
			var again kratos.Document
			if err := yaml.Unmarshal(text, &again); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(d, again); diff != "" {
				t.Errorf("read back (-rendered +read):\n%s", diff)
			}
			var generic any
			if err := yaml.Unmarshal(text, &generic); err != nil {
				t.Fatal(err)
			}
			raw, err := json.Marshal(d)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(decode(t, string(raw)), generic); diff != "" {
				t.Errorf("YAML is another document than JSON (-json +yaml):\n%s", diff)
			}
		})
	}
}

func TestRenderingIsRepeatable(t *testing.T) {
	shuffled := with(func(p *kratos.Provider) { p.Claims = []string{"hd", "groups", "email_verified", "email", "hd"} })
	first, err := mustRender(t, config(acme)).YAML()
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		again, err := mustRender(t, config(shuffled)).YAML()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(first), string(again)); diff != "" {
			t.Fatalf("rendering %d differs:\n%s", i, diff)
		}
	}
	if got := strings.Join(shuffled.Claims, " "); got != "hd groups email_verified email hd" {
		t.Errorf("rendering reordered its argument: %s", got)
	}
}

func TestRenderRefuses(t *testing.T) {
	tests := map[string]struct {
		edit func(*kratos.Config)
		want string // part of the message
	}{
		"no hook URL":               {func(c *kratos.Config) { c.HookURL = "" }, "hook URL"},
		"hook URL relative":         {func(c *kratos.Config) { c.HookURL = "/hooks" }, "hook URL"},
		"hook URL without host":     {func(c *kratos.Config) { c.HookURL = "http://:4480" }, "hook URL"},
		"hook URL of a file":        {func(c *kratos.Config) { c.HookURL = "file:///x" }, "hook URL"},
		"hook URL with credentials": {func(c *kratos.Config) { c.HookURL = "http://u:canary@h" }, "hook URL"},
		"hook URL with query":       {func(c *kratos.Config) { c.HookURL = "http://h?key=canary" }, "hook URL"},
		"hook URL with fragment":    {func(c *kratos.Config) { c.HookURL = "http://h#canary" }, "hook URL"},
		"hook URL unreadable":       {func(c *kratos.Config) { c.HookURL = "http://h/%zz?canary" }, "hook URL"},
		"no header":                 {func(c *kratos.Config) { c.APIKey.Header = "" }, "API key's header"},
		"header with space":         {func(c *kratos.Config) { c.APIKey.Header = "X API" }, "API key's header"},
		"no key":                    {func(c *kratos.Config) { c.APIKey.Value = "" }, "API key must"},
		"padded key":                {func(c *kratos.Config) { c.APIKey.Value = "canary " }, "API key must"},
		"key with line break":       {func(c *kratos.Config) { c.APIKey.Value = "canary\r\nX: y" }, "API key must"},
		"unknown login method":      {func(c *kratos.Config) { c.LoginMethods = []string{"saml"} }, `login method "saml": Kratos has code,`},
		"login method twice":        {func(c *kratos.Config) { c.LoginMethods = []string{"oidc", "oidc"} }, `"oidc" is there twice`},
		"no provider":               {func(c *kratos.Config) { c.Providers = nil }, "no provider"},
		"provider twice":            {func(c *kratos.Config) { c.Providers = append(c.Providers, acme) }, `"acme" is there twice`},
		"provider without id":       {provider(func(p *kratos.Provider) { p.ID = "" }), "an id is needed"},
		"provider with colon":       {provider(func(p *kratos.Provider) { p.ID = "a:b" }), "colon"},
		"provider id no UTF-8":      {provider(func(p *kratos.Provider) { p.ID = "a\xff" }), "UTF-8"},
		"empty issuer":              {provider(func(p *kratos.Provider) { p.Issuers = []string{""} }), "issuer"},
		"claim no UTF-8":            {provider(func(p *kratos.Provider) { p.Claims = []string{"\xff"} }), "claim"},
		"trait twice":               {traits(trait("a", "x"), trait("a", "y")), `trait "a" is there twice`},
		"trait without name":        {traits(trait("", "x")), "the name is empty"},
		"trait without claims":      {traits(kratos.Trait{Path: []string{"a"}}), "no claim to come from"},
		"trait with empty path":     {traits(kratos.Trait{Path: []string{"a"}, ClaimPaths: [][]string{{}}}), "path of a claim"},
		"trait with empty name":     {traits(trait("a", "")), "path of a claim"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			cfg := config(acme)
			tt.edit(&cfg)
			d, err := kratos.Render(cfg)
			if err == nil {
				t.Fatalf("rendered: %+v", d)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %q does not say %q", err, tt.want)
			}
			if strings.Contains(err.Error(), "canary") {
				t.Errorf("error %q holds a secret", err)
			}
		})
	}
}

func TestAllProblemsAtOnce(t *testing.T) {
	_, err := kratos.Render(kratos.Config{LoginMethods: []string{"saml"}})
	for _, want := range []string{"hook URL", "API key's header", "API key must", "saml", "no provider"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not mention %q", err, want)
		}
	}
}

func provider(edit func(*kratos.Provider)) func(*kratos.Config) {
	return func(c *kratos.Config) { c.Providers = []kratos.Provider{with(edit)} }
}

func traits(list ...kratos.Trait) func(*kratos.Config) {
	return provider(func(p *kratos.Provider) { p.Traits = list })
}

func trait(name, claim string) kratos.Trait {
	return kratos.Trait{Path: []string{name}, ClaimPaths: [][]string{{claim}}}
}

func mustRender(t *testing.T, cfg kratos.Config) kratos.Document {
	t.Helper()
	d, err := kratos.Render(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// hooksOf returns all hooks by their place in Kratos's configuration.
func hooksOf(d kratos.Document) map[string][]kratos.Hook {
	all := map[string][]kratos.Hook{}
	f := d.SelfService.Flows
	all["recovery.after"] = f.Recovery.After.Hooks
	for flow, after := range map[string]kratos.After{"registration": f.Registration.After, "login": f.Login.After, "settings": f.Settings.After} {
		for method, hooks := range after {
			all[flow+".after."+method] = hooks.Hooks
		}
	}
	return all
}

func outline(h kratos.Hook) string {
	switch {
	case h.Config == nil:
		return h.Hook
	case h.Hook != "web_hook":
		return "unexpected " + h.Hook
	case h.Config.Response.Parse:
		return "parse " + h.Config.URL
	}
	return h.Config.URL
}

// step follows one member name or list index.
func step(v any, name string) any {
	switch v := v.(type) {
	case map[string]any:
		return v[name]
	case []any:
		var i int
		if _, err := fmt.Sscan(name, &i); err == nil && i < len(v) {
			return v[i]
		}
	}
	return nil
}
