package provider

import (
	"time"

	"github.com/jithook/jithook/internal/strictyaml"
)

// file is the schema of a provider's file, as it is written. A field with a
// missing tag must be there.
type file struct {
	Version  strictyaml.Text              `yaml:"version" missing:"write version: 1"`
	Provider strictyaml.Text              `yaml:"provider" missing:"the provider's id in the identity server"`
	Issuer   issuers                      `yaml:"issuer" missing:"one URL or a list, compared exactly with the claims' iss"`
	Subject  *strictyaml.Text             `yaml:"subject"`
	Claims   claimsSection                `yaml:"claims"`
	Trust    trustSection                 `yaml:"trust"`
	JIT      jitSection                   `yaml:"jit" missing:"without it nobody could tell whether logins may create accounts"`
	Traits   strictyaml.Map[traitSection] `yaml:"traits" missing:"at least one trait must come from the claims"`
	Groups   *groupsSection               `yaml:"groups"`
	Outbound []strictyaml.Text            `yaml:"outbound"`
}

type claimsSection struct {
	Source  strictyaml.OneOrMany[strictyaml.Text] `yaml:"source"`
	IDToken *idTokenSection                       `yaml:"id_token"`
	Schema  *strictyaml.Text                      `yaml:"schema"`
}

type idTokenSection struct {
	strictyaml.Pos

	Audience   strictyaml.OneOrMany[strictyaml.Text] `yaml:"audience" missing:"your client ids at the provider: a token for others proves nothing here"`
	Algorithms []strictyaml.Text                     `yaml:"algorithms"`
	Skew       *time.Duration                        `yaml:"skew"`
	MaxAge     *time.Duration                        `yaml:"max_age"`
}

type trustSection struct {
	AuthoritativeDomains []strictyaml.Text `yaml:"authoritative_domains"`
	EmailVerified        bool              `yaml:"email_verified"`
}

type jitSection struct {
	Enabled   bool              `yaml:"enabled" missing:"true creates and syncs accounts, false only lets existing links log in"`
	Userstore *userstoreSection `yaml:"userstore"`
	Allow     *strictyaml.Text  `yaml:"allow"`
	Deny      []denySection     `yaml:"deny"`

	AttributeSync    *strictyaml.Text       `yaml:"attribute_sync"`
	GroupSync        *strictyaml.Text       `yaml:"group_sync"`
	GroupsUnknownMax *placed[time.Duration] `yaml:"groups_unknown_max"`
	Limits           limitsSection          `yaml:"limits"`

	Scheme  *strictyaml.Text `yaml:"scheme"`
	Consent *consentSection  `yaml:"consent"`

	Lookup       []lookupSection  `yaml:"account_lookup"`
	Linking      *strictyaml.Text `yaml:"account_linking"`
	OnLookupMiss *strictyaml.Text `yaml:"on_lookup_miss"`
	Protected    *strictyaml.Text `yaml:"protected"`

	InactiveAfter   lease            `yaml:"inactive_after"`
	OnSuspended     *strictyaml.Text `yaml:"on_suspended"`
	OnDeprovisioned *strictyaml.Text `yaml:"on_deprovisioned"`

	OnStoreError *strictyaml.Text `yaml:"on_store_error"`
}

type limitsSection struct {
	MaxGroupRemovals  *placed[int] `yaml:"max_group_removals"`
	MaxCreatesPerHour limit        `yaml:"max_creates_per_hour"`
}

type lookupSection struct {
	Local     strictyaml.Text `yaml:"local" missing:"the stored trait to compare, such as /traits/email"`
	Federated strictyaml.Text `yaml:"federated" missing:"the claim to compare it with, such as claims.email"`
}

// userstoreSection is a name, or a mapping with the expression that yields one.
// A name may look like an expression, and so the form tells them apart.
type userstoreSection struct {
	name strictyaml.Text
	from *strictyaml.Text
}

// DecodeYAML implements strictyaml.Decoder.
func (u *userstoreSection) DecodeYAML(n strictyaml.Node) []strictyaml.Problem {
	if n.Kind() != strictyaml.Mapping {
		return n.Decode(&u.name)
	}
	var by struct {
		From strictyaml.Text `yaml:"from" missing:"the expression that yields a userstore's name; a name stands by itself"`
	}
	problems := n.Decode(&by)
	u.from = &by.From
	return problems
}

type denySection struct {
	When    strictyaml.Text  `yaml:"when" missing:"the expression that denies where it is true"`
	Code    *strictyaml.Text `yaml:"code"`
	Message *strictyaml.Text `yaml:"message"`
}

type traitSection struct {
	Value     strictyaml.OneOrMany[strictyaml.Text] `yaml:"value" missing:"an expression over claims, or a list of which the first that is there counts"`
	Verified  *strictyaml.Text                      `yaml:"verified"`
	Canonical *strictyaml.Text                      `yaml:"canonical"`
	Unique    bool                                  `yaml:"unique"`
	Required  bool                                  `yaml:"required"`
	Sync      *strictyaml.Text                      `yaml:"sync"`
	OnTaken   *strictyaml.Text                      `yaml:"on_taken"`
	Absent    *strictyaml.Text                      `yaml:"absent"`
	Default   any                                   `yaml:"default"`
}

type groupsSection struct {
	strictyaml.Pos

	From   strictyaml.Text                          `yaml:"from" missing:"the expression that yields the list of groups"`
	Allow  attempt[[]strictyaml.Text]               `yaml:"allow"`
	Map    attempt[strictyaml.Map[strictyaml.Text]] `yaml:"map"`
	Absent *strictyaml.Text                         `yaml:"absent"`

	UnknownWhen *strictyaml.Text `yaml:"unknown_when"`
}

// issuers is one issuer or a list that has some.
type issuers strictyaml.OneOrMany[strictyaml.Text]

// DecodeYAML implements strictyaml.Decoder.
func (i *issuers) DecodeYAML(n strictyaml.Node) []strictyaml.Problem {
	if n.Kind() == strictyaml.List && len(n.Items()) == 0 {
		return []strictyaml.Problem{n.Problemf("issuer is an empty list")}
	}
	return n.Decode((*strictyaml.OneOrMany[strictyaml.Text])(i))
}

// attempt is a value that remembers whether it was written in another form, so
// that nobody calls it missing as well.
type attempt[T any] struct {
	value  T
	failed bool
}

// DecodeYAML implements strictyaml.Decoder.
func (a *attempt[T]) DecodeYAML(n strictyaml.Node) []strictyaml.Problem {
	problems := n.Decode(&a.value)
	a.failed = len(problems) > 0
	return problems
}

// placed is a value that knows its place.
type placed[T any] struct {
	strictyaml.Pos
	value T
}

// DecodeYAML implements strictyaml.Decoder.
func (p *placed[T]) DecodeYAML(n strictyaml.Node) []strictyaml.Problem {
	p.Pos = n.Pos()
	return n.Decode(&p.value)
}
