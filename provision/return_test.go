package provision_test

// These tests prove whom a login brings back: whom its own provider barred,
// where the file says so and the policy lets the login pass; and that nothing
// else undoes a bar, least of all an administrator's.

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/provision"
)

// returning is acme with a lease and these words for on_suspended and
// on_deprovisioned.
func returning(suspended, deprovisioned string) string {
	return replace(leased("30d"), "enabled: true", fmt.Sprintf("enabled: true\n  on_suspended: %s\n  on_deprovisioned: %s", suspended, deprovisioned))
}

// barredBy brings the only identity into a state by somebody's word.
func (h *house) barredBy(source string, state identity.State) {
	h.edited(func(i *identity.Identity) { i.State, i.StateSource, i.StateAt = state, source, h.now })
}

func TestReturn(t *testing.T) {
	const suspended, deprovisioned = identity.StateSuspended, identity.StateDeprovisioned
	login := func(edit ...func(*identity.Login)) identity.Login {
		l := generic("s-1", ann())
		for _, e := range edit {
			e(&l)
		}
		return l
	}
	at := func(after time.Duration) func(*identity.Login) {
		return func(l *identity.Login) { l.At = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC).Add(after) }
	}
	both := returning("activate", "activate")
	for name, c := range map[string]struct {
		file  string
		by    string // provider:acme if empty
		state identity.State
		setup func(*house)
		login identity.Login
		code  identity.Code // of the denial; "" if it comes back
	}{
		"suspended":                    {file: both, state: suspended, login: login()},
		"deprovisioned":                {file: both, state: deprovisioned, login: login()},
		"suspended, by default":        {file: acme, state: suspended, login: login(), code: identity.CodeSuspended},
		"deprovisioned, by default":    {file: acme, state: deprovisioned, login: login(), code: identity.CodeDeprovisioned},
		"only the other state":         {file: returning("deny", "activate"), state: suspended, login: login(), code: identity.CodeSuspended},
		"only the other state, closed": {file: returning("activate", "deny"), state: deprovisioned, login: login(), code: identity.CodeDeprovisioned},
		"by an administrator":          {file: both, by: "admin", state: suspended, login: login(), code: identity.CodeSuspended},
		"closed by an administrator":   {file: both, by: "admin", state: deprovisioned, login: login(), code: identity.CodeDeprovisioned},
		"by another provider":          {file: both, by: "provider:globex", state: suspended, login: login(), code: identity.CodeSuspended},
		"by another provider, who may": {file: both, by: "provider:globex", state: suspended, setup: func(h *house) {
			h.Providers = open(h.t, both, strings.NewReplacer("acme", "globex").Replace(both)).Providers
		}, login: login(), code: identity.CodeSuspended},
		"by nobody knows whom":          {file: both, by: " ", state: suspended, login: login(), code: identity.CodeSuspended},
		"a state of a newer version":    {file: both, state: "locked", login: login(), code: identity.CodeDeprovisioned},
		"JIT disabled":                  {file: replace(both, "enabled: true", "enabled: false"), state: suspended, login: login(), code: identity.CodeSuspended},
		"denied by allow":               {file: both, state: suspended, login: generic("s-1", ann(with("hd", "evil.example"))), code: identity.CodeNotAllowed},
		"denied by a rule":              {file: both, state: suspended, login: generic("s-1", ann(with("guest", true))), code: identity.CodeDenyRule},
		"a trait is missing":            {file: both, state: suspended, login: generic("s-1", ann(without("email"))), setup: noEmail, code: identity.CodeTraitMissing},
		"without claims, by password":   {file: both, state: suspended, login: password(), setup: external1, code: identity.CodeSuspended},
		"without claims, by provider":   {file: both, state: suspended, login: kratos(identity.HookLogin, "k-1", "s-1", nil), setup: external1, code: identity.CodeSuspended},
		"at Kratos's login":             {file: both, state: suspended, login: kratos(identity.HookLogin, "k-1", "s-1", ann()), setup: external1},
		"at Kratos's login, denied":     {file: both, state: suspended, login: kratos(identity.HookLogin, "k-1", "s-1", ann(with("guest", true))), setup: external1, code: identity.CodeDenyRule},
		"with a connection just made":   {file: both, state: suspended, login: linking(kratos(identity.HookLogin, "k-1", "s-1", ann())), setup: external1, code: identity.CodeSuspended},
		"at the settings":               {file: both, state: suspended, login: kratos(identity.HookLinks, "k-1", "s-1", ann()), setup: external1, code: identity.CodeSuspended},
		"dated after the bar":           {file: both, state: suspended, login: login(at(time.Hour + 1))},
		"dated before the bar":          {file: both, state: suspended, login: login(at(time.Hour)), code: identity.CodeSuspended},
		"overtaken by newer claims":     {file: both, state: suspended, login: login(at(time.Hour + 1)), setup: newerClaims, code: identity.CodeSuspended},
		"another subject of the person": {file: both, state: suspended, login: kratos(identity.HookLogin, "k-1", "s-2", ann()), setup: external1, code: identity.CodeSuspended},
		"a lookup that finds the person": {file: replace(both, "enabled: true", "enabled: true\n  account_linking: auto\n  account_lookup: [{local: /traits/email, federated: claims.email}]"),
			state: suspended, login: generic("s-2", ann()), code: identity.CodeSuspended},
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t)
			want(t, h.Provision(t.Context(), generic("s-1", ann(with("name", "Ann Before")))), identity.Created)
			h.now = h.now.Add(time.Hour)
			by := c.by
			if by == "" {
				by = "provider:acme"
			}
			h.barredBy(by, c.state)
			h.now = h.now.Add(time.Hour)
			h.edit(c.file)
			if c.setup != nil {
				c.setup(h)
			}
			before := h.only()
			out := h.Provision(t.Context(), c.login)
			i := h.only()
			if c.code != "" {
				want(t, out, identity.Denied, c.code)
				if i.Revision != before.Revision || i.State != before.State {
					t.Errorf("then %s at revision %d", i.State, i.Revision)
				}
				return
			}
			want(t, out, identity.Activated)
			if out.Record.Reasons[0].Code != identity.CodeActivated || out.Record.Change[0].Path != "/state" ||
				i.State != identity.StateActive || i.StateSource != "provider:acme" || !i.StateAt.Equal(h.now) || i.Revision != before.Revision+1 {
				t.Errorf("%+v, then %+v", out.Record, i)
			}
			if fresh := c.login.Hook != identity.HookLogin; (i.Traits["name"] == "Ann Example") != fresh {
				t.Errorf("traits %v", i.Traits)
			}
			want(t, h.Provision(t.Context(), c.login), identity.Unchanged)
		})
	}
}

