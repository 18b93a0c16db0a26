package provision

import "github.com/jithook/jithook/claims"

// takes reports whether the claims may change the identity that was found:
// those of this very login, and not older than what was applied before. Claims
// that nobody dated are as new as their login: which of two came first is the
// store's to say, since replicas do not agree on the time.
func (s *Service) takes(e claims.Evidence, p *Plan) bool {
	at := p.After.Link(e.Issuer, e.Subject)
	if !e.Fresh || at < 0 {
		return false
	}
	if e.Time.IsZero() {
		return true
	}
	applied := p.After.Links[at]
	if e.Time.Before(applied.ClaimsTime) || e.Time.Before(s.Later.Seen(p.After.ID, e.Issuer, e.Subject)) {
		return false
	}
	// What was received in our future was dated by a clock that is wrong, or
	// ours is: it would make everything old until that time comes.
	return !e.Time.Before(applied.ReceivedAt) || applied.ReceivedAt.After(p.now.Add(claims.MaxSkew))
}

// applied notes in the link how new the claims are that it holds now.
func (p *Plan) applied(e claims.Evidence) {
	at := p.After.Link(e.Issuer, e.Subject)
	switch {
	case at < 0 || !e.Fresh:
	case e.Time.IsZero():
		p.After.Links[at].ReceivedAt = p.now
	default:
		p.After.Links[at].ClaimsTime = e.Time
	}
}
