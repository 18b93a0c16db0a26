package provider

import (
	"slices"

	"github.com/jithook/jithook/mapper"
)

// form is what a file asks of the values of a trait.
type form struct {
	path      string
	unique    bool
	canonical string
}

func formOf(t mapper.TraitInfo) form { return form{t.Path, t.Unique, t.Canonical} }

// anywhere stands for the userstore of a file whose expression yields its name.
const anywhere = ""

// placing are the traits that files may bring into a userstore: of those that are
// asked the same of, one. Thousands of files have a few between them.
type placing map[string]*forms

type forms struct {
	list []mapper.TraitInfo
	seen map[form]bool
}

func (ts *forms) add(all []mapper.TraitInfo) {
	for _, t := range all {
		if f := formOf(t); !ts.seen[f] {
			ts.seen[f] = true
			ts.list = append(ts.list, t)
		}
	}
}

func (p placing) add(prov *Provider) {
	userstore, from := prov.Policy.Userstore()
	if from != "" {
		userstore = anywhere
	}
	if p[userstore] == nil {
		p[userstore] = &forms{seen: map[form]bool{}}
	}
	p[userstore].add(prov.Mapping.Traits())
}

// TraitsIn returns the traits of the files that may write an identity of this
// userstore with links to these providers: those that may place somebody there, and
// theirs. Of traits with one path, uniqueness and canonical form there is one.
func (s *Set) TraitsIn(userstore string, linked []string) []mapper.TraitInfo {
	all := &forms{seen: map[form]bool{}}
	for _, u := range slices.Compact([]string{anywhere, userstore}) {
		if ts := s.placed[u]; ts != nil {
			all.add(ts.list)
		}
	}
	for _, id := range linked {
		if prov, ok := s.Get(id); ok {
			all.add(prov.Mapping.Traits())
		}
	}
	return all.list
}
