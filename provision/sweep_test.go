package provision_test

// These tests prove what time does to identities, and to nobody else: nothing
// without Apply; who is pending goes only on every Kratos's word, and never when
// a sign-in came back; a closed account lets go of its names and of nothing
// more; and of who has not signed in, nobody is touched whom an administrator
// has set or whom one provider gives for ever.

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jithook/jithook/identity"
	adminapi "github.com/jithook/jithook/kratos"
	"github.com/jithook/jithook/provision"
	"github.com/jithook/jithook/store"
)

// knows is a Kratos that has a credential of each of these identifiers.
type knows struct {
	identifiers []string
	broken      bool
	asked       func()

	mu    sync.Mutex
	calls []string
}

func (k *knows) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	k.mu.Lock()
	identifier := r.URL.Query().Get("credentials_identifier")
	k.calls = append(k.calls, identifier)
	k.mu.Unlock()
	if k.asked != nil {
		k.asked()
	}
	w.Header().Set("Content-Type", "application/json")
	switch {
	case k.broken:
		w.WriteHeader(http.StatusInternalServerError)
	case slices.Contains(k.identifiers, identifier):
		w.Write([]byte(`[{"id":"k-1"}]`))
	default:
		w.Write([]byte(`[]`))
	}
}

// asks gives h the Admin APIs of Kratoses, by instance; all may call.
func (h *house) asks(all map[string]*knows) {
	h.t.Helper()
	h.Kratos, h.Instances = map[string]*adminapi.Admin{}, nil
	for name, k := range all {
		server := httptest.NewServer(k)
		h.t.Cleanup(server.Close)
		admin, err := adminapi.NewAdmin(server.URL, "")
		if err != nil {
			h.t.Fatal(err)
		}
		h.Kratos[name] = admin
		h.Instances = append(h.Instances, name)
	}
}

// sweep goes through all steps of a rule.
func (h *house) sweep(rule provision.Rule, apply bool) []provision.Expired {
	h.t.Helper()
	var all []provision.Expired
	for token, more := "", true; more; more = token != "" {
		out, err := h.Sweep(h.t.Context(), provision.Sweep{Rule: rule, Apply: apply, PageToken: token, RequestID: "request-1"})
		if err != nil {
			h.t.Fatal(err)
		}
		all = append(all, out.Found...)
		token = out.NextPageToken
	}
	return all
}

// swept checks that a rule finds the only identity, or nobody where no fate is
// wanted, and that looking writes nothing.
func (h *house) swept(rule provision.Rule, fate provision.Fate) {
	h.t.Helper()
	before, seen := h.all(), fate
	if fate == provision.FateDone {
		seen = provision.FateDue
	}
	for _, c := range []struct {
		apply bool
		fate  provision.Fate
	}{{false, seen}, {true, fate}} {
		found := h.sweep(rule, c.apply)
		switch {
		case c.fate == "" && len(found) > 0, c.fate != "" && (len(found) != 1 || found[0].Fate != c.fate || found[0].IdentityID != before[0].ID):
			h.t.Fatalf("apply %v: found %+v, want %q", c.apply, found, c.fate)
		case c.fate == "":
			continue
		}
		changed := len(h.all()) != len(before) || h.all()[0].Revision != before[0].Revision
		if changed != (c.fate == provision.FateDone) || (found[0].DecisionID != "") != changed {
			h.t.Fatalf("apply %v: %s, changed: %v, record %q", c.apply, c.fate, changed, found[0].DecisionID)
		}
		if !changed {
			continue
		}
		r, err := h.store.Decision(h.t.Context(), found[0].DecisionID)
		if err != nil || r.Hook != identity.HookSweep || r.Caller != "admin" || r.IdentityID != before[0].ID || r.RequestID != "request-1" {
			h.t.Fatalf("record %+v, %v", r, err)
		}
	}
}

const day = 24 * time.Hour

