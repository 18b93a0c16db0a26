package provision_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/provision"
	"github.com/jithook/jithook/store"
)

// asking is a file that asks for a username, an address and the terms.
var asking = scheme("prompt", `consent: {path: /traits/terms, version: "2026-01"}`)

func scheme(name, consent string) string {
	file := replace(acme, "  enabled: true", "  enabled: true\n  scheme: "+name+"\n  "+consent)
	return replace(file, "canonical: username, unique: true}", "canonical: username, unique: true, required: true}")
}

// answering is a login with answers to what was asked.
func answering(l identity.Login, answers map[string]any) identity.Login {
	l.Answers = answers
	return l
}

// nameless are claims that lack what asking asks for.
func nameless(edit ...func(map[string]any)) map[string]any {
	return ann(append(edit, without("preferred_username"))...)
}

// paths are those of the reasons.
func paths(out provision.Outcome) []string {
	var all []string
	for _, r := range out.Record.Reasons {
		all = append(all, string(r.Code)+" "+r.Path)
	}
	return all
}

// wantPrompt checks what is asked, and that nothing was written but the record.
func wantPrompt(t *testing.T, h *house, out provision.Outcome, asked ...string) {
	t.Helper()
	want(t, out, identity.Prompt)
	if got := paths(out); !slices.Equal(got, asked) {
		t.Errorf("asked %v, want %v", got, asked)
	}
	if n := len(h.all()); n != 0 {
		t.Errorf("%d identities", n)
	}
	if r, err := h.store.Decision(t.Context(), out.Record.ID); err != nil || r.Decision != identity.Prompt || len(r.Reasons) != len(asked) {
		t.Errorf("record %+v, %v", r, err)
	}
}

const (
	terms    = "/traits/terms"
	username = "/traits/username"
	email    = "/traits/email"
)

// TestPrompt: whatever is open is asked for at once, and nothing is written until
// all of it has a good answer.
func TestPrompt(t *testing.T) {
	for name, c := range map[string]struct {
		claims  map[string]any
		answers map[string]any
		asked   []string // none: created
		traits  map[string]any
	}{
		"nothing answered":            {nameless(without("email")), nil, []string{"prompt_required " + email, "prompt_required " + username, "consent_required " + terms}, nil},
		"one of two":                  {nameless(), map[string]any{username: "annie"}, []string{"consent_required " + terms}, nil},
		"empty is no answer":          {nameless(), map[string]any{username: "", terms: true}, []string{"prompt_required " + username}, nil},
		"not a name":                  {nameless(), map[string]any{username: "m\u0131ke", terms: true}, []string{"trait_invalid " + username}, nil},
		"not a string":                {nameless(), map[string]any{username: int64(1), terms: true}, []string{"trait_invalid " + username}, nil},
		"too long":                    {nameless(), map[string]any{username: strings.Repeat("a", 5000), terms: true}, []string{"trait_invalid " + username}, nil},
		"consent is refused":          {ann(), map[string]any{terms: false}, []string{"consent_required " + terms}, nil},
		"the word true is no consent": {ann(), map[string]any{terms: "true"}, []string{"consent_required " + terms}, nil},
		"complete":                    {nameless(), map[string]any{username: "AnnIe", terms: true}, nil, map[string]any{"username": "annie", "terms": true}},
		"the provider's value wins":   {ann(), map[string]any{username: "root", terms: true}, nil, map[string]any{"username": "ann", "terms": true}},
		"S46 what was not asked for":  {ann(), map[string]any{terms: true, "/traits/name": "CEO", "/traits/groups": []any{"admins"}, "/traits/x": 1, "/groups/x": true}, nil, map[string]any{"username": "ann", "terms": true}},
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t, asking)
			out := h.Provision(t.Context(), answering(generic("s-1", c.claims), c.answers))
			if c.asked != nil {
				wantPrompt(t, h, out, c.asked...)
				return
			}
			want(t, out, identity.Created)
			i := h.only()
			traits := map[string]any{"email": "ann@acme.example", "name": "Ann Example"}
			maps.Copy(traits, c.traits)
			if !maps.Equal(i.Traits, traits) || !slices.Equal(groups(i), []string{"engineering"}) {
				t.Errorf("traits %v, groups %v", i.Traits, groups(i))
			}
			if p, _ := i.ProvenanceOf("/terms"); p.Source != identity.SourceUser || p.VerifiedBy != "" || !p.At.Equal(h.now) {
				t.Errorf("provenance of the answer: %+v", p)
			}
			wantConsents(t, i, identity.Consent{Path: "/terms", Version: "2026-01", At: h.now, Source: "provider:acme"})
			h.store.reads.Store(0)
			h.store.writes.Store(0)
			want(t, h.Provision(t.Context(), generic("s-1", c.claims)), identity.Unchanged, identity.CodeUnchanged)
			if r, w := h.store.reads.Load(), h.store.writes.Load(); r != 1 || w != 0 {
				t.Errorf("the second login made %d reads and %d writes", r, w)
			}
		})
	}
}

