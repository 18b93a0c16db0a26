// These tests prove the order of business on a real embedded store: who is
// created, linked to what, changed or refused, that a refusal writes nothing
// but its record, that an unchanged login reads once and writes nothing, and
// that whatever overtakes or fails leaves nothing half-made.
package provision_test

import (
	"context"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/expr"
	"github.com/jithook/jithook/provider"
	"github.com/jithook/jithook/provision"
	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/store/bolt"
	"github.com/jithook/jithook/store/directory"
)

const acme = `
version: 1
provider: acme
issuer: https://acme.example
trust: {authoritative_domains: [acme.example]}
jit:
  enabled: true
  userstore: employees
  allow: claims.hd == "acme.example"
  deny: [{when: "has(claims.guest) && claims.guest == true", code: guest, message: "Guests have no account here."}]
traits:
  email: {value: claims.email, verified: claims.email_verified, canonical: email, unique: true, required: true}
  username: {value: [claims.preferred_username, claims.nickname], canonical: username, unique: true}
  name: {value: claims.name, absent: clear}
  department: {value: claims.department}
groups: {from: claims.groups, allow: [staff], map: {eng: engineering}}
`

// house is a service over a real store, with a clock of its own.
type house struct {
	*provision.Service
	store *counting
	now   time.Time
	files fstest.MapFS
	t     *testing.T
}

// counting passes every call on to the real store and counts; fail, if set, may
// answer in its place.
type counting struct {
	*bolt.Store
	reads, writes atomic.Int64
	fail          func(op string) error
}

func (c *counting) gate(op string, n *atomic.Int64) error {
	n.Add(1)
	if c.fail != nil {
		return c.fail(op)
	}
	return nil
}

func (c *counting) Find(ctx context.Context, keys ...identity.Key) ([]identity.Identity, error) {
	if err := c.gate("find", &c.reads); err != nil {
		return nil, err
	}
	return c.Store.Find(ctx, keys...)
}

func (c *counting) Insert(ctx context.Context, i identity.Identity, r identity.Record) error {
	if err := c.gate("insert", &c.writes); err != nil {
		return err
	}
	return c.Store.Insert(ctx, i, r)
}

func (c *counting) Swap(ctx context.Context, i identity.Identity, r identity.Record) error {
	if err := c.gate("swap", &c.writes); err != nil {
		return err
	}
	return c.Store.Swap(ctx, i, r)
}

func (c *counting) Renew(ctx context.Context, id string, revision int64, at time.Time, r identity.Record) error {
	if err := c.gate("renew", &c.writes); err != nil {
		return err
	}
	return c.Store.Renew(ctx, id, revision, at, r)
}

func (c *counting) Pin(ctx context.Context, k identity.Key, userstore string) error {
	if err := c.gate("pin", &c.writes); err != nil {
		return err
	}
	return c.Store.Pin(ctx, k, userstore)
}

func (c *counting) Spend(ctx context.Context, b store.Budget) (bool, error) {
	if err := c.gate("spend", &c.writes); err != nil {
		return false, err
	}
	return c.Store.Spend(ctx, b)
}

func (c *counting) Record(ctx context.Context, r []identity.Record, touched []store.Touch) error {
	if err := c.gate("record", &c.writes); err != nil {
		return err
	}
	return c.Store.Record(ctx, r, touched)
}

func open(t *testing.T, files ...string) *house {
	s, err := bolt.Open(filepath.Join(t.TempDir(), "jithook.db"), bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	env, err := expr.NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	h := &house{store: &counting{Store: s}, now: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC), files: fstest.MapFS{}, t: t}
	for i, f := range append(files, acme)[:max(1, len(files))] {
		h.files[string(rune('a'+i))+".yaml"] = &fstest.MapFile{Data: []byte(f)}
	}
	clock := func() time.Time { return h.now }
	load := func() *provider.Set {
		set, problems := provider.Loader{Env: env, Userstores: []string{"default", "employees"}, Targets: []string{"hr", "crm"}, Now: clock}.Load(h.files)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		return set
	}
	set := load()
	log := slog.New(slog.DiscardHandler)
	d := directory.New(h.store, nil)
	h.Service = &provision.Service{
		Store: d, Editable: d, Journal: h.store, Budgets: h.store, Later: provision.NewRecorder(h.store, log, func() {}),
		Providers:  func() *provider.Set { return set },
		Userstores: []string{"default", "employees"}, Now: clock, Log: log,
	}
	return h
}

