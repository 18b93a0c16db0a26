package provider

import (
	"slices"
	"strings"

	"github.com/jithook/jithook/internal/strictyaml"
	"github.com/jithook/jithook/policy"
)

type consentSection struct {
	strictyaml.Pos

	Path    strictyaml.Text `yaml:"path" missing:"the trait in which the answer stands, such as /traits/terms_accepted"`
	Version strictyaml.Text `yaml:"version" missing:"a name for what is to be accepted: with a new one, everybody is asked again"`
}

// traitsPrefix begins a JSON Pointer to a trait of an identity.
const traitsPrefix = "/traits/"

// scheme completes the policy's spec with what people are asked. mapped are the
// traits that the claims decide.
func (c *compiler) scheme(spec *policy.Spec, jit jitSection, mapped strictyaml.Map[traitSection]) {
	spec.Scheme = c.oneOf(jit.Scheme, policy.SchemeSilent, policy.SchemeSilent, policy.SchemeConsent, policy.SchemePrompt)
	switch {
	case jit.Consent != nil && (jit.Scheme == nil || jit.Scheme.Value == policy.SchemeSilent):
		c.problems = append(c.problems, jit.Consent.Problemf("consent has no effect under scheme silent, which asks nothing: write scheme: consent or prompt"))
	case jit.Consent != nil:
		spec.Consent = c.consent(*jit.Consent, mapped)
	case spec.Scheme == policy.SchemeConsent:
		c.refuse(*jit.Scheme, "scheme consent needs consent: {path: /traits/terms_accepted, version: …}")
	}
}

func (c *compiler) consent(s consentSection, mapped strictyaml.Map[traitSection]) *policy.Consent {
	trait, ok := strings.CutPrefix(s.Path.Value, traitsPrefix)
	switch {
	case !ok || !name.MatchString(trait):
		c.refuse(s.Path, "the path is that of a trait, such as /traits/terms_accepted; its name is 1 to 64 letters, digits, dots, dashes and underscores, and begins with a letter")
	case slices.ContainsFunc(mapped, func(e strictyaml.Entry[traitSection]) bool {
		top, _, _ := strings.Cut(e.Key.Value, "/")
		return top == trait
	}):
		c.refuse(s.Path, "trait %q is made of claims below: consent is the person's answer alone", trait)
	}
	if v := s.Version.Value; v == "" || len(v) > maxVersion {
		c.refuse(s.Version, "a version has 1 to %d bytes", maxVersion)
	}
	return &policy.Consent{Path: "/" + trait, Version: s.Version.Value}
}

// maxVersion bounds the name of a version, in bytes: identities keep it.
const maxVersion = 64
