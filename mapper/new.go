package mapper

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/jithook/jithook/internal/canon"
	"github.com/jithook/jithook/internal/expr"
)

// Mapping is a compiled Spec. It is safe for concurrent use.
type Mapping struct {
	traits []trait
	infos  []TraitInfo // of the traits
	groups *groups     // nil manages none
	trust  *trust
}

type trait struct {
	path             string
	values           []*expr.Program
	verified         *expr.Program // nil never is
	canonical        string
	unique, required bool
	absent, sync     string
	numbered         bool
	fallback         value
	trust            *trust
}

// trust is Trust with the domains in canonical form.
type trust struct {
	domains map[string]bool
	all     bool
}

// New compiles a mapping. The error joins all problems, each an
// *expr.CompileError: that of an expression in its place, that of a trait's or
// the groups' other settings in the place of its first expression. Only a bad
// domain, which has no place here, is an error of another type.
func New(env *expr.Env, s Spec) (*Mapping, error) {
	c := compiler{env: env}
	t := c.trust(s.Trust)
	m := &Mapping{trust: t}
	seen := map[string]bool{}
	for _, spec := range s.Traits {
		if seen[spec.Name] {
			c.refuse(place(spec), "trait %q is mapped twice", spec.Name)
		}
		for above := range holders(spec.Name) {
			if slices.ContainsFunc(s.Traits, func(t TraitSpec) bool { return t.Name == above }) {
				c.refuse(place(spec), "trait %q is a part of %q, which is mapped as a whole", spec.Name, above)
			}
		}
		seen[spec.Name] = true
		m.traits = append(m.traits, c.trait(spec, t))
	}
	if s.Groups != nil {
		m.groups = c.groups(*s.Groups)
	}
	if err := errors.Join(c.errs...); err != nil {
		return nil, err
	}
	m.infos = infosOf(m.traits)
	return m, nil
}

// compiler collects problems.
type compiler struct {
	env  *expr.Env
	errs []error
}

func (c *compiler) refuse(at expr.Source, format string, args ...any) {
	p := expr.Problem{File: at.File, Line: at.Line, Col: at.Col, Message: fmt.Sprintf(format, args...)}
	c.errs = append(c.errs, &expr.CompileError{Problems: []expr.Problem{p}})
}

// keep returns what was compiled and collects the problems of what was not.
func (c *compiler) keep(p *expr.Program, err error) *expr.Program {
	if err != nil {
		c.errs = append(c.errs, err)
	}
	return p
}

func (c *compiler) trust(t Trust) *trust {
	compiled := &trust{domains: map[string]bool{}, all: t.EmailVerified}
	for _, d := range t.AuthoritativeDomains {
		address, err := canon.Email("x@" + d)
		if err != nil {
			c.errs = append(c.errs, fmt.Errorf("authoritative domain %q is no domain", d))
			continue
		}
		compiled.domains[canon.EmailDomain(address)] = true
	}
	return compiled
}

// holders yields the names of the objects that a trait is in.
func holders(name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for n, r := range name {
			if r == '/' && !yield(name[:n]) {
				return
			}
		}
	}
}

// place is where problems of a trait's settings are reported.
func place(t TraitSpec) expr.Source {
	if len(t.Values) == 0 {
		return expr.Source{}
	}
	return t.Values[0]
}

func (c *compiler) trait(s TraitSpec, trusted *trust) trait {
	t := trait{
		path: "/" + s.Name, canonical: s.Canonical, unique: s.Unique, required: s.Required,
		absent: cmp.Or(s.Absent, AbsentKeep), sync: cmp.Or(s.Sync, SyncInherit), numbered: s.OnTaken == TakenSuffix, trust: trusted,
	}
	for _, v := range s.Values {
		t.values = append(t.values, c.keep(c.env.Compile(v)))
	}
	if s.Verified != nil {
		t.verified = c.keep(c.env.Compile(*s.Verified))
	}
	at := place(s)
	switch {
	case !CheckName(s.Name):
		c.refuse(at, "trait %q: a name is at most %d, with / between them, of at least one character each and without ~", s.Name, MaxNames)
	case len(s.Values) == 0:
		c.refuse(at, "trait %q has no value", s.Name)
	case !slices.Contains([]string{"", CanonicalEmail, CanonicalUsername}, s.Canonical):
		c.refuse(at, "trait %q: canonical %q is neither email nor username", s.Name, s.Canonical)
	case s.Unique && s.Canonical == "":
		c.refuse(at, "trait %q: unique needs a canonical form, so that two spellings of one value are the same", s.Name)
	case t.absent == AbsentDefault && s.Unique:
		c.refuse(at, "trait %q: a unique trait cannot have a default, which only one identity could take", s.Name)
	case !slices.Contains([]string{"", TakenDeny, TakenSuffix}, s.OnTaken):
		c.refuse(at, "trait %q: on_taken %q is neither deny nor suffix", s.Name, s.OnTaken)
	case t.numbered && (!s.Unique || s.Canonical != CanonicalUsername):
		c.refuse(at, "trait %q: on_taken: suffix is for a unique username (canonical: username, unique: true): nothing else may get a number", s.Name)
	case !slices.Contains([]string{SyncInherit, SyncImport, SyncForce}, t.sync):
		c.refuse(at, "trait %q: sync %q is none of inherit, import and force", s.Name, s.Sync)
	case !slices.Contains([]string{AbsentKeep, AbsentClear, AbsentDefault, AbsentReject}, t.absent):
		c.refuse(at, "trait %q: absent %q is none of keep, clear, default and reject", s.Name, s.Absent)
	case t.absent == AbsentDefault:
		t.fallback = c.fallback(s)
	}
	return t
}

// fallback holds a default to the rules for values.
func (c *compiler) fallback(s TraitSpec) value {
	plain, why := jsonValue(s.Default)
	if why == "" && (plain == nil || plain == "" && s.Required) {
		why = "is no value"
	}
	v := value{plain: plain}
	if why == "" {
		v, why = newValue(plain, s.Canonical)
	}
	if why != "" {
		c.refuse(place(s), "trait %q: the default %s", s.Name, why)
	}
	return v
}

func (c *compiler) groups(s GroupsSpec) *groups {
	g := &groups{from: c.keep(c.env.Compile(s.From)), absent: cmp.Or(s.Absent, AbsentKeep), grants: map[string]string{}}
	if !slices.Contains([]string{AbsentKeep, AbsentClear, AbsentReject}, g.absent) {
		c.refuse(s.From, "groups: absent %q is none of keep, clear and reject", s.Absent)
	}
	if s.UnknownWhen != nil {
		g.unknown = c.keep(c.env.CompileBool(*s.UnknownWhen))
	}
	for _, name := range s.Allow {
		n := c.group(s, name)
		g.grants[n] = n
	}
	renamed := map[string]bool{}
	for from, to := range s.Map {
		n := c.group(s, from)
		if renamed[n] {
			c.refuse(s.From, "groups: %q is mapped twice in two spellings", n)
		}
		renamed[n] = true
		g.grants[n] = c.group(s, to)
	}
	return g
}

// group returns the canonical form of a name that the mapping contains.
func (c *compiler) group(s GroupsSpec, name string) string {
	n, err := canon.Group(name)
	if err != nil {
		c.refuse(s.From, "groups: %q: %s", name, err)
	}
	return n
}