func wantConsents(t *testing.T, i identity.Identity, consents ...identity.Consent) {
	t.Helper()
	if !slices.Equal(i.Consents, consents) {
		t.Errorf("consents %+v, want %+v", i.Consents, consents)
	}
}

// TestSchemes: who is asked for what.
func TestSchemes(t *testing.T) {
	const accept = `consent: {path: /traits/terms, version: "2026-01"}`
	for name, c := range map[string]struct {
		file     string
		answers  map[string]any
		decision identity.Decision
		reason   string
	}{
		"silent":                     {scheme("silent", ""), map[string]any{username: "annie"}, identity.Denied, "trait_missing " + username},
		"consent spares a question":  {scheme("consent", accept), map[string]any{username: "annie"}, identity.Denied, "trait_missing " + username},
		"consent asks for no traits": {scheme("consent", accept), map[string]any{username: "annie", terms: true}, identity.Denied, "trait_missing " + username},
		"prompt without consent":     {scheme("prompt", ""), map[string]any{username: "annie", terms: true}, identity.Created, "created "},
		"a trait that is rejected":   {replace(asking, "canonical: username,", "absent: reject, canonical: username,"), map[string]any{username: "annie", terms: true}, identity.Denied, "trait_missing " + username},
		"a denial comes first":       {replace(asking, `"acme.example"`+"\n  deny", `"other.example"`+"\n  deny"), map[string]any{username: "annie", terms: true}, identity.Denied, "not_allowed "},
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t, c.file)
			out := h.Provision(t.Context(), answering(generic("s-1", nameless()), c.answers))
			want(t, out, c.decision)
			if got := paths(out); !slices.Equal(got, []string{c.reason}) {
				t.Errorf("%v, want %s", got, c.reason)
			}
			if c.decision == identity.Created {
				if i := h.only(); i.Traits["terms"] != nil || i.Consents != nil {
					t.Errorf("an answer to no question was kept: %+v", i)
				}
			}
		})
	}
}

// TestConsentAlone: whose claims are enough is asked for the consent, and for
// nothing else.
func TestConsentAlone(t *testing.T) {
	h := open(t, scheme("consent", `consent: {path: /traits/terms, version: "2026-01"}`))
	wantPrompt(t, h, h.Provision(t.Context(), generic("s-1", ann())), "consent_required "+terms)
	want(t, h.Provision(t.Context(), answering(generic("s-1", ann()), map[string]any{terms: true})), identity.Created)
	wantConsents(t, h.only(), identity.Consent{Path: "/terms", Version: "2026-01", At: h.now, Source: "provider:acme"})
}

