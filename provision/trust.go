package provision

import (
	"slices"
	"strings"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/provider"
)

// distrust takes back "verified" where the file of the provider that said so
// does not give it that say any more. What an operator has stopped believing
// must not go on holding an address, and no claims need come for that.
func (s *Service) distrust(p *Plan) {
	if p.refused() || p.Before == nil {
		return
	}
	taken := false
	for n, by := range p.After.Provenance {
		if s.believed(p.After, by) {
			continue
		}
		p.After.Provenance[n].VerifiedBy = ""
		p.changed("/traits"+by.Path, identity.OpSet)
		taken = true
	}
	if taken {
		p.releaseMail()
	}
}

// believed reports whether who verified a value may still say so.
func (s *Service) believed(i *identity.Identity, by identity.Provenance) bool {
	if !strings.HasPrefix(by.VerifiedBy, identity.ProviderSource("")) {
		return true
	}
	value, _ := i.Trait(by.Path)
	return slices.ContainsFunc(s.speakers(i, by.VerifiedBy), func(prov *provider.Provider) bool { return prov.Mapping.MayVerify(by.Path, value) })
}

// speakers are the providers that a source stands for now: the one that it
// names or, if that has no file any more, those that have its issuer.
func (s *Service) speakers(i *identity.Identity, source string) []*provider.Provider {
	set, name := s.Providers(), strings.TrimPrefix(source, identity.ProviderSource(""))
	if prov, ok := set.Get(name); ok {
		return []*provider.Provider{prov}
	}
	var heirs []*provider.Provider
	for _, l := range i.Links {
		if l.Provider == name {
			heirs = append(heirs, set.OfIssuer(l.Issuer)...)
		}
	}
	return heirs
}
