package provision_test

// These tests prove what a login does to a person's groups: what each method of
// group_sync grants and revokes, that the ledger knows whose grant is whose, that
// what nobody answers for any more goes, and how long unknown groups are kept.

import (
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

// grouped is the provider's file with settings of jit.
func grouped(settings string) string {
	return replace(acme, "  userstore: employees", "  userstore: employees\n  "+settings)
}

// sends is a login whose provider sends these groups.
func sends(names ...any) identity.Login {
	return generic("s-1", ann(with("groups", append([]any{}, names...))))
}

func TestGroupSync(t *testing.T) {
	silent := generic("s-1", ann(without("groups")))
	for method, want := range map[string][]string{ // after each of the logins
		"mirror": {"engineering", "engineering,staff", "staff", "staff", ""},
		"append": {"engineering", "engineering,staff", "engineering,staff", "engineering,staff", "engineering,staff"},
		"assign": {"engineering", "engineering", "engineering", "engineering", "engineering"},
		"none":   {"", "", "", "", ""},
	} {
		t.Run(method, func(t *testing.T) {
			h := open(t, grouped("group_sync: "+method))
			for n, l := range []identity.Login{sends("eng"), sends("eng", "staff"), sends("staff"), silent, sends()} {
				h.now = h.now.Add(time.Minute)
				h.Provision(t.Context(), l)
				if got := strings.Join(groups(h.only()), ","); got != want[n] {
					t.Errorf("login %d: groups %q, want %q", n+1, got, want[n])
				}
				h.store.writes.Store(0)
				if out := h.Provision(t.Context(), l); out.Record.Decision != identity.Unchanged || h.store.writes.Load() != 0 {
					t.Errorf("login %d again: %s, %d writes", n+1, out.Record.Decision, h.store.writes.Load())
				}
			}
		})
	}
}

// TestGroupSyncNoneAsksNothing: neither a missing claim that would be refused
// nor a broken list keeps anybody out whose groups are not this file's business.
func TestGroupSyncNoneAsksNothing(t *testing.T) {
	for _, method := range []string{"none", "assign"} {
		h := open(t, replace(grouped("group_sync: "+method), "map: {eng: engineering}", "map: {eng: engineering}, absent: reject"))
		if first := h.Provision(t.Context(), generic("s-1", ann())); first.Record.Decision != identity.Created {
			t.Fatalf("%s: %v", method, first.Record.Reasons)
		}
		h.now = h.now.Add(time.Minute)
		want(t, h.Provision(t.Context(), generic("s-1", ann(without("groups")))), identity.Unchanged, identity.CodeUnchanged)
	}
}

// TestAssignWhilePending: an identity that nobody has acknowledged is still
// being made.
func TestAssignWhilePending(t *testing.T) {
	h := open(t, grouped("group_sync: assign"))
	h.Provision(t.Context(), kratos(identity.HookPrepare, "", "s-1", ann()))
	h.Provision(t.Context(), kratos(identity.HookPrepare, "", "s-1", ann(with("groups", []any{"staff"}))))
	if got := groups(h.only()); !slices.Equal(got, []string{"staff"}) {
		t.Errorf("pending: %v", got)
	}
	h.Commit(t.Context(), kratos(identity.HookCommit, "k-1", "s-1", ann(with("groups", []any{"staff"}))))
	h.now = h.now.Add(time.Minute)
	h.Provision(t.Context(), generic("s-1", ann()))
	if got := groups(h.only()); !slices.Equal(got, []string{"staff"}) {
		t.Errorf("active: %v", got)
	}
}

// TestAssignWhenLinked: for somebody who is there already, a provider's link is
// made later, and its first claims count, once; those that came before it, and
// with it, may be none.
func TestAssignWhenLinked(t *testing.T) {
	from := func(names ...any) identity.Login { return fromGlobex("g-1", with("groups", append([]any{}, names...))) }
	for name, c := range map[string]struct {
		jit   string
		link  func(*testing.T, *house)
		first identity.Login
		want  string
	}{
		"at once":     {auto, func(*testing.T, *house) {}, from("staff"), "staff"},
		"grants none": {auto, func(*testing.T, *house) {}, from(), ""},
		"approved": {confirm, func(t *testing.T, h *house) {
			h.Provision(t.Context(), from("eng"))
			i := h.only()
			h.admin(provision.Approve(i.ProposalID(i.Proposals[0])), identity.Linked)
		}, from("staff"), "staff"},
		"approved, grants none": {confirm, func(t *testing.T, h *house) {
			h.Provision(t.Context(), from("eng"))
			i := h.only()
			h.admin(provision.Approve(i.ProposalID(i.Proposals[0])), identity.Linked)
		}, from(), ""},
		"by Kratos, with old claims": {auto, func(t *testing.T, h *house) {
			want(t, h.Provision(t.Context(), byKratos(identity.HookLogin, "k-9")), identity.Linked)
		}, from("staff"), "staff"},
	} {
		t.Run(name, func(t *testing.T) {
			h := findable(t, c.jit+"\n  group_sync: assign")
			h.now = h.now.Add(time.Minute)
			c.link(t, h)
			for n, l := range []identity.Login{c.first, from("eng"), c.first} {
				h.now = h.now.Add(time.Minute)
				out := h.Provision(t.Context(), l)
				var granted []string
				for _, g := range h.only().Groups {
					if g.Source == "provider:globex" {
						granted = append(granted, g.Name)
					}
				}
				if got := strings.Join(granted, ","); got != c.want || n > 0 && out.Record.Decision != identity.Unchanged {
					t.Errorf("login %d: %s, groups %q, want %q", n+1, out.Record.Decision, got, c.want)
				}
			}
		})
	}
}

// TestAssignFromTheRegistration: whoever was made of what Kratos had kept has
// been assigned their groups, though no claims of a login were applied.
func TestAssignFromTheRegistration(t *testing.T) {
	h := open(t, grouped("group_sync: assign"))
	want(t, h.Provision(t.Context(), kratos(identity.HookLogin, "k-1", "s-1", ann())), identity.Created)
	h.now = h.now.Add(time.Minute)
	want(t, h.Provision(t.Context(), sends("staff")), identity.Unchanged)
	if got := groups(h.only()); !slices.Equal(got, []string{"engineering"}) {
		t.Errorf("groups %v", got)
	}
}

// TestGroupSyncEdited: what a file granted under one method is the ledger's
// under the next: only mirror takes it back.
func TestGroupSyncEdited(t *testing.T) {
	h := open(t)
	h.Provision(t.Context(), sends("eng", "staff"))
	for _, step := range []struct{ file, want string }{
		{grouped("group_sync: none"), "engineering,staff"},
		{grouped("group_sync: append"), "engineering,staff"},
		{grouped("group_sync: assign"), "engineering,staff"},
		{acme, ""},
	} {
		h.edit(step.file)
		h.now = h.now.Add(time.Minute)
		h.Provision(t.Context(), sends())
		if got := strings.Join(groups(h.only()), ","); got != step.want {
			t.Errorf("%s: %q, want %q", step.file, got, step.want)
		}
	}
}

// TestMappingOfGroupsEdited: what an edited mapping no longer yields goes, also
// where the provider sends the same as before.
func TestMappingOfGroupsEdited(t *testing.T) {
	const section = "groups: {from: claims.groups, allow: [staff], map: {eng: engineering}}"
	for name, c := range map[string]struct{ section, want string }{
		"another target":     {"groups: {from: claims.groups, allow: [staff], map: {eng: builders}}", "builders,staff"},
		"no longer allowed":  {"groups: {from: claims.groups, map: {eng: engineering}}", "engineering"},
		"no longer mapped":   {"groups: {from: claims.groups, allow: [staff]}", "staff"},
		"no groups any more": {"", ""},
		"another claim":      {"groups: {from: claims.roles, allow: [staff], map: {eng: engineering}}", "engineering,staff"}, // missing: unknown
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t)
			h.Provision(t.Context(), sends("eng", "staff"))
			h.admin(provision.Amend(provision.Patch{Add: []string{"board"}}), identity.Updated)
			h.edit(replace(acme, section, c.section))
			h.now = h.now.Add(time.Minute)
			h.Provision(t.Context(), sends("eng", "staff"))
			var granted []string
			for _, g := range h.only().Groups {
				if g.Source == "provider:acme" {
					granted = append(granted, g.Name)
				}
			}
			if got := strings.Join(granted, ","); got != c.want || !slices.Contains(h.only().Groups, identity.Group{Name: "board", Source: "admin"}) {
				t.Errorf("%v, want %q and the administrator's", h.only().Groups, c.want)
			}
		})
	}
}

