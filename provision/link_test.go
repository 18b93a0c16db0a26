package provision_test

// These tests prove to whom a new subject is linked, and to whom not: what a
// lookup rule finds is verified on both sides, lately, by whoever still may; it
// is one person, spelt alike, not barred, protected or linked to the provider
// already; and what comes of it is what the file says, in one read more.

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/provision"
)

// rules are globex's lookup rules, at lines 12 and 13 of its file.
const rules = `
  account_lookup:
    - {local: /traits/email, federated: claims.email}
    - {local: /traits/username, federated: claims.preferred_username}
`

// second is the file of globex, which vouches for acme's addresses and names too.
func second(jit string) string {
	f := strings.NewReplacer("provider: acme", "provider: globex", "https://acme.example", "https://globex.example",
		"canonical: username", "canonical: username, verified: claims.name_verified").Replace(acme)
	return replace(f, "traits:", strings.TrimLeft(rules, "\n")+jit+"\ntraits:")
}

// findable is a house in which acme has signed Ann in, and globex's rules may
// find her.
func findable(t *testing.T, jit string) *house {
	t.Helper()
	h := open(t, replace(acme, "canonical: username", "canonical: username, verified: claims.name_verified"), second(jit))
	want(t, h.Provision(t.Context(), generic("s-1", ann(with("name_verified", true)))), identity.Created)
	h.store.reads.Store(0)
	h.store.writes.Store(0)
	return h
}

// fromGlobex is a login by the other provider, which by default has no name of hers.
func fromGlobex(subject string, edit ...func(map[string]any)) identity.Login {
	l := generic(subject, ann(append([]func(map[string]any){without("preferred_username"), without("groups")}, edit...)...))
	l.Provider, l.Offers[0].Provider = "globex", "globex"
	return l
}

const auto, confirm = "  account_linking: auto", "  account_linking: confirm"

func (h *house) cost(reads, writes int64) {
	h.t.Helper()
	if r, w := h.store.reads.Swap(0), h.store.writes.Swap(0); r != reads || w != writes {
		h.t.Errorf("%d reads and %d writes, want %d and %d", r, w, reads, writes)
	}
}

func TestLinkedAtOnce(t *testing.T) {
	h := findable(t, auto)
	preview, err := h.Preview(t.Context(), fromGlobex("g-1"))
	if err != nil {
		t.Fatal(err)
	}
	want(t, preview, identity.Linked, identity.CodeLinked)
	if preview.Match.Path != "/email" || preview.Match.StoredBy != "provider:acme" {
		t.Errorf("match %+v", preview.Match)
	}
	before := h.only()
	h.cost(2, 0)

	out := h.Provision(t.Context(), fromGlobex("g-1", with("groups", []any{"staff"})))
	want(t, out, identity.Linked, identity.CodeLinked)
	h.cost(2, 1)
	if r := out.Record; r.Rule != "b.yaml:12:41" || r.IdentityID != before.ID || !slices.Equal(r.Change, []identity.Change{set("/links/globex"), set("/groups/staff")}) {
		t.Errorf("record %+v", r)
	}
	i := h.only()
	link := identity.Link{
		Provider: "globex", Issuer: "https://globex.example", Subject: "g-1", LinkedAt: h.now, Evidence: identity.SourceHookBody, ReceivedAt: h.now,
		Match: identity.Match{Rule: "b.yaml:12:41", Path: "/email", StoredBy: "provider:acme", ClaimedBy: "provider:globex"},
	}
	if len(i.Links) != 2 || i.Links[1] != link || i.ID != before.ID || i.Revision != 2 {
		t.Errorf("%+v", i)
	}
	if !slices.Contains(i.Keys, identity.FedKey("https://globex.example", "g-1")) || len(i.Keys) != len(before.Keys)+1 {
		t.Errorf("keys %v", i.Keys)
	}
	// From now on the subject is hers, without a look-up.
	h.now = h.now.Add(time.Minute)
	out = h.Provision(t.Context(), fromGlobex("g-1", with("groups", []any{"staff"})))
	want(t, out, identity.Unchanged, identity.CodeUnchanged)
	h.cost(1, 0)
	want(t, h.Provision(t.Context(), generic("s-1", ann(with("name_verified", true)))), identity.Unchanged)
	h.cost(1, 0)
	if out.Identity.ID != before.ID {
		t.Error("another identity")
	}
}

