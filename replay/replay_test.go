// These tests prove that a replay finds what a candidate would change about
// recorded logins, and nothing else: on a real store with what real logins left
// there, without one write, as people are today and as they were when they first
// came.
package replay_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/claimlog"
	"github.com/jithook/jithook/internal/expr"
	"github.com/jithook/jithook/provider"
	"github.com/jithook/jithook/provision"
	"github.com/jithook/jithook/replay"
	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/store/bolt"
	"github.com/jithook/jithook/store/directory"
)

const acme = `version: 1
provider: acme
issuer: https://acme.example
trust: {authoritative_domains: [acme.example]}
jit:
  enabled: true
  userstore: employees
  allow: claims.hd == "acme.example"
  deny: [{when: has(claims.guest), code: guest, message: No guests.}]
traits:
  email: {value: claims.email, verified: claims.email_verified, canonical: email, unique: true, required: true}
  name: {value: claims.name, absent: clear}
  address: {value: claims.address, absent: clear}
groups: {from: claims.groups, allow: [staff, eng]}
`

// house is a service over a real store that keeps claims in full.
type house struct {
	*provision.Service
	store *sealable
	now   time.Time
	t     testing.TB
}

// sealable is a real store that can be closed to writes.
type sealable struct {
	store.Store
	sealed bool
	looks  int
}

var errSealed = errors.New("nobody may write any more")

func (s *sealable) gate() error {
	if s.sealed {
		return errSealed
	}
	return nil
}

func (s *sealable) Find(ctx context.Context, keys ...identity.Key) ([]identity.Identity, error) {
	s.looks++
	return s.Store.Find(ctx, keys...)
}

func (s *sealable) Insert(ctx context.Context, i identity.Identity, r identity.Record) error {
	return errors.Join(s.gate(), s.Store.Insert(ctx, i, r))
}

func (s *sealable) Swap(ctx context.Context, i identity.Identity, r identity.Record) error {
	return errors.Join(s.gate(), s.Store.Swap(ctx, i, r))
}

func (s *sealable) Renew(ctx context.Context, id string, revision int64, at time.Time, r identity.Record) error {
	return errors.Join(s.gate(), s.Store.Renew(ctx, id, revision, at, r))
}

func (s *sealable) Pin(ctx context.Context, k identity.Key, userstore string) error {
	return errors.Join(s.gate(), s.Store.Pin(ctx, k, userstore))
}

func (s *sealable) Record(ctx context.Context, r []identity.Record, touched []store.Touch) error {
	return errors.Join(s.gate(), s.Store.Record(ctx, r, touched))
}

func load(t testing.TB, files ...string) *provider.Set {
	t.Helper()
	env, err := expr.NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	folder := fstest.MapFS{}
	for n, f := range files {
		folder[fmt.Sprintf("%d.yaml", n)] = &fstest.MapFile{Data: []byte(f)}
	}
	set, problems := provider.Loader{Env: env, Userstores: userstores, Now: time.Now}.Load(folder)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return set
}

var userstores = []string{"default", "employees"}

func open(t testing.TB) *house {
	t.Helper()
	s, err := bolt.Open(filepath.Join(t.TempDir(), "jithook.db"), bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return over(t, s)
}

// over is a house over a store.
func over(t testing.TB, s store.Store) *house {
	t.Helper()
	keeper, err := claimlog.New(identity.ClaimsFull, []claimlog.Key{{ID: "1", Secret: bytes.Repeat([]byte{1}, claimlog.KeySize)}})
	if err != nil {
		t.Fatal(err)
	}
	h := &house{store: &sealable{Store: s}, now: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC), t: t}
	log := slog.New(slog.DiscardHandler)
	d := directory.New(h.store, nil)
	set := load(t, acme)
	h.Service = &provision.Service{
		Store: d, Editable: d, Journal: h.store, Budgets: h.store, Later: provision.NewRecorder(h.store, log, func() {}),
		Providers: func() *provider.Set { return set }, Userstores: userstores, Now: func() time.Time { return h.now }, Log: log, ClaimLog: keeper,
	}
	return h
}

