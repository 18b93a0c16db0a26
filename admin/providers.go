package admin

import (
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/jithook/jithook/provider"
	"github.com/jithook/jithook/store"
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

// Providers are those in force, page by page.
type Providers struct {
	Providers     []Provider `json:"providers"`
	NextPageToken string     `json:"next_page_token"`
}

// tokenProviders is the kind of their page tokens; see store.NewPageToken.
const tokenProviders = 'p'

// providers lists them in the order of their ids. Those that come or go between two
// pages may show up or not.
func (a *API) providers(c echo.Context) error {
	if err := known(c, "page_size", "page_token"); err != nil {
		return err
	}
	size, err := pageSize(c)
	if err != nil {
		return err
	}
	last, err := store.ParsePageToken(tokenProviders, c.QueryParam("page_token"))
	if err != nil {
		return fault(err)
	}
	all := a.Providers().All()
	at, found := slices.BinarySearchFunc(all, last, func(p *provider.Provider, id string) int { return strings.Compare(p.ID, id) })
	if found {
		at++
	}
	page := all[at:min(at+store.PageSize(size), len(all))]
	out := Providers{Providers: []Provider{}}
	for _, p := range page {
		name, from := p.Policy.Userstore()
		out.Providers = append(out.Providers, Provider{
			Provider: p.ID, Issuers: p.Issuers, Enabled: p.Policy.Enabled(), Userstore: name, UserstoreFrom: from,
			File: p.File, Digest: p.Digest,
		})
	}
	if at+len(page) < len(all) {
		out.NextPageToken = store.NewPageToken(tokenProviders, page[len(page)-1].ID)
	}
	return c.JSON(http.StatusOK, out)
}