func TestPendingSweep(t *testing.T) {
	ofOIDC := replace(acme, "issuer: https://acme.example", "issuer: https://acme.example\nsubject: claims.oid")
	for name, c := range map[string]struct {
		file    string
		kratos  map[string]*knows
		prepare identity.Login
		after   time.Duration
		edit    func(*house)
		fate    provision.Fate
	}{
		"nobody has them":           {fate: provision.FateDone},
		"within the day":            {after: day, fate: ""},
		"renewed within the day":    {edit: func(h *house) { h.now = h.now.Add(-time.Hour); h.prepareAgain(); h.now = h.now.Add(time.Hour) }, fate: ""},
		"Kratos has the credential": {kratos: map[string]*knows{"main": {identifiers: []string{"acme:s-1"}}}, fate: provision.FateKnown},
		"one of two has it":         {kratos: map[string]*knows{"main": {}, "eu": {identifiers: []string{"acme:s-1"}}}, fate: provision.FateKnown},
		"Kratos is down":            {kratos: map[string]*knows{"main": {broken: true}}, fate: provision.FateUnheard},
		"one of two is down":        {kratos: map[string]*knows{"main": {}, "eu": {broken: true}}, fate: provision.FateUnheard},
		"no Admin API":              {kratos: map[string]*knows{}, fate: provision.FateUnasked},
		"one of two without one":    {edit: func(h *house) { h.Instances = append(h.Instances, "eu") }, fate: provision.FateUnasked},
		"unlinked by hand":          {edit: func(h *house) { h.admin(provision.Unlink("acme"), identity.Updated) }, fate: provision.FateUnasked},
		"suspended by hand":         {edit: func(h *house) { h.admin(provision.Suspend(), identity.Updated) }, fate: ""},
		"known by another subject":  {file: ofOIDC, prepare: credentialed(), kratos: map[string]*knows{"main": {identifiers: []string{"acme:c-1"}}}, fate: provision.FateKnown},
		"under the provider's name now": {edit: func(h *house) { h.edit(replace(acme, "provider: acme", "provider: acme2")) },
			kratos: map[string]*knows{"main": {identifiers: []string{"acme2:s-1"}}}, fate: provision.FateKnown},
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t)
			if c.file != "" {
				h.edit(c.file)
			}
			login := kratos(identity.HookPrepare, nobody, "s-1", ann())
			if c.prepare.Hook != "" {
				login = c.prepare
			}
			want(t, h.Provision(t.Context(), login), identity.Created)
			if c.kratos == nil {
				c.kratos = map[string]*knows{"main": {}}
			}
			h.asks(c.kratos)
			h.now = h.now.Add(cmp.Or(c.after, day+time.Second))
			if c.edit != nil {
				c.edit(h)
			}
			h.swept(provision.RulePending, c.fate)
			if c.fate == provision.FateDone {
				if len(h.all()) != 0 {
					t.Fatalf("left: %+v", h.all())
				}
				// The name is free, and the person's next sign-in a first one.
				want(t, h.Provision(t.Context(), kratos(identity.HookPrepare, nobody, "s-2", ann())), identity.Created)
			}
		})
	}
}

// prepareAgain has the person come back to the sign-in.
func (h *house) prepareAgain() {
	h.t.Helper()
	want(h.t, h.Provision(h.t.Context(), kratos(identity.HookPrepare, nobody, "s-1", ann())), identity.Unchanged)
}

func credentialed() identity.Login {
	l := kratos(identity.HookPrepare, nobody, "s-1", ann(with("oid", "s-1")))
	l.Offers[0].Credential = "c-1"
	return l
}

// What came back while Kratos was asked stays, whatever Kratos said.
func TestPendingSweepIsOvertaken(t *testing.T) {
	h := open(t)
	want(t, h.Provision(t.Context(), kratos(identity.HookPrepare, nobody, "s-1", ann())), identity.Created)
	k := &knows{}
	h.asks(map[string]*knows{"main": k})
	h.now = h.now.Add(day + time.Second)
	k.asked = func() { k.asked = nil; h.Kratos = nil; h.prepareAgain() }
	found := h.sweep(provision.RulePending, true)
	if len(found) != 1 || found[0].Fate != provision.FateChanged || found[0].DecisionID != "" {
		t.Fatalf("found %+v", found)
	}
	h.only()
}