// TestProviderRemoved: nobody answers for what a provider granted that has no
// file any more, and any login of the person notices.
func TestProviderRemoved(t *testing.T) {
	const globex = "https://globex.example"
	other := replace(replace(acme, "provider: acme", "provider: globex"), "issuer: https://acme.example", "issuer: "+globex)
	by := func(provider string) identity.Login {
		l := sends("eng")
		l.Provider, l.Offers[0].Provider = provider, provider
		if provider == "globex" {
			l.Offers[0].Subject = "g-1"
		}
		return l
	}
	start := func(t *testing.T) *house {
		h := open(t, acme, other)
		h.Provision(t.Context(), sends("eng", "staff"))
		i := h.only()
		i.Links = append(i.Links, identity.Link{Provider: "globex", Issuer: globex, Subject: "g-1"})
		i.Groups = append(i.Groups, identity.Group{Name: "engineering", Source: "admin"}, identity.Group{Name: "engineering", Source: "provider:globex"})
		k1 := ofK1(identity.HookLogin).External
		i.ExternalIDs = []identity.ExternalID{k1}
		i.Keys = append(i.Keys, identity.FedKey(globex, "g-1"), identity.ExtKey(k1))
		slices.Sort(i.Keys)
		i.Revision++
		if err := h.store.Swap(t.Context(), i, identity.Record{}); err != nil {
			t.Fatal(err)
		}
		return h
	}
	all := []identity.Group{
		{Name: "engineering", Source: "admin"}, {Name: "engineering", Source: "provider:acme"}, {Name: "engineering", Source: "provider:globex"}, {Name: "staff", Source: "provider:acme"},
	}
	left := []identity.Group{all[0], all[2]}
	renamed := replace(acme, "provider: acme", "provider: acme2")
	for name, c := range map[string]struct {
		files []string
		login identity.Login
		want  []identity.Group
	}{
		"by the other provider":      {[]string{other}, by("globex"), left},
		"by a password":              {[]string{other}, signIn(""), left},
		"still there":                {[]string{acme, other}, signIn(""), all},
		"goes on under another name": {[]string{renamed, other}, signIn(""), all},
	} {
		t.Run(name, func(t *testing.T) {
			h := start(t)
			h.Providers = open(t, c.files...).Providers
			h.now = h.now.Add(time.Minute)
			out := h.Provision(t.Context(), c.login)
			got := h.only().Groups
			slices.SortFunc(got, func(a, b identity.Group) int { return strings.Compare(a.Name+" "+a.Source, b.Name+" "+b.Source) })
			if !slices.Equal(got, c.want) {
				t.Errorf("%v, want %v", got, c.want)
			}
			if changed := []identity.Change{set("/traits/email"), remove("/groups/engineering"), remove("/groups/staff")}; len(c.want) == 2 && !slices.Equal(out.Record.Change, changed) {
				t.Errorf("changes %v", out.Record.Change)
			}
			h.store.writes.Store(0)
			if out := h.Provision(t.Context(), c.login); out.Record.Decision != identity.Unchanged || h.store.writes.Load() != 0 {
				t.Errorf("again: %s, %d writes", out.Record.Decision, h.store.writes.Load())
			}
		})
	}

	t.Run("no provider at all", func(t *testing.T) {
		h := start(t)
		h.Providers = func() *provider.Set { return &provider.Set{} }
		h.Provision(t.Context(), signIn(""))
		if got := h.only().Groups; len(got) != len(all) {
			t.Errorf("%v", got)
		}
	})
}

