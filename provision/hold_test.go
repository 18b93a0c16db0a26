package provision_test

// These tests prove that a login which would revoke too much at once is held
// back, that the hold is written once and is exactly what a release does, and
// that it goes with everything that settles it otherwise.

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/provider"
	"github.com/jithook/jithook/provision"
)

// several is acme's file with the groups a to e, and settings of jit.
func several(settings string) string {
	return replace(grouped(settings), "allow: [staff], map: {eng: engineering}", "allow: [a, b, c, d, e]")
}

const atMostTwo = "limits: {max_group_removals: 2}"

// heldOne is the only hold of the only identity.
func (h *house) heldOne() identity.Hold {
	h.t.Helper()
	i := h.only()
	if len(i.Holds) != 1 {
		h.t.Fatalf("holds %+v", i.Holds)
	}
	return i.Holds[0]
}

// login lets a minute pass and signs in.
func (h *house) login(l identity.Login) provision.Outcome {
	h.now = h.now.Add(time.Minute)
	return h.Provision(h.t.Context(), l)
}

func named(list []identity.Group) string {
	var names []string
	for _, g := range list {
		names = append(names, g.Name)
	}
	return strings.Join(names, "")
}

func TestHold(t *testing.T) {
	h := open(t, several(atMostTwo))
	h.login(sends("a", "b", "c"))
	before := h.only()
	mass := generic("s-1", ann(with("groups", []any{"d"}), with("name", "Ann Other")))
	out := h.login(mass)
	want(t, out, identity.Updated, identity.CodeUpdated, identity.CodeGroupChangeHeld)
	i, held := h.only(), h.heldOne()
	if !slices.Equal(out.Record.Change, []identity.Change{set("/traits/name"), set("/holds/acme")}) {
		t.Errorf("changes %v", out.Record.Change)
	}
	if held.Source != "provider:acme" || !held.At.Equal(h.now) || !slices.Equal(held.Groups, before.Groups) || !strings.HasPrefix(held.ID, i.ID+".") {
		t.Errorf("%+v", held)
	}
	// Neither revoked nor granted; the rest of the login counts.
	if !slices.Equal(i.Groups, before.Groups) || i.Traits["name"] != "Ann Other" || i.Revision != before.Revision+1 {
		t.Errorf("%+v", i)
	}
	h.store.writes.Store(0)
	want(t, h.login(mass), identity.Unchanged, identity.CodeUnchanged, identity.CodeGroupChangeHeld)
	if n := h.store.writes.Load(); n != 0 || h.heldOne().ID != held.ID {
		t.Errorf("%d writes, %+v", n, h.heldOne())
	}

	out = h.admin(provision.Release(held.ID), identity.Updated, identity.CodeAdminHoldReleased)
	released := []identity.Change{remove("/holds/acme"), remove("/groups/a"), remove("/groups/b"), remove("/groups/c")}
	if !slices.Equal(out.Record.Change, released) || out.Record.Provider != "acme" {
		t.Errorf("%v of %q", out.Record.Change, out.Record.Provider)
	}
	if i := h.only(); len(i.Groups)+len(i.Holds) != 0 {
		t.Errorf("%+v", i)
	}
	if _, err := h.Edit(t.Context(), provision.Target{ID: i.ID}, provision.Release(held.ID)); !errors.Is(err, provision.ErrNoHold) {
		t.Errorf("released again: %v", err)
	}
	out = h.login(mass)
	want(t, out, identity.Updated, identity.CodeUpdated)
	if got := named(h.only().Groups); got != "d" {
		t.Errorf("after the release: %q", got)
	}
}

