package doctor

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/jithook/jithook/kratos/setup"
)

// issuers are those of providers that Kratos knows by their kind.
func issuerOf(entry any) string {
	if issuer, _ := setup.At(entry, "issuer_url").(string); issuer != "" {
		return issuer
	}
	if setup.At(entry, "provider") == "google" {
		return "https://accounts.google.com"
	}
	return "" // that of other kinds depends on the tenant, or there is none
}

func (e *examination) providers() {
	list, _ := setup.At(e.config, setup.Providers()...).([]any)
	if !e.on(false, "methods", "oidc", "enabled") {
		list = nil
	}
	shared := 0
	for i, entry := range list {
		id, _ := setup.At(entry, "id").(string)
		path := append(setup.Providers(), strconv.Itoa(i))
		n := slices.IndexFunc(e.jithook.Providers, func(p Provider) bool { return p.ID == id })
		if n < 0 {
			e.find(CodeProviderUnknown, path, "jithook has no file of provider %q that this Kratos's key may speak for: its people are kept out", id)
			continue
		}
		shared++
		if issuer := issuerOf(entry); issuer != "" && !slices.ContainsFunc(e.jithook.Providers[n].Issuers, func(i string) bool { return sameIssuer(i, issuer) }) {
			e.find(CodeIssuerDiffers, append(path, "issuer_url"), "the file of provider %q names another issuer", id)
		}
		e.mapper(append(path, "mapper_url"), id, setup.At(entry, "mapper_url"))
	}
	for _, p := range e.jithook.Providers {
		if !slices.ContainsFunc(list, func(entry any) bool { return setup.At(entry, "id") == p.ID }) {
			e.find(CodeProviderMissing, setup.Providers(), "there is no provider %q", p.ID)
		}
	}
	if shared > 1 && !e.jithook.Admin {
		e.find(CodeAdminMissing, nil, "a person who comes by a second of the %d providers is refused, and what was connected past the policy is not noticed", shared)
	}
}

// sameIssuer allows for the slash that a discovery URL may end with.
func sameIssuer(a, b string) bool { return strings.TrimSuffix(a, "/") == strings.TrimSuffix(b, "/") }

func (e *examination) mapper(path []string, id string, have any) {
	for _, want := range e.jithook.Document.SelfService.Methods.OIDC.Config.Providers {
		switch {
		case want.ID != id || e.ours.SameContent(have, want.MapperURL):
		case e.ours.Mapper(have):
			e.find(CodeMapperOutdated, path, "it is of another version of the file of provider %q, or of jithook", id)
		default:
			e.find(CodeClaimsMissing, path, "the mapper hands no claims over: nobody new comes in by provider %q", id)
		}
	}
}

// schema looks at the identity schemas that it can read.
func (e *examination) schema() {
	list, _ := setup.At(e.config, "identity", "schemas").([]any)
	standard := setup.At(e.config, "identity", "default_schema_id")
	for i, entry := range list {
		if len(list) > 1 && setup.At(entry, "id") != standard {
			continue // whoever signs up gets the default one
		}
		url, _ := setup.At(entry, "url").(string)
		var schema map[string]any
		if json.Unmarshal(e.ours.Content(url), &schema) != nil {
			continue
		}
		traits, _ := setup.At(schema, "properties", "traits").(map[string]any)
		e.traits([]string{"identity", "schemas", strconv.Itoa(i)}, traits)
	}
}

func (e *examination) traits(path []string, schema map[string]any) {
	properties, _ := schema["properties"].(map[string]any)
	closed := schema["additionalProperties"] == false
	var mapped, lookup []string
	for _, p := range e.jithook.Providers {
		mapped, lookup = append(mapped, p.Traits...), append(lookup, p.Lookup...)
	}
	for _, name := range distinct(append(mapped, e.jithook.Restored...)) {
		listed := e.jithook.Restored == nil && name != "groups" || slices.Contains(e.jithook.Restored, name)
		switch _, has := properties[name]; {
		case listed && !has && closed:
			e.find(CodeTraitUnknown, path, "the identity schema has no trait %q, and jithook puts it there", name)
		case has && e.jithook.Restored != nil && !slices.Contains(e.jithook.Restored, name):
			e.find(CodeTraitUnrestored, path, "kratos.restore_traits lacks %q, which the identity schema has and a provider's file decides", name)
		}
	}
	for _, name := range distinct(lookup) {
		if property, has := properties[name]; has && !identifies(property) {
			e.find(CodeUnlinkable, path, "accounts are looked up by %q, which is no identifier of any method: nobody can prove the account that they have", name)
		}
	}
}

// identifies reports whether a method of Kratos knows people by a trait.
func identifies(property any) bool {
	methods, _ := setup.At(property, "ory.sh/kratos", "credentials").(map[string]any)
	for name := range methods {
		if setup.At(methods, name, "identifier") == true || name == "code" && setup.At(methods, name, "via") != nil {
			return true
		}
	}
	return false
}

func distinct(names []string) []string {
	names = slices.Clone(names)
	slices.Sort(names)
	return slices.Compact(names)
}