// The login that links somebody is one of theirs: what nobody answers for any more
// goes with it, and the same login again changes nothing.
func TestLinkedIsTheNextLogin(t *testing.T) {
	h := findable(t, auto)
	h.edited(func(i *identity.Identity) {
		i.Links = append(i.Links, identity.Link{Provider: "initech", Issuer: "https://initech.example", Subject: "i-1", LinkedAt: h.now, Evidence: identity.SourceHookBody})
		i.Keys = append(i.Keys, identity.FedKey("https://initech.example", "i-1"))
		i.Groups = append(i.Groups, identity.Group{Name: "printers", Source: "provider:initech"})
		i.Traits["phone"] = "1"
		i.Provenance = append(i.Provenance, identity.Provenance{Path: "/phone", Source: "provider:initech", At: h.now, VerifiedBy: "provider:initech"})
	})
	out := h.Provision(t.Context(), fromGlobex("g-1"))
	want(t, out, identity.Linked, identity.CodeLinked)
	if !slices.Equal(out.Record.Change, []identity.Change{set("/links/globex"), set("/traits/phone"), {Path: "/groups/printers", Op: identity.OpRemove}}) {
		t.Errorf("changes %v", out.Record.Change)
	}
	want(t, h.Provision(t.Context(), fromGlobex("g-1")), identity.Unchanged, identity.CodeUnchanged)
}

// edited changes the only identity behind everybody's back.
func (h *house) edited(change func(*identity.Identity)) {
	h.t.Helper()
	i := h.only()
	change(&i)
	slices.Sort(i.Keys)
	i.Revision++
	if err := h.store.Swap(h.t.Context(), i, identity.Record{}); err != nil {
		h.t.Fatal(err)
	}
}