// A Kratos that did not answer is asked once in a step, and not for everybody.
func TestPendingSweepAsksNoKratosThatIsDown(t *testing.T) {
	h := open(t)
	for _, s := range []string{"s-1", "s-2", "s-3"} {
		want(t, h.Provision(t.Context(), kratos(identity.HookPrepare, nobody, s, ann(with("email", s+"@acme.example"), without("preferred_username")))), identity.Created)
	}
	k := &knows{broken: true}
	h.asks(map[string]*knows{"main": k})
	h.now = h.now.Add(2 * day)
	if found := h.sweep(provision.RulePending, true); len(found) != 3 || len(k.calls) != 1 {
		t.Errorf("found %+v after %d calls", found, len(k.calls))
	}
}

// A person may have come by any provider that has the issuer. Kratos is asked for
// each, the link's own first; where there are too many, whoever is not found stays,
// and one line of the log says how many do, and names nobody.
func TestPendingSweepAsksForFew(t *testing.T) {
	type are struct {
		others int
		held   string
		calls  int // about each of two people
		fate   provision.Fate
		log    string
	}
	for name, c := range map[string]are{
		"few":                        {others: 3, calls: 4, fate: provision.FateDone},
		"as many as may be":          {others: 49, calls: 50, fate: provision.FateDone},
		"too many":                   {others: 50, calls: 50, fate: provision.FateUnasked, log: "identities=2 credentials=51 asked=50\n"},
		"too many, but one is known": {others: 60, held: "acme", calls: 1, fate: provision.FateKnown},
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t)
			var log bytes.Buffer
			h.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
			k := &knows{}
			for _, subject := range []string{"s-1", "s-2"} {
				want(t, h.Provision(t.Context(), kratos(identity.HookPrepare, nobody, subject, ann(with("email", subject+"@acme.example"), without("preferred_username")))), identity.Created)
				k.identifiers = append(k.identifiers, c.held+":"+subject)
			}
			files := []string{acme}
			for n := range c.others { // before acme in the order of their names
				files = append(files, replace(acme, "provider: acme", fmt.Sprintf("provider: aaa%d", n)))
			}
			h.edit(files...)
			h.asks(map[string]*knows{"main": k})
			h.now = h.now.Add(2 * day)
			found := h.sweep(provision.RulePending, true)
			if len(found) != 2 || found[0].Fate != c.fate || found[1].Fate != c.fate || len(k.calls) != 2*c.calls {
				t.Errorf("found %+v after %d calls, want %s after %d each", found, len(k.calls), c.fate, c.calls)
			}
			if got := log.String(); strings.Count(got, "\n") != strings.Count(c.log, "\n") || !strings.HasSuffix(got, c.log) || strings.Contains(got, found[0].IdentityID) {
				t.Errorf("log %q, want one line ending in %q", got, c.log)
			}
		})
	}
}

// spoilt is a store of which one identity cannot be read.
type spoilt struct {
	provision.Editable
	id string
}

func (s spoilt) List(ctx context.Context, q store.Query) (store.Page, error) {
	p, err := s.Editable.List(ctx, q)
	p.Identities = slices.DeleteFunc(p.Identities, func(i identity.Identity) bool {
		if i.ID == s.id && q.Damaged {
			p.Damaged = append(p.Damaged, i.ID)
		}
		return i.ID == s.id
	})
	return p, err
}

// Who cannot be read is named, left alone, and keeps nobody else from going.
func TestSweepPassesOverDamaged(t *testing.T) {
	h := open(t)
	var all []string
	for _, s := range []string{"s-1", "s-2", "s-3"} {
		out := h.Provision(t.Context(), kratos(identity.HookPrepare, nobody, s, ann(with("email", s+"@acme.example"), without("preferred_username"))))
		want(t, out, identity.Created)
		all = append(all, out.Record.IdentityID)
	}
	h.asks(map[string]*knows{"main": {}})
	h.Editable = spoilt{h.Editable, all[0]}
	h.now = h.now.Add(2 * day)
	fates := map[string]provision.Fate{}
	for _, e := range h.sweep(provision.RulePending, true) {
		fates[e.IdentityID] = e.Fate
	}
	if fates[all[0]] != provision.FateDamaged || fates[all[1]] != provision.FateDone || fates[all[2]] != provision.FateDone {
		t.Errorf("%v of %v, want the first damaged and the others gone", fates, all)
	}
	if left := h.only(); left.ID != all[0] {
		t.Errorf("%s is left, want the damaged one", left.ID)
	}
}

