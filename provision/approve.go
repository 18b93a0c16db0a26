package provision

import (
	"errors"
	"slices"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

// maxRejections bounds how many of an administrator's noes an identity keeps:
// the oldest give way.
const maxRejections = 100

// ErrNoProposal says that the identity has no such proposal any more.
var ErrNoProposal = errors.New("there is no proposed link with this id")

// Approve makes a link that a login proposed, or that was rejected or removed
// before, on the administrator's word: a protected identity is no obstacle. Who
// is barred gets no link, nor who has a subject of the provider already; and a
// subject that has an identity of its own by now is left there. The id is that
// of identity.ProposalID. Errors: ErrNoProposal.
func Approve(id string) Edit {
	return Edit{code: identity.CodeAdminLinkApproved, change: func(s *Service, p *Plan) error {
		at, err := p.proposed(id)
		if err != nil {
			return err
		}
		q := p.After.Proposals[at]
		issuers := []string{q.Issuer}
		if prov, ok := s.Providers().Get(q.Provider); ok {
			issuers = prov.Issuers
		}
		switch {
		case p.Before.State != identity.StateActive:
			p.deny(identity.BecauseOf(identity.CodeStateRefused, "/state"), "")
		case hasOne(p.Before, q.Provider, issuers):
			p.deny(identity.Because(identity.CodeLinkRefused), "")
		default:
			p.connect(identity.Link{
				Provider: q.Provider, Issuer: q.Issuer, Subject: q.Subject, Credential: q.Credential,
				LinkedAt: p.now, Evidence: identity.SourceAdmin, Match: q.Match,
			})
		}
		return nil
	}}
}

// Reject remembers that the administrator does not want a proposed link: its
// subject is refused from then on where it would be linked or proposed again.
// Errors: ErrNoProposal.
func Reject(id string) Edit {
	return Edit{code: identity.CodeAdminLinkRejected, change: func(_ *Service, p *Plan) error {
		at, err := p.proposed(id)
		if err != nil {
			return err
		}
		if q := p.After.Proposals[at]; q.State != identity.ProposalRejected {
			p.reject(q)
			p.changed("/proposals/"+escape(q.Provider), identity.OpSet)
		}
		return nil
	}}
}

// proposed returns the index of the proposal that an edit is about, and notes
// whose subject it is.
func (p *Plan) proposed(id string) (int, error) {
	at := slices.IndexFunc(p.Before.Proposals, func(q identity.Proposal) bool { return p.Before.ProposalID(q) == id && !q.Expired(p.now) })
	if at < 0 {
		return at, ErrNoProposal
	}
	q := p.Before.Proposals[at]
	p.Record.Provider, p.Record.Issuer, p.Record.SubjectKey = q.Provider, q.Issuer, q.Key()
	return at, nil
}

// reject has the identity remember an administrator's no to a link.
func (p *Plan) reject(q identity.Proposal) {
	q.State, q.At, q.Expires = identity.ProposalRejected, p.now, time.Time{}
	kept := slices.DeleteFunc(p.After.Proposals, func(old identity.Proposal) bool { return old.Key() == q.Key() || old.Expired(p.now) })
	noes := 0
	for n := len(kept) - 1; n >= 0; n-- { // the newest come last
		if kept[n].State == identity.ProposalRejected {
			if noes++; noes >= maxRejections {
				kept = slices.Delete(kept, n, n+1)
			}
		}
	}
	p.After.Proposals = append(kept, q)
}

// takenMeanwhile reports whether an approved link failed because its subject
// belongs to somebody else by now.
func (p *Plan) takenMeanwhile(err error) bool {
	var taken *store.TakenError
	var elsewhere *store.ElsewhereError
	return p.linked && p.Record.Hook == identity.HookAdmin &&
		(errors.As(err, &taken) && taken.Key == p.Record.SubjectKey || errors.As(err, &elsewhere))
}
