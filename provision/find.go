package provision

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/jithook/jithook/claims"
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/store"
)

// find looks up who this is, in one read: by the subject that the evidence
// names, by the caller's own id, and, where there is no evidence, by the origin
// that the caller has kept from an earlier sign-in. The last may bar a login
// and link nothing.
func (s *Service) find(ctx context.Context, l identity.Login, e claims.Evidence, v view, p *Plan) error {
	var subject, origin, external identity.Key
	if e.Subject != "" {
		subject = p.Record.SubjectKey
	} else {
		origin = s.origin(l)
	}
	if l.External.ID != "" {
		external = identity.ExtKey(l.External)
	}
	keys := slices.DeleteFunc([]identity.Key{subject, origin, external}, func(k identity.Key) bool { return k == "" })
	if len(keys) == 0 {
		return nil
	}
	looked, err := s.Store.Look(ctx, v.first(p), keys...)
	var elsewhere *store.ElsewhereError
	if errors.As(err, &elsewhere) {
		// The person was put into a userstore that is not in the configuration
		// any more, or had a store of its own. Who they are stands there.
		p.deny(identity.Because(identity.CodeUserstoreUnknown), "")
		return nil
	}
	if err != nil {
		return err
	}
	found := looked.Identities
	p.partial, p.pinned = looked.Partial, cmp.Or(looked.Pins[subject], v.pinned)
	// Whoever of them is barred bars the login, unless it may undo that.
	for _, i := range found {
		if i.Barred() && !s.returns(l, e, &i) {
			p.known(i)
			p.veto()
			return nil
		}
		p.there = p.there || i.ID == l.Known
	}
	own := slices.DeleteFunc(found, func(i identity.Identity) bool {
		return !slices.Contains(i.Keys, external) && !slices.Contains(i.Keys, subject)
	})
	switch {
	case len(own) == 0:
		return nil
	case len(own) == 1:
		p.known(own[0])
	case !p.rivals(l, own, subject, external):
		// One holds the subject, the other the caller's id: following either
		// would hand one person's account to the other.
		p.deny(identity.Because(identity.CodeLinkStale), "")
		return nil
	}
	if err := s.takeOver(ctx, l, p); err != nil {
		return err
	}
	s.consistent(ctx, l, e, p)
	return nil
}

// origin is the subject of an earlier sign-in that the caller has kept, if one
// of our providers may have vouched for it, for which the caller may speak.
func (s *Service) origin(l identity.Login) identity.Key {
	for _, o := range l.Offers {
		prov, ok := s.Providers().Get(o.Provider)
		if ok && identity.MaySpeakFor(l.Providers, o.Provider) && slices.Contains(prov.Issuers, o.Issuer) && identity.CheckSubject(o.Subject) == nil {
			return identity.FedKey(o.Issuer, o.Subject)
		}
	}
	return ""
}

// consistent refuses an identity that was found where what is known about it
// contradicts the login.
func (s *Service) consistent(ctx context.Context, l identity.Login, e claims.Evidence, p *Plan) {
	if e.Subject != "" && p.After.Link(e.Issuer, e.Subject) < 0 {
		p.deny(identity.Because(unlinked(*p.Before, l.Provider, e.Issuer)), "")
		return
	}
	recorded, ok := p.Before.External(l.External.System, l.External.Instance)
	switch {
	case !ok:
	case l.Hook == identity.HookPrepare && !s.rebind(ctx, l, recorded, p) && !s.provable(l, e, recorded, p),
		l.Hook != identity.HookPrepare && l.External.ID != "" && recorded != l.External.ID:
		// The identity server knows this subject under another id of its own,
		// or (prepare) says that it does not know it at all. Only an unlinked
		// or deleted account looks so, or a parallel first sign-in.
		p.deny(identity.Because(identity.CodeLinkStale), "")
	}
}

// unlinked says why a subject that is none of the identity's is refused.
func unlinked(i identity.Identity, provider, issuer string) identity.Code {
	for _, l := range i.Links {
		if l.Provider == provider && l.Issuer != issuer {
			return identity.CodeIssuerChanged
		}
	}
	return identity.CodeLinkStale
}