// TestS55_AnsweredAddress: an address that the person types is not verified,
// whatever the claims say beside it, and takes no key: its owner is not kept out.
func TestS55_AnsweredAddress(t *testing.T) {
	h := open(t, asking)
	answers := map[string]any{email: "ceo@acme.example", terms: true}
	out := h.Provision(t.Context(), answering(generic("thief", ann(without("email"))), answers))
	want(t, out, identity.Created)
	if len(out.Emails) != 1 || out.Emails[0].Verified {
		t.Errorf("emails %+v", out.Emails)
	}
	i := h.only()
	if slices.ContainsFunc(i.Keys, func(k identity.Key) bool { return k.Kind() == identity.KeyMail }) {
		t.Errorf("an answered address took a key: %v", i.Keys)
	}
	want(t, h.Provision(t.Context(), answering(generic("owner", ann(with("email", "ceo@acme.example"), with("preferred_username", "ceo"))),
		map[string]any{terms: true})), identity.Created)
}

// TestAnsweredNameIsTaken: a unique name that was answered takes its key; who
// answers it as well is asked for another one, and learns nothing else.
func TestAnsweredNameIsTaken(t *testing.T) {
	h := open(t, asking)
	first := answering(generic("s-1", nameless(without("email"))), map[string]any{email: "a@else.example", username: "annie", terms: true})
	want(t, h.Provision(t.Context(), first), identity.Created)
	second := answering(generic("s-2", nameless(without("email"))), map[string]any{email: "b@else.example", username: "ANNIE", terms: true})
	for name, decide := range map[string]func() provision.Outcome{
		"preview": func() provision.Outcome { out, _ := h.Preview(t.Context(), second); return out },
		"login":   func() provision.Outcome { return h.Provision(t.Context(), second) },
	} {
		out := decide()
		want(t, out, identity.Prompt, identity.CodeTraitTaken)
		if r := out.Record.Reasons[0]; r.Path != username || strings.Contains(strings.ToLower(r.Text), "annie") {
			t.Errorf("%s: %+v", name, r)
		}
	}
	if n := len(h.all()); n != 1 {
		t.Errorf("%d identities", n)
	}
	second.Answers[username] = "annika"
	want(t, h.Provision(t.Context(), second), identity.Created)
	// A name that a provider vouches for is a denial, as ever: there is nothing to
	// ask.
	third := answering(generic("s-3", ann(with("email", "c@acme.example"), with("preferred_username", "annika"))), map[string]any{terms: true})
	want(t, h.Provision(t.Context(), third), identity.Denied, identity.CodeTraitTaken)
}

// TestOneNameAnsweredByManyAtOnce: one gets it, the others are asked for another.
func TestOneNameAnsweredByManyAtOnce(t *testing.T) {
	h := open(t, asking)
	var mu sync.Mutex
	var all sync.WaitGroup
	decisions := map[identity.Decision]int{}
	for n := range 16 {
		all.Go(func() {
			l := answering(generic(fmt.Sprint("s-", n), nameless(with("email", fmt.Sprintf("p%d@acme.example", n)))), map[string]any{username: "annie", terms: true})
			out := h.Provision(t.Context(), l)
			mu.Lock()
			defer mu.Unlock()
			decisions[out.Record.Decision]++
		})
	}
	all.Wait()
	if decisions[identity.Created] != 1 || decisions[identity.Prompt] != 15 || len(h.all()) != 1 {
		t.Errorf("decisions %v, %d identities", decisions, len(h.all()))
	}
}

