package provider

import (
	"time"

	"github.com/jithook/jithook/internal/strictyaml"
)

// file is the schema of a provider's file, as it is written. A field with a
// missing tag must be there.
type file struct {
	Version  strictyaml.Text              `yaml:"version" missing:"write version: 1" enum:"1"`
	Provider strictyaml.Text              `yaml:"provider" missing:"the provider's id in the identity server" doc:"The provider's id, exactly as the identity server spells it."`
	Issuer   issuers                      `yaml:"issuer" missing:"one URL or a list, compared exactly with the claims' iss" doc:"Who vouches: one URL or a list, compared exactly with the claims' iss."`
	Subject  *strictyaml.Text             `yaml:"subject" doc:"The claim that is the subject: one plain claim. Default claims.sub."`
	Claims   claimsSection                `yaml:"claims" doc:"Where claims may come from, and which there are."`
	Trust    trustSection                 `yaml:"trust" doc:"For whose e-mail addresses this provider's word counts."`
	JIT      jitSection                   `yaml:"jit" missing:"without it nobody could tell whether logins may create accounts" doc:"Just-in-time provisioning: may this person have an account here?"`
	Traits   strictyaml.Map[traitSection] `yaml:"traits" missing:"at least one trait must come from the claims" doc:"Claims to traits; a name with / leads into an object." keys:"^[A-Za-z_][A-Za-z0-9_.-]{0,63}(/[A-Za-z_][A-Za-z0-9_.-]{0,63}){0,3}$"`
	Groups   *groupsSection               `yaml:"groups" doc:"Claims to groups: only names listed here are ever granted."`
	Outbound []strictyaml.Text            `yaml:"outbound" doc:"Other systems that these people go to: names below outbound of the server's configuration."`
}

type claimsSection struct {
	Source  strictyaml.OneOrMany[strictyaml.Text] `yaml:"source" doc:"Where claims may come from, in this order; the next is asked only if one has nothing." enum:"kratos_metadata,kratos_admin,hook_body,id_token"`
	IDToken *idTokenSection                       `yaml:"id_token" doc:"What an ID token must be, once source lists id_token."`
	Schema  *strictyaml.Text                      `yaml:"schema" doc:"A file beside this one, a JSON Schema of the claims, that check --lint asks." pattern:"\\.schema\\.json$"`
}

type idTokenSection struct {
	strictyaml.Pos

	Audience   strictyaml.OneOrMany[strictyaml.Text] `yaml:"audience" missing:"your client ids at the provider: a token for others proves nothing here"`
	Algorithms []strictyaml.Text                     `yaml:"algorithms" doc:"The algorithms that a token may be signed with. Default RS256, PS256, ES256 and EdDSA." enum:"RS256,RS384,RS512,PS256,PS384,PS512,ES256,ES384,ES512,EdDSA"`
	Skew       *time.Duration                        `yaml:"skew" doc:"How far the provider's clock may be off. Default 60s."`
	MaxAge     *time.Duration                        `yaml:"max_age" doc:"How long after its iat a token is good. Default 10m."`
}

type trustSection struct {
	AuthoritativeDomains []strictyaml.Text `yaml:"authoritative_domains" doc:"The domains for whose addresses the provider's word counts, compared exactly: a subdomain is another one."`
	EmailVerified        bool              `yaml:"email_verified" doc:"true believes the provider for addresses of every domain."`
}

type jitSection struct {
	Enabled   bool              `yaml:"enabled" missing:"true creates and syncs accounts, false only lets existing links log in"`
	Userstore *userstoreSection `yaml:"userstore" doc:"Where new accounts go: a userstore's name, or {from: expression}. Settled at creation. Default default."`
	Allow     *strictyaml.Text  `yaml:"allow" doc:"An expression that must be true. Leave it out to let in everybody whom the provider vouches for."`
	Deny      []denySection     `yaml:"deny" doc:"Rules that are asked first, in order; the first that is true denies."`

	AttributeSync    *strictyaml.Text       `yaml:"attribute_sync" doc:"What a returning login does to the traits that are stored. Default preserve_local." enum:"override_all,preserve_local,none"`
	GroupSync        *strictyaml.Text       `yaml:"group_sync" doc:"What a login does to the groups that this provider granted. Default mirror." enum:"none,assign,append,mirror"`
	GroupsUnknownMax *placed[time.Duration] `yaml:"groups_unknown_max" doc:"How long groups are kept while the provider does not say which they are. Without it, for ever."`
	Limits           limitsSection          `yaml:"limits" doc:"How much one login, and all logins of an hour, may do."`

	Scheme  *strictyaml.Text `yaml:"scheme" doc:"What happens at a first login where the claims are not enough. Default silent." enum:"silent,consent,prompt"`
	Consent *consentSection  `yaml:"consent" doc:"What people must accept to have an account."`

	Lookup       []lookupSection  `yaml:"account_lookup" doc:"Whose account a new subject may be: rules that are asked in order."`
	Linking      *strictyaml.Text `yaml:"account_linking" doc:"What comes of a match of account_lookup. Default disabled." enum:"disabled,confirm,auto"`
	OnLookupMiss *strictyaml.Text `yaml:"on_lookup_miss" doc:"What becomes of whom no rule of account_lookup finds. Default create." enum:"create,deny"`
	Protected    *strictyaml.Text `yaml:"protected" doc:"An expression over identity: accounts that are linked, and granted groups, by administrators alone."`

	InactiveAfter   lease            `yaml:"inactive_after" doc:"Who has not signed in for so long is suspended. 0 is for ever; otherwise 24h at least."`
	OnSuspended     *strictyaml.Text `yaml:"on_suspended" doc:"May a login undo a suspension by this provider? Default deny." enum:"deny,activate"`
	OnDeprovisioned *strictyaml.Text `yaml:"on_deprovisioned" doc:"May a login undo a deprovisioning by this provider? Default deny." enum:"deny,activate"`

	OnStoreError *strictyaml.Text `yaml:"on_store_error" doc:"What Kratos is answered when the userstore fails. Default message." enum:"message,retry"`
}

