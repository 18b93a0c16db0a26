package identity

import (
	"errors"
	"slices"
	"time"
	"unicode"
	"unicode/utf8"
)

// Hook says in which place of a sign-in the caller asks. The values stand in
// decision records.
type Hook string

const (
	// HookPrepare is Kratos's registration hook before it persists: jithook
	// decides and creates a pending identity.
	HookPrepare Hook = "prepare"
	// HookCommit is Kratos's registration hook after it persisted.
	HookCommit Hook = "commit"
	// HookLogin is Kratos's login hook, under any method.
	HookLogin Hook = "login"
	// HookLinks is Kratos's settings hook after somebody connected or
	// disconnected a provider.
	HookLinks Hook = "links"
	// HookGeneric is POST /hooks/login, the contract for any other server.
	HookGeneric Hook = "generic"
	// HookAdmin is no sign-in: an administrator edits an identity.
	HookAdmin Hook = "admin"
	// HookSweep is no sign-in either: time has passed.
	HookSweep Hook = "sweep"
)

// Login is one sign-in as a hook presents it: what the caller says, before
// anything of it is believed. The zero value of a field means "not said".
type Login struct {
	Hook Hook
	// Told, if not empty, is the hook that expressions see in place of Hook: a
	// recorded sign-in is decided again where nobody waits for its answer.
	Told Hook
	// Caller is the name of the credential that authenticated the request.
	Caller string
	// Providers are the providers that the credential may speak for; the one
	// entry "*" stands for all.
	Providers []string
	// Provider is the provider's id as the caller asserts it: empty for a
	// Kratos login without a federated method.
	Provider string
	// Offers are the claims that came with the request, by source name.
	Offers []Offer
	// Known is the id that jithook gave the person, as the caller kept it. It
	// proves that there was an identity, and is followed nowhere.
	Known string
	// Linking says that the person has just connected Provider to an account
	// that was there, outside of any policy.
	Linking bool
	// External is the caller's own id of the person, if it has one yet.
	External ExternalID
	// At is the caller's time of the claims; zero if it named none.
	At time.Time
	// Answers is what the person says themselves, by JSON Pointer into the
	// identity (/traits/username). Only what was asked for counts.
	Answers map[string]any
	// DecisionID, if not empty, is the id that the decision will have: it was
	// made up before.
	DecisionID string
	// FlowID, DeliveryID and RequestID tie a record to the caller's logs. None
	// is an idempotency key.
	FlowID     string
	DeliveryID string
	RequestID  string
}

// MaySpeakFor reports whether a credential's list of providers covers one. The
// entry "*" stands for all.
func MaySpeakFor(providers []string, provider string) bool {
	return slices.Contains(providers, provider) || slices.Contains(providers, "*")
}

// Names of claims sources, as written in a provider's file.
const (
	SourceKratosMetadata = "kratos_metadata"
	SourceKratosAdmin    = "kratos_admin"
	SourceHookBody       = "hook_body"
	SourceIDToken        = "id_token"
)

// Offer is a set of claims that a request carried or that the caller was asked
// for, with what the carrier says about their origin. Nobody has checked it.
type Offer struct {
	Source   string // one of the Source constants
	Provider string
	Issuer   string
	Subject  string
	// Credential is the subject by which an identity server keys its own
	// credential, where it knows that the provider's file names another claim.
	Credential string
	// Claims is nil where the source carries an origin without claims.
	Claims map[string]any
	// Normalised says that the identity server had only claims that it has
	// changed: what is "true" to the provider may be true in them.
	Normalised bool
	// Token is the ID token as it came, Nonce the value that the caller says
	// must be in it; both empty for other sources.
	Token string
	Nonce string
}

// MaxSubjectLength is the longest subject accepted, in bytes. OpenID Connect
// Core 1.0, section 2, bounds sub at 255 ASCII characters; longer ones are
// refused rather than cut, since two cut subjects could become one.
const MaxSubjectLength = 255

// ErrSubject says that a subject cannot be a key.
var ErrSubject = errors.New("subject must be 1 to 255 bytes of valid UTF-8, without control characters and without white space at either end")

// CheckSubject returns ErrSubject unless s can be one half of the key (issuer,
// subject). The text of the error never contains the subject.
func CheckSubject(s string) error {
	if s == "" || len(s) > MaxSubjectLength || !utf8.ValidString(s) {
		return ErrSubject
	}
	first, _ := utf8.DecodeRuneInString(s)
	last, _ := utf8.DecodeLastRuneInString(s)
	if unicode.IsSpace(first) || unicode.IsSpace(last) {
		return ErrSubject
	}
	for _, r := range s {
		if unicode.IsControl(r) {
			return ErrSubject
		}
	}
	return nil
}
