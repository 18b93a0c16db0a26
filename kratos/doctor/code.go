package doctor

//go:generate go test -run TestPage . -update

// Code names what a Finding is about.
type Code string

// The codes of findings.
const (
	CodeVetoMissing     Code = "veto_missing"
	CodeHookMissing     Code = "hook_missing"
	CodeHookMisplaced   Code = "hook_misplaced"
	CodeHookReply       Code = "hook_reply"
	CodeHookOutdated    Code = "hook_outdated"
	CodeHookURL         Code = "hook_url"
	CodeHookOverridden  Code = "hook_overridden"
	CodeSessionMissing  Code = "session_missing"
	CodeKeyDiffers      Code = "key_differs"
	CodeHookUnreachable Code = "hook_unreachable"
	CodeHookSlow        Code = "hook_slow"
	CodeProviderUnknown Code = "provider_unknown"
	CodeProviderMissing Code = "provider_missing"
	CodeIssuerDiffers   Code = "issuer_differs"
	CodeClaimsMissing   Code = "claims_missing"
	CodeMapperOutdated  Code = "mapper_outdated"
	CodeLinkUnproven    Code = "link_unproven"
	CodeAdminMissing    Code = "admin_missing"
	CodeAdminAway       Code = "admin_unreachable"
	CodeSchemaUnread    Code = "schema_unread"
	CodeUnlinkable      Code = "email_unlinkable"
	CodeTraitUnrestored Code = "trait_unrestored"
	CodeTraitUnknown    Code = "trait_unknown"
	CodeDecisionLate    Code = "decision_late"
	CodeStoreAway       Code = "store_unavailable"
	CodeDecisionsUnread Code = "decisions_unread"
)

// Info describes a code.
type Info struct {
	Code Code
	// What is wrong, in a few words, and Mend is what to do.
	What, Mend string
}

const register = "run jithook kratos register"

// Codes returns every code there is, in the order of the documentation.
func Codes() []Info {
	return []Info{
		{CodeVetoMissing, "a way in that does not ask jithook", register},
		{CodeHookMissing, "a hook that is not there", register},
		{CodeHookMisplaced, "a hook of ours in a list where it does harm or never runs", register},
		{CodeHookReply, "a hook whose answer Kratos does not obey, or obeys where it must not", register},
		{CodeHookOutdated, "a hook that sends something else than this jithook reads", register},
		{CodeHookURL, "a hook that calls another address than kratos.hook_url", "correct kratos.hook_url, or " + register},
		{CodeHookOverridden, "a hook of yours that nothing runs any more", "put it into the lists of the methods, behind jithook's"},
		{CodeSessionMissing, "nobody who signs up is signed in", register},
		{CodeKeyDiffers, "Kratos sends another key than jithook takes", register + ", and start jithook again if it was given a new key"},
		{CodeHookUnreachable, "nobody answers at a hook's address, or somebody else does", "start jithook, or correct listen and kratos.hook_url"},
		{CodeHookSlow, "a hook is answered later than jithook ever answers", "look at what stands between Kratos and jithook"},
		{CodeProviderUnknown, "Kratos has a provider that jithook has no file of", "write its file, or take it out of Kratos"},
		{CodeProviderMissing, "jithook has the file of a provider that Kratos has not", "add it to Kratos, under the same id"},
		{CodeIssuerDiffers, "a provider has another issuer in Kratos than in its file", "make them the same, to the letter"},
		{CodeClaimsMissing, "the claims of a provider never arrive", register},
		{CodeMapperOutdated, "a provider's mapper is not that of its file", register},
		{CodeLinkUnproven, "Kratos connects accounts without asking for a proof", "set account_linking_mode of the provider to confirm_with_existing_credential"},
		{CodeAdminMissing, "several providers, and no Admin API", "set kratos.instances in jithook's configuration"},
		{CodeAdminAway, "Kratos's Admin API does not answer jithook", "start Kratos, or correct admin_url and token of kratos.instances"},
		{CodeSchemaUnread, "Kratos's identity schema was not read: what it lacks is not found", "run this where the schema can be read, or hand it in by --schema FILE"},
		{CodeUnlinkable, "accounts are looked up by a trait by which Kratos does not know them", "make the trait an identifier in Kratos's identity schema"},
		{CodeTraitUnrestored, "a trait stays as the browser posted it", "add it to kratos.restore_traits"},
		{CodeTraitUnknown, "a trait that Kratos's identity schema does not have", "add it to the schema, or set kratos.restore_traits"},
		{CodeDecisionLate, "a login was not decided in time", "look at what the store and Kratos's Admin API take: docs/runbook.md"},
		{CodeStoreAway, "a login could not read or write the store", "see that the store answers: docs/runbook.md"},
		{CodeDecisionsUnread, "the newest decisions were not read: what they say is not found", "start jithook, correct admin.token or --admin, or leave them out by --offline"},
	}
}

// Info returns what there is to say about a code.
func (c Code) Info() Info {
	for _, info := range Codes() {
		if info.Code == c {
			return info
		}
	}
	return Info{Code: c}
}