// TestHoldLimit: what is revoked counts, not what is granted, and only of this
// provider's own.
func TestHoldLimit(t *testing.T) {
	for name, c := range map[string]struct {
		settings string
		next     identity.Login
		groups   string // after the next login, beside the administrator's z
		held     string
	}{
		"as many as allowed":         {atMostTwo, sends("c"), "c", ""},
		"one more":                   {atMostTwo, sends(), "abc", "abc"},
		"others instead":             {atMostTwo, sends("d", "e"), "abc", "abc"},
		"two of them replaced":       {atMostTwo, sends("c", "d", "e"), "cde", ""},
		"none may go":                {"limits: {max_group_removals: 0}", sends("a", "b", "d"), "abc", "c"},
		"none may go, and none does": {"limits: {max_group_removals: 0}", sends("a", "b", "c", "d"), "abcd", ""},
		"no limit":                   {"limits: {}", sends(), "", ""},
		"unknown":                    {atMostTwo, generic("s-1", ann(without("groups"))), "abc", ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t, several(c.settings))
			h.login(sends("a", "b", "c"))
			h.admin(provision.Amend(provision.Patch{Add: []string{"z"}}), identity.Updated)
			h.login(c.next)
			i := h.only()
			held := ""
			for _, hold := range i.Holds {
				held += named(hold.Groups)
			}
			if got := named(i.Groups); got != c.groups+"z" || held != c.held {
				t.Errorf("groups %q, held %q; want %q and %q", got, held, c.groups+"z", c.held)
			}
		})
	}
}

// TestHoldSettled: what makes the hold void removes it, and what changes it
// gives it another id, so that nobody releases what they have not seen.
func TestHoldSettled(t *testing.T) {
	edit := func(file string) func(*house) { return func(h *house) { h.Providers = open(h.t, file).Providers } }
	amend := func(names ...string) func(*house) {
		return func(h *house) { h.admin(provision.Amend(provision.Patch{Remove: names}), identity.Updated) }
	}
	globex := replace(replace(several(atMostTwo), "provider: acme", "provider: globex"), "https://acme.example", "https://globex.example")
	for name, c := range map[string]struct {
		do   func(*house)
		next identity.Login
		held string // what is held then
		same bool   // under the same id
		left string // the groups
	}{
		"the provider recovers":            {nil, sends("a", "b", "c", "d"), "", false, "abcd"},
		"the provider recovers in part":    {nil, sends("b", "c"), "", false, "bc"},
		"more is lost":                     {nil, sends(), "abcd", false, "abcd"},
		"other ones are granted":           {nil, sends("d", "e"), "abc", true, "abcd"},
		"unknown for a while":              {nil, generic("s-1", ann(without("groups"))), "abc", true, "abcd"},
		"a password":                       {nil, signIn(""), "abc", true, "abcd"},
		"one was revoked by hand":          {amend("a"), sends("d"), "", false, "d"},
		"one was revoked by hand, no more": {amend("a"), signIn(""), "bc", true, "bcd"},
		"all were revoked by hand":         {amend("a", "b", "c"), signIn(""), "", false, "d"},
		"another one was revoked by hand":  {amend("d"), sends("d"), "abc", true, "abc"},
		"the limit was raised":             {edit(several("limits: {max_group_removals: 3}")), sends("d"), "", false, "d"},
		"no limit any more":                {edit(several("group_sync: mirror")), sends("d"), "", false, "d"},
		"group_sync append":                {edit(several("group_sync: append")), sends("d", "e"), "", false, "abcde"},
		"group_sync none":                  {edit(several("group_sync: none")), sends("d"), "", false, "abcd"},
		"the provider's file is gone":      {edit(globex), signIn(""), "", false, ""},
		"unlinked":                         {func(h *house) { h.admin(provision.Unlink("acme"), identity.Updated) }, signIn(""), "", false, ""},
		"deprovisioned":                    {func(h *house) { h.admin(provision.Deprovision(), identity.Updated) }, signIn(""), "", false, ""},
		"suspended":                        {func(h *house) { h.admin(provision.Suspend(), identity.Updated) }, sends("d"), "abc", true, "abcd"},
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t, several(atMostTwo))
			first := sends("a", "b", "c", "d")
			first.External = ofK1(identity.HookLogin).External
			h.login(first)
			h.login(sends("d"))
			id := h.heldOne().ID
			if c.do != nil {
				c.do(h)
			}
			h.login(c.next)
			i := h.only()
			held, same := "", false
			for _, hold := range i.Holds {
				held, same = held+named(hold.Groups), hold.ID == id
			}
			if held != c.held || same != c.same || named(i.Groups) != c.left {
				t.Errorf("held %q (same %v), groups %q; want %q (%v), %q", held, same, named(i.Groups), c.held, c.same, c.left)
			}
		})
	}
}

