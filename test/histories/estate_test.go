//go:build unix

package histories_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/expr"
	"github.com/jithook/jithook/kratos"
	"github.com/jithook/jithook/policy"
	"github.com/jithook/jithook/provider"
	"github.com/jithook/jithook/provision"
	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/store/directory"
)

// estate is a service under files that are edited, on a store that is its alone.
type estate struct {
	*provision.Service
	ctx    context.Context
	store  *meddled             // the home store
	all    *directory.Directory // it, and the one that abroad may have of its own
	apart  bool                 // it has
	prefix string               // of this history's subjects, who may be pinned for ever
	kratos *browsers            // may be nil
	begin  time.Time
	now    time.Time
	loader provider.Loader
	files  map[string]draft // by provider
	set    *provider.Set
	before map[string]identity.Identity // the call under way, by id
	log    ledger
	newest map[seen]time.Time // of dated claims, since the last restart
	last   func(*rapid.T)     // the call before, made again
}

// seen is a link of somebody.
type seen struct {
	id, provider string
	linked       time.Time
}

// quarantined is how long a closed account keeps its names.
const quarantined = 2 * 24 * time.Hour

// userstores are two in one store.
var userstores = []string{"home", "abroad"}

// meddled is a store that lets something else happen before a write.
type meddled struct {
	store.Store
	between func() // once
}

func (m *meddled) meddle() {
	if between := m.between; between != nil {
		m.between = nil
		between()
	}
}

func (m *meddled) Insert(ctx context.Context, i identity.Identity, r identity.Record) error {
	m.meddle()
	return m.Store.Insert(ctx, i, r)
}

func (m *meddled) Swap(ctx context.Context, i identity.Identity, r identity.Record) error {
	m.meddle()
	return m.Store.Swap(ctx, i, r)
}

func (m *meddled) Renew(ctx context.Context, id string, revision int64, at time.Time, r identity.Record) error {
	m.meddle()
	return m.Store.Renew(ctx, id, revision, at, r)
}

func (m *meddled) Delete(ctx context.Context, id string, revision int64, renewedAt time.Time, r identity.Record) error {
	m.meddle()
	return m.Store.Delete(ctx, id, revision, renewedAt, r)
}

func newEstate(t testing.TB, rt *rapid.T, s, abroad store.Store, k *browsers) *estate {
	env, err := expr.NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	e := &estate{
		ctx: t.Context(), store: &meddled{Store: s}, kratos: k, begin: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC),
		files: map[string]draft{}, log: ledger{}, prefix: uuid.NewString() + "-", apart: abroad != nil,
	}
	own := map[string]store.Store{}
	if e.apart {
		own["abroad"] = abroad
	}
	e.all = directory.New(e.store, own)
	e.now = e.begin
	clock := func() time.Time { return e.now }
	e.loader = provider.Loader{Env: env, Userstores: userstores, Targets: []string{"hr"}, Now: clock}
	e.clear(rt)
	if k != nil {
		k.reset()
	}
	for _, id := range providers {
		e.files[id] = drawDraft(rt, id)
	}
	e.reload(rt)
	e.start()
	return e
}

// clear removes what the history before has left.
func (e *estate) clear(rt *rapid.T) {
	for _, i := range e.list(rt) {
		if err := e.all.Delete(e.ctx, i.ID, i.Revision, i.RenewedAt, identity.Record{}); err != nil {
			rt.Fatal(err)
		}
	}
	for {
		n, err := e.all.DropDecisions(e.ctx, e.begin.AddDate(10, 0, 0), 1000)
		if err != nil {
			rt.Fatal(err)
		}
		if n == 0 {
			return
		}
	}
}

// start makes the service, as after a restart.
func (e *estate) start() {
	e.newest = map[seen]time.Time{}
	log, d := slog.New(slog.DiscardHandler), e.all
	e.Service = &provision.Service{
		Store: d, Editable: d, Journal: d, Receipts: d, Budgets: d, Later: provision.NewRecorder(d, log, func() {}),
		Providers: func() *provider.Set { return e.set }, Userstores: userstores, Quarantine: quarantined,
		Now: func() time.Time { return e.now }, Log: log,
	}
	if e.kratos != nil {
		e.Kratos, e.Instances = map[string]*kratos.Admin{instance: e.kratos.api}, []string{instance}
	}
}

// flush has what was queued written.
func (e *estate) flush() {
	ended, end := context.WithCancel(e.ctx)
	end()
	e.Later.Run(ended)
}

func (e *estate) reload(rt *rapid.T) {
	folder := fstest.MapFS{}
	for id, d := range e.files {
		folder[id+".yaml"] = &fstest.MapFile{Data: []byte(d.file())}
	}
	set, problems := e.loader.Load(folder)
	if len(problems) > 0 {
		rt.Fatal(problems)
	}
	e.set = set
}

func (e *estate) list(rt *rapid.T) []identity.Identity {
	var all []identity.Identity
	for q := (store.Query{PageSize: store.MaxPageSize}); ; {
		page, err := e.all.List(e.ctx, q)
		if err != nil {
			rt.Fatal(err)
		}
		all = append(all, page.Identities...)
		if q.PageToken = page.NextPageToken; q.PageToken == "" {
			return all
		}
	}
}

