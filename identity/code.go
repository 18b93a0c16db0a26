package identity

import "slices"

// Code is a reason code: the same word in replies, records, logs and metrics.
type Code string

// The closed list of reason codes. Codes describes each; the README's table is
// generated from there.
const (
	CodeCreated   Code = "created"
	CodeUpdated   Code = "updated"
	CodeUnchanged Code = "unchanged"
	CodeActivated Code = "activated"
	CodeAllowed   Code = "allowed"
	CodeLinked    Code = "linked"
	CodeYielded   Code = "yielded"

	CodeUnknownProvider       Code = "unknown_provider"
	CodeCallerScope           Code = "caller_scope"
	CodeJITDisabled           Code = "jit_disabled"
	CodeNotAllowed            Code = "not_allowed"
	CodeDenyRule              Code = "deny_rule"
	CodeRuleError             Code = "rule_error"
	CodeClaimsAbsent          Code = "claims_absent"
	CodeClaimsStale           Code = "claims_stale"
	CodeClaimsInvalid         Code = "claims_invalid"
	CodeClaimsConflict        Code = "claims_conflict"
	CodeIssuerUnknown         Code = "issuer_unknown"
	CodeIssuerChanged         Code = "issuer_changed"
	CodeSubjectInvalid        Code = "subject_invalid"
	CodeSubjectUndeterminable Code = "subject_undeterminable"
	CodeLinkStale             Code = "link_stale"
	CodeSuspended             Code = "suspended"
	CodeDeprovisioned         Code = "deprovisioned"
	CodeTraitMissing          Code = "trait_missing"
	CodeTraitInvalid          Code = "trait_invalid"
	CodeTraitTaken            Code = "trait_taken"
	CodePromptRequired        Code = "prompt_required"
	CodeConsentRequired       Code = "consent_required"
	CodeConsentOutdated       Code = "consent_outdated"
	CodeUserstoreUnknown      Code = "userstore_unknown"
	CodeGroupsUnknown         Code = "groups_unknown"
	CodeGroupsUnknownTooLong  Code = "groups_unknown_too_long"
	CodeGroupChangeHeld       Code = "group_change_held"
	CodeConflict              Code = "conflict"
	CodeStoreUnavailable      Code = "store_unavailable"
	CodeDeadlineExceeded      Code = "deadline_exceeded"
	CodeInternal              Code = "internal_error"
	// CodeOverloaded is told at once, before a decision: no record has it.
	CodeOverloaded           Code = "overloaded"
	CodeTargetUnavailable    Code = "target_unavailable"
	CodeNotFederated         Code = "not_federated"
	CodeIdentityUnknown      Code = "identity_unknown"
	CodeCommitUnmatched      Code = "commit_unmatched"
	CodeLinkingDisabled      Code = "linking_disabled"
	CodeLinkApprovalRequired Code = "link_approval_required"
	CodeLinkAmbiguous        Code = "link_ambiguous"
	CodeProofAwaited         Code = "proof_awaited"
	CodeLinkProtected        Code = "link_protected"
	CodeLinkRefused          Code = "link_refused"
	CodeLookupMiss           Code = "lookup_miss"
	CodeGroupsWithheld       Code = "groups_withheld"
	CodeSubjectTaken         Code = "subject_taken"
	CodeMalformed            Code = "malformed_request"
	CodeIdentityMissing      Code = "identity_missing"
	CodeTokenInvalid         Code = "token_invalid"
	CodeTokenAudience        Code = "token_audience"
	CodeTokenTime            Code = "token_time"
	CodeTokenReplayed        Code = "token_replayed"
	CodeKeysUnavailable      Code = "keys_unavailable"

	CodeAdminSuspended     Code = "admin_suspended"
	CodeAdminDeprovisioned Code = "admin_deprovisioned"
	CodeAdminActivated     Code = "admin_activated"
	CodeAdminDeleted       Code = "admin_deleted"
	CodeAdminUnlinked      Code = "admin_unlinked"
	CodeAdminEdited        Code = "admin_edited"
	CodeAdminHoldReleased  Code = "admin_hold_released"
	CodeAdminLinkApproved  Code = "admin_link_approved"
	CodeAdminLinkRejected  Code = "admin_link_rejected"
	CodeStateRefused       Code = "state_refused"

	CodePendingSwept   Code = "pending_swept"
	CodeQuarantineOver Code = "quarantine_over"
	CodeLeaseOver      Code = "lease_over"
	CodeProviderGone   Code = "provider_gone"
	CodeCreateLimit    Code = "create_limit"
	CodeKratosGone     Code = "kratos_gone"
	CodeImported       Code = "imported"
)