func TestWhoIsLinked(t *testing.T) {
	prov := func(change func(*identity.Provenance)) func(*house) {
		return func(h *house) { h.edited(func(i *identity.Identity) { change(&i.Provenance[0]) }) }
	}
	adm := func(e provision.Edit) func(*house) {
		return func(h *house) { h.admin(e, identity.Updated) }
	}
	elsewhere := fromGlobex("g-1")
	elsewhere.External = identity.ExternalID{System: identity.SystemGeneric, Instance: "main", ID: "x-2"}
	day := 24 * time.Hour
	const mail, name = identity.CodeTraitTaken, identity.CodeLinked
	byName := []func(map[string]any){with("preferred_username", "Ann"), with("name_verified", true), with("email", "other@acme.example")}
	for about, c := range map[string]struct {
		jit   string
		setup func(*house)
		login identity.Login
		d     identity.Decision
		code  identity.Code
	}{
		"ASCII case":               {auto, nil, fromGlobex("g-1", with("email", "aNN@Acme.example")), identity.Linked, identity.CodeLinked},
		"by the second rule":       {auto, nil, fromGlobex("g-1", byName...), identity.Linked, name},
		"by Kratos, at the login":  {auto, nil, byKratos(identity.HookLogin, "k-9"), identity.Linked, "" /* and its claims are old */},
		"by default":               {"", nil, fromGlobex("g-1"), identity.Denied, identity.CodeLinkingDisabled},
		"disabled":                 {"  account_linking: disabled", nil, fromGlobex("g-1"), identity.Denied, identity.CodeLinkingDisabled},
		"confirm":                  {confirm, nil, fromGlobex("g-1"), identity.Denied, identity.CodeLinkApprovalRequired},
		"claim not verified":       {auto, nil, fromGlobex("g-1", with("email_verified", false)), identity.Created, identity.CodeCreated},
		"S17 claim absent":         {auto, nil, fromGlobex("g-1", without("email_verified")), identity.Created, identity.CodeCreated},
		"claim verified in words":  {auto, nil, fromGlobex("g-1", with("email_verified", "true")), identity.Created, identity.CodeCreated},
		"claim of another domain":  {auto, nil, fromGlobex("g-1", with("email", "ann@other.example")), identity.Created, identity.CodeCreated},
		"claim missing":            {auto, nil, fromGlobex("g-1", without("email")), identity.Denied, identity.CodeTraitMissing},
		"name not verified":        {auto, nil, fromGlobex("g-1", with("preferred_username", "ann"), with("email", "other@acme.example")), identity.Denied, identity.CodeTraitTaken},
		"nobody has it":            {auto, nil, fromGlobex("g-1", with("email", "other@acme.example")), identity.Created, identity.CodeCreated},
		"nobody, and deny":         {auto + "\n  on_lookup_miss: deny", nil, fromGlobex("g-1", with("email", "other@acme.example")), identity.Denied, identity.CodeLookupMiss},
		"unverified, and deny":     {auto + "\n  on_lookup_miss: deny", nil, fromGlobex("g-1", with("email_verified", false)), identity.Denied, identity.CodeLookupMiss},
		"stored not verified":      {auto, prov(func(p *identity.Provenance) { p.VerifiedBy = "" }), fromGlobex("g-1"), identity.Denied, mail},
		"stored evidence of 89 d":  {auto, prov(func(p *identity.Provenance) { p.At = p.At.Add(-89 * day) }), fromGlobex("g-1"), identity.Linked, identity.CodeLinked},
		"stored evidence of 90 d":  {auto, prov(func(p *identity.Provenance) { p.At = p.At.Add(-90 * day) }), fromGlobex("g-1"), identity.Denied, mail},
		"renewed since":            {auto, prov(func(p *identity.Provenance) { p.At, p.VerifiedAt = p.At.Add(-900*day), p.At }), fromGlobex("g-1"), identity.Linked, identity.CodeLinked},
		"verified by who may not":  {auto, prov(func(p *identity.Provenance) { p.VerifiedBy = "provider:gone" }), fromGlobex("g-1"), identity.Denied, mail},
		"the value, elsewhere":     {auto, func(h *house) { h.edited(func(i *identity.Identity) { i.Traits["email"] = "new@acme.example" }) }, fromGlobex("g-1"), identity.Denied, mail},
		"S24 look-alike":           {auto, func(h *house) { h.edited(umlaut) }, fromGlobex("g-1", with("email", "ÄNN@acme.example")), identity.Denied, identity.CodeLinkRefused},
		"not even in ASCII":        {auto, func(h *house) { h.edited(umlaut) }, fromGlobex("g-1", with("email", "änn@ACME.example")), identity.Linked, identity.CodeLinked},
		"S26 suspended":            {auto, adm(provision.Suspend()), fromGlobex("g-1"), identity.Denied, identity.CodeSuspended},
		"S26 deprovisioned":        {auto, adm(provision.Deprovision()), fromGlobex("g-1"), identity.Denied, identity.CodeDeprovisioned},
		"suspended, to confirm":    {confirm, adm(provision.Suspend()), fromGlobex("g-1"), identity.Denied, identity.CodeSuspended},
		"pending":                  {auto, func(h *house) { h.edited(func(i *identity.Identity) { i.State = identity.StatePending }) }, fromGlobex("g-1"), identity.Denied, mail},
		"second subject":           {auto, func(h *house) { h.link(identity.SourceHookBody) }, fromGlobex("g-2"), identity.Denied, identity.CodeLinkRefused},
		"second id of the caller":  {auto, func(h *house) { h.edited(external) }, elsewhere, identity.Denied, identity.CodeLinkRefused},
		"protected":                {auto + "\n  protected: identity.groups.exists(g, g == \"engineering\")", nil, fromGlobex("g-1"), identity.Denied, identity.CodeLinkProtected},
		"not protected":            {auto + "\n  protected: identity.groups.exists(g, g == \"admins\")", nil, fromGlobex("g-1"), identity.Linked, identity.CodeLinked},
		"protected, not evaluable": {auto + "\n  protected: identity.traits.level > 3", nil, fromGlobex("g-1"), identity.Denied, identity.CodeLinkProtected},
		"protected, to confirm":    {confirm + "\n  protected: \"true\"", nil, fromGlobex("g-1"), identity.Denied, identity.CodeLinkApprovalRequired},
		"policy first":             {auto, nil, fromGlobex("g-1", with("hd", "evil.example")), identity.Denied, identity.CodeNotAllowed},
		"JIT disabled":             {auto, func(h *house) { h.edit2(replace(second(auto), "enabled: true", "enabled: false")) }, fromGlobex("g-1"), identity.Denied, identity.CodeJITDisabled},
		"at prepare":               {auto, nil, byKratos(identity.HookPrepare, ""), identity.Denied, identity.CodeLinkRefused},
		"at prepare, disabled":     {"", nil, byKratos(identity.HookPrepare, ""), identity.Denied, identity.CodeLinkingDisabled},
		"a value nobody vouches for": {auto, func(h *house) {
			h.edit2(strings.Replace(second(auto), "federated: claims.email", "federated: claims.contact", 1))
		}, fromGlobex("g-1", with("contact", "ann@acme.example"), with("email", "mallory@acme.example")), identity.Created, identity.CodeCreated},
		"another value than the trait's": {auto, func(h *house) {
			h.edit2(strings.Replace(second(auto), "federated: claims.email", "federated: claims.contact", 1))
		}, fromGlobex("g-1", with("contact", "mallory@acme.example")), identity.Denied, identity.CodeTraitTaken},
		"no value beside the trait's": {auto, func(h *house) {
			h.edit2(strings.Replace(second(auto), "federated: claims.email", "federated: claims.contact", 1))
		}, fromGlobex("g-1"), identity.Denied, identity.CodeTraitTaken},
		"a rule that fails": {auto, func(h *house) {
			h.edit2(strings.Replace(second(auto), "federated: claims.email", "federated: claims.email.x", 1))
		}, fromGlobex("g-1"), identity.Denied, identity.CodeRuleError},
	} {
		t.Run(about, func(t *testing.T) {
			h := findable(t, c.jit)
			if c.setup != nil {
				c.setup(h)
			}
			before := h.only()
			preview, err := h.Preview(t.Context(), c.login)
			if err != nil {
				t.Fatal(err)
			}
			var codes []identity.Code
			if c.code != "" {
				codes = append(codes, c.code)
			}
			want(t, preview, c.d, codes...)
			out := h.Provision(t.Context(), c.login)
			want(t, out, c.d, codes...)
			if c.d == identity.Created {
				if len(h.all()) != 2 {
					t.Error("nobody was made")
				}
				return
			}
			after := h.only()
			if linked := after.Link("https://globex.example", c.login.Offers[0].Subject) >= 0; linked != (c.d == identity.Linked) {
				t.Errorf("linked: %t", linked)
			}
			if c.d == identity.Denied && !slices.Equal(after.Keys, before.Keys) {
				t.Error("a refusal changed the keys")
			}
		})
	}
}

