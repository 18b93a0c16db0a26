package provision

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/mapper"
	"github.com/jithook/jithook/store"
)

// maxNumber is the last number that a taken name may get.
const maxNumber = 20

// isNumbered reports whether a value is what became of a name that was taken:
// the name, with a number.
func isNumbered(value any, name string) bool {
	s, _ := value.(string)
	digits, ok := strings.CutPrefix(s, name)
	n, err := strconv.Atoi(digits)
	return ok && err == nil && n >= 2 && n <= maxNumber && strconv.Itoa(n) == digits
}

// names are the traits of this login that may get a number, by path into the
// identity, with the name that the mapping yields.
func (d *difference) names(due []mapper.Trait) map[string]string {
	names := map[string]string{}
	for _, t := range due {
		by, _ := d.identity.ProvenanceOf(t.Path)
		if t.Numbered && t.Action == mapper.Set && d.owns(by.Source) {
			names["/traits"+t.Path] = t.Canonical
		}
	}
	return names
}

// put writes a plan, with a number behind a name that is taken.
func (s *Service) put(ctx context.Context, p *Plan) error {
	err := s.write(ctx, *p)
	for range maxNumber {
		again, fault := s.renumber(ctx, p, err)
		if fault != nil {
			return fault
		}
		if !again {
			return err
		}
		err = s.write(ctx, *p)
	}
	return err
}

// renumber gives the name that a write found taken another number, and reports
// whether the plan can be written again. Which numbers are free is one read, and
// not more certain than that: of two at once one comes here again.
func (s *Service) renumber(ctx context.Context, p *Plan, err error) (again bool, fault error) {
	var taken *store.TakenError
	if !errors.As(err, &taken) {
		return false, nil
	}
	path := p.paths[taken.Key]
	name, ok := p.names[path]
	if !ok {
		return false, nil
	}
	numbered := map[identity.Key]string{}
	var keys []identity.Key
	for n := 2; n <= maxNumber; n++ {
		candidate := name + strconv.Itoa(n)
		if form, why := mapper.Check(candidate, mapper.CanonicalUsername); why == "" && form == candidate {
			k := identity.NameKey(p.After.Userstore, strings.TrimPrefix(path, "/traits"), candidate)
			numbered[k], keys = candidate, append(keys, k)
		}
	}
	if len(keys) == 0 {
		return false, nil
	}
	holders, err := s.Store.Look(ctx, p.After.Userstore, keys...)
	if err != nil {
		return false, err
	}
	free := slices.IndexFunc(keys, func(k identity.Key) bool {
		return !slices.ContainsFunc(holders.Identities, func(h identity.Identity) bool { return h.ID != p.After.ID && slices.Contains(h.Keys, k) })
	})
	if free < 0 {
		return false, nil
	}
	p.rename(path, taken.Key, keys[free], numbered[keys[free]])
	return true, nil
}

// rename puts a name in the place of the one that is taken, with its key. Whoever
// verified that one has said nothing of this.
func (p *Plan) rename(path string, taken, key identity.Key, name string) {
	by, _ := p.After.ProvenanceOf(strings.TrimPrefix(path, "/traits"))
	by.At, by.VerifiedBy, by.VerifiedAt = p.now, "", time.Time{}
	p.After.SetTrait(name, by)
	p.After.Keys = sortKeys(append(slices.DeleteFunc(p.After.Keys, func(k identity.Key) bool { return k == taken }), key))
	delete(p.paths, taken)
	p.paths[key] = path
	if set := (identity.Change{Path: path, Op: identity.OpSet}); !slices.Contains(p.Record.Change, set) {
		p.Record.Change = append(p.Record.Change, set)
	}
}
