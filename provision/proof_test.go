// These tests prove what prepare decides about a subject that policy links to
// somebody who is there: Kratos is let go on only to ask for a proof, of the one
// account that is meant; what it is told meanwhile says nothing of that person;
// and a link that an administrator has approved comes to be in Kratos the same
// way.
package provision_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/jithook/jithook/identity"
	adminapi "github.com/jithook/jithook/kratos"
)

// annByGlobex is the first sign-in, by the other provider, of a subject with
// ann's address.
func annByGlobex(subject string, edit ...func(map[string]any)) identity.Login {
	l := fromGlobex(subject, append([]func(map[string]any){with("name", "Ann at Globex")}, edit...)...)
	l.Hook, l.Caller, l.External = identity.HookPrepare, "kratos", identity.ExternalID{System: identity.SystemKratos, Instance: "main"}
	l.Offers[0].Source, l.Offers[0].Issuer = identity.SourceKratosMetadata, globexIssuer
	return l
}

// known is a house in which Kratos has ann as k-1, who signs in there with her
// address.
func known(t *testing.T, jit string) (*house, *adminAPI) {
	t.Helper()
	h := open(t, acme, second(jit))
	h.first("s-1", "k-1")
	api := h.holds("acme:s-1")
	api.holders = []string{"k-1"}
	h.store.reads.Store(0)
	h.store.writes.Store(0)
	return h, api
}

// TestAhead: what becomes of a match, by the policy's word and by what Kratos
// has.
func TestAhead(t *testing.T) {
	for name, c := range map[string]struct {
		jit     string
		edit    func(*house, *adminAPI)
		login   func(*identity.Login)
		d       identity.Decision
		code    identity.Code
		awaited bool
	}{
		"auto":              {jit: auto, d: identity.Unchanged, code: identity.CodeProofAwaited, awaited: true},
		"disabled":          {jit: "", d: identity.Denied, code: identity.CodeLinkingDisabled},
		"confirm":           {jit: confirm, d: identity.Denied, code: identity.CodeLinkApprovalRequired},
		"without Admin API": {jit: auto, edit: func(h *house, _ *adminAPI) { h.Kratos = nil }, d: identity.Denied, code: identity.CodeLinkRefused},
		"Kratos is deaf":    {jit: auto, edit: func(h *house, _ *adminAPI) { h.deaf() }, d: identity.Denied, code: identity.CodeLinkRefused},
		"nobody has the address there": {jit: auto, edit: func(_ *house, a *adminAPI) { a.holders = nil },
			d: identity.Denied, code: identity.CodeLinkRefused},
		"somebody else has it there": {jit: auto, edit: func(_ *house, a *adminAPI) { a.holders = []string{"k-2"} },
			d: identity.Denied, code: identity.CodeTraitTaken},
		"Kratos has lost her": {jit: auto, edit: func(_ *house, a *adminAPI) { a.account, a.holders = nil, nil },
			d: identity.Linked, code: identity.CodeLinked},
		"Kratos has lost her, and somebody else has the address": {jit: auto, edit: func(_ *house, a *adminAPI) { a.account, a.holders = nil, []string{"k-2"} },
			d: identity.Denied, code: identity.CodeTraitTaken},
		"two have it there": {jit: auto, edit: func(_ *house, a *adminAPI) { a.holders = []string{"k-1", "k-2"} },
			d: identity.Denied, code: identity.CodeTraitTaken},
		"another Kratos calls, which has nobody": {jit: auto, edit: func(h *house, a *adminAPI) {
			a.holders = nil
			h.Kratos["second"] = h.Kratos["main"]
		}, login: func(l *identity.Login) { l.External.Instance = "second" }, d: identity.Linked, code: identity.CodeLinked},
		"another Kratos calls, which has somebody": {jit: auto, edit: func(h *house, a *adminAPI) {
			a.holders = []string{"k-9"}
			h.Kratos["second"] = h.Kratos["main"]
		}, login: func(l *identity.Login) { l.External.Instance = "second" }, d: identity.Denied, code: identity.CodeTraitTaken},
		"protected": {jit: auto + "\n  protected: 'identity.groups.exists(g, g == \"engineering\")'",
			d: identity.Denied, code: identity.CodeLinkProtected},
		"she has a subject of theirs": {jit: auto, edit: func(h *house, _ *adminAPI) {
			h.change("s-1", func(i *identity.Identity) {
				i.Links = append(i.Links, identity.Link{Provider: "globex", Issuer: globexIssuer, Subject: "g-0", Evidence: identity.SourceHookBody})
				i.Keys = append(i.Keys, identity.FedKey(globexIssuer, "g-0"))
				slices.Sort(i.Keys)
			})
		}, d: identity.Denied, code: identity.CodeLinkRefused},
		"she is suspended": {jit: auto, edit: func(h *house, _ *adminAPI) { h.set(identity.StateSuspended) }, d: identity.Denied, code: identity.CodeSuspended},
		"not verified": {jit: auto, login: func(l *identity.Login) { l.Offers[0].Claims["email_verified"] = false },
			d: identity.Denied, code: identity.CodeTraitTaken},
	} {
		t.Run(name, func(t *testing.T) {
			h, api := known(t, c.jit)
			if c.edit != nil {
				c.edit(h, api)
			}
			before := h.only()
			l := annByGlobex("g-1")
			if c.login != nil {
				c.login(&l)
			}
			out := h.Provision(t.Context(), l)
			want(t, out, c.d, c.code)
			after := h.only()
			at := after.Proposal(globexIssuer, "g-1")
			if got := at >= 0 && after.Proposals[at].State == identity.ProposalAwaited; got != c.awaited || out.Unproved != c.awaited {
				t.Errorf("awaited %t, unproved %t: %+v", got, out.Unproved, after.Proposals)
			}
			if !after.LastLoginAt.Equal(before.LastLoginAt) {
				t.Error("it counts as a login of hers")
			}
		})
	}
}

