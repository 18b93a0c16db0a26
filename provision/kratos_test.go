package provision_test

import (
	"testing"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/provision"
)

const nobody = ""

// first plays a whole first sign-in: prepare and commit under a Kratos id.
func (h *house) first(subject, id string) identity.Identity {
	h.t.Helper()
	want(h.t, h.Provision(h.t.Context(), kratos(identity.HookPrepare, nobody, subject, ann())), identity.Created)
	want(h.t, h.Commit(h.t.Context(), kratos(identity.HookCommit, id, subject, nil)), identity.Activated)
	return h.only()
}

// set puts an identity into another state, as an administrator would.
func (h *house) set(state identity.State) {
	h.t.Helper()
	i := h.only()
	i.State = state
	i.Revision++
	if err := h.store.Swap(h.t.Context(), i, identity.Record{ID: "0", At: h.now}); err != nil {
		h.t.Fatal(err)
	}
}

func TestPrepareThenCommitThenLogin(t *testing.T) {
	h := open(t)
	out := h.Provision(t.Context(), kratos(identity.HookPrepare, nobody, "s-1", ann()))
	want(t, out, identity.Created)
	if i := h.only(); i.State != identity.StatePending || !i.RenewedAt.Equal(h.now) || len(i.ExternalIDs) != 0 {
		t.Fatalf("prepare made %+v", i)
	}
	if len(out.Emails) != 1 || out.Emails[0] != (provision.Email{Path: "/traits/email", Address: "ann@acme.example", Verified: true}) {
		t.Errorf("emails %+v", out.Emails)
	}
	h.now = h.now.Add(time.Second)
	want(t, h.Commit(t.Context(), kratos(identity.HookCommit, "k-1", "s-1", nil)), identity.Activated)
	i := h.only()
	if id, _ := i.External(identity.SystemKratos, "main"); i.State != identity.StateActive || id != "k-1" {
		t.Fatalf("commit left %+v", i)
	}
	r, err := h.store.Decision(t.Context(), out.Record.ID)
	if err != nil || r.Decision != identity.Created || !r.CommittedAt.Equal(h.now) || i.DecisionID != r.ID {
		t.Errorf("the record of prepare was not amended: %+v, %v", r, err)
	}
	login := h.Provision(t.Context(), kratos(identity.HookLogin, "k-1", "s-1", nil))
	want(t, login, identity.Unchanged, identity.CodeUnchanged, identity.CodeClaimsAbsent)
	if login.Identity.ID != i.ID {
		t.Error("the second sign-in found another identity")
	}
}

func TestPrepareAgainReusesAndRenews(t *testing.T) {
	h := open(t)
	h.Provision(t.Context(), kratos(identity.HookPrepare, nobody, "s-1", ann()))
	before := h.only()
	h.now = h.now.Add(time.Hour)
	want(t, h.Provision(t.Context(), kratos(identity.HookPrepare, nobody, "s-1", ann())), identity.Unchanged)
	after := h.only()
	if after.ID != before.ID || after.Revision != before.Revision || !after.RenewedAt.Equal(h.now) {
		t.Errorf("before %+v, after %+v", before, after)
	}
	h.now = h.now.Add(time.Hour)
	want(t, h.Provision(t.Context(), kratos(identity.HookPrepare, nobody, "s-1", ann(with("name", "Ann Other")))), identity.Updated)
	if i := h.only(); i.Traits["name"] != "Ann Other" || i.State != identity.StatePending || !i.RenewedAt.Equal(h.now) {
		t.Errorf("re-planned %+v", i)
	}
}

func TestLoginHealsALostCommit(t *testing.T) {
	h := open(t)
	h.Provision(t.Context(), kratos(identity.HookPrepare, nobody, "s-1", ann()))
	want(t, h.Provision(t.Context(), kratos(identity.HookLogin, "k-1", "s-1", nil)), identity.Activated)
	i := h.only()
	if id, _ := i.External(identity.SystemKratos, "main"); i.State != identity.StateActive || id != "k-1" {
		t.Errorf("%+v", i)
	}
}

func TestLoginWithRegistrationClaimsCreatesButNeverSyncs(t *testing.T) {
	h := open(t)
	want(t, h.Provision(t.Context(), kratos(identity.HookLogin, "k-1", "s-1", ann())), identity.Created)
	if i := h.only(); i.State != identity.StateActive {
		t.Fatalf("%+v", i)
	}
	old := ann(with("groups", []any{"eng", "staff"}), with("name", "Ann Other"))
	want(t, h.Provision(t.Context(), kratos(identity.HookLogin, "k-1", "s-1", old)), identity.Unchanged, identity.CodeUnchanged, identity.CodeClaimsStale)
	if i := h.only(); i.Traits["name"] != "Ann Example" || len(i.Groups) != 1 {
		t.Errorf("S54: registration-time claims were applied: %+v", i)
	}
}