// TestHoldOfARenamedProvider: the hold is of whoever has the issuer now.
func TestHoldOfARenamedProvider(t *testing.T) {
	h := open(t, several(atMostTwo))
	h.login(sends("a", "b", "c"))
	h.login(sends())
	old := h.heldOne()
	h.edit(replace(several(atMostTwo), "provider: acme", "provider: globex"))
	l := sends()
	l.Provider, l.Offers[0].Provider = "globex", "globex"
	h.login(l)
	if held := h.heldOne(); held.ID != old.ID || named(h.only().Groups) != "abc" {
		t.Errorf("%+v", held)
	}
	h.admin(provision.Release(old.ID), identity.Updated)
	want(t, h.login(l), identity.Unchanged, identity.CodeUnchanged)
	if i := h.only(); len(i.Groups)+len(i.Holds) != 0 {
		t.Errorf("%+v", i)
	}
}

// TestReleaseBarred: who may not sign in may lose what is held.
func TestReleaseBarred(t *testing.T) {
	h := open(t, several(atMostTwo))
	h.login(sends("a", "b", "c"))
	h.login(sends())
	h.admin(provision.Suspend(), identity.Updated)
	h.admin(provision.Release(h.heldOne().ID), identity.Updated)
	if i := h.only(); len(i.Groups) != 0 || i.State != identity.StateSuspended {
		t.Errorf("%+v", i)
	}
}

// TestHoldLaws: whatever a provider sends, no login takes more than the limit; a
// release takes exactly what the hold says; and what is held is always a part of
// what is granted, more than the limit when a login has just held it.
func TestHoldLaws(t *testing.T) {
	names := []string{"a", "b", "c", "d", "e"}
	files := map[string]func() *provider.Set{}
	for _, limit := range []string{"0", "1", "3"} {
		files[limit] = open(t, several("limits: {max_group_removals: "+limit+"}")).Providers
	}
	h := open(t, several(atMostTwo))
	files["2"] = h.Providers
	rapid.Check(t, func(rt *rapid.T) {
		h.empty()
		h.Providers = files["2"]
		limit := 2
		h.login(sends())
		granted := func() map[string]bool {
			all := map[string]bool{}
			for _, g := range h.only().Groups {
				all[g.Name] = true
			}
			return all
		}
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			before, holds := granted(), h.only().Holds
			lost := func() (n int) {
				after := granted()
				for g := range before {
					if !after[g] {
						n++
					}
				}
				return n
			}
			switch rapid.SampledFrom([]string{"login", "login", "login", "release", "limit"}).Draw(rt, "step") {
			case "login":
				sent := rapid.SliceOfDistinct(rapid.SampledFrom(names), rapid.ID[string]).Draw(rt, "groups")
				list := make([]any, len(sent))
				for n, g := range sent {
					list[n] = g
				}
				out := h.login(sends(list...))
				held := slices.ContainsFunc(out.Record.Reasons, func(r identity.Reason) bool { return r.Code == identity.CodeGroupChangeHeld })
				if n := lost(); n > limit || held && n > 0 || held != (len(h.only().Holds) == 1) || held && len(h.heldOne().Groups) <= limit {
					rt.Fatalf("lost %d of %v, held %v: %+v", n, before, held, h.only())
				}
				if after := granted(); !held && (len(after) != len(sent) || slices.ContainsFunc(sent, func(g string) bool { return !after[g] })) {
					rt.Fatalf("sent %v, has %v", sent, after)
				}
			case "release":
				if len(holds) == 0 {
					continue
				}
				if _, err := h.Edit(t.Context(), provision.Target{ID: h.only().ID}, provision.Release(holds[0].ID)); err != nil {
					rt.Fatal(err)
				}
				if n := lost(); n != len(holds[0].Groups) || len(h.only().Holds) != 0 {
					rt.Fatalf("released %+v, lost %d", holds[0], n)
				}
			case "limit":
				text := rapid.SampledFrom([]string{"0", "1", "3"}).Draw(rt, "limit")
				fmt.Sscan(text, &limit)
				h.Providers = files[text]
			}
			for _, hold := range h.only().Holds {
				for _, g := range hold.Groups {
					if !slices.Contains(h.only().Groups, g) {
						rt.Fatalf("%+v is held of %v", hold, h.only().Groups)
					}
				}
			}
		}
	})
}
