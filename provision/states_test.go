package provision_test

// These tests prove that the table of ways between states is what the code does,
// no less and no more, and what docs/lifecycle.md says.

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/provision"
	"github.com/jithook/jithook/store"
)

var update = flag.Bool("update", false, "rewrite the table of docs/lifecycle.md")

// TestTransitionsAreDocumented keeps the page's table that of the code; -update
// (or `make generate`) rewrites it.
func TestTransitionsAreDocumented(t *testing.T) {
	const file, begin, end = "../docs/lifecycle.md", "<!-- transitions: begin -->\n", "<!-- transitions: end -->"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(data), begin)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table", file)
	}
	table := "| from | to | by |\n|---|---|---|\n"
	for _, w := range provision.Transitions() {
		by := fmt.Sprintf("%s", w.By)
		table += fmt.Sprintf("| %s | %s | %s |\n", cmp.Or(w.From, "(nobody)"), cmp.Or(w.To, "(gone)"), strings.ReplaceAll(strings.Trim(by, "[]"), " ", ", "))
	}
	want := head + begin + table + end + tail
	if want == string(data) {
		return
	}
	if !*update {
		t.Fatalf("the table of %s is not the code's: run `make generate`", file)
	}
	if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// lives are identities in every state that there is, by every way that leads
// there; nil is nobody.
var lives = map[string]func(*house){
	"nobody":                    nil,
	"pending":                   func(h *house) { h.prepares() },
	"active":                    func(h *house) { h.signsIn() },
	"suspended":                 func(h *house) { h.signsIn(); h.admin(provision.Suspend(), identity.Updated) },
	"suspended while pending":   func(h *house) { h.prepares(); h.admin(provision.Suspend(), identity.Updated) },
	"closed":                    func(h *house) { h.signsIn(); h.admin(provision.Deprovision(), identity.Updated) },
	"closed while pending":      func(h *house) { h.prepares(); h.admin(provision.Deprovision(), identity.Updated) },
	"suspended by its provider": func(h *house) { h.signsIn(); h.leaseEnds() },
	"closed by its provider":    func(h *house) { h.signsIn(); h.barredBy("provider:acme", identity.StateDeprovisioned) },
	"pending, and told":         func(h *house) { h.prepares(); h.told() },
	"active, and told":          func(h *house) { h.signsIn(); h.told() },
	"suspended, and told":       func(h *house) { h.signsIn(); h.told(); h.admin(provision.Suspend(), identity.Updated) },
	"closed, and told":          func(h *house) { h.signsIn(); h.told(); h.admin(provision.Deprovision(), identity.Updated) },
	"deleted":                   func(h *house) { h.signsIn(); h.told(); h.admin(provision.Delete(), identity.Deleted) },
	"closed, then active by hand": func(h *house) {
		h.signsIn()
		h.admin(provision.Deprovision(), identity.Updated)
		h.admin(provision.Activate(), identity.Activated)
	},
}

func (h *house) prepares() {
	h.Provision(h.t.Context(), kratos(identity.HookPrepare, nobody, "s-1", ann()))
}

// told notes that a target may have an account of the identity.
func (h *house) told() {
	h.outbox(func(i *identity.Identity) { i.Remember(identity.Resource{Target: "hr", ID: "u-1"}) })
}

// outbox changes the outbox of the first identity as a worker does.
func (h *house) outbox(change func(*identity.Identity)) {
	h.t.Helper()
	i := h.all()[0]
	change(&i)
	i.OutboxVersion++
	if err := h.store.SetOutbox(h.t.Context(), i); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) signsIn() { h.Provision(h.t.Context(), generic("s-1", ann())) }

func (h *house) leaseEnds() {
	h.now = h.now.Add(31 * day)
	h.sweep(provision.RuleInactive, true)
}

// TestTransitions does everything that there is to every identity that there is,
// and compares what happened to its state with the table.
func TestTransitions(t *testing.T) {
	edit := func(e provision.Edit) func(*house) {
		return func(h *house) {
			for _, i := range h.all() {
				if _, err := h.Edit(h.t.Context(), provision.Target{ID: i.ID}, e); err != nil && !errors.Is(err, store.ErrNotFound) {
					h.t.Fatal(err)
				}
			}
		}
	}
	sweep := func(r provision.Rule) func(*house) {
		return func(h *house) { h.now = h.now.Add(100 * day); h.sweep(r, true) }
	}
	imports := func(state string) func(*house) {
		return func(h *house) {
			c := &crowd{}
			c.has("k-1", []string{"acme:s-1"}, nil, with("state", state))
			h.moves(c)
			h.adopt(provision.Adoption{Apply: true})
		}
	}
	does := map[provision.Actor]map[string]func(*house){
		provision.ByAdmin: {
			"suspend": edit(provision.Suspend()), "deprovision": edit(provision.Deprovision()), "activate": edit(provision.Activate()),
			"delete": edit(provision.Delete()), "unlink": edit(provision.Unlink("acme")),
			"import": imports("active"), "import of who is inactive": imports("inactive"),
		},
		provision.ByLogin: {
			"prepare": (*house).prepares, "sign in": (*house).signsIn,
			"login":   func(h *house) { h.Provision(h.t.Context(), kratos(identity.HookLogin, "k-1", "s-1", ann())) },
			"commit":  func(h *house) { h.Commit(h.t.Context(), kratos(identity.HookCommit, "k-1", "s-1", ann())) },
			"another": func(h *house) { h.Provision(h.t.Context(), generic("s-1", ann(with("name", "Ann Other")))) },
		},
		provision.BySweep: {
			"pending": sweep(provision.RulePending), "quarantine": sweep(provision.RuleQuarantine), "inactive": sweep(provision.RuleInactive), "orphaned": sweep(provision.RuleOrphaned),
		},
	}
	does[provision.ByDelivery] = map[string]func(*house){"all is delivered": func(h *house) {
		if len(h.all()) > 0 {
			h.outbox(func(i *identity.Identity) { i.Outbox = nil })
		}
	}}
	type way struct {
		from, to identity.State
		by       provision.Actor
	}
	taken := map[way]string{}
	for life, make := range lives {
		for by, all := range does {
			for name, do := range all {
				h := open(t, returning("activate", "activate"))
				h.Quarantine = 30 * day
				h.asks(map[string]*knows{"main": {}})
				if make != nil {
					make(h)
				}
				state := func() identity.State {
					for _, i := range h.all() {
						return i.State
					}
					return provision.Nobody
				}
				from := state()
				if do(h); from != state() {
					taken[way{from, state(), by}] = life + ", " + name
				}
			}
		}
	}
	for _, w := range provision.Transitions() {
		for _, by := range w.By {
			if taken[way{w.From, w.To, by}] == "" {
				t.Errorf("%q to %q by %s is in the table, and nothing does it", w.From, w.To, by)
			}
		}
	}
	for w, how := range taken {
		if !slices.ContainsFunc(provision.Transitions(), func(in provision.Transition) bool {
			return in.From == w.from && in.To == w.to && slices.Contains(in.By, w.by)
		}) {
			t.Errorf("%q to %q by %s is not in the table: %s", w.from, w.to, w.by, how)
		}
	}
}