func TestStaleLinks(t *testing.T) {
	other := kratos(identity.HookLogin, "k-2", "s-2", ann(with("email", "bob@acme.example"), with("preferred_username", "bob")))
	for name, c := range map[string]struct {
		login identity.Login
		code  identity.Code
	}{
		"Kratos lost the credential":       {kratos(identity.HookPrepare, nobody, "s-1", ann()), identity.CodeLinkStale},
		"another id of the same Kratos":    {kratos(identity.HookLogin, "k-9", "s-1", nil), identity.CodeLinkStale},
		"one's subject, the other's id":    {kratos(identity.HookLogin, "k-2", "s-1", nil), identity.CodeLinkStale},
		"a subject that jithook never saw": {kratos(identity.HookLogin, "k-1", "s-3", ann()), identity.CodeLinkStale},
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t)
			h.first("s-1", "k-1")
			want(t, h.Provision(t.Context(), other), identity.Created)
			want(t, h.Provision(t.Context(), c.login), identity.Denied, c.code)
		})
	}
	t.Run("the same id of another Kratos is another person's", func(t *testing.T) {
		h := open(t)
		h.first("s-1", "k-1")
		l := kratos(identity.HookLogin, "k-1", "s-2", ann(with("email", "bob@acme.example"), with("preferred_username", "bob")))
		l.External.Instance = "second"
		want(t, h.Provision(t.Context(), l), identity.Created)
	})
}

func TestS52_IssuerChanged(t *testing.T) {
	h := open(t, replace(acme, "issuer: https://acme.example", `issuer: ["https://acme.example", "https://new.example"]`))
	h.first("s-1", "k-1")
	l := kratos(identity.HookLogin, "k-1", "s-1", ann())
	l.Offers[0].Issuer = "https://new.example"
	want(t, h.Provision(t.Context(), l), identity.Denied, identity.CodeIssuerChanged)
}

func TestStateBarsEveryWayIn(t *testing.T) {
	for state, code := range map[identity.State]identity.Code{
		identity.StateSuspended: identity.CodeSuspended, identity.StateDeprovisioned: identity.CodeDeprovisioned,
	} {
		password := identity.Login{Hook: identity.HookLogin, External: identity.ExternalID{System: identity.SystemKratos, Instance: "main", ID: "k-1"}}
		for name, l := range map[string]identity.Login{
			"federated, with claims":    kratos(identity.HookLogin, "k-1", "s-1", ann()),
			"federated, without claims": kratos(identity.HookLogin, "k-1", "s-1", nil),
			"S47 password":              password,
			"S26 registration":          kratos(identity.HookPrepare, nobody, "s-1", ann()),
			"generic":                   generic("s-1", ann()),
		} {
			t.Run(string(state)+", "+name, func(t *testing.T) {
				h := open(t)
				h.first("s-1", "k-1")
				h.set(state)
				out := h.Provision(t.Context(), l)
				want(t, out, identity.Denied, code)
				if i := h.only(); i.State != state {
					t.Errorf("revived as %s", i.State)
				}
			})
		}
	}
}

func TestPeopleWhomOnlyKratosKnows(t *testing.T) {
	h := open(t)
	password := identity.Login{Hook: identity.HookLogin, External: identity.ExternalID{System: identity.SystemKratos, Instance: "main", ID: "k-7"}}
	want(t, h.Provision(t.Context(), password), identity.Unchanged, identity.CodeIdentityUnknown, identity.CodeNotFederated)
	want(t, h.Provision(t.Context(), kratos(identity.HookLogin, "k-7", "s-7", nil)), identity.Unchanged, identity.CodeIdentityUnknown, identity.CodeClaimsAbsent)
	if n := len(h.all()); n != 0 {
		t.Errorf("%d identities out of nothing", n)
	}
}

func TestCommitOfNothing(t *testing.T) {
	h := open(t)
	want(t, h.Commit(t.Context(), kratos(identity.HookCommit, "k-1", "s-1", nil)), identity.Denied, identity.CodeCommitUnmatched)
	h.first("s-1", "k-1")
	want(t, h.Commit(t.Context(), kratos(identity.HookCommit, "k-1", "s-1", nil)), identity.Unchanged)
	want(t, h.Commit(t.Context(), kratos(identity.HookCommit, "k-2", "s-1", nil)), identity.Denied, identity.CodeLinkStale)
	i := h.only()
	if id, _ := i.External(identity.SystemKratos, "main"); id != "k-1" {
		t.Errorf("a second commit rebound the identity to %s", id)
	}
}

