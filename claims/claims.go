// Package claims says where a login's claims come from, in which order the
// places are asked, and what ties provider, issuer and subject together. Its
// result is Evidence: what may be believed of a login.
//
// It must not know policies, mappings or userstores, and it never decides who
// gets in: it says what is known, what is absent and what is contradictory.
package claims

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jithook/jithook/identity"
)

// Evidence is what a source vouches for.
type Evidence struct {
	Source  string
	Issuer  string
	Subject string
	// Credential is the identity server's own subject where it is another.
	Credential string
	// Claims is nil when the subject is known and nothing else.
	Claims map[string]any
	// Normalised says that the identity server changed the claims; see
	// identity.Offer.
	Normalised bool
	// Time orders claims of one link. It is the caller's or the provider's word
	// and never this server's time of receipt, which replicas do not agree on;
	// zero where nobody dated the claims.
	Time time.Time
	// Fresh says that the claims are those of this very login: only such may
	// change an existing identity. Others may create one.
	Fresh bool
	// Ticket, if not nil, is good for one flow only.
	Ticket *Ticket
}

// MaxSkew is how far the clock of whoever dates claims may be ahead of ours.
const MaxSkew = 60 * time.Second

// Origin is what a provider's file says about itself.
type Origin struct {
	Provider string
	Issuers  []string // at least one, compared exactly
	// Subject is the path of the claim that is the subject; nil is sub.
	Subject []string
}

// Tie returns why a subject is not that of the claims beside it, or "". Claims
// that lack a subject's claim of the file's own choice leave it open whose they
// are; sub may be left out of what a caller or a mapper hands over.
func (o Origin) Tie(subject string, claims map[string]any) identity.Code {
	switch found := o.named(claims); {
	case found == any(subject):
		return ""
	case found != nil:
		return identity.CodeClaimsConflict
	case o.Subject != nil:
		return identity.CodeSubjectUndeterminable
	}
	return ""
}

// named is the claim that is the subject; nil if it is not there.
func (o Origin) named(claims map[string]any) any {
	path := o.Subject
	if path == nil {
		path = []string{"sub"}
	}
	var found any = claims
	for _, name := range path {
		members, _ := found.(map[string]any)
		found = members[name]
	}
	return found
}

// Source is one place where claims come from.
type Source interface {
	// Claims returns the evidence of this source for l. Errors: ErrAbsent when
	// the source has nothing about this login; *Refusal when it has something
	// that must not be believed; *Fault when it cannot tell.
	Claims(ctx context.Context, l identity.Login) (Evidence, error)
}

// ErrAbsent says that a source has nothing about a login: the next one is
// asked.
var ErrAbsent = errors.New("no claims from this source")

// Refusal says that a source has something about a login that must not be
// believed. No further source is asked: falling through on invalidity would
// let whoever spoils one source choose the next.
type Refusal struct {
	Source string
	Code   identity.Code
	// Why says more than the code to who reads the log; it holds nothing of
	// the claims.
	Why string
}

func (r *Refusal) Error() string { return fmt.Sprintf("claims from %s refused: %s", r.Source, r.Code) }

// Fault says that a source could not tell what to believe, for a reason that
// lies with us: the login fails and may be tried again. It is never taken for
// absence.
type Fault struct {
	Source string
	Code   identity.Code
}

func (f *Fault) Error() string { return fmt.Sprintf("claims from %s not read: %s", f.Source, f.Code) }

// Resolve asks the sources in their order and returns the first evidence that
// has claims. Without any, it returns the first that at least names the
// subject, or ErrAbsent. Those that it asked must name one and the same subject.
func Resolve(ctx context.Context, sources []Source, l identity.Login) (Evidence, error) {
	var named *Evidence
	for _, s := range sources {
		e, err := s.Claims(ctx, l)
		switch {
		case errors.Is(err, ErrAbsent):
			continue
		case err != nil:
			return Evidence{}, err
		case named != nil && (named.Issuer != e.Issuer || named.Subject != e.Subject):
			return Evidence{}, &Refusal{Source: e.Source, Code: identity.CodeClaimsConflict}
		case e.Claims != nil:
			return e, nil
		case named == nil:
			named = &e
		}
	}
	if named != nil {
		return *named, nil
	}
	return Evidence{}, ErrAbsent
}

// Sources are the names of the sources that a provider's file need not set up,
// in the order used when it lists none.
func Sources() []string {
	return []string{identity.SourceKratosMetadata, identity.SourceKratosAdmin, identity.SourceHookBody}
}

