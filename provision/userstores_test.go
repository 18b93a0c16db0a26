package provision_test

// A person has one identity in the installation, in the userstore where the
// first login put it: by a name or by an expression, whatever the policy says
// later, whoever comes at the same time, and whichever store is down.

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/provision"
	"github.com/jithook/jithook/store"
	"github.com/jithook/jithook/store/bolt"
	"github.com/jithook/jithook/store/directory"
)

// byClaim is acme with the userstore that a claim names.
var byClaim = strings.Replace(acme, "userstore: employees", `userstore: {from: claims.org}`, 1)

// town is a house with a store for "employees" beside its home.
type town struct {
	*house
	employees *counting
}

func openTown(t *testing.T, files ...string) town {
	t.Helper()
	h := open(t, files...)
	s, err := bolt.Open(filepath.Join(t.TempDir(), "employees.db"), bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	w := town{h, &counting{Store: s}}
	w.settleIn(map[string]store.Store{"employees": w.employees})
	return w
}

// settleIn makes the service one over home and these stores.
func (w town) settleIn(own map[string]store.Store) {
	d := directory.New(w.store, own)
	w.Store, w.Editable, w.Journal = d, d, d
	w.Later = provision.NewRecorder(d, w.Log, func() {})
}

// cost returns the reads at home and at the employees' since the last call.
func (w town) cost() string {
	return fmt.Sprintf("%d+%d", w.store.reads.Swap(0), w.employees.reads.Swap(0))
}

// where returns how many identities are at home and at the employees'.
func (w town) where(t *testing.T) string {
	t.Helper()
	there, err := w.employees.List(t.Context(), store.Query{})
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d+%d", len(w.all()), len(there.Identities))
}

func org(name any) map[string]any { return ann(with("org", name)) }

func TestUserstoreByExpression(t *testing.T) {
	for name, c := range map[string]struct {
		claims map[string]any
		d      identity.Decision
		code   identity.Code
		where  string
	}{
		"home":                {org("default"), identity.Created, identity.CodeCreated, "1+0"},
		"its own store":       {org("employees"), identity.Created, identity.CodeCreated, "0+1"},
		"no such userstore":   {org("partners"), identity.Denied, identity.CodeUserstoreUnknown, "0+0"},
		"the empty name":      {org(""), identity.Denied, identity.CodeUserstoreUnknown, "0+0"},
		"no string":           {org(1), identity.Denied, identity.CodeRuleError, "0+0"},
		"without the claim":   {ann(), identity.Denied, identity.CodeRuleError, "0+0"},
		"denied before asked": {ann(with("hd", "x")), identity.Denied, identity.CodeNotAllowed, "0+0"},
	} {
		t.Run(name, func(t *testing.T) {
			w := openTown(t, byClaim)
			preview, err := w.Preview(t.Context(), generic("s-1", c.claims))
			if err != nil {
				t.Fatal(err)
			}
			want(t, preview, c.d, c.code)
			out := w.Provision(t.Context(), generic("s-1", c.claims))
			want(t, out, c.d, c.code)
			if c.code == identity.CodeUserstoreUnknown && out.Record.Rule != "a.yaml:8:21" {
				t.Errorf("rule %q, want the place of the expression", out.Record.Rule)
			}
			if got := w.where(t); got != c.where {
				t.Errorf("identities at home+employees: %s, want %s", got, c.where)
			}
		})
	}
}

// Once made, an identity stays where it is, and every later login finds it
// there, whatever the expression says of it: the look-ups that it costs are
// bounded.
func TestUserstoreIsFixedAtCreation(t *testing.T) {
	for name, c := range map[string]struct {
		first, later any    // what the claim says
		where, cost  string // of the later login
	}{
		"at home":                        {"default", "default", "1+0", "1+0"},
		"in its own store":               {"employees", "employees", "0+1", "0+1"},
		"moved away from home":           {"default", "employees", "1+0", "1+1"},
		"moved home":                     {"employees", "default", "0+1", "1+1"},
		"moved to nowhere":               {"employees", "partners", "0+1", "1+1"},
		"moved to what cannot be said":   {"employees", 1, "0+1", "1+1"},
		"moved from home to nowhere":     {"default", "", "1+0", "1+0"},
		"moved to nowhere, unfederated?": {"default", nil, "1+0", "1+0"},
	} {
		t.Run(name, func(t *testing.T) {
			w := openTown(t, byClaim)
			want(t, w.Provision(t.Context(), generic("s-1", org(c.first))), identity.Created)
			w.cost()
			out := w.Provision(t.Context(), generic("s-1", org(c.later)))
			want(t, out, identity.Unchanged)
			if cost := w.cost(); cost != c.cost {
				t.Errorf("reads of home+employees: %s, want %s", cost, c.cost)
			}
			changed := w.Provision(t.Context(), generic("s-1", ann(with("org", c.later), with("department", "R&D"))))
			want(t, changed, identity.Updated)
			if got := w.where(t); got != c.where || changed.Identity.ID != out.Identity.ID || changed.Identity.Userstore != c.first {
				t.Errorf("identities at home+employees: %s in %s, want %s in %s", got, changed.Identity.Userstore, c.where, c.first)
			}
		})
	}
}

// "Nobody is known" takes all stores: a refusal of somebody who is known
// elsewhere is about them.
func TestUnknownTakesAllStores(t *testing.T) {
	w := openTown(t, byClaim)
	want(t, w.Provision(t.Context(), generic("s-1", org("default"))), identity.Created)
	w.edit(strings.Replace(byClaim, "enabled: true", "enabled: false", 1))
	w.settleIn(map[string]store.Store{"employees": w.employees})
	want(t, w.Provision(t.Context(), generic("s-1", org("employees"))), identity.Unchanged, identity.CodeUnchanged, identity.CodeJITDisabled)
	want(t, w.Provision(t.Context(), generic("s-2", org("employees"))), identity.Denied, identity.CodeJITDisabled)

	// The state of whoever is elsewhere bars the login.
	out, err := w.Edit(t.Context(), provision.Target{ID: w.only().ID}, provision.Suspend())
	if err != nil {
		t.Fatal(err)
	}
	want(t, out, identity.Updated)
	want(t, w.Provision(t.Context(), generic("s-1", org("employees"))), identity.Denied, identity.CodeSuspended)
}

// Kratos's own id is one of the installation: a sign-in without a provider finds
// it in whichever store, and commit records it there.
func TestKratosIDInAnotherStore(t *testing.T) {
	w := openTown(t, byClaim)
	want(t, w.Provision(t.Context(), kratos(identity.HookPrepare, "", "s-1", org("employees"))), identity.Created)
	want(t, w.Commit(t.Context(), kratos(identity.HookCommit, "k-1", "s-1", org("default"))), identity.Activated)
	l := kratos(identity.HookLogin, "k-1", "", nil)
	l.Provider, l.Offers = "", nil
	want(t, w.Provision(t.Context(), l), identity.Unchanged)
	if i, ok, err := w.Known(t.Context(), l); err != nil || !ok || i.Userstore != "employees" {
		t.Errorf("known: %t in %q, %v", ok, i.Userstore, err)
	}
	// Another subject under the same id is nobody to be made.
	want(t, w.Provision(t.Context(), kratos(identity.HookLogin, "k-1", "s-2", org("default"))), identity.Denied, identity.CodeLinkStale)
	if got := w.where(t); got != "0+1" {
		t.Errorf("identities at home+employees: %s", got)
	}
	w.settle()
	if i, err := w.employees.List(t.Context(), store.Query{}); err != nil || i.Identities[0].LastLoginAt.IsZero() {
		t.Errorf("the login was not noted where the identity is: %v", err)
	}
}

// Who was to be made in one userstore is made there, even if only the pin came
// to be before the policy changed.
func TestPinDecides(t *testing.T) {
	w := openTown(t, byClaim)
	w.employees.fail = func(op string) error {
		if op == "insert" {
			return fmt.Errorf("test: %w", store.ErrUnavailable)
		}
		return nil
	}
	want(t, w.Provision(t.Context(), generic("s-1", org("employees"))), identity.Error, identity.CodeStoreUnavailable)
	w.employees.fail = nil
	want(t, w.Provision(t.Context(), generic("s-1", org("default"))), identity.Created)
	if got := w.where(t); got != "0+1" {
		t.Errorf("identities at home+employees: %s", got)
	}
}

// A userstore that loses its store takes its people with it: they are refused,
// and not made a second time at home.
func TestUserstoreWithoutItsStore(t *testing.T) {
	for name, userstores := range map[string][]string{"gone": {"default"}, "home now": {"default", "employees"}} {
		t.Run(name, func(t *testing.T) {
			w := openTown(t, byClaim)
			want(t, w.Provision(t.Context(), generic("s-1", org("employees"))), identity.Created)
			w.settleIn(nil)
			w.Userstores = userstores
			for _, place := range []string{"default", "employees"} {
				preview, err := w.Preview(t.Context(), generic("s-1", org(place)))
				if err != nil {
					t.Fatal(err)
				}
				want(t, preview, identity.Denied, identity.CodeUserstoreUnknown)
				want(t, w.Provision(t.Context(), generic("s-1", org(place))), identity.Denied, identity.CodeUserstoreUnknown)
			}
			if got := w.where(t); got != "0+1" {
				t.Errorf("identities at home+employees: %s", got)
			}
		})
	}
}

// A store that is down bars those who are in it, or may be.
func TestLoginsWhileAStoreIsDown(t *testing.T) {
	w := openTown(t, byClaim)
	for n, place := range []string{"default", "employees"} {
		want(t, w.Provision(t.Context(), generic(fmt.Sprint("s-", n), org(place))), identity.Created)
	}
	down := func(string) error { return fmt.Errorf("test: %w", store.ErrUnavailable) }
	w.employees.fail = down
	want(t, w.Provision(t.Context(), generic("s-0", org("default"))), identity.Unchanged)
	want(t, w.Provision(t.Context(), generic("s-1", org("employees"))), identity.Error, identity.CodeStoreUnavailable)
	want(t, w.Provision(t.Context(), generic("s-1", org("default"))), identity.Error, identity.CodeStoreUnavailable)
	want(t, w.Provision(t.Context(), generic("s-3", person("bob", "default"))), identity.Created)
	w.employees.fail, w.store.fail = nil, down
	want(t, w.Provision(t.Context(), generic("s-1", org("employees"))), identity.Unchanged)
	want(t, w.Provision(t.Context(), generic("s-4", org("employees"))), identity.Error, identity.CodeStoreUnavailable)
	if got := func() string { w.store.fail = nil; return w.where(t) }(); got != "2+1" {
		t.Errorf("identities at home+employees: %s", got)
	}
}

func person(name, place string) map[string]any {
	return ann(with("org", place), with("email", name+"@acme.example"), with("preferred_username", name))
}

// First logins of one subject at once, whose claims name different userstores.
func TestRaceForTheUserstore(t *testing.T) {
	w := openTown(t, byClaim)
	for n := range 10 {
		subject := fmt.Sprint("s-", n)
		var all sync.WaitGroup
		ids := make([]string, 8)
		for k := range ids {
			all.Go(func() {
				out := w.Provision(t.Context(), generic(subject, person(subject, []string{"default", "employees"}[k%2])))
				if out.Identity == nil {
					t.Errorf("%s %v", out.Record.Decision, out.Record.Reasons)
					return
				}
				ids[k] = out.Identity.ID
			})
		}
		all.Wait()
		for _, id := range ids {
			if id != ids[0] {
				t.Fatalf("%s has the identities %v", subject, ids)
			}
		}
	}
}