// login signs somebody in, a minute after the login before.
func (h *house) login(subject string, claims map[string]any, edit ...func(*identity.Login)) provision.Outcome {
	h.t.Helper()
	h.now = h.now.Add(time.Minute)
	l := identity.Login{
		Hook: identity.HookGeneric, Caller: "test", Providers: []string{"acme"}, Provider: "acme", At: h.now,
		Offers: []identity.Offer{{Source: identity.SourceHookBody, Provider: "acme", Subject: subject, Claims: claims}},
	}
	for _, e := range edit {
		e(&l)
	}
	out := h.Provision(h.t.Context(), l)
	ctx, cancel := context.WithCancel(h.t.Context())
	cancel()
	h.Later.Run(ctx) // what was queued is written
	return out
}

// replay replays everything against candidates; the store takes no write from
// then on.
func (h *house) replay(candidate *provider.Set, edit ...func(*replay.Replay)) (replay.Summary, []replay.Difference) {
	h.t.Helper()
	h.store.sealed = true
	r := &replay.Replay{
		Pair:    replay.NewPair(directory.New(h.store, nil), h.Providers(), candidate, userstores, h.Now),
		Records: h.store, Claims: h.ClaimLog,
	}
	for _, e := range edit {
		e(r)
	}
	var all []replay.Difference
	sum, err := r.Run(h.t.Context(), func(_ replay.Summary, found []replay.Difference) error {
		all = append(all, found...)
		return nil
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return sum, all
}

func claims(name string, edit ...func(map[string]any)) map[string]any {
	c := map[string]any{
		"email": name + "@acme.example", "email_verified": true, "hd": "acme.example", "name": name,
		"address": map[string]any{"city": "Bern", "zip": "3000"}, "groups": []any{"staff", "eng"},
	}
	for _, e := range edit {
		e(c)
	}
	return c
}

func with(name string, v any) func(map[string]any) { return func(c map[string]any) { c[name] = v } }

// edited is the file with texts replaced, in pairs.
func edited(t testing.TB, pairs ...string) string {
	t.Helper()
	out := strings.NewReplacer(pairs...).Replace(acme)
	if out == acme {
		t.Fatal("the edit changes nothing")
	}
	return out
}

type found = replay.Difference

var (
	unchanged = replay.Verdict{Decision: identity.Unchanged, Codes: codes(identity.CodeUnchanged), Rule: "0.yaml:8:10"}
	updated   = replay.Verdict{Decision: identity.Updated, Codes: codes(identity.CodeUpdated), Rule: "0.yaml:8:10"}
	created   = replay.Verdict{Decision: identity.Created, Codes: codes(identity.CodeCreated), Rule: "0.yaml:8:10"}
)

func codes(all ...identity.Code) []identity.Code { return all }

func denied(code identity.Code, name, rule string) replay.Verdict {
	return replay.Verdict{Decision: identity.Denied, Codes: codes(code), Name: name, Rule: rule}
}

// compared are differences without what says whose they are.
func compared(t *testing.T, want, got []found) {
	t.Helper()
	whose := cmpopts.IgnoreFields(found{}, "ID", "At", "Provider", "IdentityID")
	if diff := cmp.Diff(want, got, whose, cmpopts.IgnoreUnexported(found{}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestCandidates: one person has signed in twice; what does the candidate change
// about them as they are, and about their first sign-in?
func TestCandidates(t *testing.T) {
	both := func(d found) []found {
		first := d
		d.As, first.As = replay.Returning, replay.First
		if first.Live.Decision == identity.Unchanged {
			first.Live = created
		}
		if d.Candidate.Decision == identity.Updated || d.Candidate.Decision == identity.Unchanged {
			first.Candidate.Decision, first.Candidate.Codes = identity.Created, codes(identity.CodeCreated)
		}
		return []found{d, first}
	}
	only := func(as replay.As, d found) []found { d.As = as; return []found{d} }
	for name, c := range map[string]struct {
		edits []string
		want  []found
	}{
		"a comment": {[]string{"version: 1", "version: 1 # new"}, nil},
		"a group that is granted no more": {[]string{"[staff, eng]", "[staff]"}, both(found{
			Kinds: []replay.Kind{replay.Groups}, Live: unchanged, Candidate: updated, Lost: []string{"eng"},
		})},
		"another name of a group": {[]string{"allow: [staff, eng]", "allow: [staff], map: {eng: engineering}"}, both(found{
			Kinds: []replay.Kind{replay.Groups}, Live: unchanged, Candidate: updated, Gained: []string{"engineering"}, Lost: []string{"eng"},
		})},
		"nobody is allowed": {[]string{`== "acme.example"`, `== "other.example"`}, both(found{
			Kinds: []replay.Kind{replay.Decision}, Live: unchanged, Candidate: denied(identity.CodeNotAllowed, "", "0.yaml:8:10"),
		})},
		"a deny rule": {[]string{"has(claims.guest)", `claims.name == "ann"`}, both(found{
			Kinds: []replay.Kind{replay.Decision}, Live: unchanged, Candidate: denied(identity.CodeDenyRule, "guest", "0.yaml:9:17"),
		})},
		"a trait of another claim": {[]string{"value: claims.name,", "value: claims.email,"}, both(found{
			Kinds: []replay.Kind{replay.Traits}, Live: unchanged, Candidate: updated, Traits: []replay.Change{{Path: "/traits/name", Op: "set"}},
		})},
		"a part of a trait": {[]string{"value: claims.address", `value: '{"city": claims.address.city}'`}, both(found{
			Kinds: []replay.Kind{replay.Traits}, Live: unchanged, Candidate: updated, Traits: []replay.Change{{Path: "/traits/address/zip", Op: "remove"}},
		})},
		"an address that nobody vouches for": {[]string{"verified: claims.email_verified, ", ""}, both(found{
			Kinds: []replay.Kind{replay.Traits}, Live: unchanged, Candidate: updated, Traits: []replay.Change{{Path: "/traits/email", Op: "unverify"}},
		})},
		"another userstore": {[]string{"userstore: employees", "userstore: default"}, only(replay.First, found{
			Kinds: []replay.Kind{replay.Userstore}, Live: created, Candidate: created, Elsewhere: "default",
		})},
		"nobody is made": {[]string{"  deny:", "  account_lookup: [{local: /traits/email, federated: claims.email}]\n  on_lookup_miss: deny\n  deny:"}, only(replay.First, found{
			Kinds: []replay.Kind{replay.Decision}, Live: created, Candidate: denied(identity.CodeLookupMiss, "", "0.yaml:10:19"),
		})},
		"only at creation": {[]string{"\ntraits:", "\n  attribute_sync: none\ntraits:"}, nil},
		"no jit": {[]string{"enabled: true", "enabled: false"}, []found{{
			As: replay.Returning, Kinds: []replay.Kind{replay.Code}, Live: unchanged,
			Candidate: replay.Verdict{Decision: identity.Unchanged, Codes: codes(identity.CodeUnchanged, identity.CodeJITDisabled)},
		}, {
			As: replay.First, Kinds: []replay.Kind{replay.Decision}, Live: created, Candidate: denied(identity.CodeJITDisabled, "", ""),
		}}},
		"another issuer": {[]string{"issuer: https://acme.example", "issuer: https://acme.example/"}, both(found{
			Kinds: []replay.Kind{replay.Decision}, Live: unchanged, Candidate: denied(identity.CodeIssuerUnknown, "", ""),
		})},
		"another subject": {[]string{"trust:", "subject: claims.name\ntrust:"}, both(found{
			Kinds: []replay.Kind{replay.Decision}, Live: unchanged, Candidate: denied(identity.CodeClaimsConflict, "", ""),
		})},
		"another source": {[]string{"trust:", "claims: {source: kratos_metadata}\ntrust:"}, both(found{
			Kinds: []replay.Kind{replay.Decision}, Live: unchanged, Candidate: denied(identity.CodeClaimsAbsent, "", ""),
		})},
		"another name of the provider": {[]string{"provider: acme", "provider: acme2"}, both(found{
			Kinds: []replay.Kind{replay.Decision}, Live: unchanged, Candidate: denied(identity.CodeUnknownProvider, "", ""),
		})},
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t)
			first := h.login("s-1", claims("ann"))
			second := h.login("s-1", claims("ann"))
			sum, got := h.replay(load(t, edited(t, c.edits...)))
			for n := range got {
				id := second.Record.ID
				if got[n].As == replay.First {
					id = first.Record.ID
				}
				if got[n].ID != id || got[n].Provider != "acme" || got[n].IdentityID != first.Record.IdentityID {
					t.Errorf("it is said to be about %+v", got[n])
				}
			}
			compared(t, c.want, got)
			if sum.Logins != 2 || sum.Replayed != 2 || sum.Changed != len(c.want) {
				t.Errorf("%+v", sum)
			}
		})
	}
}

// TestRefusedBefore: a login that was refused is replayed too, and another
// reason against it is a difference.
func TestRefusedBefore(t *testing.T) {
	h := open(t)
	h.login("s-2", claims("bob", with("guest", true)))
	_, got := h.replay(load(t, edited(t, "has(claims.guest), code: guest", "has(claims.guest), code: visitor")))
	compared(t, []found{{
		As: replay.Returning, Kinds: []replay.Kind{replay.Code},
		Live: denied(identity.CodeDenyRule, "guest", "0.yaml:9:17"), Candidate: denied(identity.CodeDenyRule, "visitor", "0.yaml:9:17"),
	}}, got)
	_, got = h.replay(load(t, edited(t, "has(claims.guest)", "false")))
	compared(t, []found{{
		As: replay.Returning, Kinds: []replay.Kind{replay.Decision}, Live: denied(identity.CodeDenyRule, "guest", "0.yaml:9:17"), Candidate: created,
	}}, got)
}

// TestAsTheyAreToday: both sides see what an administrator has done since, and
// claims that newer ones have overtaken are not refused for that.
func TestAsTheyAreToday(t *testing.T) {
	h := open(t)
	out := h.login("s-1", claims("ann"))
	h.login("s-1", claims("ann", with("name", "Ann II")))
	name := any("Ann by hand")
	h.now = h.now.Add(time.Minute)
	if _, err := h.Edit(t.Context(), provision.Target{ID: out.Record.IdentityID}, provision.Amend(provision.Patch{Traits: map[string]*any{"name": &name}, Add: []string{"admins"}})); err != nil {
		t.Fatal(err)
	}
	if sum, got := h.replay(load(t, acme)); len(got) > 0 || sum.Replayed != 2 {
		t.Errorf("the same files: %+v %+v", sum, got)
	}
	sum, got := h.replay(load(t, edited(t, "\ntraits:", "\n  attribute_sync: override_all\ntraits:")), func(r *replay.Replay) { r.All = true })
	same := found{As: replay.Returning, Kinds: []replay.Kind{replay.Traits}, Live: unchanged, Candidate: updated, Traits: []replay.Change{{Path: "/traits/name", Op: "set"}}}
	compared(t, []found{same, same}, got) // the first login changes nothing as a first one
	if sum.Changed != 2 || sum.Kinds[replay.Traits] != 2 {
		t.Errorf("%+v", sum)
	}
}

// TestKratos: what a registration brought counts for the person who is there by
// now; at a login, what Kratos kept of it changes nobody.
func TestKratos(t *testing.T) {
	from := func(hook identity.Hook) func(*identity.Login) {
		return func(l *identity.Login) {
			l.Hook, l.Offers[0].Source, l.Offers[0].Issuer = hook, identity.SourceKratosMetadata, "https://acme.example"
			if l.External = (identity.ExternalID{System: identity.SystemKratos, Instance: "main", ID: "k-1"}); hook == identity.HookPrepare {
				l.External.ID = ""
			}
		}
	}
	h := open(t)
	h.login("s-1", claims("ann"), from(identity.HookPrepare))
	candidate := load(t, edited(t, "[staff, eng]", "[staff]", "has(claims.guest)", `login.hook == "prepare" && claims.name == "bob"`))
	lost := func(as replay.As, live, candidate replay.Verdict) found {
		return found{As: as, Kinds: []replay.Kind{replay.Groups}, Live: live, Candidate: candidate, Lost: []string{"eng"}}
	}
	activated := replay.Verdict{Decision: identity.Activated, Codes: codes(identity.CodeActivated), Rule: "0.yaml:8:10"}
	_, got := h.replay(candidate)
	compared(t, []found{lost(replay.Returning, activated, activated), lost(replay.First, created, created)}, got)

	h.store.sealed = false
	h.login("s-1", claims("ann"), from(identity.HookLogin))
	h.login("s-2", claims("bob"), from(identity.HookPrepare))
	_, got = h.replay(candidate)
	no := found{Kinds: []replay.Kind{replay.Decision}, Candidate: denied(identity.CodeDenyRule, "guest", "0.yaml:9:17")}
	no.As, no.Live = replay.Returning, activated
	none := no
	none.As, none.Live = replay.First, created
	compared(t, []found{no, none, lost(replay.First, created, created)}, got)
}

// TestLinks: a candidate that links by address takes to somebody who is there
// whom the files in force refuse.
func TestLinks(t *testing.T) {
	const globex = `version: 1
provider: globex
issuer: https://globex.example
trust: {email_verified: true}
jit: {enabled: true, userstore: employees}
traits: {email: {value: claims.email, verified: claims.email_verified, canonical: email, unique: true}}
`
	h := open(t)
	set := load(t, acme, globex)
	h.Providers = func() *provider.Set { return set }
	ann := h.login("s-1", claims("ann"))
	h.login("g-1", claims("ann"), func(l *identity.Login) {
		l.Provider, l.Providers, l.Offers[0].Provider = "globex", []string{"globex"}, "globex"
	})
	linking := strings.Replace(globex, "employees}", "employees, account_linking: auto, account_lookup: [{local: /traits/email, federated: claims.email}]}", 1)
	sum, got := h.replay(load(t, acme, linking))
	compared(t, []found{{
		As: replay.Returning, Kinds: []replay.Kind{replay.Decision, replay.Links}, Live: denied(identity.CodeTraitTaken, "", ""),
		Candidate: replay.Verdict{Decision: identity.Linked, Codes: codes(identity.CodeLinked), Rule: "1.yaml:5:118"},
	}}, got)
	if sum.Kinds[replay.Links] != 1 || len(got) == 1 && got[0].IdentityID != ann.Record.IdentityID {
		t.Errorf("%+v %+v", sum, got)
	}
}

// TestLinkedBefore: the login that linked somebody is replayed as if its subject
// were nobody's yet, or a candidate that links no more would change nothing:
// by the subject they are found either way. So is the one at Kratos's prepare,
// after which they proved to Kratos who they are.
func TestLinkedBefore(t *testing.T) {
	globex := func(linking string) string {
		return `version: 1
provider: globex
issuer: https://globex.example
trust: {email_verified: true}
claims: {source: hook_body}
jit:
  enabled: true
  userstore: employees
  account_linking: ` + linking + `
  account_lookup: [{local: /traits/email, federated: claims.email}]
traits: {email: {value: claims.email, verified: claims.email_verified, canonical: email, unique: true}}
`
	}
	h := open(t)
	set := load(t, acme, globex("auto"))
	h.Providers = func() *provider.Set { return set }
	ann := h.login("s-1", claims("ann"))
	other := func(l *identity.Login) {
		l.Provider, l.Providers, l.Offers[0].Provider = "globex", []string{"globex"}, "globex"
	}
	var linked provision.Outcome
	for n, want := range []identity.Decision{identity.Linked, identity.Unchanged} {
		out := h.login("g-1", claims("ann"), other)
		if out.Record.Decision != want || out.Record.IdentityID != ann.Record.IdentityID {
			t.Fatalf("login %d: %+v", n, out.Record)
		}
		if n == 0 {
			linked = out
		}
	}
	first := found{
		As: replay.First, Kinds: []replay.Kind{replay.Decision, replay.Links},
		Live:      replay.Verdict{Decision: identity.Linked, Codes: codes(identity.CodeLinked), Rule: "1.yaml:10:54"},
		Candidate: denied(identity.CodeLinkingDisabled, "", "1.yaml:10:54"),
	}
	replayed := func(when string, all bool, firsts int) {
		t.Helper()
		every := func(r *replay.Replay) { r.All = all }
		sum, got := h.replay(load(t, acme, globex("disabled")), every)
		compared(t, slices.Repeat([]found{first}, firsts), got)
		if sum.Changed != firsts || len(got) > 0 && (got[0].ID != linked.Record.ID || got[0].IdentityID != ann.Record.IdentityID) {
			t.Errorf("%s, all %t: %+v %+v", when, all, sum, got)
		}
		if sum, got := h.replay(load(t, acme, globex("auto")), every); len(got) > 0 || sum.Replayed != 2+firsts {
			t.Errorf("%s, all %t, the same files: %+v %+v", when, all, sum, got)
		}
	}
	awaits := func(id string) { // as prepare leaves it where the proof is Kratos's
		t.Helper()
		r := linked.Record
		r.ID, r.Claims = id, h.ClaimLog.Keep(id, "g-1", claims("ann"))
		r.Hook, r.Decision, r.Reasons = identity.HookPrepare, identity.Unchanged, []identity.Reason{identity.Because(identity.CodeProofAwaited)}
		h.store.sealed = false
		if err := h.store.Record(t.Context(), []identity.Record{r}, nil); err != nil {
			t.Fatal(err)
		}
	}
	replayed("linked at once", false, 1)
	replayed("linked at once", true, 1)
	for n := range 2 { // they tried before, which is no other person's link
		awaits(fmt.Sprintf("%s-8000-00000000000%d", ann.Record.ID[:18], n))
	}
	replayed("tried twice, then linked", false, 1)
	replayed("tried twice, then linked", true, 3)
	awaits(linked.Record.ID)
	replayed("tried only", false, 1)
	replayed("tried only", true, 3)
}

// TestLeftOut: what cannot be replayed is counted, by why.
func TestLeftOut(t *testing.T) {
	h := open(t)
	full := h.ClaimLog
	h.ClaimLog = nil
	h.login("s-1", claims("ann"))
	other, err := claimlog.New(identity.ClaimsFull, []claimlog.Key{{ID: "gone", Secret: bytes.Repeat([]byte{2}, claimlog.KeySize)}})
	if err != nil {
		t.Fatal(err)
	}
	h.ClaimLog = other
	h.login("s-2", claims("bob"))
	h.ClaimLog = full
	h.login("s-2", claims("bob", with("padding", strings.Repeat("x", claimlog.MaxSize))))
	for range 3 {
		h.login("s-3", claims("cem"))
	}
	h.login("s-4", claims("dee"), func(l *identity.Login) { l.Provider = "unknown" })
	sum, _ := h.replay(load(t, acme))
	want := map[replay.Left]int{replay.LeftNoClaims: 2, replay.LeftUnreadable: 2, replay.LeftOlder: 1}
	if !maps.Equal(sum.LeftOut, want) || sum.Logins != 7 || sum.Replayed != 2 {
		t.Errorf("%+v", sum)
	}
	sum, _ = h.replay(load(t, acme), func(r *replay.Replay) { r.Since = h.now.Add(-90 * time.Second) })
	if sum.Logins != 2 || sum.Replayed != 1 {
		t.Errorf("of the last 90 seconds: %+v", sum)
	}
}

// TestAltered: claims of a record whose subject was altered are nobody's.
func TestAltered(t *testing.T) {
	h := open(t)
	r := h.login("s-1", claims("ann")).Record
	r.SubjectKey = identity.FedKey(r.Issuer, "s-2")
	if err := h.store.Record(t.Context(), []identity.Record{r}, nil); err != nil {
		t.Fatal(err)
	}
	if sum, _ := h.replay(load(t, acme)); sum.Replayed != 0 || sum.LeftOut[replay.LeftUnreadable] != 1 {
		t.Errorf("%+v", sum)
	}
}

// TestMany: the same is found whatever the number of workers, in the order of
// the records; and the subjects of a page are asked for at once.
func TestMany(t *testing.T) {
	h := open(t)
	for n := range 600 {
		name := fmt.Sprintf("u%d", n)
		h.login(name, claims(name))
	}
	h.store.looks = 0
	candidate := load(t, edited(t, "[staff, eng]", "[staff]"))
	sum, one := h.replay(candidate, func(r *replay.Replay) { r.Workers = 1 })
	if sum.Changed != 600 || sum.Replayed != 600 || sum.Kinds[replay.Groups] != 600 || len(one) != 1200 {
		t.Fatalf("%+v, %d differences", sum, len(one))
	}
	if h.store.looks != 2 {
		t.Errorf("%d reads", h.store.looks)
	}
	_, many := h.replay(candidate, func(r *replay.Replay) { r.Workers = 8 })
	if diff := cmp.Diff(one, many, cmpopts.IgnoreUnexported(found{})); diff != "" {
		t.Errorf("one worker and eight (-one +eight):\n%s", diff)
	}
}

// TestEnd: whoever reads the steps can end the replay, and so can the context.
func TestEnd(t *testing.T) {
	h := open(t)
	h.login("s-1", claims("ann"))
	r := &replay.Replay{Pair: replay.NewPair(directory.New(h.store, nil), h.Providers(), load(t, acme), userstores, h.Now), Records: h.store, Claims: h.ClaimLog}
	enough := errors.New("enough")
	if _, err := r.Run(t.Context(), func(replay.Summary, []replay.Difference) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Run(ctx, func(replay.Summary, []replay.Difference) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestTolerance(t *testing.T) {
	sum := replay.Summary{Replayed: 1000, Kinds: map[replay.Kind]int{replay.Traits: 10, replay.Groups: 1}}
	for text, want := range map[string][]replay.Kind{
		"":                       {replay.Traits, replay.Groups},
		"traits=10":              {replay.Groups},
		"traits=9,groups=1":      {replay.Traits},
		"traits=1%,groups=0.1%":  nil,
		"traits=0.9%,groups=1":   {replay.Traits},
		"traits=100%,decision=0": {replay.Groups},
	} {
		tolerance, err := replay.ParseTolerance(text)
		if diff := cmp.Diff(want, tolerance.Exceeded(sum)); err != nil || diff != "" {
			t.Errorf("%q: %v, (-want +got):\n%s", text, err, diff)
		}
	}
	for _, text := range []string{"traits", "colour=1", "traits=", "traits=-1", "traits=1.5", "traits=101%", "traits=NaN%", "traits=1,traits=2", "traits=1,"} {
		if _, err := replay.ParseTolerance(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