// snapshot is everybody, by id.
func (e *estate) snapshot(rt *rapid.T) map[string]identity.Identity {
	all := map[string]identity.Identity{}
	for _, i := range e.list(rt) {
		all[i.ID] = i
	}
	return all
}

// draft is a provider's file: those of its lines that the histories edit.
type draft struct {
	id                              string
	enabled, deny                   bool
	userstore                       string
	lookup, protected               bool
	linking, sync, groups           string
	scheme                          string
	unknown, lease, returns, titled bool
	removals                        int // none below 0
	trusted                         string
	absent, force                   string
	suffix, required, hr            bool
}

// providers are those of the histories.
var providers = []string{"acme", "beta", "gamma"}

func drawDraft(rt *rapid.T, id string) draft {
	mostly := func(what string) bool { return rapid.IntRange(0, 7).Draw(rt, what) > 0 }
	even := func(what string) bool { return rapid.Bool().Draw(rt, what) }
	one := func(what string, of ...string) string { return rapid.SampledFrom(of).Draw(rt, what) }
	d := draft{
		id: id, enabled: mostly("enabled"), deny: even("deny"), userstore: one("userstore", "home", "home", "home", "abroad"),
		lookup: mostly("lookup"), protected: even("protected"),
		linking: one("linking", policy.LinkingAuto, policy.LinkingAuto, policy.LinkingConfirm, policy.LinkingDisabled),
		sync:    one("sync", "preserve_local", "preserve_local", "override_all", "none"),
		groups:  one("groups", "mirror", "mirror", "mirror", "append", "assign", "none"),
		scheme:  one("scheme", "silent", "silent", "silent", "prompt", "consent"),
		unknown: even("unknown"), lease: even("lease"), returns: even("returns"), titled: mostly("titled"),
		removals: rapid.IntRange(-1, 1).Draw(rt, "removals"), trusted: one("trusted", "acme.example", "acme.example", "other.example", ""),
		absent: one("absent", "keep", "clear", "default, default: Nobody"), force: one("force", "inherit", "force", "import"),
		suffix: even("suffix"), required: even("required"), hr: even("hr"),
	}
	if !d.lookup {
		d.linking = policy.LinkingDisabled
	}
	return d
}

func (d draft) file() string {
	var text strings.Builder
	line := func(when bool, format string, args ...any) {
		if when {
			fmt.Fprintf(&text, format+"\n", args...)
		}
	}
	line(true, "version: 1\nprovider: %s\nissuer: %s\ntrust: {authoritative_domains: [%s]}\njit:", d.id, issuerOf(d.id), d.trusted)
	line(true, "  enabled: %v\n  userstore: %s\n  account_linking: %s\n  attribute_sync: %s\n  group_sync: %s\n  scheme: %s",
		d.enabled, d.userstore, d.linking, d.sync, d.groups, d.scheme)
	line(d.deny, `  deny: [{when: 'has(claims.name) && claims.name == "Mallory"', code: mallory, message: "Not you."}]`)
	line(d.lookup, "  account_lookup: [{local: /traits/email, federated: claims.email}]")
	line(d.protected, `  protected: 'identity.groups.exists(g, g == "admins")'`)
	line(d.scheme == "consent", `  consent: {path: /traits/terms, version: "1"}`)
	line(d.groups == "mirror" && d.unknown, "  groups_unknown_max: 24h")
	line(d.groups == "mirror" && d.removals >= 0, "  limits: {max_group_removals: %d}", d.removals)
	line(d.lease, "  inactive_after: 48h")
	line(d.returns, "  on_suspended: activate")
	line(true, "traits:\n  email: {value: claims.email, verified: claims.verified, canonical: email, unique: true, required: %v}", d.required)
	taken := "deny"
	if d.suffix {
		taken = "suffix"
	}
	line(true, "  username: {value: claims.username, canonical: username, unique: true, on_taken: %s}", taken)
	line(true, "  name: {value: claims.name, absent: %s}", d.absent)
	line(d.titled, "  title: {value: claims.title, sync: %s}", d.force)
	line(true, "groups: {from: claims.groups, allow: [eng, staff, admins]}")
	line(d.hr, "outbound: [hr]")
	return text.String()
}

// verifies reports whether the provider's word on an address counts.
func (d draft) verifies(mail string) bool {
	return d.trusted != "" && strings.HasSuffix(mail, "@"+d.trusted)
}

func issuerOf(id string) string { return "https://" + id + ".example" }

// ids are those of a snapshot, in order.
func ids(all map[string]identity.Identity) []string { return slices.Sorted(maps.Keys(all)) }

// holder returns who has a key.
func holder(all map[string]identity.Identity, k identity.Key) (identity.Identity, bool) {
	for _, i := range all {
		if slices.Contains(i.Keys, k) {
			return i, true
		}
	}
	return identity.Identity{}, false
}