// deaf has the Admin API answer nothing of use.
func (h *house) deaf() {
	h.t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }))
	h.t.Cleanup(server.Close)
	admin, err := adminapi.NewAdmin(server.URL, "")
	if err != nil {
		h.t.Fatal(err)
	}
	h.Kratos = map[string]*adminapi.Admin{"main": admin}
}

// TestAwaited: until the proof is given nothing of the account is told to whoever
// asks for it, and asking again costs no write.
func TestAwaited(t *testing.T) {
	h, api := known(t, auto)
	h.now = h.now.Add(2 * time.Hour) // so that a login would be noted
	out := h.Provision(t.Context(), annByGlobex("g-1"))
	want(t, out, identity.Unchanged, identity.CodeProofAwaited)
	h.cost(2, 1)
	i := h.only()
	if w := i.Proposals[0]; w.Subject != "g-1" || w.Provider != "globex" || w.Match.Path != "/email" || !w.Expires.Equal(h.now.Add(time.Hour)) {
		t.Errorf("awaited %+v", w)
	}
	told := out.Identity
	if told.ID != "" || told.Traits["name"] != "Ann at Globex" || told.Traits["username"] != nil || len(told.Groups) != 0 || len(told.ExternalIDs) != 0 {
		t.Errorf("Kratos is told %+v", told)
	}
	if out.Record.IdentityID != i.ID || out.Record.Rule != "b.yaml:12:41" {
		t.Errorf("record of %s by %s", out.Record.IdentityID, out.Record.Rule)
	}

	h.now = h.now.Add(29 * time.Minute)
	want(t, h.Provision(t.Context(), annByGlobex("g-1")), identity.Unchanged, identity.CodeProofAwaited)
	h.cost(2, 0)
	h.settle()
	if j := h.only(); j.Revision != i.Revision || !j.LastLoginAt.Equal(i.LastLoginAt) {
		t.Errorf("written: %+v", j)
	}
	h.store.writes.Store(0)
	h.now = h.now.Add(2 * time.Minute)
	want(t, h.Provision(t.Context(), annByGlobex("g-1")), identity.Unchanged, identity.CodeProofAwaited)
	h.cost(2, 1)

	// The proof: Kratos has stored the credential, and the person signs in.
	identifiers(api.account, "acme:s-1", "globex:g-1")
	want(t, h.Provision(t.Context(), linking(signIn("acme"))), identity.Linked)
	want(t, h.Provision(t.Context(), signIn("globex")), identity.Unchanged)
	if i := h.only(); i.Traits["name"] != "Ann Example" || len(i.Links) != 2 {
		t.Errorf("%+v", i)
	}
}

// TestAwaitedSeesNothing: nor do the expressions of the mapping show it.
func TestAwaitedSeesNothing(t *testing.T) {
	h := open(t, acme, replace(second(auto), "{value: claims.name, absent: clear}", "{value: 'identity == null ? claims.name : identity.traits.name'}"))
	h.first("s-1", "k-1")
	h.holds("acme:s-1").holders = []string{"k-1"}
	out := h.Provision(t.Context(), annByGlobex("g-1"))
	want(t, out, identity.Unchanged, identity.CodeProofAwaited)
	if name := out.Identity.Traits["name"]; name != "Ann at Globex" {
		t.Errorf("Kratos is told of %v", name)
	}
}