func names(i identity.Identity) (kinds []string) {
	for _, k := range i.Keys {
		kinds = append(kinds, k.Kind())
	}
	return kinds
}

func TestQuarantine(t *testing.T) {
	h := in(t, identity.StateDeprovisioned)
	h.Quarantine = 90 * day
	closed := h.now
	taker := generic("s-2", ann())
	h.now = closed.Add(90 * day)
	h.swept(provision.RuleQuarantine, "")
	want(t, h.Provision(t.Context(), taker), identity.Denied, identity.CodeTraitTaken)

	h.now = h.now.Add(time.Second)
	before := h.only()
	h.swept(provision.RuleQuarantine, provision.FateDone)
	i := h.only()
	if !slices.Equal(names(i), []string{"fed"}) || i.State != identity.StateDeprovisioned || !i.StateAt.Equal(closed) ||
		i.Traits["email"] != before.Traits["email"] || len(i.Links) != 1 {
		t.Fatalf("after its quarantine: %+v", i)
	}
	h.swept(provision.RuleQuarantine, "") // once
	want(t, h.Provision(t.Context(), generic("s-1", ann())), identity.Denied, identity.CodeDeprovisioned)

	// Nobody took the name: it is the person's again.
	h.admin(provision.Activate(), identity.Activated)
	if got := h.only(); !slices.Equal(got.Keys, before.Keys) || got.State != identity.StateActive || !got.StateAt.Equal(h.now) {
		t.Fatalf("activated: %v, before %v", got.Keys, before.Keys)
	}
	want(t, h.Provision(t.Context(), taker), identity.Denied, identity.CodeTraitTaken)
	h.admin(provision.Deprovision(), identity.Updated)
	h.now = h.now.Add(91 * day)
	h.swept(provision.RuleQuarantine, provision.FateDone)

	// Somebody took it: only an administrator can say who of them is to have it.
	want(t, h.Provision(t.Context(), taker), identity.Created)
	out, err := h.Edit(t.Context(), provision.Target{ID: i.ID}, provision.Activate())
	if err != nil {
		t.Fatal(err)
	}
	want(t, out, identity.Denied, identity.CodeTraitTaken)
	if path := out.Record.Reasons[0].Path; !strings.HasPrefix(path, "/traits/") {
		t.Errorf("taken: %q", path)
	}
}

func TestQuarantineOf(t *testing.T) {
	for name, c := range map[string]struct {
		in   identity.State
		for_ time.Duration
		edit func(*identity.Identity)
		fate provision.Fate
	}{
		"for ever":                   {in: identity.StateDeprovisioned, for_: 0},
		"suspended":                  {in: identity.StateSuspended, for_: 90 * day},
		"active":                     {in: identity.StateActive, for_: 90 * day},
		"closed before it was noted": {in: identity.StateDeprovisioned, for_: 90 * day, edit: func(i *identity.Identity) { i.StateAt = time.Time{} }, fate: provision.FateDone},
		"changed since, and not noted": {in: identity.StateDeprovisioned, for_: 90 * day,
			edit: func(i *identity.Identity) { i.StateAt, i.UpdatedAt = time.Time{}, i.UpdatedAt.Add(50*day) }},
	} {
		t.Run(name, func(t *testing.T) {
			h := in(t, c.in)
			h.Quarantine = c.for_
			if c.edit != nil {
				i := h.only()
				c.edit(&i)
				i.Revision++
				if err := h.store.Swap(t.Context(), i, identity.Record{}); err != nil {
					t.Fatal(err)
				}
			}
			h.now = h.now.Add(100 * day)
			h.swept(provision.RuleQuarantine, c.fate)
		})
	}
}

