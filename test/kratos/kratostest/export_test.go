//go:build unix

package kratostest

// What only this package's own tests may see.

// Render is Config.render for a Kratos at the given ports.
func Render(c Config, public, admin int) (any, error) {
	doc, err := c.render(endpoints{publicPort: public, adminPort: admin}, "memory")
	return any(doc), err
}

// SecretsOf is secretsOf.
var SecretsOf = secretsOf
