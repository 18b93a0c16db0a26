//go:build unix

// This file proves that `jithook kratos doctor` finds each fault of a set-up, by
// its code and no other, where Kratos itself starts with it without a word; and
// nothing in a sound one, before and after people have signed in.
package kratos_test

import (
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/jithook/jithook/test/kratos/kratostest"
)

// linkedSchema is the identity schema of the tests with the e-mail address as
// what people sign in with.
func linkedSchema() string {
	return strings.Replace(kratostest.DefaultSchema(), `"verification"`, `"credentials": {"password": {"identifier": true}}, "verification"`, 1)
}

// lookupFile finds accounts by their e-mail address.
var lookupFile = strings.Replace(acmeFile, "  enabled: true\n",
	"  enabled: true\n  account_linking: auto\n  account_lookup: [{local: /traits/email, federated: claims.email}]\n", 1)

// fault is one thing that is wrong, and what doctor must say.
type fault struct {
	code   string
	config func(c *kratostest.JithookConfig)
	edit   func(d document)
	schema string // in place of linkedSchema
	second bool   // Kratos and jithook have two providers
	signIn bool   // somebody tries to sign in first
	down   bool   // jithook does not run
	slow   bool   // something between the two takes its time
	args   []string
	still  bool // nothing runs: another fault of this code is shown where both do
}

// document is a configuration of Kratos.
type document map[string]any

// in returns a mapping of the document.
func (d document) in(path ...string) map[string]any {
	at := map[string]any(d)
	for _, name := range path {
		at = at[name].(map[string]any)
	}
	return at
}

func (d document) after(flow, method string) map[string]any {
	return d.in("selfservice", "flows", flow, "after", method)
}

// web is the configuration of a hook of a list.
func (d document) web(flow, method string, i int) map[string]any {
	return d.after(flow, method)["hooks"].([]any)[i].(map[string]any)["config"].(map[string]any)
}

// drop takes a hook out of a list.
func (d document) drop(flow, method string, i int) any {
	list := d.after(flow, method)
	hooks := list["hooks"].([]any)
	dropped := hooks[i]
	list["hooks"] = slices.Delete(slices.Clone(hooks), i, i+1)
	return dropped
}

func (d document) provider() map[string]any {
	return d.in("selfservice", "methods", "oidc", "config")["providers"].([]any)[0].(map[string]any)
}

func (d document) schema() map[string]any {
	return d.in("identity")["schemas"].([]any)[0].(map[string]any)
}

