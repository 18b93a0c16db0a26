package provider

import (
	"github.com/jithook/jithook/claims"
)

// Recorded returns the same providers for logins that are decided again from
// their records: each of their sources takes what it has vouched for before, and
// verifies nothing. They must not decide anything that is carried out.
func (s *Set) Recorded() *Set {
	again := make(map[string]*Provider, len(s.providers))
	for id, p := range s.providers {
		twin := *p
		names := claims.Sources()
		if len(p.Listed) > 0 {
			names = nil
		}
		for _, t := range p.Listed {
			names = append(names, t.Value)
		}
		twin.Sources = nil
		for _, name := range names {
			twin.Sources = append(twin.Sources, claims.NewRecorded(name, claims.Origin{Provider: p.ID, Issuers: p.Issuers, Subject: p.Subject}))
		}
		again[id] = &twin
	}
	return newSet(again)
}