// TestOrphanedGroups: what nobody answers for is found without a login of the
// person, whatever their state, and nothing else is.
func TestOrphanedGroups(t *testing.T) {
	globex := replace(replace(acme, "provider: acme", "provider: globex"), "issuer: https://acme.example", "issuer: https://globex.example")
	renamed := replace(acme, "provider: acme", "provider: acme2")
	for name, c := range map[string]struct {
		files []string
		do    func(*house)
		fate  provision.Fate
	}{
		"the file is gone":       {[]string{globex}, nil, provision.FateDone},
		"of a suspended one":     {[]string{globex}, func(h *house) { h.admin(provision.Suspend(), identity.Updated) }, provision.FateDone},
		"still there":            {[]string{acme, globex}, nil, ""},
		"under another name":     {[]string{renamed, globex}, nil, ""},
		"no provider at all":     {nil, nil, ""},
		"an administrator's own": {[]string{globex}, func(h *house) { h.admin(provision.Unlink("acme"), identity.Updated) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t)
			h.Provision(t.Context(), sends("eng", "staff"))
			h.admin(provision.Amend(provision.Patch{Add: []string{"board", "staff"}}), identity.Updated)
			if c.do != nil {
				c.do(h)
			}
			if h.Providers = open(t, c.files...).Providers; c.files == nil {
				h.Providers = func() *provider.Set { return &provider.Set{} }
			}
			h.swept(provision.RuleOrphaned, c.fate)
			h.swept(provision.RuleOrphaned, "")
			if got := groups(h.only()); c.fate != "" && !slices.Equal(got, []string{"board", "staff"}) {
				t.Errorf("groups %v", got)
			}
		})
	}
}