// edit replaces the providers' files.
func (h *house) edit(files ...string) {
	next := open(h.t, files...)
	next.now = h.now
	h.Providers = next.Providers
}

func (h *house) all() []identity.Identity {
	h.t.Helper()
	page, err := h.store.List(h.t.Context(), store.Query{PageSize: 100})
	if err != nil {
		h.t.Fatal(err)
	}
	return page.Identities
}

func (h *house) only() identity.Identity {
	h.t.Helper()
	all := h.all()
	if len(all) != 1 {
		h.t.Fatalf("%d identities, want 1", len(all))
	}
	return all[0]
}

// settle lets what was queued for later be written.
func (h *house) settle() {
	ctx, cancel := context.WithCancel(h.t.Context())
	cancel()
	h.Later.Run(ctx)
}

func ann(edit ...func(map[string]any)) map[string]any {
	c := map[string]any{
		"email": "Ann@acme.example", "email_verified": true, "hd": "acme.example", "name": "Ann Example",
		"preferred_username": "ann", "groups": []any{"eng", "ops"},
	}
	for _, e := range edit {
		e(c)
	}
	return c
}

func with(name string, v any) func(map[string]any) {
	return func(c map[string]any) { c[name] = v }
}

func without(name string) func(map[string]any) {
	return func(c map[string]any) { delete(c, name) }
}

// generic is a login by the generic contract.
func generic(subject string, claims map[string]any) identity.Login {
	return identity.Login{
		Hook: identity.HookGeneric, Caller: "test", Providers: []string{"acme", "globex"}, Provider: "acme",
		Offers: []identity.Offer{{Source: identity.SourceHookBody, Provider: "acme", Subject: subject, Claims: claims}},
	}
}

// kratos is a call of one of Kratos's hooks; id is empty for prepare.
func kratos(hook identity.Hook, id, subject string, claims map[string]any) identity.Login {
	return identity.Login{
		Hook: hook, Caller: "kratos", Providers: []string{"*"}, Provider: "acme",
		External: identity.ExternalID{System: identity.SystemKratos, Instance: "main", ID: id},
		Offers: []identity.Offer{{
			Source: identity.SourceKratosMetadata, Provider: "acme", Issuer: "https://acme.example", Subject: subject, Claims: claims,
		}},
	}
}

func want(t *testing.T, out provision.Outcome, d identity.Decision, codes ...identity.Code) {
	t.Helper()
	var got []identity.Code
	for _, r := range out.Record.Reasons {
		got = append(got, r.Code)
	}
	if out.Record.Decision != d || len(codes) > 0 && !slices.Equal(got, codes) {
		t.Fatalf("decision %s %v, want %s %v", out.Record.Decision, got, d, codes)
	}
	if out.Record.Decision.Allowed() != (out.Identity != nil) && !slices.Contains(got, identity.CodeIdentityUnknown) {
		t.Fatalf("decision %s with identity %v", out.Record.Decision, out.Identity)
	}
}

func groups(i identity.Identity) []string {
	var names []string
	for _, g := range i.Groups {
		names = append(names, g.Name)
	}
	return names
}

func TestFirstLoginCreatesSecondChangesNothing(t *testing.T) {
	h := open(t)
	out := h.Provision(t.Context(), generic("s-1", ann()))
	want(t, out, identity.Created, identity.CodeCreated)
	i := h.only()
	wantTraits := map[string]any{"email": "ann@acme.example", "username": "ann", "name": "Ann Example"}
	if !maps.Equal(i.Traits, wantTraits) || i.State != identity.StateActive || i.Userstore != "employees" || i.Revision != 1 ||
		!slices.Equal(groups(i), []string{"engineering"}) || i.Link("https://acme.example", "s-1") != 0 {
		t.Fatalf("created %+v", i)
	}
	if p, ok := i.ProvenanceOf("/email"); !ok || p.Source != "provider:acme" || p.VerifiedBy != "provider:acme" {
		t.Fatalf("provenance %+v", i.Provenance)
	}

	h.store.reads.Store(0)
	h.store.writes.Store(0)
	h.now = h.now.Add(time.Minute)
	out = h.Provision(t.Context(), generic("s-1", ann()))
	want(t, out, identity.Unchanged, identity.CodeUnchanged)
	if r, w := h.store.reads.Load(), h.store.writes.Load(); r != 1 || w != 0 {
		t.Errorf("an unchanged login made %d reads and %d writes", r, w)
	}
	if out.Identity.ID != i.ID {
		t.Error("another identity")
	}
}