// leased is acme with a lease.
func leased(after string) string {
	return replace(acme, "enabled: true", "enabled: true\n  inactive_after: "+after)
}

func TestInactive(t *testing.T) {
	globexLeased := replace(globex, "enabled: true", "enabled: true\n  inactive_after: 60d")
	returns := func(after time.Duration) func(*house) {
		return func(h *house) {
			h.now = h.now.Add(after)
			h.Provision(h.t.Context(), generic("s-1", ann()))
			h.settle()
		}
	}
	for name, c := range map[string]struct {
		files []string
		state identity.State
		edit  func(*house)
		after time.Duration // since the last login
		by    string        // who suspends; "" if nobody is
	}{
		"over":                         {files: []string{leased("30d")}, after: 30*day + 1, by: "provider:acme"},
		"not over":                     {files: []string{leased("30d")}, after: 30 * day},
		"without a lease":              {files: []string{acme}, after: 1000 * day},
		"0 is for ever":                {files: []string{leased("0")}, after: 1000 * day},
		"counted from the last login":  {files: []string{leased("30d")}, edit: returns(29 * day), after: 30 * day},
		"a second provider has longer": {files: []string{leased("30d"), globexLeased}, edit: alsoGlobex, after: 60 * day},
		"that is over as well":         {files: []string{leased("30d"), globexLeased}, edit: alsoGlobex, after: 60*day + 1, by: "provider:globex"},
		"a second provider has less":   {files: []string{leased("60d"), replace(globexLeased, "60d", "30d")}, edit: alsoGlobex, after: 60*day + 1, by: "provider:acme"},
		"a second provider has none":   {files: []string{leased("30d"), globex}, edit: alsoGlobex, after: 1000 * day},
		"a second one without a file":  {files: []string{leased("30d")}, edit: alsoGlobex, after: 1000 * day},
		"activated by hand":            {files: []string{leased("30d")}, state: identity.StateSuspended, edit: func(h *house) { h.admin(provision.Activate(), identity.Activated) }, after: 1000 * day},
		"without links":                {files: []string{leased("30d")}, edit: func(h *house) { h.admin(provision.Unlink("acme"), identity.Updated) }, after: 1000 * day},
		"pending":                      {files: []string{leased("30d")}, state: identity.StatePending, after: 1000 * day},
		"closed":                       {files: []string{leased("30d")}, state: identity.StateDeprovisioned, after: 1000 * day},
	} {
		t.Run(name, func(t *testing.T) {
			h := in(t, cmp.Or(c.state, identity.StateActive))
			h.Providers = open(t, c.files...).Providers
			if c.edit != nil {
				c.edit(h)
			}
			h.now = h.now.Add(c.after)
			before := h.only()
			if c.by == "" {
				h.swept(provision.RuleInactive, "")
				return
			}
			h.swept(provision.RuleInactive, provision.FateDone)
			i := h.only()
			if i.State != identity.StateSuspended || i.StateSource != c.by || !i.StateAt.Equal(h.now) || !slices.Equal(i.Keys, before.Keys) || len(i.Groups) == 0 {
				t.Errorf("suspended: %+v", i)
			}
			want(t, h.Provision(t.Context(), generic("s-1", ann())), identity.Denied, identity.CodeSuspended)
			h.swept(provision.RuleInactive, "") // once
		})
	}
}

func alsoGlobex(h *house) { h.link(identity.SourceHookBody) }

// Kratos learns of the end of a lease as it does of an administrator's word.
func TestInactiveReachesKratos(t *testing.T) {
	h := open(t, leased("30d"))
	h.first("s-1", "k-1")
	h.holds("acme:s-1")
	h.now = h.now.Add(31 * day)
	h.swept(provision.RuleInactive, provision.FateDone)
	if i := h.only(); len(i.Outbox) != 1 || i.Outbox[0].Target != "kratos:main" || i.Outbox[0].Revision != i.Revision {
		t.Errorf("outbox %+v at revision %d", i.Outbox, i.Revision)
	}
}