// TestGroupsUnknownMax: unknown groups are kept for so long, from the first login
// that did not know them, and then refused until they are known.
func TestGroupsUnknownMax(t *testing.T) {
	since := []identity.Change{set("/links/acme/groups_unknown_since")}
	h := open(t, grouped("groups_unknown_max: 24h"))
	unknown := generic("s-1", ann(without("groups")))
	h.Provision(t.Context(), sends("eng"))
	h.now = h.now.Add(100 * time.Hour)
	out := h.Provision(t.Context(), unknown)
	want(t, out, identity.Updated)
	if !slices.Equal(out.Record.Change, since) || !h.only().Links[0].GroupsUnknownSince.Equal(h.now) {
		t.Errorf("%v %v", out.Record.Change, h.only().Links)
	}
	h.store.writes.Store(0)
	for _, later := range []time.Duration{12 * time.Hour, 12 * time.Hour} { // up to the hour itself
		h.now = h.now.Add(later)
		want(t, h.Provision(t.Context(), unknown), identity.Unchanged, identity.CodeUnchanged)
	}
	if n := h.store.writes.Load(); n != 0 {
		t.Errorf("%d writes while they stayed unknown", n)
	}
	h.now = h.now.Add(time.Nanosecond)
	before := h.only()
	out = h.Provision(t.Context(), unknown)
	want(t, out, identity.Denied, identity.CodeGroupsUnknownTooLong)
	if r := out.Record.Reasons[0]; r.Path != "/groups" || h.only().Revision != before.Revision || !slices.Equal(groups(h.only()), []string{"engineering"}) {
		t.Errorf("%+v, %+v", r, h.only())
	}
	// Claims that say it open the door again, and the clock begins anew.
	h.now = h.now.Add(time.Hour)
	out = h.Provision(t.Context(), sends("eng"))
	want(t, out, identity.Updated)
	if !slices.Equal(out.Record.Change, []identity.Change{remove("/links/acme/groups_unknown_since")}) || !h.only().Links[0].GroupsUnknownSince.IsZero() {
		t.Errorf("%v", out.Record.Change)
	}
	h.now = h.now.Add(time.Hour)
	want(t, h.Provision(t.Context(), unknown), identity.Updated)
}