// CodeInfo describes a reason code.
type CodeInfo struct {
	Code Code
	// Number is the code's stable message id for Ory Kratos's UI messages. It
	// is never reused.
	Number int
	// Text is the sentence that the person who signs in may read; it names
	// nobody and gives no value away.
	Text string
	// Operator says what it means to who runs jithook and what to do.
	Operator string
}

// codes is the closed list; tests hold it complete and its numbers unique.
var codes = []CodeInfo{
	{CodeCreated, 4990001, "Your account was created.", "The first login made the identity."},
	{CodeUpdated, 4990002, "Your account was updated.", "The claims changed traits or groups; `changes` names the paths."},
	{CodeUnchanged, 4990003, "Signed in.", "The claims say what the userstore already holds; nothing was written."},
	{CodeActivated, 4990004, "Your account is active.", "A pending identity was acknowledged by the identity server, or one that this provider had suspended or closed came back (`jit.on_suspended`, `jit.on_deprovisioned`)."},
	{CodeAllowed, 4990005, "Signed in.", "The provider's policy lets this login pass."},
	{CodeLinked, 4990060, "This sign-in now belongs to your account.", "A rule of `jit.account_lookup` found the person's identity, and the subject was linked to it; the record names the rule, the link what it rests on."},
	{CodeYielded, 4990110, "Your sign-in goes on with the account that you had.", "A pending identity was deleted: its subject belongs to an account that was there, which has taken the link."},
	{CodeLinkApprovalRequired, 4990061, "An administrator has to let you in first. Try again later.", "A rule of `jit.account_lookup` found an identity and `jit.account_linking` is confirm: the link is proposed. `jithook links list` shows it; approve or reject it there."},
	{CodeLinkAmbiguous, 4990062, "Your account cannot be told apart from another one. Ask your administrator.", "Rules of `jit.account_lookup` found different identities for one subject; it is linked to none of them."},
	{CodeLinkProtected, 4990063, "An administrator has to let you in first. Try again later.", "A rule of `jit.account_lookup` found an identity that `jit.protected` keeps from being linked, or of which that could not be told. The link is proposed, as with `account_linking: confirm`."},
	{CodeLinkRefused, 4990064, "This sign-in cannot be connected to an account. Ask your administrator.", "A rule of `jit.account_lookup` found an identity that must not be linked to this subject: it has another subject of this provider, or another id in the calling identity server; or Kratos, which has the person, cannot have them prove it, since it has no Admin API here or the address is not what they sign in with there; or the stored value and the claim differ in more than the case of ASCII letters; or an administrator has rejected or removed this link."},
	{CodeProofAwaited, 4990111, "Sign in with the account that you have, to connect this one.", "A rule of `jit.account_lookup` found an identity that this Kratos has. It asks the person to sign in as they used to; the login that does so takes the link over (`linked`). For an hour it is awaited."},
	{CodeLookupMiss, 4990065, "You do not have an account here yet. Ask your administrator for one.", "No rule of `jit.account_lookup` found an identity whose value and claim are both verified, and `jit.on_lookup_miss` is deny."},
	{CodeGroupsWithheld, 4990066, "Signed in.", "`jit.protected` is true of the identity: groups that it does not have were not granted by the provider's claims. An administrator may grant them."},
	{CodeUnknownProvider, 4990010, "Sign-in with this provider is not set up.", "No provider file has this id. Check `provider:` in the files and the id in the identity server's configuration; they are compared exactly."},
	{CodeCallerScope, 4990011, "Sign-in with this provider is not set up.", "The credential that called may not speak for this provider. Add the provider to the credential's `providers` if it should."},
	{CodeJITDisabled, 4990012, "You do not have an account here yet. Ask your administrator for one.", "`jit.enabled` is false: nobody is created or synced, existing links still log in."},
	{CodeNotAllowed, 4990013, "Your account at the provider does not give access here.", "`jit.allow` is not true for these claims."},
	{CodeDenyRule, 4990014, "Your account at the provider does not give access here.", "A rule of `jit.deny` matched; the record names its line. The rule's own code and message stand in the reply."},
	{CodeRuleError, 4990015, "Sign-in could not be decided. Ask your administrator.", "An expression failed, or a claim that it needs is missing; the record names the line. Guard claims that may be missing with has()."},
	{CodeClaimsAbsent, 4990016, "Sign-in carried no information about you. Try again, or ask your administrator.", "No configured source had claims. Without them an existing identity logs in unchanged and nobody is created. In front of Kratos: is the generated mapper in place?"},
	{CodeClaimsStale, 4990017, "Signed in.", "The claims are older than those already applied; the login counts, its claims do not."},
	{CodeClaimsInvalid, 4990018, "Sign-in carried unusable information. Ask your administrator.", "The claims or their time are malformed, or lie more than 60 s in the future."},
	{CodeClaimsConflict, 4990019, "Sign-in carried contradictory information. Ask your administrator.", "Provider, issuer or subject differ between the request and the claims. The provider and mapper configuration do not belong together, or somebody mixes them up on purpose."},
	{CodeIssuerUnknown, 4990020, "Sign-in with this provider is not set up.", "The claims' issuer is not in the provider file's `issuer`. They are compared exactly: a slash at the end matters."},
	{CodeIssuerChanged, 4990021, "Sign-in with this provider has changed. Ask your administrator.", "The stored link of this provider names another issuer. Another issuer's subjects are other people; nobody is carried over."},
	{CodeSubjectInvalid, 4990022, "Sign-in carried unusable information. Ask your administrator.", "The subject is empty, longer than 255 bytes, padded, or has control characters."},
	{CodeSubjectUndeterminable, 4990037, "It cannot be told which of your accounts at the provider this is. Try again; if it stays so, ask your administrator.", "The identity server's identity has several credentials of this provider, and its payload does not say which one signed in. One that is not among the identity's links has been removed; otherwise remove all but one there."},
	{CodeLinkStale, 4990023, "This sign-in belongs to an account that already exists. Try again; if it stays so, ask your administrator.", "The subject is known under another id of the identity server than the one that called. A parallel sign-in heals by itself; otherwise the identity server lost the credential, or its identity and cannot be asked."},
	{CodeSuspended, 4990024, "Your account is suspended. Ask your administrator.", "The identity's state is suspended."},
	{CodeDeprovisioned, 4990025, "Your account was closed. Ask your administrator.", "The identity's state is deprovisioned."},
	{CodeTraitMissing, 4990026, "Your account at the provider lacks a detail that is required here.", "A required trait has no value, or its `absent` is reject; the path is in the reason."},
	{CodeTraitInvalid, 4990027, "A detail of your account cannot be used here.", "A trait's value has no canonical form, is too large or is not a JSON value, whether the provider said it or the person answered it; the path is in the reason."},
	{CodeTraitTaken, 4990028, "A detail of your account is already in use here.", "Another identity of the userstore, or one that only the identity server knows, holds the unique trait at the path."},
	{CodePromptRequired, 4990080, "Please fill this in.", "`jit.scheme` is prompt, and the claims have no value for the required trait at the path: the person is asked for it. Nothing was written."},
	{CodeConsentRequired, 4990081, "Please accept this to go on.", "The person has not accepted the version of `jit.consent` that the provider's file names, at the path. Nothing was written. At Kratos's login hook, which cannot ask, it denies somebody who has no identity here yet."},
	{CodeConsentOutdated, 4990082, "Signed in.", "A further reason of a login that passed: the person has not accepted the version of `jit.consent` that the provider's file names now, and could not be asked. Ask them in your application."},
	{CodeUserstoreUnknown, 4990029, "Sign-in could not be decided. Ask your administrator.", "`jit.userstore` yields a userstore that the server's configuration lacks; or this person's identity is in one that was taken out of it, or had a store of its own and has none any more."},
	{CodeGroupsUnknown, 4990030, "Your account at the provider lacks a detail that is required here.", "The groups claim is missing or not a list of strings, and `groups.absent` is reject."},
	{CodeGroupsUnknownTooLong, 4990070, "Your account at the provider lacks a detail that is required here.", "Nobody has known the provider's groups for longer than `jit.groups_unknown_max`, and the person holds some that it granted. The next login that says which they are passes; until then an administrator may remove them."},
	{CodeGroupChangeHeld, 4990071, "Signed in.", "The claims would have revoked more memberships at once than `jit.limits.max_group_removals`: the person's groups from this provider stay as they are, nothing granted either, until `jithook holds release` or a login that no longer wants it. Has the provider stopped sending groups, or was the mapping edited by mistake?"},
	{CodeNotFederated, 4990031, "Signed in.", "The login used no federated provider; only the identity's state was checked."},
	{CodeIdentityUnknown, 4990032, "Signed in.", "The identity server knows this person and jithook does not, and no claims came with the login that could create the identity."},
	{CodeCommitUnmatched, 4990033, "Signed in.", "A commit found no identity that prepare could have made; the next login repairs it."},
	{CodeLinkingDisabled, 4990034, "Connecting or disconnecting sign-in providers is not enabled here.", "Somebody tried to connect a provider to an account, in the identity server's settings or by signing in, or to disconnect one where jithook has no Admin API to follow; or a rule of `jit.account_lookup` found the person's identity; account linking is disabled. With an Admin API what was connected by signing in has been removed; the log says if it could not be."},
	{CodeMalformed, 4990035, "Sign-in carried unusable information. Ask your administrator.", "The identity server's request could not be decoded; the reply names the place. Render its hooks again with `jithook kratos config`."},
	{CodeIdentityMissing, 4990036, "Your account cannot be found right now. Ask your administrator.", "jithook once made this person's identity and does not have it any more: it was deleted, or the userstore is an older copy. Restore the store, or delete the person in the identity server, so that the next sign-in is a first one."},
	{CodeTokenInvalid, 4990050, "Sign-in carried unusable information. Ask your administrator.", "The ID token is malformed, or not signed by one of the provider's present keys with an algorithm that `claims.id_token` allows; the log says which. It proves nothing."},
	{CodeTokenAudience, 4990051, "Sign-in with this provider is not set up.", "The ID token was made for somebody else: its `aud` or `azp` names no client id of `claims.id_token.audience`. Add yours there if it is missing."},
	{CodeTokenTime, 4990052, "Your sign-in took too long. Sign in again.", "The ID token has expired, is older than `claims.id_token.max_age`, or lies in the future. If it happens to many, compare the clocks."},
	{CodeTokenReplayed, 4990053, "This sign-in was used already. Sign in again.", "The ID token was used in another flow before, or its nonce is not the one that the caller named. Unless a caller mixes up its flows, somebody has got hold of a token."},
	{CodeAdminSuspended, 4990040, "Your account is suspended.", "An administrator suspended the identity: no login passes until one activates it."},
	{CodeAdminDeprovisioned, 4990041, "Your account was closed.", "An administrator deprovisioned the identity: no login passes and all its groups are revoked. It keeps its keys, so that the person is not made anew."},
	{CodeAdminActivated, 4990042, "Your account is active.", "An administrator took back a suspension or a deprovisioning. Groups come back with the next login, as far as the provider's file grants them."},
	{CodeAdminDeleted, 4990043, "Your account was deleted.", "An administrator deleted the identity and its keys. The person's next login is a first one. Until the last target that may have an account knows, the identity's id is listed as deleted (`jithook outbound show`)."},
	{CodeAdminUnlinked, 4990044, "Your sign-in provider was disconnected.", "An administrator removed the links to a provider, the groups that its mapping granted, and its word that a value is verified. Its traits stay. No lookup rule links the subject again; `jithook links approve` does."},
	{CodeAdminEdited, 4990045, "Your account was updated.", "An administrator wrote traits or groups; `changes` names the paths. From then on a provider changes a trait only where its file says `attribute_sync: override_all` or `sync: force`."},
	{CodeAdminHoldReleased, 4990072, "Your account was updated.", "An administrator released a held change of groups: the memberships that it names are revoked. What the provider grants beside comes with the next login."},
	{CodeAdminLinkApproved, 4990068, "This sign-in now belongs to your account.", "An administrator approved a proposed link: the subject signs in to this identity from now on."},
	{CodeAdminLinkRejected, 4990069, "This sign-in cannot be connected to an account.", "An administrator rejected a proposed link. It is not proposed again; approving it is still possible."},
	{CodeSubjectTaken, 4990067, "This sign-in belongs to an account that already exists.", "The subject of the proposed link has an identity of its own by now, or is kept for another userstore. Delete or unlink that one first, or reject the proposal."},
	{CodeStateRefused, 4990046, "Your account's state does not allow this.", "An administrator's edit does not fit the identity's state: what is pending waits for the identity server and is not activated by hand, what is deprovisioned is not suspended and is granted no group, and what is barred is linked to nobody."},
	{CodePendingSwept, 4990120, "Your sign-in was not finished in time. Sign in again.", "An identity that was pending for a day is gone, its names free again: every Kratos said that it does not have the person. The next sign-in is a first one."},
	{CodeQuarantineOver, 4990121, "Your account was closed.", "A deprovisioned identity has let go of its names and addresses after `lifecycle.quarantine`; others may take them. It keeps its subjects, so that the person is not made anew."},
	{CodeLeaseOver, 4990122, "Your account is suspended, because you have not used it for a long time. Ask your administrator.", "Nobody signed in for `jit.inactive_after`: the identity is suspended by its provider. An administrator activates it, or with `jit.on_suspended: activate` the next sign-in does."},
	{CodeProviderGone, 4990073, "Your account was updated.", "A provider that granted groups has no file any more: `jithook identity sweep --orphaned` revoked them. A login of the person would have."},
	{CodeKratosGone, 4990124, "Your account was updated.", "The identity is bound no longer to one that its Kratos has deleted: the person's next sign-in is a first one for Kratos, and finds this identity by its subject."},
	{CodeCreateLimit, 4990123, "No new accounts can be made right now. Try again in an hour.", "This provider's logins have made `jit.limits.max_creates_per_hour` accounts in this hour. Who has an account signs in as ever."},
	{CodeImported, 4990130, "Your account was taken over.", "`jithook kratos import` made the identity for somebody whom Kratos had already: linked to the subjects that Kratos lets in, with Kratos's traits, which nobody has verified. The next login with claims brings what the provider says."},
	{CodeConflict, 4990090, "Another sign-in of yours is in progress. Try again.", "Three plans in a row were overtaken by other writers."},
	{CodeStoreUnavailable, 4990091, "Sign-in is not possible right now. Try again in a moment.", "The userstore failed or could not say whether it wrote. Nothing is half-made; the next login repairs it."},
	{CodeDeadlineExceeded, 4990092, "Sign-in is not possible right now. Try again in a moment.", "The decision did not come within the deadline (1.5 s)."},
	{CodeKeysUnavailable, 4990094, "Sign-in is not possible right now. Try again in a moment.", "The provider's keys could not be fetched, so the ID token could not be checked; the log says why. Keys that are known stay good for a day."},
	{CodeTargetUnavailable, 4990095, "Sign-in is not possible right now. Try again in a moment.", "A target with `on_failure: deny` has not learned of this person within a second. The identity is written, and goes there as soon as it can; the log names the target."},
	{CodeOverloaded, 4990096, "Sign-in is not possible right now. Try again in a moment.", "So many requests were under way, or waited so long to be read, that this one was not looked at; jithook_requests_shed_total counts them. Add servers, or make the userstore faster."},
	{CodeInternal, 4990093, "Sign-in is not possible right now. Try again in a moment.", "A fault in jithook; the log has the stack under the request id."},
}

// Codes returns the closed list of reason codes in the order of its table.
func Codes() []CodeInfo { return slices.Clone(codes) }

// Info returns the description of c and whether c is in the closed list.
func (c Code) Info() (CodeInfo, bool) {
	i := slices.IndexFunc(codes, func(info CodeInfo) bool { return info.Code == c })
	if i < 0 {
		return CodeInfo{}, false
	}
	return codes[i], true
}

// Text returns the sentence for the person who signs in.
func (c Code) Text() string {
	info, _ := c.Info()
	return info.Text
}
