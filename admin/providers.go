package admin

import (
	"net/http"

	"github.com/labstack/echo/v4"
)

// Provider is a provider's file as the API shows it.
type Provider struct {
	Provider string   `json:"provider"`
	Issuers  []string `json:"issuers"`
	Enabled  bool     `json:"enabled"`
	// Userstore is a name; where an expression yields one, UserstoreFrom has
	// its text.
	Userstore     string `json:"userstore,omitempty"`
	UserstoreFrom string `json:"userstore_from,omitempty"`
	File          string `json:"file"`
	Digest        string `json:"digest"`
}

// Providers are those in force.
type Providers struct {
	Providers []Provider `json:"providers"`
}

func (a *API) providers(c echo.Context) error {
	if err := known(c); err != nil {
		return err
	}
	out := Providers{[]Provider{}}
	for _, p := range a.Providers().All() {
		name, from := p.Policy.Userstore()
		out.Providers = append(out.Providers, Provider{
			Provider: p.ID, Issuers: p.Issuers, Enabled: p.Policy.Enabled(), Userstore: name, UserstoreFrom: from,
			File: p.File, Digest: p.Digest,
		})
	}
	return c.JSON(http.StatusOK, out)
}