// TestAwaitedTooLong: what Kratos connects after the hour is taken back, so that
// the next sign-in is decided anew rather than refused for ever.
func TestAwaitedTooLong(t *testing.T) {
	for name, l := range map[string]identity.Login{
		"at the proof":        linking(signIn("acme")),
		"at a login after it": signIn("globex"),
		"at another login":    signIn("acme"),
	} {
		t.Run(name, func(t *testing.T) {
			h, api := known(t, auto)
			want(t, h.Provision(t.Context(), annByGlobex("g-1")), identity.Unchanged, identity.CodeProofAwaited)
			identifiers(api.account, "acme:s-1", "globex:g-1")
			h.now = h.now.Add(time.Hour)
			out := h.Provision(t.Context(), l)
			if passes := l.Provider == "acme" && !l.Linking; out.Record.Decision.Allowed() != passes {
				t.Errorf("%s %v", out.Record.Decision, out.Record.Reasons)
			}
			if got := api.removed(); !slices.Equal(got, []string{"globex:g-1"}) {
				t.Errorf("removed %v", got)
			}
			identifiers(api.account, "acme:s-1")
			want(t, h.Provision(t.Context(), annByGlobex("g-1")), identity.Unchanged, identity.CodeProofAwaited)
		})
	}
}

// TestAwaitedAndAnother: with the one that is awaited Kratos has connected one
// that is not. That one goes; the other is taken by the next login.
func TestAwaitedAndAnother(t *testing.T) {
	h, api := known(t, auto)
	want(t, h.Provision(t.Context(), annByGlobex("g-1")), identity.Unchanged, identity.CodeProofAwaited)
	identifiers(api.account, "acme:s-1", "acme:s-9", "globex:g-1")
	want(t, h.Provision(t.Context(), linking(signIn("acme"))), identity.Denied, identity.CodeLinkingDisabled)
	if got := api.removed(); !slices.Equal(got, []string{"acme:s-9"}) {
		t.Errorf("removed %v", got)
	}
	identifiers(api.account, "acme:s-1", "globex:g-1")
	want(t, h.Provision(t.Context(), signIn("acme")), identity.Linked)
}

// TestMarkWithoutACredential: Kratos says that it has connected something, and
// shows nothing.
func TestMarkWithoutACredential(t *testing.T) {
	h, api := known(t, auto)
	identifiers(api.account)
	want(t, h.Provision(t.Context(), linking(signIn(""))), identity.Denied, identity.CodeLinkingDisabled)
}

// TestAwaitedAreFew: whoever has many accounts with her address does not fill her
// identity.
func TestAwaitedAreFew(t *testing.T) {
	h, _ := known(t, auto)
	for n := range 16 {
		want(t, h.Provision(t.Context(), annByGlobex(fmt.Sprint("g-", n))), identity.Unchanged, identity.CodeProofAwaited)
	}
	want(t, h.Provision(t.Context(), annByGlobex("g-16")), identity.Denied, identity.CodeLinkRefused)
	h.now = h.now.Add(time.Hour)
	want(t, h.Provision(t.Context(), annByGlobex("g-16")), identity.Unchanged, identity.CodeProofAwaited)
	if i := h.only(); len(i.Proposals) != 1 {
		t.Errorf("%d proposals", len(i.Proposals))
	}
}

// TestPendingOfEarlierDays: the subject has been pending since before policy
// could link it. It stays so until the proof, and yields then.
func TestPendingOfEarlierDays(t *testing.T) {
	unverified := annByGlobex("g-1", with("email", "ann@globex.example"))
	for name, instance := range map[string]string{"the proof": "main", "Kratos has nobody": "second"} {
		t.Run(name, func(t *testing.T) {
			h, api := known(t, auto)
			api.holders = nil
			want(t, h.Provision(t.Context(), unverified), identity.Created)
			pending := h.of(globexIssuer, "g-1")
			h.Kratos["second"] = h.Kratos["main"]
			l := annByGlobex("g-1")
			l.External.Instance = instance
			if instance == "second" {
				want(t, h.Provision(t.Context(), l), identity.Linked)
				if i := h.only(); i.ID == pending.ID || i.Link(globexIssuer, "g-1") < 0 {
					t.Errorf("%+v", i)
				}
				return
			}
			api.holders = []string{"k-1"}
			want(t, h.Provision(t.Context(), l), identity.Unchanged, identity.CodeProofAwaited)
			if i := h.of(globexIssuer, "g-1"); i == nil || i.ID != pending.ID {
				t.Errorf("the subject is %+v", i)
			}
			identifiers(api.account, "acme:s-1", "globex:g-1")
			want(t, h.Provision(t.Context(), linking(signIn(""))), identity.Linked)
			if i := h.only(); i.Link(globexIssuer, "g-1") < 0 {
				t.Errorf("%+v", i)
			}
		})
	}
	t.Run("an administrator has touched it", func(t *testing.T) {
		h, api := known(t, auto)
		api.holders = nil
		want(t, h.Provision(t.Context(), unverified), identity.Created)
		i := *h.of(globexIssuer, "g-1")
		i.Groups = append(i.Groups, identity.Group{Name: "board", Source: identity.SourceAdmin})
		i.Revision++
		if err := h.store.Swap(t.Context(), i, identity.Record{}); err != nil {
			t.Fatal(err)
		}
		want(t, h.Provision(t.Context(), annByGlobex("g-1")), identity.Denied, identity.CodeTraitTaken)
	})
}