// edit2 replaces globex's file and keeps acme's.
func (h *house) edit2(file string) {
	next := open(h.t, string(h.files["a.yaml"].Data), file)
	h.Providers = next.Providers
}

func umlaut(i *identity.Identity) {
	old, now := identity.MailKey("employees", "ann@acme.example"), identity.MailKey("employees", "änn@acme.example")
	i.Traits["email"], i.Keys[slices.Index(i.Keys, old)] = "änn@acme.example", now
}

func external(i *identity.Identity) {
	i.ExternalIDs = []identity.ExternalID{{System: identity.SystemGeneric, Instance: "main", ID: "x-1"}}
	i.Keys = append(i.Keys, identity.ExtKey(i.ExternalIDs[0]))
}

// byKratos is globex's login in front of Kratos.
func byKratos(hook identity.Hook, id string) identity.Login {
	l := kratos(hook, id, "g-1", ann(without("preferred_username"), without("groups")))
	l.Provider, l.Offers[0].Provider, l.Offers[0].Issuer = "globex", "globex", "https://globex.example"
	return l
}

// TestAmbiguous: two rules, two people. That is none of them, whichever rule
// comes first.
func TestAmbiguous(t *testing.T) {
	h := findable(t, auto)
	bob := generic("s-2", ann(with("email", "bob@acme.example"), with("preferred_username", "bob"), with("name_verified", true)))
	want(t, h.Provision(t.Context(), bob), identity.Created)
	out := h.Provision(t.Context(), fromGlobex("g-1", with("preferred_username", "bob"), with("name_verified", true)))
	want(t, out, identity.Denied, identity.CodeLinkAmbiguous)
	if out.Record.IdentityID != "" || out.Record.Rule == "" {
		t.Errorf("record %+v", out.Record)
	}
	for _, i := range h.all() {
		if len(i.Links) != 1 || len(i.Proposals) != 0 {
			t.Errorf("%+v", i)
		}
	}
	// A name that nobody vouches for is no second answer.
	want(t, h.Provision(t.Context(), fromGlobex("g-1", with("preferred_username", "bob"))), identity.Linked)
}

