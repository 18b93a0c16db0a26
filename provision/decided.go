package provision

import (
	"github.com/jithook/jithook/claims"
	"github.com/jithook/jithook/identity"
)

// Decided is a login that was decided by claims, and carried out.
type Decided struct {
	Record   identity.Record
	Evidence claims.Evidence
	// Before is the identity that the login found, as it was then; nil for
	// nobody.
	Before *identity.Identity
}

// show lets somebody else see what was decided.
func (s *Service) show(p Plan, out Outcome) {
	if s.Decided != nil && p.evidence.Claims != nil {
		s.Decided(Decided{Record: out.Record, Evidence: p.evidence, Before: p.Before})
	}
}