func TestLastLoginIsNotedAtMostOnceAnHour(t *testing.T) {
	h := open(t)
	h.Provision(t.Context(), generic("s-1", ann()))
	created := h.now
	for _, step := range []struct {
		after time.Duration
		want  time.Duration
	}{{59 * time.Minute, 0}, {time.Minute, time.Hour}, {time.Minute, time.Hour}} {
		h.now = h.now.Add(step.after)
		h.Provision(t.Context(), generic("s-1", ann()))
		h.settle()
		if i := h.only(); !i.LastLoginAt.Equal(created.Add(step.want)) || i.Revision != 1 {
			t.Fatalf("last_login_at %s, revision %d", i.LastLoginAt, i.Revision)
		}
	}
}

func TestRefusalsWriteNothingButTheirRecord(t *testing.T) {
	for name, c := range map[string]struct {
		login identity.Login
		code  identity.Code
		path  string
		rule  bool
	}{
		"unknown provider":       {func() identity.Login { l := generic("s-1", ann()); l.Provider = "nobody"; return l }(), identity.CodeUnknownProvider, "", false},
		"provider out of scope":  {func() identity.Login { l := generic("s-1", ann()); l.Providers = []string{"globex"}; return l }(), identity.CodeCallerScope, "", false},
		"no claims":              {generic("s-1", nil), identity.CodeClaimsAbsent, "", false},
		"other issuer":           {generic("s-1", ann(with("iss", "https://evil.example"))), identity.CodeIssuerUnknown, "", false},
		"other subject":          {generic("s-1", ann(with("sub", "s-2"))), identity.CodeClaimsConflict, "", false},
		"allow is false":         {generic("s-1", ann(with("hd", "evil.example"))), identity.CodeNotAllowed, "", true},
		"S59 claim of allow":     {generic("s-1", ann(without("hd"))), identity.CodeRuleError, "/claims/hd", true},
		"deny rule":              {generic("s-1", ann(with("guest", true))), identity.CodeDenyRule, "", true},
		"required trait missing": {generic("s-1", ann(without("email"))), identity.CodeTraitMissing, "/traits/email", false},
		"required trait empty":   {generic("s-1", ann(with("email", ""))), identity.CodeTraitMissing, "/traits/email", false},
		"no e-mail":              {generic("s-1", ann(with("email", "not an address"))), identity.CodeTraitInvalid, "/traits/email", true},
		"S24 look-alike":         {generic("s-1", ann(with("email", "m\u0131ke@acme.example"))), identity.CodeTraitInvalid, "/traits/email", true},
		"prepare without mapper": {identity.Login{Hook: identity.HookPrepare, Providers: []string{"*"}}, identity.CodeClaimsAbsent, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t)
			out := h.Provision(t.Context(), c.login)
			want(t, out, identity.Denied, c.code)
			if out.Record.Reasons[0].Path != c.path || (out.Record.Rule != "") != c.rule {
				t.Errorf("path %q, rule %q", out.Record.Reasons[0].Path, out.Record.Rule)
			}
			if n := len(h.all()); n != 0 {
				t.Errorf("%d identities", n)
			}
			if r, err := h.store.Decision(t.Context(), out.Record.ID); err != nil || r.Decision != identity.Denied {
				t.Errorf("record %+v, %v", r, err)
			}
		})
	}
}

func TestOperatorsMessageReachesThePerson(t *testing.T) {
	out := open(t).Provision(t.Context(), generic("s-1", ann(with("guest", true))))
	if r := out.Record.Reasons[0]; r.Text != "Guests have no account here." || r.Rule != "guest" {
		t.Errorf("%+v", r)
	}
}