// TestSuspendedBeforeTheirKratosIdWasRecorded: the subject that stands in
// Kratos's metadata bars the login too, by whatever method.
func TestSuspendedBeforeTheirKratosIdWasRecorded(t *testing.T) {
	h := open(t)
	h.Provision(t.Context(), kratos(identity.HookPrepare, nobody, "s-1", ann()))
	h.set(identity.StateSuspended)
	want(t, h.Commit(t.Context(), kratos(identity.HookCommit, "k-1", "s-1", nil)), identity.Denied, identity.CodeSuspended)
	password := kratos(identity.HookLogin, "k-1", "s-1", nil)
	password.Provider, password.Known = "", h.only().ID
	want(t, h.Provision(t.Context(), password), identity.Denied, identity.CodeSuspended)

	// It bars; it links nothing, and who is there is not missing.
	h = open(t)
	h.Provision(t.Context(), kratos(identity.HookPrepare, nobody, "s-1", ann()))
	password.Known = h.only().ID
	want(t, h.Provision(t.Context(), password), identity.Unchanged, identity.CodeIdentityUnknown, identity.CodeNotFederated)
	if i := h.only(); i.State != identity.StatePending || len(i.ExternalIDs) != 0 {
		t.Errorf("followed: %+v", i)
	}
}

// TestFirstLoginStaysOneUntilItIsAcknowledged: a pending identity is no account
// yet, whoever made it pending.
func TestFirstLoginStaysOneUntilItIsAcknowledged(t *testing.T) {
	h := open(t)
	h.Provision(t.Context(), kratos(identity.HookPrepare, nobody, "s-1", ann()))
	want(t, h.Provision(t.Context(), kratos(identity.HookPrepare, nobody, "s-1", nil)), identity.Denied, identity.CodeClaimsAbsent)
	want(t, h.Provision(t.Context(), generic("s-1", nil)), identity.Denied, identity.CodeClaimsAbsent)
	h.edit(replace(acme, "enabled: true", "enabled: false"))
	want(t, h.Provision(t.Context(), kratos(identity.HookPrepare, nobody, "s-1", ann())), identity.Denied, identity.CodeJITDisabled)
	want(t, h.Provision(t.Context(), generic("s-1", ann(with("hd", "evil.example")))), identity.Denied, identity.CodeJITDisabled)
	if i := h.only(); i.State != identity.StatePending {
		t.Errorf("activated: %+v", i)
	}
}

// TestRenamedProviderInFrontOfKratos: the subject is among the links, whatever
// the provider was called then.
func TestRenamedProviderInFrontOfKratos(t *testing.T) {
	h := open(t)
	h.first("s-1", "k-1")
	h.edit(replace(acme, "provider: acme", "provider: globex"))
	l := kratos(identity.HookLogin, "k-1", "s-1", nil)
	l.Provider, l.Offers[0].Provider = "globex", "globex"
	want(t, h.Provision(t.Context(), l), identity.Unchanged)
}

// TestIdentityThatWasThere: jithook made it once, so its absence is no
// innocence.
func TestIdentityThatWasThere(t *testing.T) {
	h := open(t)
	l := kratos(identity.HookLogin, "k-1", "s-1", nil)
	l.Known = "01a20ece-3763-7bc5-8d21-028a3cd5b3e0"
	want(t, h.Provision(t.Context(), l), identity.Denied, identity.CodeIdentityMissing)
	l.Provider = "" // by password
	want(t, h.Provision(t.Context(), l), identity.Denied, identity.CodeIdentityMissing)
}

// TestS51_LinkingBySignIn: Kratos connected a provider on its own. The sign-in
// that did it is refused, and so is every later one by that provider.
func TestS51_LinkingBySignIn(t *testing.T) {
	h := open(t, acme, replace(replace(acme, "provider: acme", "provider: globex"), "issuer: https://acme.example", "issuer: https://globex.example"))
	h.first("s-1", "k-1")
	l := kratos(identity.HookLogin, "k-1", "s-1", nil)
	l.Linking = true
	want(t, h.Provision(t.Context(), l), identity.Denied, identity.CodeLinkingDisabled)
	later := kratos(identity.HookLogin, "k-1", "s-1", nil) // metadata still describes acme
	later.Provider = "globex"
	want(t, h.Provision(t.Context(), later), identity.Denied, identity.CodeLinkingDisabled)
	want(t, h.Provision(t.Context(), kratos(identity.HookLogin, "k-1", "s-1", nil)), identity.Unchanged)
}

// TestGenericWithoutEvidence: an id of the caller's own vouches for nobody.
func TestGenericWithoutEvidence(t *testing.T) {
	h := open(t)
	l := generic("s-1", ann())
	l.External = identity.ExternalID{System: identity.SystemGeneric, Instance: "main", ID: "u-1"}
	want(t, h.Provision(t.Context(), l), identity.Created)
	h.edit(replace(acme, "issuer: https://acme.example", "issuer: https://acme.example\nclaims: {source: kratos_metadata}"))
	want(t, h.Provision(t.Context(), l), identity.Denied, identity.CodeClaimsAbsent)
}