// TestNewVersionOfTheConsent: a returning person is asked again where the caller
// can ask; the traits of the claims wait for the answer.
func TestNewVersionOfTheConsent(t *testing.T) {
	h := open(t, asking)
	want(t, h.Provision(t.Context(), answering(generic("s-1", ann()), map[string]any{terms: true})), identity.Created)
	old := h.now
	h.edit(strings.Replace(asking, "2026-01", "2026-02", 1))
	h.now = h.now.Add(time.Hour)

	before := h.only()
	out := h.Provision(t.Context(), generic("s-1", ann(with("name", "Ann Other"))))
	want(t, out, identity.Prompt, identity.CodeConsentRequired)
	if i := h.only(); i.Revision != before.Revision || i.Traits["name"] != "Ann Example" {
		t.Errorf("a prompt wrote: %+v", i)
	}
	out = h.Provision(t.Context(), answering(generic("s-1", ann()), map[string]any{terms: true}))
	want(t, out, identity.Updated)
	if changed := []identity.Change{{Path: "/consents/terms", Op: identity.OpSet}}; !slices.Equal(out.Record.Change, changed) {
		t.Errorf("changes %v", out.Record.Change)
	}
	accepted := identity.Consent{Path: "/terms", Version: "2026-01", At: old, Source: "provider:acme"}
	renewed := identity.Consent{Path: "/terms", Version: "2026-02", At: h.now, Source: "provider:acme"}
	wantConsents(t, h.only(), accepted, renewed)
	want(t, h.Provision(t.Context(), generic("s-1", ann())), identity.Unchanged, identity.CodeUnchanged)

	// Who takes it back is asked again.
	no := any(false)
	if _, err := h.Edit(t.Context(), provision.Target{ID: before.ID}, provision.Amend(provision.Patch{Traits: map[string]*any{"terms": &no}})); err != nil {
		t.Fatal(err)
	}
	want(t, h.Provision(t.Context(), generic("s-1", ann())), identity.Prompt, identity.CodeConsentRequired)
	want(t, h.Provision(t.Context(), answering(generic("s-1", ann()), map[string]any{terms: true})), identity.Updated)
}

// TestOldClaimsDoNotPassByTheConsent: claims that are not applied any more still
// belong to a login, which is asked.
func TestOldClaimsDoNotPassByTheConsent(t *testing.T) {
	h := open(t, asking)
	l := answering(generic("s-1", ann()), map[string]any{terms: true})
	l.At = h.now
	want(t, h.Provision(t.Context(), l), identity.Created)
	h.edit(strings.Replace(asking, "2026-01", "2026-02", 1))
	l = generic("s-1", ann())
	l.At = h.now.Add(-time.Hour)
	want(t, h.Provision(t.Context(), l), identity.Prompt, identity.CodeConsentRequired)
	want(t, h.Provision(t.Context(), answering(l, map[string]any{terms: true})), identity.Updated, identity.CodeUpdated, identity.CodeClaimsStale)
	if n := len(h.only().Consents); n != 2 {
		t.Errorf("%d consents", n)
	}
}

// TestKratosAsksInPrepareOnly: whom Kratos knows already cannot be asked. They
// pass, with a reason more; and nobody is made there without their consent.
func TestKratosAsksInPrepareOnly(t *testing.T) {
	h := open(t, asking)
	yes := map[string]any{username: "annie", terms: true}
	want(t, h.Provision(t.Context(), answering(kratos(identity.HookPrepare, nobody, "s-1", nameless()), yes)), identity.Created)
	want(t, h.Commit(t.Context(), kratos(identity.HookCommit, "k-1", "s-1", nil)), identity.Activated)
	h.edit(strings.Replace(asking, "2026-01", "2026-02", 1))

	for name, l := range map[string]identity.Login{
		"without claims":       kratos(identity.HookLogin, "k-1", "s-1", nil),
		"with claims":          kratos(identity.HookLogin, "k-1", "s-1", nameless()),
		"with a forged answer": answering(kratos(identity.HookLogin, "k-1", "s-1", nameless()), yes),
	} {
		out := h.Provision(t.Context(), l)
		want(t, out, identity.Unchanged)
		if last := out.Record.Reasons[len(out.Record.Reasons)-1]; last.Code != identity.CodeConsentOutdated || last.Path != terms {
			t.Errorf("%s: %+v", name, out.Record.Reasons)
		}
		if n := len(h.only().Consents); n != 1 {
			t.Errorf("%s: %d consents", name, n)
		}
	}
	stranger := kratos(identity.HookLogin, "k-2", "s-2", ann())
	stranger.Answers = yes
	for at, o := range stranger.Offers { // claims of this very login
		o.Source = identity.SourceHookBody
		stranger.Offers[at] = o
	}
	want(t, h.Provision(t.Context(), stranger), identity.Denied, identity.CodeConsentRequired)
	if n := len(h.all()); n != 1 {
		t.Errorf("%d identities", n)
	}
}