type limitsSection struct {
	MaxGroupRemovals  *placed[int] `yaml:"max_group_removals" doc:"A login that would revoke more memberships of one person than this leaves the groups as they are."`
	MaxCreatesPerHour limit        `yaml:"max_creates_per_hour" doc:"How many accounts this provider's logins may make in one hour of the clock."`
}

type lookupSection struct {
	Local     strictyaml.Text `yaml:"local" missing:"the stored trait to compare, such as /traits/email" pattern:"^/traits/"`
	Federated strictyaml.Text `yaml:"federated" missing:"the claim to compare it with, such as claims.email"`
}

// userstoreSection is a name, or a mapping with the expression that yields one.
// A name may look like an expression, and so the form tells them apart.
type userstoreSection struct {
	name strictyaml.Text
	from *strictyaml.Text
}

type userstoreForm struct {
	From strictyaml.Text `yaml:"from" missing:"the expression that yields a userstore's name; a name stands by itself"`
}

// DecodeYAML implements strictyaml.Decoder.
func (u *userstoreSection) DecodeYAML(n strictyaml.Node) []strictyaml.Problem {
	if n.Kind() != strictyaml.Mapping {
		return n.Decode(&u.name)
	}
	var by userstoreForm
	problems := n.Decode(&by)
	u.from = &by.From
	return problems
}

type denySection struct {
	When    strictyaml.Text  `yaml:"when" missing:"the expression that denies where it is true"`
	Code    *strictyaml.Text `yaml:"code" doc:"Your own name of the rule, in records." pattern:"^[A-Za-z_][A-Za-z0-9_.-]{0,63}$"`
	Message *strictyaml.Text `yaml:"message" doc:"What the person reads."`
}

type traitSection struct {
	Value     strictyaml.OneOrMany[strictyaml.Text] `yaml:"value" missing:"an expression over claims, or a list of which the first that is there counts"`
	Verified  *strictyaml.Text                      `yaml:"verified" doc:"An expression: the value counts as verified only if this is the boolean true, and the provider is trusted for it."`
	Canonical *strictyaml.Text                      `yaml:"canonical" doc:"The form in which two spellings of one value are the same." enum:"email,username"`
	Unique    bool                                  `yaml:"unique" doc:"Nobody else in the userstore may have it."`
	Required  bool                                  `yaml:"required" doc:"No account without it."`
	Sync      *strictyaml.Text                      `yaml:"sync" doc:"When the trait is written. Default inherit." enum:"inherit,import,force"`
	OnTaken   *strictyaml.Text                      `yaml:"on_taken" doc:"What becomes of a login whose unique value somebody else has. Default deny." enum:"deny,suffix"`
	Absent    *strictyaml.Text                      `yaml:"absent" doc:"What it means that there is no value. Default keep." enum:"keep,clear,default,reject"`
	Default   any                                   `yaml:"default" doc:"The value under absent: default."`
}

type groupsSection struct {
	strictyaml.Pos

	From   strictyaml.Text                          `yaml:"from" missing:"the expression that yields the list of groups"`
	Allow  attempt[[]strictyaml.Text]               `yaml:"allow" doc:"Names that are granted as they are."`
	Map    attempt[strictyaml.Map[strictyaml.Text]] `yaml:"map" doc:"Names that are granted under another name."`
	Absent *strictyaml.Text                         `yaml:"absent" doc:"What it means that the claim is missing. Default keep." enum:"keep,clear,reject"`

	UnknownWhen *strictyaml.Text `yaml:"unknown_when" doc:"An expression that is true where the list is not to be relied on: then groups are kept."`
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
