//go:build unix

package kratostest

import (
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// defaultSchema is the identity schema of a Config without one: email (required,
// verified by e-mail), username, name, department, groups.
//
//go:embed identity.schema.json
var defaultSchema string

// DefaultSchema is the identity schema of a Config without one.
func DefaultSchema() string { return defaultSchema }

// Config is what a test brings to a Kratos.
type Config struct {
	// Providers are the OpenID providers that people can sign in with.
	Providers []OIDCProvider
	// Documents are merged over the base configuration in their order: maps
	// key by key, a list whose items have an id item by item, everything else
	// whole. It takes what `jithook kratos config -o json` prints, as it is.
	Documents []map[string]any
	// IdentitySchema is the JSON schema of identities; empty stands for
	// identity.schema.json beside this file.
	IdentitySchema string
	// DSN is the URI of an empty database, in which Kratos makes its tables;
	// empty stands for an SQLite file that ends with the test.
	DSN string
	// Edit, if there is one, is given the whole as a YAML file, whose path it
	// gets, before Kratos starts with that.
	Edit func(file string) error
	// Password switches the sign-in with a password on.
	Password bool
}

// OIDCProvider is one entry of selfservice.methods.oidc.config.providers.
type OIDCProvider struct {
	ID     string
	Issuer string
	// MapperURL is the Jsonnet mapper, as a base64:// URL (see Base64URL).
	// Empty leaves it to a document.
	MapperURL string
}

// Base64URL returns text as the base64:// URL that Kratos takes for mappers,
// hook bodies and identity schemas.
func Base64URL(text string) string {
	return "base64://" + base64.StdEncoding.EncodeToString([]byte(text))
}

// FromBase64URL returns the text of Base64URL's result, "" for anything else.
func FromBase64URL(url string) string {
	text, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(url, "base64://"))
	if err != nil {
		return ""
	}
	return string(text)
}

// ParseDocument decodes a configuration document from JSON, ready for
// Config.Documents.
func ParseDocument(text []byte) (map[string]any, error) {
	var doc map[string]any
	if err := json.Unmarshal(text, &doc); err != nil {
		return nil, fmt.Errorf("Kratos configuration: %w", err)
	}
	return doc, nil
}

// Hooks returns a document with the hooks of one flow and method, e.g.
// Hooks("registration", "oidc", …).
func Hooks(flow, method string, hooks ...map[string]any) map[string]any {
	list := make([]any, len(hooks))
	for i, hook := range hooks {
		list[i] = hook
	}
	return object("selfservice", object("flows", object(flow, object("after", object(method, object("hooks", list))))))
}

// object is a map with one key.
func object(key string, value any) map[string]any { return map[string]any{key: value} }

// endpoints are the places of one Kratos. The pages that Kratos sends people to
// lie on its own host under uiPath; nobody serves them, the Browser stops there.
type endpoints struct{ publicPort, adminPort int }

const uiPath = "/test-ui/"

func (e endpoints) public() string { return fmt.Sprintf("http://127.0.0.1:%d", e.publicPort) }
func (e endpoints) admin() string  { return fmt.Sprintf("http://127.0.0.1:%d", e.adminPort) }
func (e endpoints) page(name string) string {
	return e.public() + uiPath + name
}

