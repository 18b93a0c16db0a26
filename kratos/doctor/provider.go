package doctor

import (
	"slices"
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
		path := at(setup.Providers(), i)
		n := slices.IndexFunc(e.jithook.Providers, func(p Provider) bool { return p.ID == id })
		if n < 0 {
			e.find(CodeProviderUnknown, path, "jithook has no file of provider %q that this Kratos's key may speak for: its people are kept out", id)
			continue
		}
		shared++
		if issuer := issuerOf(entry); issuer != "" && !slices.ContainsFunc(e.jithook.Providers[n].Issuers, func(i string) bool { return sameIssuer(entry, i, issuer) }) {
			e.find(CodeIssuerDiffers, below(path, "issuer_url"), "the file of provider %q names another issuer", id)
		}
		if setup.At(entry, "account_linking_mode") == "automatic" { // of Ory Network's
			e.find(CodeLinkUnproven, below(path, "account_linking_mode"), "whoever provider %q gives somebody's address comes into the account that has it", id)
		}
		e.mapper(below(path, "mapper_url"), id, setup.At(entry, "mapper_url"))
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

// sameIssuer reports whether the claims of a provider are of the issuer in its file.
// A generic one's have the issuer_url to the letter, or Kratos refuses them itself;
// that of other kinds is an address, which may end with a slash.
func sameIssuer(entry any, file, kratos string) bool {
	if setup.At(entry, "provider") == "generic" {
		return file == kratos
	}
	return strings.TrimSuffix(file, "/") == strings.TrimSuffix(kratos, "/")
}

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
