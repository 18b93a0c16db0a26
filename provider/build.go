package provider

import (
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"github.com/jithook/jithook/claims"
	"github.com/jithook/jithook/internal/canon"
	"github.com/jithook/jithook/internal/expr"
	"github.com/jithook/jithook/internal/strictyaml"
	"github.com/jithook/jithook/mapper"
	"github.com/jithook/jithook/policy"
)

// DefaultUserstore is where identities go when jit.userstore is absent.
const DefaultUserstore = "default"

// maxName bounds ids and codes in a file, in bytes.
const maxName = 255

// name is what a trait and a deny rule's code may be called: nothing that
// would need escaping in a JSON Pointer or in an identity server's schema.
var name = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]{0,63}$`)

// compiler turns one decoded file into a Provider and collects what is wrong.
type compiler struct {
	Loader
	fsys     fs.FS // the folder
	problems []Problem
}

func (c *compiler) refuse(t strictyaml.Text, format string, args ...any) {
	c.problems = append(c.problems, t.Problemf(format, args...))
}

// compiled collects the problems of expressions and of what stands around
// them.
func (c *compiler) compiled(err error) {
	switch e := err.(type) {
	case nil:
	case interface{ Unwrap() []error }:
		for _, one := range e.Unwrap() {
			c.compiled(one)
		}
	case *expr.CompileError:
		for _, p := range e.Problems {
			c.problems = append(c.problems, Problem(p))
		}
	default:
		c.problems = append(c.problems, Problem{Message: err.Error()})
	}
}

// build returns the provider; it is whole only if nothing was collected.
func (c *compiler) build(f file) *Provider {
	if f.Version.Value != "1" {
		c.refuse(f.Version, "version %q is not known; there is 1", f.Version.Value)
	}
	p := &Provider{ID: f.Provider.Value, Policy: c.policy(f), Mapping: c.mapping(f), groups: f.Groups != nil, places: places(f)}
	if p.ID == "" || len(p.ID) > maxName {
		c.refuse(f.Provider, "a provider's id has 1 to %d bytes", maxName)
	}
	for i, issuer := range f.Issuer {
		switch {
		case issuer.Value == "":
			c.refuse(issuer, "an issuer must not be empty")
		case slices.Contains(p.Issuers, issuer.Value):
			c.refuse(issuer, "this issuer is in the list already (entry %d)", i+1)
		}
		p.Issuers = append(p.Issuers, issuer.Value)
	}
	for _, t := range f.Outbound {
		switch {
		case !slices.Contains(c.Targets, t.Value):
			c.refuse(t, "there is no target %q; outbound of the server's configuration has %q", t.Value, c.Targets)
		case slices.Contains(p.outbound, t.Value):
			c.refuse(t, "%q is in the list already", t.Value)
		}
		p.outbound = append(p.outbound, t.Value)
	}
	p.Listed = f.Claims.Source
	p.Subject = c.subject(f.Subject)
	c.schema(f.Claims.Schema, p)
	p.Sources = c.sources(f, claims.Origin{Provider: p.ID, Issuers: p.Issuers, Subject: p.Subject})
	return p
}

// subject returns the path of the claim that is the subject, nil for sub. It is
// one claim and no more, since the identity server has to find the same.
func (c *compiler) subject(t *strictyaml.Text) []string {
	if t == nil {
		return nil
	}
	program, err := c.Env.Compile(source(*t))
	if err != nil {
		c.compiled(err)
		return nil
	}
	path, ok := program.ClaimPath()
	if !ok || len(path) == 0 {
		c.refuse(*t, "the subject is one plain claim, such as claims.oid: the identity server has to find the same one, and evaluates no expressions")
	}
	if slices.Equal(path, []string{"sub"}) {
		return nil
	}
	return path
}

func (c *compiler) policy(f file) *policy.Policy {
	jit := f.JIT
	spec := policy.Spec{
		Enabled: jit.Enabled, Userstore: policy.Userstore{Name: DefaultUserstore}, Groups: c.groupPolicy(f), Linking: c.linking(f), Lifecycle: c.lifecycle(jit), File: f.Provider.File,
		RetryStoreErrors: c.oneOf(jit.OnStoreError, storeErrorMessage, storeErrorMessage, storeErrorRetry) == storeErrorRetry,
	}
	c.scheme(&spec, jit, f.Traits)
	switch u := jit.Userstore; {
	case u == nil:
	case u.from != nil:
		s := source(*u.from)
		spec.Userstore.From = &s
	default:
		spec.Userstore.Name = u.name.Value
		if !slices.Contains(c.Userstores, u.name.Value) {
			c.refuse(u.name, "there is no userstore %q; the server's configuration has %q", u.name.Value, c.Userstores)
		}
	}
	if jit.Allow != nil {
		s := source(*jit.Allow)
		spec.Allow = &s
	}
	spec.AttributeSync = policy.AttributeSync(c.oneOf(jit.AttributeSync, string(policy.PreserveLocal),
		string(policy.OverrideAll), string(policy.PreserveLocal), string(policy.SyncNone)))
	for _, d := range jit.Deny {
		spec.Deny = append(spec.Deny, c.deny(d))
	}
	p, err := policy.New(c.Env, spec)
	c.compiled(err)
	return p
}

func (c *compiler) deny(d denySection) policy.DenyRule {
	rule := policy.DenyRule{When: source(d.When)}
	if d.Code != nil {
		rule.Code = d.Code.Value
		if !name.MatchString(rule.Code) {
			c.refuse(*d.Code, "a code is 1 to 64 letters, digits, dots, dashes and underscores")
		}
	}
	if d.Message != nil {
		rule.Message = d.Message.Value
		if len(rule.Message) > 500 {
			c.refuse(*d.Message, "a message has at most 500 bytes: a person reads it on a sign-in page")
		}
	}
	return rule
}

func (c *compiler) mapping(f file) *mapper.Mapping {
	var spec mapper.Spec
	spec.Trust.EmailVerified = f.Trust.EmailVerified
	for _, d := range f.Trust.AuthoritativeDomains {
		if _, err := canon.Email("x@" + d.Value); err != nil {
			c.refuse(d, "%q is not a domain", d.Value)
			continue
		}
		spec.Trust.AuthoritativeDomains = append(spec.Trust.AuthoritativeDomains, d.Value)
	}
	for _, t := range f.Traits {
		if trait, ok := c.trait(t.Key, t.Value); ok {
			spec.Traits = append(spec.Traits, trait)
		}
	}
	if f.Groups != nil {
		spec.Groups = c.groups(*f.Groups)
	}
	m, err := mapper.New(c.Env, spec)
	c.compiled(err)
	return m
}

func (c *compiler) trait(key strictyaml.Text, t traitSection) (mapper.TraitSpec, bool) {
	spec := mapper.TraitSpec{
		Name: key.Value, Unique: t.Unique, Required: t.Required, Default: t.Default,
		Canonical: c.oneOf(t.Canonical, "", mapper.CanonicalEmail, mapper.CanonicalUsername),
		OnTaken:   c.oneOf(t.OnTaken, mapper.TakenDeny, mapper.TakenDeny, mapper.TakenSuffix),
		Sync:      c.oneOf(t.Sync, mapper.SyncInherit, mapper.SyncInherit, mapper.SyncImport, mapper.SyncForce),
		Absent:    c.oneOf(t.Absent, mapper.AbsentKeep, mapper.AbsentKeep, mapper.AbsentClear, mapper.AbsentDefault, mapper.AbsentReject),
	}
	if !isTrait(key.Value) {
		c.refuse(key, "a trait's name is 1 to 64 letters, digits, dots, dashes and underscores, and begins with a letter; of one inside an object, up to %d of them with / between: address/country", mapper.MaxNames)
		return spec, false
	}
	if len(t.Value) == 0 {
		if t.Value != nil {
			c.refuse(key, "value is an empty list")
		}
		return spec, false
	}
	for _, v := range t.Value {
		spec.Values = append(spec.Values, source(v))
	}
	if t.Verified != nil {
		s := source(*t.Verified)
		spec.Verified = &s
	}
	if spec.Absent != mapper.AbsentDefault && t.Default != nil {
		c.refuse(key, "default has no effect without `absent: default`")
	}
	return spec, true
}

// isTrait reports whether a trait may be called so, in a file.
func isTrait(path string) bool {
	names := strings.Split(path, "/")
	return len(names) <= mapper.MaxNames && !slices.ContainsFunc(names, func(n string) bool { return !name.MatchString(n) })
}

// oneOf returns the word that was written, or otherwise the default. A word of
// WSO2's becomes ours, for whoever reads the text again.
func (c *compiler) oneOf(t *strictyaml.Text, otherwise string, words ...string) string {
	if t == nil {
		return otherwise
	}
	for _, ours := range wso2[t.Value] {
		if slices.Contains(words, ours) {
			t.Value = ours
		}
	}
	why, refused := wso2Refused[t.Value]
	switch {
	case slices.Contains(words, t.Value):
		return t.Value
	case refused && slices.Contains(words, policy.SchemePrompt):
		c.refuse(*t, "%s: %s", t.Value, why)
	default:
		c.refuse(*t, "%q is none of %q", t.Value, words)
	}
	return otherwise
}

func source(t strictyaml.Text) expr.Source {
	return expr.Source{Text: t.Value, File: t.File, Line: t.Line, Col: t.Col}
}