func TestDisabledCreatesNobodyAndLetsKnownPeopleIn(t *testing.T) {
	h := open(t)
	h.Provision(t.Context(), generic("s-1", ann()))
	h.edit(replace(acme, "enabled: true", "enabled: false"))
	want(t, h.Provision(t.Context(), generic("s-2", ann(with("email", "bob@acme.example")))), identity.Denied, identity.CodeJITDisabled)
	want(t, h.Provision(t.Context(), generic("s-1", ann(with("name", "Ann Other")))), identity.Unchanged, identity.CodeUnchanged, identity.CodeJITDisabled)
	if i := h.only(); i.Traits["name"] != "Ann Example" {
		t.Error("a disabled provider synced")
	}
}

func TestTakenTraitsNameNobody(t *testing.T) {
	h := open(t)
	h.Provision(t.Context(), generic("s-1", ann()))
	for path, l := range map[string]identity.Login{
		"/traits/email":    generic("s-2", ann(with("email", "ANN@acme.example"), with("preferred_username", "other"))),
		"/traits/username": generic("s-2", ann(with("email", "bob@acme.example"), with("preferred_username", "Ann"))),
	} {
		preview, err := h.Preview(t.Context(), l)
		if err != nil {
			t.Fatal(err)
		}
		want(t, preview, identity.Denied, identity.CodeTraitTaken)
		out := h.Provision(t.Context(), l)
		want(t, out, identity.Denied, identity.CodeTraitTaken)
		if out.Record.Reasons[0].Path != path || out.Record.IdentityID != "" {
			t.Errorf("%+v", out.Record)
		}
	}
	h.only()
}

// Of two traits that two people have, a plan names the one that the write comes
// upon, whoever of them was first.
func TestTakenTraitsAreForeseen(t *testing.T) {
	for _, first := range []string{"s-1", "s-2"} {
		h := open(t)
		have := map[string]map[string]any{"s-1": ann(with("preferred_username", "bob")), "s-2": ann(with("email", "bob@acme.example"))}
		want(t, h.Provision(t.Context(), generic(first, have[first])), identity.Created)
		delete(have, first)
		for second, claims := range have {
			want(t, h.Provision(t.Context(), generic(second, claims)), identity.Created)
		}
		preview, err := h.Preview(t.Context(), generic("s-3", ann()))
		if err != nil {
			t.Fatal(err)
		}
		if out := h.Provision(t.Context(), generic("s-3", ann())); out.Record.Reasons[0] != preview.Record.Reasons[0] {
			t.Errorf("planned %+v, came %+v", preview.Record.Reasons, out.Record.Reasons)
		}
	}
}

func TestUnverifiedEmailTakesNoKey(t *testing.T) {
	for name, claims := range map[string]map[string]any{
		"S55 claim is false":       ann(with("email_verified", false)),
		"S18 claim is a string":    ann(with("email_verified", "true")),
		"claim is missing":         ann(without("email_verified")),
		"S61 not its domain":       ann(with("email", "ann@other.example")),
		"subdomain is another one": ann(with("email", "ann@sub.acme.example")),
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t)
			want(t, h.Provision(t.Context(), generic("squatter", claims)), identity.Created)
			i := h.only()
			if slices.ContainsFunc(i.Keys, func(k identity.Key) bool { return k.Kind() == identity.KeyMail }) {
				t.Fatal("it took the address's key")
			}
			owner := ann(with("email", i.Traits["email"]), with("preferred_username", "owner"))
			want(t, h.Provision(t.Context(), generic("owner", owner)), identity.Created)
		})
	}
}

func TestKeysAreReleasedAndVerificationFollowsTheValue(t *testing.T) {
	h := open(t)
	h.Provision(t.Context(), generic("s-1", ann()))
	moved := ann(with("email", "ann.other@acme.example"), without("email_verified"))
	want(t, h.Provision(t.Context(), generic("s-1", moved)), identity.Updated)
	after := h.only()
	if p, _ := after.ProvenanceOf("/email"); p.VerifiedBy != "" {
		t.Error("a new address inherited the old one's verification")
	}
	want(t, h.Provision(t.Context(), generic("s-2", ann(with("preferred_username", "bob")))), identity.Created)
}

// replace edits a provider's file.
func replace(s, old, new string) string {
	before, after, ok := strings.Cut(s, old)
	if !ok {
		panic("nothing to replace: " + old)
	}
	return before + new + after
}