// TestRulesAreFree: a login without a verified value asks nobody.
func TestRulesAreFree(t *testing.T) {
	h := findable(t, auto)
	want(t, h.Provision(t.Context(), fromGlobex("g-1", with("email", "x@acme.example"), with("email_verified", false))), identity.Created)
	h.cost(1, 1)
	want(t, h.Provision(t.Context(), fromGlobex("g-2", with("email", "y@acme.example"))), identity.Created)
	h.cost(2, 1)
}

// TestEvidenceIsRenewed: once a month, by whoever verified it, where a rule may
// ask for it. Nothing else is written for it.
func TestEvidenceIsRenewed(t *testing.T) {
	const day = 24 * time.Hour
	h := findable(t, auto)
	made := h.now
	login := func(verified any) identity.Login {
		return generic("s-1", ann(with("name_verified", true), with("email_verified", verified)))
	}
	h.now = made.Add(30*day - time.Second)
	want(t, h.Provision(t.Context(), login(true)), identity.Unchanged)
	h.now = made.Add(30 * day)
	out := h.Provision(t.Context(), login(true))
	want(t, out, identity.Updated, identity.CodeUpdated)
	if !slices.Equal(out.Record.Change, []identity.Change{set("/provenance/email"), set("/provenance/username")}) {
		t.Errorf("changes %v", out.Record.Change)
	}
	i := h.only()
	by, _ := i.ProvenanceOf("/email")
	if !by.At.Equal(made) || !by.VerifiedAt.Equal(h.now) || by.VerifiedBy != "provider:acme" {
		t.Errorf("%+v", by)
	}
	want(t, h.Provision(t.Context(), login(true)), identity.Unchanged)
	h.now = h.now.Add(89 * day)
	want(t, h.Provision(t.Context(), fromGlobex("g-1")), identity.Linked)

	// The other one's word renews nothing that it did not say itself.
	h.now = h.now.Add(89 * day)
	want(t, h.Provision(t.Context(), fromGlobex("g-1")), identity.Unchanged)
	h.now = h.now.Add(10 * day)
	h.edit2(strings.Replace(second(auto), "local: /traits/email, federated: claims.email", "local: /traits/username, federated: claims.preferred_username", 1))
	out = h.Provision(t.Context(), login(true))
	want(t, out, identity.Updated)
	if !slices.Equal(out.Record.Change, []identity.Change{set("/provenance/username")}) {
		t.Errorf("changes %v: nothing asks for the other one", out.Record.Change)
	}
}

