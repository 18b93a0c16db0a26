package provision

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/canon"
	"github.com/jithook/jithook/mapper"
)

// Patch is what an administrator writes into an identity.
type Patch struct {
	// Traits are JSON values by name; a nil pointer removes the trait.
	Traits map[string]*any
	// Add are groups to grant by the administrator's word, Remove those to
	// revoke, whoever granted them.
	Add, Remove []string
}

// Bounds of a Patch.
const (
	// MaxPatch is how many traits and groups one may name together.
	MaxPatch = 1000
	// MaxTraitName is the longest name of a trait, in bytes.
	MaxTraitName = 256
	// MaxPatched is the largest identity that may come of one, in bytes of its
	// JSON: half of what a line of an export holds.
	MaxPatched = 512 << 10
)

// InvalidError says what of a Patch cannot be written, and why. Its text holds
// no value.
type InvalidError struct {
	Path string // /traits/NAME, /groups/add/INDEX, /groups/remove/INDEX, or "" for the whole
	Why  string
}

func (e *InvalidError) Error() string { return strings.TrimPrefix(e.Path+": ", ": ") + e.Why }

// Amend writes traits and groups. Values are held to the rules of the providers'
// files that may write this identity: canonical forms, and unique traits that
// somebody else holds are a refusal. What changes is verified by nobody any more.
// From then on it is the administrator's: a provider changes it only where its
// file overrides what others wrote. A group that a provider's file grants comes
// back with its next login.
//
// Errors: InvalidError.
func Amend(patch Patch) Edit {
	return Edit{code: identity.CodeAdminEdited, change: func(s *Service, p *Plan) error {
		if len(patch.Traits)+len(patch.Add)+len(patch.Remove) > MaxPatch {
			return &InvalidError{"", fmt.Sprintf("there are more than %d traits and groups", MaxPatch)}
		}
		traits := s.traitsOf(p.Before)
		touched, err := p.amendTraits(patch.Traits, traits)
		if err != nil {
			return err
		}
		if err := p.amendGroups(patch.Add, patch.Remove); err != nil {
			return err
		}
		if p.refused() {
			return nil
		}
		p.paths = rekey(p.Before, p.After, traits, func(path, _ string) bool {
			return slices.ContainsFunc(touched, func(t string) bool { return identity.Overlap(t, path) })
		})
		if size(p.After) > max(MaxPatched, size(p.Before)) {
			return &InvalidError{"", fmt.Sprintf("the identity would be larger than %d bytes", MaxPatched)}
		}
		return nil
	}}
}

// traitsOf are the traits of every provider's file that may write the identity,
// or one that must not share a unique trait with it.
func (s *Service) traitsOf(i *identity.Identity) []mapper.TraitInfo {
	linked := make([]string, len(i.Links))
	for n, l := range i.Links {
		linked[n] = l.Provider
	}
	return s.Providers().TraitsIn(i.Userstore, linked)
}

// amendTraits writes the traits, and returns the paths of those whose value is
// another now.
func (p *Plan) amendTraits(values map[string]*any, traits []mapper.TraitInfo) (touched []string, err error) {
	names := slices.Sorted(maps.Keys(values))
	for n, name := range names {
		path := "/" + name
		if why := badName(name); why != "" {
			return nil, &InvalidError{"/traits/" + escape(name), why}
		}
		if slices.ContainsFunc(names[:n], func(above string) bool { return identity.Below(name, above) }) {
			return nil, &InvalidError{"/traits" + path, "the trait is a part of another one that is written as well"}
		}
		if values[name] == nil {
			if p.removeTrait(name) {
				touched = append(touched, path)
			}
			continue
		}
		v, err := checked(path, *values[name], traits)
		if err != nil {
			return nil, err
		}
		if p.setTrait(name, v) {
			touched = append(touched, path)
		}
	}
	return touched, nil
}

// removeTrait reports whether there was one.
func (p *Plan) removeTrait(name string) bool {
	if !p.After.RemoveTrait("/" + name) {
		return false
	}
	p.changed("/traits/"+name, identity.OpRemove)
	return true
}

// setTrait reports whether the value is another than before. One that stays the
// same becomes the administrator's, and whoever verified it still did.
func (p *Plan) setTrait(name string, v any) bool {
	stored, has := p.After.Trait("/" + name)
	by, known := p.After.ProvenanceOf("/" + name)
	same := has && equalJSON(stored, v)
	if same && known && by.Source == identity.SourceAdmin {
		return false
	}
	if same && by.VerifiedBy != "" {
		by.VerifiedAt = by.Vouched() // an administrator has verified nothing
	} else {
		by.VerifiedBy, by.VerifiedAt = "", time.Time{}
	}
	p.After.SetTrait(v, identity.Provenance{Path: "/" + name, Source: identity.SourceAdmin, At: p.now, VerifiedBy: by.VerifiedBy, VerifiedAt: by.VerifiedAt})
	p.changed("/traits/"+name, identity.OpSet)
	return !same
}

func badName(name string) string {
	switch {
	case !mapper.CheckName(name):
		return fmt.Sprintf("the name of a trait is at most %d, with / between them, of at least one character each and without ~", mapper.MaxNames)
	case len(name) > MaxTraitName:
		return fmt.Sprintf("the name of a trait is at most %d bytes long", MaxTraitName)
	}
	return ""
}

// checked returns a value as it is stored.
func checked(path string, v any, traits []mapper.TraitInfo) (any, error) {
	forms := []string{""}
	for _, t := range traits {
		if t.Path == path {
			forms = append(forms, t.Canonical)
		}
	}
	for _, form := range forms {
		stored, why := mapper.Check(v, form)
		if why != "" {
			return nil, &InvalidError{"/traits" + path, "the value " + why}
		}
		v = stored
	}
	return v, nil
}

// amendGroups grants and revokes. Nobody whose account is closed is granted
// anything.
func (p *Plan) amendGroups(add, remove []string) error {
	grant, err := groupNames("/groups/add/", add)
	if err != nil {
		return err
	}
	revoke, err := groupNames("/groups/remove/", remove)
	if err != nil {
		return err
	}
	revoked := map[string]bool{}
	for _, name := range revoke {
		revoked[name] = true
	}
	for n, name := range grant {
		if revoked[name] {
			return &InvalidError{"/groups/add/" + strconv.Itoa(n), "the group is to be removed as well"}
		}
	}
	if len(grant) > 0 && p.Before.State == identity.StateDeprovisioned {
		p.deny(identity.BecauseOf(identity.CodeStateRefused, "/state"), "")
		return nil
	}
	p.revoke(func(g identity.Group) bool { return revoked[g.Name] })
	has := among(p.After.Groups)
	for _, name := range grant {
		g := identity.Group{Name: name, Source: identity.SourceAdmin}
		if !has[g] {
			has[g] = true
			p.After.Groups = append(p.After.Groups, g)
			p.changed("/groups/"+escape(name), identity.OpSet)
		}
	}
	sortGroups(p.After.Groups)
	return nil
}

// groupNames returns the canonical names.
func groupNames(path string, names []string) ([]string, error) {
	canonical := make([]string, len(names))
	for n, name := range names {
		c, err := canon.Group(name)
		if err != nil {
			return nil, &InvalidError{path + strconv.Itoa(n), err.Error()}
		}
		canonical[n] = c
	}
	return canonical, nil
}

// size is about how many bytes an identity takes in an export; one that is no
// JSON is refused by the store.
func size(i *identity.Identity) int {
	text, _ := json.Marshal(i)
	return len(text)
}