func password() identity.Login { return ofK1(identity.HookLogin) }

func external1(h *house) {
	h.edited(func(i *identity.Identity) {
		e := identity.ExternalID{System: identity.SystemKratos, Instance: "main", ID: "k-1"}
		i.ExternalIDs, i.Keys = []identity.ExternalID{e}, append(i.Keys, identity.ExtKey(e))
	})
}

func noEmail(h *house) {
	h.edited(func(i *identity.Identity) {
		delete(i.Traits, "email")
		i.Keys = slices.DeleteFunc(i.Keys, func(k identity.Key) bool { return k.Kind() == identity.KeyMail })
	})
}

func newerClaims(h *house) {
	h.edited(func(i *identity.Identity) { i.Links[0].ClaimsTime = h.now.Add(time.Hour) })
}

// Whoever comes back has the names again that a quarantine released, those of
// other writers too; or is refused where somebody has taken one.
func TestReturnAfterQuarantine(t *testing.T) {
	for name, c := range map[string]struct{ taken, old bool }{"free": {}, "taken": {taken: true}, "free, by old claims": {old: true}, "taken, by old claims": {true, true}} {
		t.Run(name, func(t *testing.T) {
			h := open(t)
			h.signsIn()
			external1(h)
			admins := "ann-admin"
			h.admin(provision.Amend(provision.Patch{Traits: map[string]*any{"username": ref(admins)}}), identity.Updated)
			before := h.only()
			h.barredBy("provider:acme", identity.StateDeprovisioned)
			h.Quarantine = day
			h.now = h.now.Add(2 * day)
			h.swept(provision.RuleQuarantine, provision.FateDone)
			if c.taken {
				want(t, h.Provision(t.Context(), generic("s-2", ann(with("email", "other@acme.example"), with("preferred_username", admins)))), identity.Created)
			}
			h.edit(returning("deny", "activate"))
			login := generic("s-1", ann())
			if c.old {
				login = kratos(identity.HookLogin, "k-1", "s-1", ann())
			}
			out := h.Provision(t.Context(), login)
			if c.taken {
				want(t, out, identity.Denied, identity.CodeTraitTaken)
				return
			}
			want(t, out, identity.Activated)
			if i := h.only(); !slices.Equal(i.Keys, before.Keys) || i.Traits["username"] != admins {
				t.Errorf("keys %v, before %v", i.Keys, before.Keys)
			}
		})
	}
}