var faults = map[string]fault{
	"sound":                {},
	"sound after sign-ins": {signIn: true},
	"veto: a method":       {code: "veto_missing", edit: func(d document) { d.drop("login", "password", 0) }},
	"veto: no list":        {still: true, code: "veto_missing", edit: func(d document) { delete(d.in("selfservice", "flows", "login", "after"), "oidc") }},
	"veto: recovery":       {still: true, code: "veto_missing", edit: func(d document) { d.in("selfservice", "flows", "recovery")["after"] = map[string]any{"hooks": []any{}} }},
	"no prepare":           {code: "hook_missing", edit: func(d document) { d.drop("registration", "oidc", 0) }},
	"no commit":            {still: true, code: "hook_missing", edit: func(d document) { d.drop("registration", "oidc", 1) }},
	"no profile":           {still: true, code: "hook_missing", edit: func(d document) { d.drop("settings", "profile", 0) }},
	"no session":           {code: "session_missing", edit: func(d document) { d.drop("registration", "oidc", 2) }},
	"global prepare": {code: "hook_misplaced", edit: func(d document) {
		d.in("selfservice", "flows", "registration", "after")["hooks"] = []any{d.drop("registration", "oidc", 0)}
	}},
	"prepare at login": {still: true, code: "hook_misplaced", edit: func(d document) {
		d.after("login", "oidc")["hooks"] = append(d.after("login", "oidc")["hooks"].([]any), d.after("registration", "oidc")["hooks"].([]any)[0])
	}},
	"veto not obeyed":        {code: "hook_reply", edit: func(d document) { d.web("login", "password", 0)["response"] = map[string]any{"parse": false} }},
	"veto ignored":           {still: true, code: "hook_reply", edit: func(d document) { d.web("login", "oidc", 0)["response"] = map[string]any{"ignore": true} }},
	"commit before it is so": {still: true, code: "hook_reply", edit: func(d document) { d.web("registration", "oidc", 1)["response"] = map[string]any{"parse": true} }},
	"commit may interrupt":   {code: "hook_reply", edit: func(d document) { d.web("registration", "oidc", 1)["can_interrupt"] = true }},
	"another body": {code: "hook_outdated", edit: func(d document) {
		d.web("login", "oidc", 0)["body"] = kratostest.Base64URL("function(ctx) {version: 0}")
	}},
	"login before": {still: true, code: "hook_misplaced", edit: func(d document) {
		d.in("selfservice", "flows", "login")["before"] = map[string]any{"hooks": d.after("login", "oidc")["hooks"]}
	}},
	"another address": {code: "hook_url", edit: func(d document) {
		web := d.web("login", "oidc", 0)
		web["url"] = strings.Replace(web["url"].(string), "127.0.0.1", "localhost", 1)
	}},
	"their global hook": {code: "hook_overridden", edit: func(d document) {
		d.in("selfservice", "flows", "login", "after")["hooks"] = []any{map[string]any{"hook": "revoke_active_sessions"}}
	}},
	"slow proxy": {code: "hook_slow", slow: true},
	"another key": {code: "key_differs", edit: func(d document) {
		d.web("login", "oidc", 0)["auth"].(map[string]any)["config"].(map[string]any)["value"] = "canary"
	}},
	"key in a cookie": {still: true, code: "key_differs", edit: func(d document) {
		d.web("login", "oidc", 0)["auth"].(map[string]any)["config"].(map[string]any)["in"] = "cookie"
	}},
	"another header": {still: true, code: "key_differs", edit: func(d document) {
		d.web("login", "oidc", 0)["auth"].(map[string]any)["config"].(map[string]any)["name"] = "X-Other"
	}},
	"jithook is down":     {code: "hook_unreachable decisions_unread", down: true},
	"decisions elsewhere": {code: "decisions_unread", args: []string{"--admin", "http://127.0.0.1:1"}},
	// Kratos moves session last by itself, whatever the kind of client.
	"session first": {signIn: true, edit: func(d document) {
		d.after("registration", "oidc")["hooks"] = append([]any{d.drop("registration", "oidc", 2)}, d.after("registration", "oidc")["hooks"].([]any)...)
	}},
	"old mapper":             {code: "claims_missing", edit: func(d document) { d.provider()["mapper_url"] = kratostest.Base64URL(plainMapper) }},
	"old mapper at sign-in":  {code: "claims_missing", signIn: true, edit: func(d document) { d.provider()["mapper_url"] = kratostest.Base64URL(plainMapper) }},
	"mapper of another file": {code: "mapper_outdated", edit: func(d document) { d.provider()["mapper_url"] = otherMapper(d.provider()["mapper_url"].(string)) }},
	"another id":             {code: "provider_unknown provider_missing", edit: func(d document) { d.provider()["id"] = "other" }},
	"another issuer": {code: "issuer_differs", config: func(c *kratostest.JithookConfig) {
		c.Files = map[string]string{"acme.yaml": strings.Replace(lookupFile, "ISSUER", "https://acme.example", 1)}
	}},
	"issuer and a slash": {code: "issuer_differs", signIn: true, config: func(c *kratostest.JithookConfig) {
		c.Files = map[string]string{"acme.yaml": strings.Replace(lookupFile, "ISSUER", "ISSUER/", 1)}
	}},
	// Ory Network's alone: this Kratos does not start with it.
	"linked unasked":          {still: true, code: "link_unproven", edit: func(d document) { d.provider()["account_linking_mode"] = "automatic" }},
	"no Admin API":            {code: "admin_missing", second: true},
	"Admin API is away":       {code: "admin_unreachable", second: true, config: func(c *kratostest.JithookConfig) { c.KratosAdmin = "http://127.0.0.1:1" }},
	"schema is elsewhere":     {still: true, code: "schema_unread", edit: func(d document) { d.schema()["url"] = "https://elsewhere.example/schema.json" }},
	"schema is by reference":  {still: true, code: "schema_unread", schema: strings.Replace(linkedSchema(), `"traits":`, `"traits": {"$ref": "#/properties/others"}, "others":`, 1)},
	"no e-mail in the schema": {code: "email_unlinkable", schema: strings.Replace(linkedSchema(), `"email":`, `"mail":`, 1), config: func(c *kratostest.JithookConfig) { c.Restore = []string{"username", "name", "groups"} }},
	"e-mail is no identifier": {code: "email_unlinkable", schema: kratostest.DefaultSchema()},
	"name is not restored":    {code: "trait_unrestored", config: func(c *kratostest.JithookConfig) { c.Restore = []string{"email", "username", "groups"} }},
	"schema lacks a trait":    {code: "trait_unknown", schema: strings.Replace(linkedSchema(), `"username": { "type": "string" },`, "", 1)},
}