// TestAnsweredAgainBeforeKratosPersists: Kratos may refuse an answer that was
// good here. The next one replaces it, name and all, and so does a value that the
// provider has by then; once the person is acknowledged, it stays.
func TestAnsweredAgainBeforeKratosPersists(t *testing.T) {
	h := open(t, asking)
	prepare := func(claims map[string]any, name string) provision.Outcome {
		h.now = h.now.Add(time.Minute)
		answers := map[string]any{terms: true}
		if name != "" {
			answers[username] = name
		}
		return h.Provision(t.Context(), answering(kratos(identity.HookPrepare, nobody, "s-1", claims), answers))
	}
	want(t, prepare(nameless(), "annie"), identity.Created)
	want(t, prepare(nameless(), "annika"), identity.Updated)
	want(t, prepare(nameless(), ""), identity.Unchanged)
	wantName(t, h, "annika", identity.SourceUser, "annie")
	want(t, prepare(ann(), "annika"), identity.Updated)
	wantName(t, h, "ann", "provider:acme", "annika")

	want(t, h.Commit(t.Context(), kratos(identity.HookCommit, "k-1", "s-1", nil)), identity.Activated)
	l := generic("s-1", ann(without("preferred_username")))
	want(t, h.Provision(t.Context(), answering(l, map[string]any{username: "root"})), identity.Unchanged)
	wantName(t, h, "ann", "provider:acme", "root")
}

// wantName checks who wrote the username, that it is taken, and that the one
// before is free again.
func wantName(t *testing.T, h *house, name, source, free string) {
	t.Helper()
	i := h.only()
	if by, _ := i.ProvenanceOf("/username"); i.Traits["username"] != name || by.Source != source {
		t.Errorf("username %v by %+v, want %s by %s", i.Traits["username"], by, name, source)
	}
	for n, held := range map[string]bool{name: true, free: false} {
		if got := slices.Contains(i.Keys, identity.NameKey("employees", "/username", n)); got != held {
			t.Errorf("the key of %s is held: %v", n, got)
		}
	}
}

// TestAnsweredNameStaysItsOwners: logins that bring nothing new leave the answered
// name and its key alone, and so does a provider that has a name later.
func TestAnsweredNameStaysItsOwners(t *testing.T) {
	h := open(t, asking)
	want(t, h.Provision(t.Context(), answering(generic("s-1", nameless()), map[string]any{username: "annie", terms: true})), identity.Created)
	h.now = h.now.Add(time.Minute)
	want(t, h.Provision(t.Context(), generic("s-1", ann(with("name", "Ann Other")))), identity.Updated)
	wantName(t, h, "annie", identity.SourceUser, "ann")
	// Nor is a name that was answered asked for again.
	want(t, h.Provision(t.Context(), answering(generic("s-1", nameless(with("name", "Ann Other"))), map[string]any{username: "root"})), identity.Unchanged)
}

// TestPromptOfASignedMessage: the answer to a message is a prompt for ever; the
// answers come in another one.
func TestPromptOfASignedMessage(t *testing.T) {
	h := open(t, asking)
	h.Receipts = h.store.Store
	d := provision.Delivery{ID: "m-1", Key: "k", Digest: "d", Expires: h.now.Add(time.Minute)}
	for range 2 {
		out, err := h.Deliver(t.Context(), d, generic("s-1", ann()))
		if err != nil {
			t.Fatal(err)
		}
		wantPrompt(t, h, out, "consent_required "+terms)
	}
	page, err := h.store.Decisions(t.Context(), store.DecisionQuery{})
	if err != nil || len(page.Records) != 1 {
		t.Errorf("%d records, %v", len(page.Records), err)
	}
}