// render returns the configuration of a Kratos at e, as JSON-able maps.
func (c Config) render(e endpoints, dsn string) (map[string]any, error) {
	schema := c.IdentitySchema
	if schema == "" {
		schema = defaultSchema
	}
	doc := map[string]any{
		"version": "v1.3.1",
		"dsn":     dsn,
		"serve": map[string]any{
			"public": map[string]any{"base_url": e.public() + "/", "host": "127.0.0.1", "port": e.publicPort},
			"admin":  map[string]any{"base_url": e.admin() + "/", "host": "127.0.0.1", "port": e.adminPort},
		},
		"selfservice": map[string]any{
			"default_browser_return_url": e.page("welcome"),
			"allowed_return_urls":        []any{e.page("")},
			"methods":                    c.methods(),
			"flows":                      flows(e),
		},
		"log": map[string]any{"level": "info", "format": "json", "leak_sensitive_values": false},
		"secrets": map[string]any{
			"cookie": []any{"a cookie secret for tests only 1"},
			"cipher": []any{"a cipher secret for tests only 1"},
		},
		"hashers": map[string]any{"algorithm": "bcrypt", "bcrypt": object("cost", 4)},
		"ciphers": map[string]any{"algorithm": "xchacha20-poly1305"},
		"identity": map[string]any{
			"default_schema_id": "default",
			"schemas":           []any{map[string]any{"id": "default", "url": Base64URL(schema)}},
		},
		"courier": object("smtp", object("connection_uri", "smtp://127.0.0.1:1/?disable_starttls=true")),
	}
	for _, overlay := range c.Documents {
		doc = mergeMaps(doc, overlay)
	}
	// A round trip makes a copy: a document of the test is never shared.
	text, err := json.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("Kratos configuration: %w", err)
	}
	return ParseDocument(text)
}

func (c Config) methods() map[string]any {
	providers := make([]any, 0, len(c.Providers))
	for _, p := range c.Providers {
		entry := map[string]any{
			"id": p.ID, "provider": "generic", "label": p.ID, "issuer_url": p.Issuer,
			"client_id": clientID, "client_secret": clientSecret,
			"scope": []any{"openid", "email", "profile"},
		}
		if p.MapperURL != "" {
			entry["mapper_url"] = p.MapperURL
		}
		providers = append(providers, entry)
	}
	return map[string]any{
		// Asking a service in the Internet about every password costs its
		// timeout where there is none.
		"password": map[string]any{"enabled": c.Password, "config": object("haveibeenpwned_enabled", false)},
		"code":     object("enabled", false),
		"link":     object("enabled", false),
		"oidc":     map[string]any{"enabled": true, "config": object("providers", providers)},
	}
}

func flows(e endpoints) map[string]any {
	flows := map[string]any{}
	for _, name := range []string{"error", "settings", "verification", "recovery", "login"} {
		flows[name] = object("ui_url", e.page(name))
	}
	flows["registration"] = map[string]any{"enabled": true, "ui_url": e.page("registration")}
	return flows
}

// mergeMaps returns base with overlay laid over it; neither is changed.
func mergeMaps(base, overlay map[string]any) map[string]any {
	out := maps.Clone(base)
	if out == nil {
		out = map[string]any{}
	}
	for key, over := range overlay {
		out[key] = mergeValues(out[key], over)
	}
	return out
}

func mergeValues(base, over any) any {
	switch over := over.(type) {
	case map[string]any:
		if base, ok := base.(map[string]any); ok {
			return mergeMaps(base, over)
		}
	case []any:
		if base, ok := base.([]any); ok && allHaveID(base) && allHaveID(over) {
			return mergeByID(base, over)
		}
	}
	return over
}

// allHaveID reports whether every item is a map with an id; an empty list counts,
// so that items can be added to it.
func allHaveID(list []any) bool {
	return !slices.ContainsFunc(list, func(item any) bool { return idOf(item) == "" })
}

func idOf(item any) string {
	m, _ := item.(map[string]any)
	id, _ := m["id"].(string)
	return id
}

func mergeByID(base, over []any) []any {
	out := slices.Clone(base)
	for _, item := range over {
		at := slices.IndexFunc(out, func(known any) bool { return idOf(known) == idOf(item) })
		if at < 0 {
			out = append(out, item)
			continue
		}
		out[at] = mergeValues(out[at], item)
	}
	return out
}

// secretsOf returns every string under a key that holds a credential, wherever
// it stands in the configuration.
func secretsOf(value any) []string {
	var found []string
	switch value := value.(type) {
	case map[string]any:
		for key, inner := range value {
			switch text, isText := inner.(string); {
			case isText && slices.Contains([]string{"client_secret", "password", "value"}, key):
				found = append(found, text)
			default:
				found = append(found, secretsOf(inner)...)
			}
		}
	case []any:
		for _, inner := range value {
			found = append(found, secretsOf(inner)...)
		}
	}
	return found
}
