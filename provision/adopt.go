package provision

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/kratos"
	"github.com/jithook/jithook/store"
)

// Adoption is one step of taking over the people whom a Kratos has already.
type Adoption struct {
	// Instance is the name of the Kratos.
	Instance string
	// Apply makes the identities; without it nothing is written.
	Apply bool
	// Userstore is for whom no provider's file names one.
	Userstore string
	// PageToken is the NextPageToken of the step before.
	PageToken string
	RequestID string
}

// Adopted is what a step came upon.
type Adopted struct {
	People        []Adoptee
	NextPageToken string
}

// Adoptee is somebody whom Kratos has.
type Adoptee struct {
	KratosID string   `json:"kratos_id"`
	Standing Standing `json:"outcome"`
	// Code says why somebody is refused, Path for which trait.
	Code identity.Code `json:"code,omitempty"`
	Path string        `json:"path,omitempty"`
	// IdentityID is the person's identity here, if there is one, DecisionID the
	// record of how it was made just now.
	IdentityID string `json:"identity_id,omitempty"`
	DecisionID string `json:"decision_id,omitempty"`
}

// Standing is what became of an Adoptee.
type Standing string

// The closed list of standings.
const (
	StandingDue      Standing = "due"      // would be imported
	StandingImported Standing = "imported" // was imported
	// StandingKnown: the person has an identity here. It is left as it is.
	StandingKnown Standing = "known"
	// StandingOther: nobody of a provider vouches for them; they sign in by
	// other means, which are no business of ours.
	StandingOther Standing = "not_federated"
	// StandingRefused: the person cannot be taken over, and why.
	StandingRefused Standing = "refused"
)

var (
	// ErrNoKratos says that there is no Admin API of this instance, or of any.
	ErrNoKratos = errors.New("no such Kratos has an admin_url in kratos.instances, so that it could be asked")
	// ErrUserstore says that there is no userstore of this name.
	ErrUserstore = errors.New("there is no userstore with this name")
	// ErrUnheard says that Kratos did not answer.
	ErrUnheard = errors.New("no answer from Kratos")
)

// Adopt looks at some people of a Kratos and, with Apply, makes an identity for
// each who signs in by a provider and has none here: linked to the subjects
// that Kratos lets in, with those of Kratos's traits that the providers' files
// map, none of them verified. What is here already stays as it is, so a step may
// be repeated. Errors: ErrNoKratos, ErrUserstore, ErrUnheard, the store's and the context's.
func (s *Service) Adopt(ctx context.Context, w Adoption) (Adopted, error) {
	admin := s.Kratos[w.Instance]
	switch {
	case admin == nil:
		return Adopted{}, ErrNoKratos
	case w.Userstore != "" && !slices.Contains(s.Userstores, w.Userstore):
		return Adopted{}, ErrUserstore
	}
	ids, next, err := admin.Page(ctx, w.PageToken, askingPage)
	if err != nil {
		return Adopted{}, fmt.Errorf("%w: %w", ErrUnheard, err)
	}
	out := Adopted{People: []Adoptee{}, NextPageToken: next}
	for _, id := range ids {
		account, err := admin.Account(ctx, id)
		if errors.Is(err, kratos.ErrNoIdentity) {
			continue // gone since the page was read
		}
		if err != nil {
			return Adopted{}, fmt.Errorf("%w: %w", ErrUnheard, err)
		}
		one, err := s.adopt(ctx, w, account)
		if err != nil {
			return Adopted{}, err
		}
		out.People = append(out.People, one)
	}
	return out, nil
}

// adopt takes one person over. Whoever signs in meanwhile comes first: the next
// plan knows them.
func (s *Service) adopt(ctx context.Context, w Adoption, a kratos.Account) (Adoptee, error) {
	one := Adoptee{KratosID: a.ID, Standing: StandingOther}
	if len(a.Credentials) == 0 {
		return one, nil
	}
	for range attempts {
		p, err := s.planAdoption(ctx, w, a)
		if err != nil {
			return one, err
		}
		one.IdentityID = p.Record.IdentityID
		switch {
		case p.refused():
			one.Standing, one.Code, one.Path = StandingRefused, p.Record.Reasons[0].Code, p.Record.Reasons[0].Path
			return one, nil
		case p.Before != nil:
			one.Standing = StandingKnown
			return one, nil
		case !w.Apply:
			one.Standing, one.IdentityID = StandingDue, ""
			return one, nil
		}
		err = s.write(ctx, p)
		var taken *store.TakenError
		var elsewhere *store.ElsewhereError
		switch {
		case err == nil:
			one.Standing, one.DecisionID = StandingImported, p.Record.ID
			s.Log.InfoContext(ctx, "person of Kratos taken over", "decision_id", p.Record.ID, "identity_id", p.Record.IdentityID,
				"instance", w.Instance, "request_id", w.RequestID)
			if s.Observe != nil {
				s.Observe(p.Record)
			}
			return one, nil
		case !errors.Is(err, store.ErrConflict) && !errors.As(err, &taken) && !errors.As(err, &elsewhere):
			return one, err
		}
	}
	one.Standing, one.Code, one.IdentityID = StandingRefused, identity.CodeConflict, ""
	return one, nil
}