// otherMapper is a mapper of jithook's with another constant.
func otherMapper(url string) string {
	return kratostest.Base64URL(strings.Replace(kratostest.FromBase64URL(url), `"keep":false`, `"keep":true`, 1))
}

// slowly is a proxy that takes its time for one of the hooks.
func slowly(t *testing.T, to string) http.Handler {
	t.Helper()
	url, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(url)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hooks/kratos/login" {
			time.Sleep(2100 * time.Millisecond)
		}
		proxy.ServeHTTP(w, r)
	})
}

func TestDoctor(t *testing.T) {
	t.Parallel()
	for name, f := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f.show(t)
		})
	}
}

func (f fault) show(t *testing.T) {
	c := kratostest.JithookConfig{Restore: kratosTraits, Files: map[string]string{"acme.yaml": lookupFile}}
	if f.config != nil {
		f.config(&c)
	}
	answerWith := func(http.Handler) {}
	if f.slow {
		c.HookURL, answerWith = hookServer(t)
	}
	w := newJithookWorld(t, c)
	answerWith(slowly(t, w.j.ListenURL))
	k := kratostest.Config{IdentitySchema: f.schema, Password: true, Providers: []kratostest.OIDCProvider{w.op.ForKratos("acme")}}
	if k.IdentitySchema == "" {
		k.IdentitySchema = linkedSchema()
	}
	k.Providers[0].MapperURL = kratostest.Base64URL(plainMapper)
	if f.second {
		w.j.WriteProvider(t, "globex.yaml", strings.NewReplacer("acme", "globex", "ISSUER", w.op.Issuer+"/globex").Replace(lookupFile))
		k.Providers = append(k.Providers, kratostest.OIDCProvider{ID: "globex", Issuer: w.op.Issuer + "/globex", MapperURL: kratostest.Base64URL(plainMapper)})
	}
	k.Documents = []map[string]any{{"selfservice": map[string]any{
		"flows":   map[string]any{"recovery": map[string]any{"enabled": true}},
		"methods": map[string]any{"code": map[string]any{"enabled": true}},
	}}}
	var file string
	k.Edit = func(path string) error {
		file = path
		if err := w.j.Register(path); err != nil || f.edit == nil {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var d map[string]any
		if err := yaml.Unmarshal(text, &d); err != nil {
			return err
		}
		f.edit(d)
		if text, err = yaml.Marshal(d); err != nil {
			return err
		}
		return os.WriteFile(path, text, 0o600)
	}
	args := f.args
	if f.still {
		kratostest.File(t, k)
		args = append(args, "--offline")
	} else {
		f.run(w, k)
	}
	found, code := w.j.Doctor(t, file, args...)
	var codes []string
	for _, d := range found {
		codes = append(codes, d.Code)
		if d.Text == "" || d.Mend == "" || d.Path != "" && d.Line == 0 || strings.Contains(d.Text, "canary") {
			t.Errorf("%+v", d)
		}
	}
	if got := strings.Join(slices.Compact(codes), " "); got != f.code || (code == 2) != (f.code != "") {
		t.Errorf("found %q with exit code %d, want %q: %+v", got, code, f.code, found)
	}
}

// run starts Kratos with the fault, and jithook, and has somebody sign in if that
// is part of it.
func (f fault) run(w world, k kratostest.Config) {
	w.t.Helper()
	w.k = kratostest.StartKratos(w.t, k)
	if !f.down {
		w.j.Start(w.t)
	}
	if f.signIn {
		for range 2 {
			for _, kind := range []kratostest.Kind{kratostest.KindBrowser, kratostest.KindSPA, kratostest.KindAPI} {
				subject := "s-" + string(kind)
				w.person(subject)
				w.signIn(kratostest.SignIn{Subject: subject, Kind: kind})
				if f.code == "" { // after the first time already
					w.wantWhole(subject)
				}
			}
		}
	}
}