// NewCarried returns the source of this name for a provider, one of Sources.
func NewCarried(name string, o Origin, now func() time.Time) Source {
	return carried{name: name, origin: o, now: now}
}

// carried is the source of claims that came with the request itself: in
// Kratos's metadata_public, where only the mapper can write, or in the body of
// the generic contract, for which the caller's credential answers; and of what
// Kratos's Admin API said when it was asked about the request.
type carried struct {
	name   string
	origin Origin
	now    func() time.Time
}

func (c carried) Claims(_ context.Context, l identity.Login) (Evidence, error) {
	// Metadata of another provider than the one that signed in describes an
	// earlier link of the person (seen on Kratos v1.3.1 once a second provider
	// is linked): it says nothing about this login.
	at := slices.IndexFunc(l.Offers, func(o identity.Offer) bool { return o.Source == c.name && o.Provider == c.origin.Provider })
	if at < 0 || l.Provider != c.origin.Provider {
		return Evidence{}, ErrAbsent
	}
	o := l.Offers[at]
	if c.name == identity.SourceKratosAdmin && o.Issuer == "" && len(c.origin.Issuers) > 1 {
		// Kratos's credentials name no issuer: of several it may be any.
		return Evidence{}, ErrAbsent
	}
	kratos := c.name != identity.SourceHookBody
	if kratos && c.origin.Subject != nil && o.Credential == "" {
		// A mapper that knows nothing of the subject's claim wrote it: it names
		// another subject.
		return Evidence{}, ErrAbsent
	}
	issuer, code := c.issuer(o)
	if code != "" {
		return Evidence{}, &Refusal{Source: c.name, Code: code}
	}
	if identity.CheckSubject(o.Subject) != nil {
		return Evidence{}, &Refusal{Source: c.name, Code: identity.CodeSubjectInvalid}
	}
	if o.Claims != nil {
		if code := c.origin.Tie(o.Subject, o.Claims); code != "" {
			return Evidence{}, &Refusal{Source: c.name, Code: code}
		}
	}
	if !bounded(o.Claims) {
		return Evidence{}, &Refusal{Source: c.name, Code: identity.CodeClaimsInvalid}
	}
	e := Evidence{Source: c.name, Issuer: issuer, Subject: o.Subject, Claims: o.Claims, Normalised: o.Normalised}
	if c.origin.Subject != nil {
		e.Credential = o.Credential
	}
	// At Kratos's login hook, metadata dates from the registration unless
	// Kratos re-ran the mapper, and nothing in the payload tells the two
	// apart: it may create, never change. The Admin API has nothing newer.
	if l.Hook != identity.HookLogin && c.name != identity.SourceKratosAdmin {
		e.Fresh, e.Time = true, l.At
	}
	if e.Time.After(c.now().Add(MaxSkew)) {
		// Every later login would look older, until that time comes.
		return Evidence{}, &Refusal{Source: c.name, Code: identity.CodeClaimsInvalid}
	}
	return e, nil
}

// issuer ties the carrier's issuer and the claims' own to the provider's file.
// An offer that names none gets the file's if that is the only one.
func (c carried) issuer(o identity.Offer) (string, identity.Code) {
	named := o.Issuer
	if iss, ok := o.Claims["iss"]; ok {
		s, isString := iss.(string)
		if !isString || named != "" && s != named {
			return "", identity.CodeClaimsConflict
		}
		named = s
	}
	if named == "" && len(c.origin.Issuers) == 1 {
		return c.origin.Issuers[0], ""
	}
	if !slices.Contains(c.origin.Issuers, named) {
		return "", identity.CodeIssuerUnknown
	}
	return named, ""
}

// MaxString and MaxList bound a claim: bytes of a string, elements of a list or
// an object. A rule that loops over a list and looks at a string each time
// costs their product.
const (
	MaxString = 64 << 10
	MaxList   = 10_000
)

// bounded reports whether a claim is within the bounds, all the way down. The
// depth is bounded by the decoder.
func bounded(claim any) bool {
	switch c := claim.(type) {
	case string:
		return len(c) <= MaxString
	case []any:
		return len(c) <= MaxList && !slices.ContainsFunc(c, func(v any) bool { return !bounded(v) })
	case map[string]any:
		if len(c) > MaxList {
			return false
		}
		for name, v := range c {
			if len(name) > MaxString || !bounded(v) {
				return false
			}
		}
	}
	return true
}