// TestApprovedLinkInKratos: the link is there, and Kratos has never had the
// credential: it comes by the same proof. One that Kratos has had and lost does
// not.
func TestApprovedLinkInKratos(t *testing.T) {
	for name, c := range map[string]struct {
		evidence string
		edit     func(*house, *adminAPI)
		d        identity.Decision
		code     identity.Code
	}{
		"an administrator approved it": {identity.SourceAdmin, nil, identity.Updated, ""},
		"the generic contract made it": {identity.SourceHookBody, nil, identity.Updated, ""},
		"Kratos had it":                {identity.SourceKratosAdmin, nil, identity.Denied, identity.CodeLinkStale},
		"Kratos had it, by metadata":   {identity.SourceKratosMetadata, nil, identity.Denied, identity.CodeLinkStale},
		"without Admin API":            {identity.SourceAdmin, func(h *house, _ *adminAPI) { h.Kratos = nil }, identity.Denied, identity.CodeLinkStale},
		"nobody would be asked": {identity.SourceAdmin, func(_ *house, a *adminAPI) { a.holders = nil },
			identity.Denied, identity.CodeLinkRefused},
		"somebody else would be asked": {identity.SourceAdmin, func(_ *house, a *adminAPI) { a.holders = []string{"k-2"} },
			identity.Denied, identity.CodeTraitTaken},
		"JIT is disabled": {identity.SourceAdmin, func(h *house, _ *adminAPI) {
			h.edit(acme, replace(second(confirm), "enabled: true", "enabled: false"))
		}, identity.Denied, identity.CodeLinkRefused},
		"suspended": {identity.SourceAdmin, func(h *house, _ *adminAPI) { h.set(identity.StateSuspended) }, identity.Denied, identity.CodeSuspended},
	} {
		t.Run(name, func(t *testing.T) {
			h, api := known(t, confirm)
			h.link(c.evidence)
			if c.edit != nil {
				c.edit(h, api)
			}
			before := h.only()
			out := h.Provision(t.Context(), annByGlobex("g-1"))
			if out.Record.Decision != c.d && !(c.d == identity.Updated && out.Record.Decision == identity.Unchanged) {
				t.Fatalf("%s %v", out.Record.Decision, out.Record.Reasons)
			}
			if c.code != "" {
				want(t, out, c.d, c.code)
				return
			}
			if !out.Unproved || out.Identity.ID != before.ID {
				t.Errorf("unproved %t: %+v", out.Unproved, out.Identity)
			}
			identifiers(api.account, "acme:s-1", "globex:g-1")
			if out := h.Provision(t.Context(), linking(signIn("acme"))); !out.Record.Decision.Allowed() {
				t.Errorf("the proof: %s %v", out.Record.Decision, out.Record.Reasons)
			}
			if len(api.removed()) > 0 {
				t.Errorf("removed %v", api.removed())
			}
			want(t, h.Provision(t.Context(), signIn("globex")), identity.Unchanged)
			// What Kratos has had, it can take back; what another system made is not its.
			identifiers(api.account, "acme:s-1")
			h.Provision(t.Context(), signIn("acme"))
			if i := h.only(); (i.Link(globexIssuer, "g-1") < 0) != (c.evidence == identity.SourceAdmin) {
				t.Errorf("disconnected in Kratos: %+v", i.Links)
			}
		})
	}
}

// TestRejectedIsNotAwaited: an administrator does not want the subject; no proof
// takes it.
func TestRejectedIsNotAwaited(t *testing.T) {
	h, api := known(t, auto)
	h.await(func(w *identity.Proposal) { w.State, w.Expires = identity.ProposalRejected, time.Time{} })
	want(t, h.Provision(t.Context(), annByGlobex("g-1")), identity.Denied, identity.CodeLinkRefused)
	identifiers(api.account, "acme:s-1", "globex:g-1")
	want(t, h.Provision(t.Context(), linking(signIn("acme"))), identity.Denied, identity.CodeLinkingDisabled)
	if got := api.removed(); !slices.Equal(got, []string{"globex:g-1"}) {
		t.Errorf("removed %v", got)
	}
}
