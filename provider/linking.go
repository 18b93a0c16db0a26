package provider

import (
	"slices"
	"strings"

	"github.com/jithook/jithook/internal/strictyaml"
	"github.com/jithook/jithook/mapper"
	"github.com/jithook/jithook/policy"
)

// maxLookup bounds the rules of account_lookup: each is a key of one read.
const maxLookup = 8

// What account_lookup's on_lookup_miss may be.
const (
	missCreate = "create"
	missDeny   = "deny"
)

// linking returns what the file says of subjects that nobody is linked to.
func (c *compiler) linking(f file) policy.Linking {
	l := policy.Linking{Mode: c.oneOf(f.JIT.Linking, policy.LinkingDisabled, policy.LinkingDisabled, policy.LinkingConfirm, policy.LinkingAuto)}
	for n, rule := range f.JIT.Lookup {
		if n == maxLookup {
			c.refuse(rule.Local, "there are more than %d rules in account_lookup", maxLookup)
		}
		c.local(rule.Local, f.Traits)
		l.Lookup = append(l.Lookup, policy.Lookup{Path: strings.TrimPrefix(rule.Local.Value, traitsPath), Federated: source(rule.Federated)})
	}
	if miss := f.JIT.OnLookupMiss; c.oneOf(miss, missCreate, missCreate, missDeny) == missDeny {
		l.Miss = source(*miss).Pos()
	}
	if len(f.JIT.Lookup) == 0 {
		c.pointless(f.JIT.Linking, policy.LinkingDisabled)
		c.pointless(f.JIT.OnLookupMiss, missCreate)
	}
	if f.JIT.Protected != nil {
		s := source(*f.JIT.Protected)
		l.Protected = &s
	}
	return l
}

// pointless refuses a word other than the default where no rule looks for
// anybody.
func (c *compiler) pointless(t *strictyaml.Text, otherwise string) {
	if t != nil && t.Value != otherwise {
		c.refuse(*t, "%q needs rules in account_lookup: without them nobody is ever found", t.Value)
	}
}

const traitsPath = "/traits"

// local refuses a path at which nothing could be found: two spellings of one
// value must be the same there, nobody else may have it, and somebody must be
// able to vouch for it.
func (c *compiler) local(t strictyaml.Text, traits strictyaml.Map[traitSection]) {
	if t.Value == "" {
		return // missing, and reported as such
	}
	name, ok := strings.CutPrefix(t.Value, traitsPath+"/")
	at := slices.IndexFunc(traits, func(e strictyaml.Entry[traitSection]) bool { return e.Key.Value == name })
	if !ok || at < 0 {
		c.refuse(t, "local is the path of a trait of this file, such as /traits/email")
		return
	}
	trait := traits[at].Value
	switch form := trait.Canonical; {
	case form == nil || form.Value != mapper.CanonicalEmail && form.Value != mapper.CanonicalUsername, !trait.Unique:
		c.refuse(t, "trait %q needs a canonical form and unique: true to be looked up by", name)
	case trait.Verified == nil:
		c.refuse(t, "trait %q has no verified, and so no value of it could ever be looked up by", name)
	}
}