// TestUnverifiedRenewsNothing: a value that stays, and of which the provider no
// longer says that it is verified, gets no younger.
func TestUnverifiedRenewsNothing(t *testing.T) {
	h := findable(t, auto)
	made := h.now
	next := open(t, replace(string(h.files["a.yaml"].Data), "enabled: true", "enabled: true\n  attribute_sync: none"), second(auto))
	h.Providers = next.Providers
	h.now = made.Add(40 * 24 * time.Hour)
	want(t, h.Provision(t.Context(), generic("s-1", ann(with("email_verified", false)))), identity.Unchanged)
	i := h.only()
	if by, _ := i.ProvenanceOf("/email"); !by.Vouched().Equal(made) {
		t.Errorf("%+v", by)
	}
	want(t, h.Provision(t.Context(), generic("s-1", ann())), identity.Updated)
	i = h.only()
	if by, _ := i.ProvenanceOf("/email"); !by.Vouched().Equal(h.now) {
		t.Errorf("%+v", by)
	}
}

// TestAdministratorRenewsNothing: who takes a value over has not verified it.
func TestAdministratorRenewsNothing(t *testing.T) {
	h := findable(t, auto)
	made := h.now
	h.now = made.Add(80 * 24 * time.Hour)
	h.admin(provision.Amend(provision.Patch{Traits: traits("email", "ann@acme.example")}), identity.Updated)
	i := h.only()
	by, _ := i.ProvenanceOf("/email")
	if by.Source != identity.SourceAdmin || !by.Vouched().Equal(made) {
		t.Errorf("%+v", by)
	}
}

// TestProtectedGainsNothing: groups that a protected identity does not have are
// not granted by any login; those that it has, and what is revoked, follow.
func TestProtectedGainsNothing(t *testing.T) {
	h := open(t)
	login := func(groups ...any) identity.Login { return generic("s-1", ann(with("groups", groups))) }
	want(t, h.Provision(t.Context(), login("eng")), identity.Created)
	h.edit(replace(acme, "traits:", "  protected: identity.groups.exists(g, g == \"engineering\")\ntraits:"))
	want(t, h.Provision(t.Context(), login("eng", "staff")), identity.Unchanged, identity.CodeUnchanged, identity.CodeGroupsWithheld)
	want(t, h.Provision(t.Context(), login("eng")), identity.Unchanged, identity.CodeUnchanged)
	// A group that an administrator took stays away.
	h.admin(provision.Amend(provision.Patch{Add: []string{"staff"}}), identity.Updated)
	h.admin(provision.Amend(provision.Patch{Remove: []string{"staff"}}), identity.Updated)
	want(t, h.Provision(t.Context(), login("eng", "staff")), identity.Unchanged, identity.CodeUnchanged, identity.CodeGroupsWithheld)
	want(t, h.Provision(t.Context(), login("staff")), identity.Updated, identity.CodeUpdated, identity.CodeGroupsWithheld)
	if i := h.only(); len(i.Groups) != 0 {
		t.Errorf("groups %v", i.Groups)
	}
	want(t, h.Provision(t.Context(), login("staff")), identity.Updated, identity.CodeUpdated) // protected no more
}

