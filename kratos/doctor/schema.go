package doctor

import (
	"encoding/json"
	"slices"

	"github.com/jithook/jithook/kratos/setup"
)

// schema looks at the identity schema that whoever signs up gets. One that
// cannot be read is a finding: whatever it lacks would be passed over.
func (e *examination) schema() {
	path, url := e.standard()
	text := e.jithook.Schema
	if text == nil {
		text = e.ours.Content(url)
	}
	var schema any
	if json.Unmarshal(text, &schema) != nil {
		e.find(CodeSchemaUnread, path, "the default identity schema cannot be read from here")
		return
	}
	traits, _ := setup.At(schema, "properties", "traits").(map[string]any)
	properties, ok := traits["properties"].(map[string]any)
	if !ok { // behind a $ref, perhaps
		e.find(CodeSchemaUnread, path, "the default identity schema does not list its traits below properties.traits.properties")
		return
	}
	e.traits(path, properties, traits["additionalProperties"] == false)
}

// standard returns where the default schema is named, and its URL: the only one,
// or the one with the default id.
func (e *examination) standard() (path []string, url string) {
	path = []string{"identity", "schemas"}
	list, _ := setup.At(e.config, path...).([]any)
	id := setup.At(e.config, "identity", "default_schema_id")
	if id == nil {
		id = "default" // Kratos v1.3.1's
	}
	for i, entry := range list {
		if len(list) == 1 || setup.At(entry, "id") == id {
			url, _ = setup.At(entry, "url").(string)
			return at(path, i), url
		}
	}
	return path, ""
}

func (e *examination) traits(path []string, properties map[string]any, closed bool) {
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
		switch property, has := properties[name]; {
		case !has:
			e.find(CodeUnlinkable, path, "accounts are looked up by %q, which the identity schema does not have: nobody can prove the account that they have", name)
		case !identifies(property):
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
