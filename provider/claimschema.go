package provider

import (
	"io/fs"
	"path"
	"strings"

	"github.com/jithook/jithook/internal/claimschema"
	"github.com/jithook/jithook/internal/strictyaml"
)

// schemaSuffix ends the name of a file that says which claims a provider sends.
const schemaSuffix = ".schema.json"

// isSchema reports whether a file beside the providers' is such a one:
// acme.schema.json.
func isSchema(name string) bool { return strings.HasSuffix(name, schemaSuffix) }

// schema reads the schema of the provider's claims. Logins do not ask it.
func (c *compiler) schema(t *strictyaml.Text, p *Provider) {
	if t == nil {
		return
	}
	name := path.Clean(t.Value)
	if !isSchema(name) || !fs.ValidPath(name) {
		c.refuse(*t, "schema is a file in this folder or below it, whose name ends with %s", schemaSuffix)
		return
	}
	data, err := read(c.fsys, name)
	if err != nil {
		c.refuse(*t, "%s cannot be read: %s", name, reason(err))
		return
	}
	if p.schema, err = claimschema.Parse(data); err != nil {
		c.refuse(*t, "%s: %s", name, strings.Join(strings.Fields(err.Error()), " "))
	}
	p.schemaFile, p.schemaDigest = name, digest(data)
}
