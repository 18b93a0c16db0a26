package provision

//go:generate go test -run TestTransitionsAreDocumented . -update

import (
	"maps"
	"slices"
	"strings"

	"github.com/jithook/jithook/identity"
)

// Actor is who may bring an identity from one state into another.
type Actor string

const (
	// ByAdmin is an administrator's edit.
	ByAdmin Actor = "administrator"
	// ByLogin is a login of the person that the provider's policy lets pass, or
	// the identity server's word that it has the person.
	ByLogin Actor = "login"
	// ByDelivery is the last system's knowing that somebody was deleted.
	ByDelivery Actor = "delivery"
	// BySweep is time: nobody finished the sign-in, or nobody signed in.
	BySweep Actor = "sweep"
)

// Nobody is the state of who is not made yet, or gone.
const Nobody identity.State = ""

// Transition is a way from one state to another, and who may take it.
type Transition struct {
	From, To identity.State
	By       []Actor
}

// Transitions returns every way there is. A login brings back only those whom
// its own provider barred, and only where its file says so.
func Transitions() []Transition {
	const pending, active, suspended, deprovisioned = identity.StatePending, identity.StateActive, identity.StateSuspended, identity.StateDeprovisioned
	const deleted = identity.StateDeleted
	return []Transition{
		{Nobody, pending, []Actor{ByLogin}},
		{Nobody, active, []Actor{ByLogin, ByAdmin}},
		{Nobody, suspended, []Actor{ByAdmin}},
		{pending, active, []Actor{ByLogin}},
		{pending, suspended, []Actor{ByAdmin}},
		{pending, deprovisioned, []Actor{ByAdmin}},
		{pending, deleted, []Actor{ByAdmin, BySweep}},
		{pending, Nobody, []Actor{ByAdmin, BySweep}},
		{active, suspended, []Actor{ByAdmin, BySweep}},
		{active, deprovisioned, []Actor{ByAdmin}},
		{active, deleted, []Actor{ByAdmin}},
		{active, Nobody, []Actor{ByAdmin}},
		{suspended, active, []Actor{ByAdmin, ByLogin}},
		{suspended, pending, []Actor{ByAdmin}},
		{suspended, deprovisioned, []Actor{ByAdmin}},
		{suspended, deleted, []Actor{ByAdmin}},
		{suspended, Nobody, []Actor{ByAdmin}},
		{deprovisioned, active, []Actor{ByAdmin, ByLogin}},
		{deprovisioned, pending, []Actor{ByAdmin}},
		{deprovisioned, deleted, []Actor{ByAdmin}},
		{deprovisioned, Nobody, []Actor{ByAdmin}},
		{deleted, Nobody, []Actor{ByDelivery}},
	}
}

// move brings the identity into a state, and reports whether that is a way.
func (p *Plan) move(to identity.State, by Actor, source string) bool {
	if !slices.ContainsFunc(Transitions(), func(t Transition) bool {
		return t.From == p.After.State && t.To == to && slices.Contains(t.By, by)
	}) {
		return false
	}
	p.After.State, p.After.StateSource, p.After.StateAt = to, source, p.now
	p.changed("/state", identity.OpSet)
	return true
}

// returnsTo is the state of who is barred no longer: whom the identity server
// has never acknowledged is pending again, since only it knows whether the
// person has an account there.
func returnsTo(i *identity.Identity) identity.State {
	if acknowledged(i) {
		return identity.StateActive
	}
	return identity.StatePending
}

// unbar gives an identity that came back the keys of one that never left. Those
// of links that were removed meanwhile bar nobody any more; names and addresses
// that it let go of are its own again, unless somebody has them.
func (s *Service) unbar(p *Plan) {
	if p.After.State == identity.StatePending {
		p.After.RenewedAt = p.now // the sweep counts from here
	}
	p.paths = rekey(p.Before, p.After, nil, none)
	s.retake(p)
}

// retake gives whoever comes back the names and addresses that it let go of. An
// administrator may have given it another name since: that is the one that it has.
func (s *Service) retake(p *Plan) {
	if p.Before == nil || p.Before.State != identity.StateDeprovisioned {
		return
	}
	names := s.nameKeys(p.After)
	maps.Copy(p.paths, names)
	p.After.Keys = sortKeys(slices.AppendSeq(p.After.Keys, maps.Keys(names)))
}

// ofName reports whether a key is that of a name or an address.
func ofName(k identity.Key) bool { return k.Kind() == identity.KeyMail || k.Kind() == identity.KeyName }

// nameKeys returns the keys of the identity's unique traits, and which path each
// stands for. Whether a trait is unique is its writer's business; of one that no
// provider wrote, that of every file that may write the identity.
func (s *Service) nameKeys(i *identity.Identity) map[identity.Key]string {
	writers := map[string]bool{} // sources that are a provider with a file
	keys := map[identity.Key]string{}
	for _, by := range i.Provenance {
		id, ok := strings.CutPrefix(by.Source, identity.ProviderSource(""))
		prov, has := s.Providers().Get(id)
		if !ok || !has || writers[by.Source] {
			continue
		}
		writers[by.Source] = true
		maps.Copy(keys, uniqueKeys(i, prov.Mapping.Traits(), func(_, source string) bool { return source == by.Source }))
	}
	maps.Copy(keys, uniqueKeys(i, s.traitsOf(i), func(_, source string) bool { return !writers[source] }))
	return keys
}