// TestLinkAcrossStores: a subject is pinned before it is linked to somebody in
// another store than home.
func TestLinkAcrossStores(t *testing.T) {
	w := openTown(t, acme, second(auto))
	want(t, w.Provision(t.Context(), generic("s-1", ann())), identity.Created)
	want(t, w.Provision(t.Context(), fromGlobex("g-1")), identity.Linked)
	if got := w.where(t); got != "0+1" {
		t.Errorf("identities at home+employees: %s", got)
	}
	// The file would put the subject elsewhere now; it stays who it is.
	next := open(t, acme, strings.Replace(second(auto), "userstore: employees", "userstore: default", 1))
	w.Providers = next.Providers
	want(t, w.Provision(t.Context(), fromGlobex("g-1")), identity.Unchanged)
}

// TestProposed: a login that an administrator has to confirm leaves one proposal
// and no more, whoever repeats it, and the identity is as it was otherwise.
func TestProposed(t *testing.T) {
	for name, c := range map[string]struct {
		jit  string
		code identity.Code
	}{
		"confirm":   {confirm, identity.CodeLinkApprovalRequired},
		"protected": {auto + "\n  protected: \"true\"", identity.CodeLinkProtected},
	} {
		t.Run(name, func(t *testing.T) {
			h := findable(t, c.jit)
			before := h.only()
			preview, err := h.Preview(t.Context(), fromGlobex("g-1"))
			if err != nil {
				t.Fatal(err)
			}
			want(t, preview, identity.Denied, c.code)
			h.cost(2, 0)
			out := h.Provision(t.Context(), fromGlobex("g-1"))
			want(t, out, identity.Denied, c.code)
			h.cost(2, 1)
			if r := out.Record; r.IdentityID != before.ID || r.Rule != "b.yaml:12:41" || len(r.Change) != 0 {
				t.Errorf("record %+v", r)
			}
			if r, err := h.store.Decision(t.Context(), out.Record.ID); err != nil || r.Decision != identity.Denied {
				t.Errorf("record %+v, %v", r, err)
			}
			made := h.now
			proposal := identity.Proposal{
				Provider: "globex", Issuer: "https://globex.example", Subject: "g-1", State: identity.ProposalOpen, At: made, Expires: made.Add(30 * 24 * time.Hour),
				Match: identity.Match{Rule: "b.yaml:12:41", Path: "/email", StoredBy: "provider:acme", ClaimedBy: "provider:globex"},
			}
			h.now = made.Add(30*24*time.Hour - time.Second)
			want(t, h.Provision(t.Context(), fromGlobex("g-1")), identity.Denied, c.code)
			i := h.only()
			if !slices.Equal(i.Proposals, []identity.Proposal{proposal}) || i.Revision != 2 || len(i.Links) != 1 || !slices.Equal(i.Keys, before.Keys) {
				t.Errorf("%+v", i)
			}
			h.now = made.Add(30 * 24 * time.Hour)
			want(t, h.Provision(t.Context(), fromGlobex("g-1")), identity.Denied, c.code)
			if i := h.only(); len(i.Proposals) != 1 || !i.Proposals[0].At.Equal(h.now) {
				t.Errorf("proposals %+v", i.Proposals)
			}
		})
	}
}

// TestProposalsAreBounded: whoever has many subjects fills no document.
func TestProposalsAreBounded(t *testing.T) {
	h := findable(t, confirm)
	for n := range 20 {
		want(t, h.Provision(t.Context(), fromGlobex("g-"+string(rune('a'+n)))), identity.Denied, identity.CodeLinkApprovalRequired)
	}
	if n := len(h.only().Proposals); n != 16 {
		t.Errorf("%d proposals", n)
	}
}

// TestProposalGivesWay: once the file says auto, what was proposed is linked.
func TestProposalGivesWay(t *testing.T) {
	h := findable(t, confirm)
	want(t, h.Provision(t.Context(), fromGlobex("g-1")), identity.Denied)
	h.edit2(second(auto))
	want(t, h.Provision(t.Context(), fromGlobex("g-1")), identity.Linked)
	if i := h.only(); len(i.Proposals) != 0 || len(i.Links) != 2 {
		t.Errorf("%+v", i)
	}
}