// An administrator who gives a closed account another name, because somebody has
// the old one, and then opens it, gives it back its address as well; or is refused
// where somebody has that too.
func TestReturnUnderAnotherName(t *testing.T) {
	for name, taken := range map[string]bool{"the address is free": false, "somebody has the address": true} {
		t.Run(name, func(t *testing.T) {
			h := open(t)
			h.signsIn()
			before := h.only()
			h.admin(provision.Deprovision(), identity.Updated)
			h.Quarantine = day
			h.now = h.now.Add(2 * day)
			h.swept(provision.RuleQuarantine, provision.FateDone)
			h.admin(provision.Amend(provision.Patch{Traits: map[string]*any{"username": ref("ann-again")}}), identity.Updated)
			if taken {
				want(t, h.Provision(t.Context(), generic("s-2", ann(with("preferred_username", "ann")))), identity.Created)
				out, err := h.Edit(t.Context(), provision.Target{ID: before.ID}, provision.Activate())
				if err != nil {
					t.Fatal(err)
				}
				want(t, out, identity.Denied, identity.CodeTraitTaken)
				return
			}
			h.admin(provision.Activate(), identity.Activated)
			if i := h.only(); !slices.Contains(i.Keys, identity.MailKey(i.Userstore, "ann@acme.example")) || len(i.Keys) != len(before.Keys) {
				t.Errorf("keys %v, before %v", i.Keys, before.Keys)
			}
		})
	}
}

func ref(v any) *any { return &v }

// A suspension reaches Kratos, and so does its end.
func TestReturnReachesKratos(t *testing.T) {
	h := open(t, returning("activate", "deny"))
	h.first("s-1", "k-1")
	h.holds("acme:s-1")
	h.leaseEnds()
	i := h.only()
	if !h.MayReturn(&i) {
		t.Errorf("who may return: not %+v", i)
	}
	if err := h.store.SetOutbox(t.Context(), func() identity.Identity { i.Outbox = nil; i.OutboxVersion++; return i }()); err != nil {
		t.Fatal(err)
	}
	want(t, h.Provision(t.Context(), kratos(identity.HookLogin, "k-1", "s-1", ann())), identity.Activated)
	if i := h.only(); len(i.Outbox) != 1 || i.Outbox[0].Target != "kratos:main" || h.MayReturn(&i) {
		t.Errorf("outbox %+v", i.Outbox)
	}
}

// What it takes to give names back does not grow with the providers' files.
func TestReturnWithManyFiles(t *testing.T) {
	taken := func(files int) uint64 {
		h := open(t)
		h.signsIn()
		external1(h)
		before := h.only()
		h.barredBy("provider:acme", identity.StateDeprovisioned)
		h.Quarantine = day
		h.now = h.now.Add(2 * day)
		h.swept(provision.RuleQuarantine, provision.FateDone)
		all := []string{returning("deny", "activate")}
		for n := range files {
			id := fmt.Sprintf("idp-%d", n)
			all = append(all, replace(replace(acme, "provider: acme", "provider: "+id), "issuer: https://acme.example", "issuer: https://"+id+".example"))
		}
		h.edit(all...)
		var start, end runtime.MemStats
		runtime.ReadMemStats(&start)
		out := h.Provision(t.Context(), generic("s-1", ann()))
		runtime.ReadMemStats(&end)
		want(t, out, identity.Activated)
		if i := h.only(); !slices.Equal(i.Keys, before.Keys) {
			t.Errorf("keys %v, before %v", i.Keys, before.Keys)
		}
		return end.Mallocs - start.Mallocs
	}
	taken(1)
	if few, many := taken(1), taken(100); many > few+100 {
		t.Errorf("%d allocations with few files, %d with a hundred more", few, many)
	}
}
