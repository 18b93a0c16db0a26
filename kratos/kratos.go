// Package kratos speaks to Ory Kratos as its operator does: it renders the
// configuration that makes a self-hosted Kratos call jithook, and it calls
// Kratos's Admin API.
//
// It owns the shape of Kratos's configuration, which hook stands where, and
// what may be believed of the Admin API's answers. It
// must not know policies, mappings or stores: what it needs of a provider's
// file is handed to it. The endpoints that the hooks call, and what is answered
// there, belong to hook/kratos.
package kratos

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"slices"

	"github.com/jithook/jithook/deploy"
)

// Config is what a Kratos has to be told.
type Config struct {
	// HookURL is where Kratos reaches jithook, without /hooks/…: an absolute
	// http or https URL, without credentials, query or fragment. (Kratos shows
	// a hook's URL on its error page.)
	HookURL   string
	APIKey    APIKey
	Providers []Provider
	// LoginMethods are the sign-in methods that get the login hook: all that
	// Kratos has if empty. Leave none out that is enabled: whoever is suspended
	// here would still get in by it.
	LoginMethods []string
	// Links adds the hook that reconciles links after a change in the settings.
	// jithook can follow it only where it has this Kratos's Admin API.
	Links bool
}

// APIKey is the credential that Kratos sends. Its value stands in the rendered
// document, which is as secret as it is.
type APIKey struct {
	Header string
	Value  string
}

// Provider is what Kratos's mapper has to know of one provider's file.
type Provider struct {
	// ID is the provider's id, in Kratos and in jithook.
	ID string
	// Issuers are those of the file. A single one stands in where Kratos knows
	// none.
	Issuers []string
	// Subject is the path of the claim that is the subject; nil is the subject
	// by which Kratos keys its credential.
	Subject []string
	// Claims are the names of the claims that the rules read; no other is
	// handed over. AllClaims hands over whatever there is.
	Claims    []string
	AllClaims bool
	// Keep has Kratos keep the claims of the registration in metadata_admin.
	Keep bool
	// Traits are the traits of Kratos's identity schema that the claims fill.
	// Kratos checks its schema before jithook is asked, so whatever the schema
	// requires must be among them.
	Traits []Trait
}

// Trait is a trait of Kratos's identity and the claims that may hold its value:
// the first that is there and not null. A path is a list of member names, so
// that a claim may be called "https://acme.example/groups" or "a.b".
type Trait struct {
	// Path is where the trait stands: its name, behind those of the objects
	// that it is in.
	Path       []string
	ClaimPaths [][]string
}

// LoginMethods returns every method that Kratos v1.3.1 accepts below
// selfservice.flows.login.after (embedx/config.schema.json).
func LoginMethods() []string {
	return []string{"code", "lookup_secret", "oidc", "passkey", "password", "totp", "webauthn"}
}

// Render returns the configuration. The same Config renders to the same bytes.
// The error joins everything that is wrong with cfg; it quotes neither the key
// nor the URL, which may hold a password.
func Render(cfg Config) (Document, error) {
	base, err := parseHookURL(cfg.HookURL)
	if err := errors.Join(err, cfg.check()); err != nil {
		return Document{}, fmt.Errorf("kratos configuration: %w", err)
	}
	body, err := fs.ReadFile(deploy.FS, "kratos/body.jsonnet")
	if err != nil {
		return Document{}, fmt.Errorf("kratos configuration: %w", err)
	}
	call := caller{base: base.JoinPath("hooks", "kratos"), body: inline(body), key: cfg.APIKey}

	var d Document
	entries := &d.SelfService.Methods.OIDC.Config.Providers
	for _, p := range cfg.Providers {
		mapper, err := p.mapper()
		if err != nil {
			return Document{}, fmt.Errorf("kratos configuration: provider %q: %w", p.ID, err)
		}
		*entries = append(*entries, ProviderEntry{ID: p.ID, MapperURL: inline(mapper)})
	}
	d.SelfService.Flows = call.flows(cfg.LoginMethods, cfg.Links)
	return d, nil
}

// caller makes the hooks, which differ in path and reply only.
type caller struct {
	base *url.URL
	body string
	key  APIKey
}

// flows says which hook stands where. A list below a method replaces Kratos's
// global list of the flow, for that method, and a global list that parses
// replies never runs at registration or settings (seen on v1.3.1): so every
// list here is a method's.
func (c caller) flows(login []string, links bool) Flows {
	if len(login) == 0 {
		login = LoginMethods()
	}
	f := Flows{
		Registration: Flow{After: After{
			// Before Kratos persists: may she come in, and as whom? After: this
			// is the id she got. Kratos moves `session` last wherever it stands,
			// and signs nobody in without it.
			"oidc": {Hooks: []Hook{c.hook("registration/prepare", true), c.hook("registration/commit", false), {Hook: "session"}}},
		}},
		Login: Flow{After: After{}},
		Settings: Flow{After: After{
			"oidc":    {Hooks: []Hook{c.hook("settings/check", true)}},
			"profile": {Hooks: []Hook{c.hook("settings/profile", true)}},
		}},
	}
	if links {
		oidc := f.Settings.After["oidc"]
		oidc.Hooks = append(oidc.Hooks, c.hook("settings/links", false))
		f.Settings.After["oidc"] = oidc
	}
	// Recovery signs in without any login hook (seen on v1.3.1): whoever is
	// suspended would get in by a link in their mail.
	f.Recovery = Recovery{After: Hooks{Hooks: []Hook{c.hook("login", true)}}}
	for _, method := range login {
		f.Login.After[method] = Hooks{Hooks: []Hook{c.hook("login", true)}}
	}
	return f
}

// hook is a call of the endpoint at path. With parse, Kratos makes it before it
// persists and obeys the reply; without, after, and only a failure counts. (A
// login has one moment for both.)
func (c caller) hook(path string, parse bool) Hook {
	return Hook{Hook: "web_hook", Config: &WebHook{
		URL:      c.base.JoinPath(path).String(),
		Method:   http.MethodPost,
		Body:     c.body,
		Auth:     Auth{Type: "api_key", Config: AuthConfig{In: "header", Name: c.key.Header, Value: c.key.Value}},
		Response: Response{Parse: parse},
	}}
}

// inline is a file as a URL that carries it: Kratos reads the standard
// alphabet, padded.
func inline(file []byte) string {
	return "base64://" + base64.StdEncoding.EncodeToString(file)
}

// names returns the claims of p, sorted and each once; nil stands for all.
func (p Provider) names() []string {
	if p.AllClaims {
		return nil
	}
	names := append([]string{}, p.Claims...)
	slices.Sort(names)
	return slices.Compact(names)
}
