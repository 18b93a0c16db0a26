package provider

//go:generate go test -run TestLintPage . -update

// LintCode names what a Finding is about.
type LintCode string

// The codes of findings.
const (
	LintDenyUnreachable  LintCode = "deny_unreachable"
	LintAllowAlways      LintCode = "allow_always"
	LintNobodyAllowed    LintCode = "nobody_allowed"
	LintTraitTwice       LintCode = "trait_twice"
	LintLinkUntrusted    LintCode = "link_untrusted"
	LintLookupOther      LintCode = "lookup_other"
	LintMirrorNothing    LintCode = "mirror_nothing"
	LintUnknownEmpty     LintCode = "unknown_empty"
	LintClaimUnknown     LintCode = "claim_unknown"
	LintIgnoreUnknown    LintCode = "ignore_unknown"
	LintIgnoreReasonless LintCode = "ignore_reasonless"
	LintIgnoreUnused     LintCode = "ignore_unused"
)

// LintInfo describes a code.
type LintInfo struct {
	Code LintCode
	// What is the finding, in a few words.
	What string
	// Fixed says that no comment silences it.
	Fixed bool
}

// LintCodes returns every code there is, in the order of the documentation.
func LintCodes() []LintInfo {
	return []LintInfo{
		{Code: LintDenyUnreachable, What: "a deny rule that can never deny"},
		{Code: LintAllowAlways, What: "an allow that is true of every login that reaches it"},
		{Code: LintNobodyAllowed, What: "rules that let nobody in"},
		{Code: LintTraitTwice, What: "two traits whose names differ in spelling only"},
		{Code: LintLinkUntrusted, What: "linking on nobody's word, or on the word of a provider that need not have checked"},
		{Code: LintLookupOther, What: "a lookup by another claim than the one that is verified"},
		{Code: LintMirrorNothing, What: "a mirror of groups without any that may be granted"},
		{Code: LintUnknownEmpty, What: "groups that nobody knows become none at all"},
		{Code: LintClaimUnknown, What: "a claim that the provider does not send, by its schema"},
		{Code: LintIgnoreUnknown, What: "a silence for a code that does not exist", Fixed: true},
		{Code: LintIgnoreReasonless, What: "a silence without a reason", Fixed: true},
		{Code: LintIgnoreUnused, What: "a silence with nothing to silence", Fixed: true},
	}
}

func (c LintCode) known() (info LintInfo, ok bool) {
	for _, info := range LintCodes() {
		if info.Code == c {
			return info, true
		}
	}
	return LintInfo{}, false
}