// TestGroupsUnknownClock: the clock runs only while there is something to keep
// and a limit to keep it for.
func TestGroupsUnknownClock(t *testing.T) {
	limited := grouped("groups_unknown_max: 24h")
	unknown := generic("s-1", ann(without("groups")))
	for name, c := range map[string]struct {
		first identity.Login
		file  string
		edit  func(h *house)
	}{
		"no limit":               {sends("eng"), acme, nil},
		"a limit of 0":           {sends("eng"), grouped("groups_unknown_max: 0"), nil},
		"nothing was granted":    {sends(), limited, nil},
		"unknown from the first": {unknown, limited, nil},
		"only others granted":    {sends(), limited, func(h *house) { h.admin(provision.Amend(provision.Patch{Add: []string{"staff"}}), identity.Updated) }},
		"an administrator took it all": {sends("eng"), limited, func(h *house) {
			h.admin(provision.Amend(provision.Patch{Remove: []string{"engineering"}}), identity.Updated)
		}},
		"group_sync none":   {sends("eng"), grouped("group_sync: none"), nil},
		"group_sync append": {sends("eng"), grouped("group_sync: append"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t, c.file)
			h.Provision(t.Context(), c.first)
			if c.edit != nil {
				c.edit(h)
			}
			for range 3 {
				h.now = h.now.Add(50 * time.Hour)
				want(t, h.Provision(t.Context(), unknown), identity.Unchanged, identity.CodeUnchanged)
			}
		})
	}

	t.Run("stops with the limit", func(t *testing.T) {
		h := open(t, limited)
		h.Provision(t.Context(), sends("eng"))
		want(t, h.Provision(t.Context(), unknown), identity.Updated)
		h.now = h.now.Add(50 * time.Hour)
		h.edit(acme)
		want(t, h.Provision(t.Context(), unknown), identity.Updated)
		h.edit(limited)
		want(t, h.Provision(t.Context(), unknown), identity.Updated) // from now on
	})
}

// empty deletes everybody.
func (h *house) empty() {
	for _, i := range h.all() {
		if _, err := h.Edit(h.t.Context(), provision.Target{ID: i.ID}, provision.Delete()); err != nil {
			h.t.Fatal(err)
		}
	}
}

// TestGroupLedger: whatever happens in whatever order, of every grant it is known
// who made it, and each is as the last word of its own source.
func TestGroupLedger(t *testing.T) {
	names := []string{"eng", "staff", "unlisted"}
	target := map[string]string{"eng": "engineering", "staff": "staff"}
	methods := []string{"mirror", "append", "assign", "none"}
	files := map[string]func() *provider.Set{}
	for _, m := range methods {
		files[m] = open(t, grouped("group_sync: "+m)).Providers
	}
	h := open(t)
	rapid.Check(t, func(rt *rapid.T) {
		h.empty()
		h.Providers = files["mirror"]
		h.Provision(t.Context(), sends())
		amend := func(p provision.Patch) {
			if _, err := h.Edit(t.Context(), provision.Target{ID: h.only().ID}, provision.Amend(p)); err != nil {
				rt.Fatal(err)
			}
		}
		method := "mirror"
		federated, admin := map[string]bool{}, map[string]bool{}
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			h.now = h.now.Add(time.Minute)
			switch rapid.SampledFrom([]string{"login", "login", "unknown", "edit", "grant", "revoke"}).Draw(rt, "step") {
			case "login":
				sent := rapid.SliceOfDistinct(rapid.SampledFrom(names), rapid.ID[string]).Draw(rt, "groups")
				list := make([]any, len(sent))
				for n, g := range sent {
					list[n] = g
				}
				h.Provision(t.Context(), sends(list...))
				if method == "mirror" {
					clear(federated)
				}
				for _, g := range sent {
					if to, ok := target[g]; ok && (method == "mirror" || method == "append") {
						federated[to] = true
					}
				}
			case "unknown":
				h.Provision(t.Context(), generic("s-1", ann(with("groups", "staff"))))
			case "edit":
				method = rapid.SampledFrom(methods).Draw(rt, "method")
				h.Providers = files[method]
			case "grant":
				g := rapid.SampledFrom([]string{"staff", "board"}).Draw(rt, "group")
				amend(provision.Patch{Add: []string{g}})
				admin[g] = true
			case "revoke":
				g := rapid.SampledFrom([]string{"staff", "board", "engineering"}).Draw(rt, "group")
				amend(provision.Patch{Remove: []string{g}})
				delete(admin, g)
				delete(federated, g)
			}
			var want []identity.Group
			for g := range federated {
				want = append(want, identity.Group{Name: g, Source: "provider:acme"})
			}
			for g := range admin {
				want = append(want, identity.Group{Name: g, Source: "admin"})
			}
			got := h.only().Groups
			byText := func(a, b identity.Group) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) }
			slices.SortFunc(want, byText)
			slices.SortFunc(got, byText)
			if !slices.Equal(got, want) {
				rt.Fatalf("%v, want %v", got, want)
			}
		}
	})
}

// TestGroupsInAnyOrder: what a mapping grants may come in any order, and more than
// once under several of the provider's names: each is granted and revoked once, and
// counted once where a change of many is held back.
func TestGroupsInAnyOrder(t *testing.T) {
	const maps = "map: {zz: alpha, yy: zulu, xx: mike, ww: alpha, vv: golf, uu: mike}"
	file := replace(grouped("limits: {max_group_removals: 1}"), "allow: [staff], map: {eng: engineering}", maps)
	for name, c := range map[string]struct {
		sent    []any
		groups  string // in the end
		changes []identity.Change
		held    string
	}{
		"the same":            {sent: []any{"zz", "yy", "xx", "ww", "vv", "uu"}, groups: "alpha,golf,mike,zulu"},
		"the same, once each": {sent: []any{"yy", "xx", "ww", "vv"}, groups: "alpha,golf,mike,zulu"},
		"the other way":       {sent: []any{"vv", "ww", "xx", "yy"}, groups: "alpha,golf,mike,zulu"},
		"one less":            {sent: []any{"zz", "yy", "xx", "ww", "uu"}, groups: "alpha,mike,zulu", changes: []identity.Change{remove("/groups/golf")}},
		"two less, held":      {sent: []any{"zz", "yy", "ww"}, groups: "alpha,golf,mike,zulu", changes: []identity.Change{set("/holds/acme")}, held: "golfmike"},
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t, file)
			h.Provision(t.Context(), sends("zz", "yy", "xx", "ww", "vv", "uu"))
			if got := strings.Join(groups(h.only()), ","); got != "alpha,golf,mike,zulu" {
				t.Fatalf("granted %s", got)
			}
			h.now = h.now.Add(time.Minute)
			out := h.Provision(t.Context(), sends(c.sent...))
			i := h.only()
			if got := strings.Join(groups(i), ","); got != c.groups || !slices.Equal(out.Record.Change, c.changes) {
				t.Errorf("groups %s, want %s; changes %v, want %v", got, c.groups, out.Record.Change, c.changes)
			}
			held := ""
			for _, hold := range i.Holds {
				held += named(hold.Groups)
			}
			if held != c.held {
				t.Errorf("held %q, want %q", held, c.held)
			}
		})
	}
}

// TestManyGroups: what a login asks of the providers' files does not grow with the
// person's groups, whoever granted them.
func TestManyGroups(t *testing.T) {
	asked := func(n int) (count int) {
		var names []string
		var sent []any
		for i := range n {
			names = append(names, fmt.Sprintf("group-%d", i))
			sent = append(sent, names[i])
		}
		h := open(t, replace(acme, "allow: [staff]", "allow: ["+strings.Join(names, ", ")+"]"), globex)
		h.Provision(t.Context(), sends(sent...))
		i := h.only()
		for _, name := range names {
			i.Groups = append(i.Groups, identity.Group{Name: name, Source: "provider:globex"}, identity.Group{Name: name, Source: identity.SourceAdmin})
		}
		i.Revision++
		if err := h.store.Swap(t.Context(), i, identity.Record{ID: "r"}); err != nil {
			t.Fatal(err)
		}
		providers := h.Providers
		h.Providers = func() *provider.Set {
			count++
			return providers()
		}
		want(t, h.Provision(t.Context(), sends(sent...)), identity.Unchanged)
		if got := len(h.only().Groups); got != 3*n {
			t.Fatalf("%d groups of %d", got, 3*n)
		}
		return count
	}
	if few, many := asked(2), asked(200); few == 0 || few != many {
		t.Errorf("%d questions with few groups, %d with many", few, many)
	}
}
