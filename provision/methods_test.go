package provision_test

// These tests prove what each method of attribute_sync, and each `sync` of a
// trait, does to what is stored: who wrote it last, whether the claim is absent,
// who verified it, in which order two providers and an administrator come, and
// that claims which come late overwrite nothing newer.

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/provision"
)

// synced is the file of acme with a method, and with its name's further settings.
func synced(method, name string) string {
	f := replace(acme, "enabled: true", "enabled: true\n  attribute_sync: "+method)
	return replace(f, "name: {value: claims.name, absent: clear}", "name: {value: claims.name, "+name+"}")
}

// globexOf is the same for another provider, with subjects of its own.
func globexOf(method, name string) string {
	f := replace(synced(method, name), "provider: acme", "provider: globex")
	return replace(f, "issuer: https://acme.example", "issuer: https://globex.example")
}

// viaGlobex is a login with the other provider.
func viaGlobex(claims map[string]any) identity.Login {
	l := generic("g-1", claims)
	l.Provider, l.Offers[0].Provider = "globex", "globex"
	return l
}

// both opens a house in which one person has a link to each of two providers.
func both(t *testing.T, acme, globex string) *house {
	t.Helper()
	h := open(t, acme, globex)
	h.Provision(t.Context(), generic("s-1", ann()))
	i := h.only()
	i.Links = append(i.Links, identity.Link{Provider: "globex", Issuer: "https://globex.example", Subject: "g-1", LinkedAt: h.now, Evidence: "test"})
	i.Keys = append(i.Keys, identity.FedKey("https://globex.example", "g-1"))
	slices.Sort(i.Keys)
	i.Revision++
	if err := h.store.Swap(t.Context(), i, identity.Record{ID: "0", At: h.now}); err != nil {
		t.Fatal(err)
	}
	h.now = h.now.Add(time.Minute)
	return h
}

// writer is the source of the value at a path.
func writer(i identity.Identity, path string) string {
	by, _ := i.ProvenanceOf(path)
	return by.Source
}

func TestMethods(t *testing.T) {
	type history func(h *house)
	admin := func(value any) history {
		return func(h *house) {
			h.admin(provision.Amend(provision.Patch{Traits: traits("name", value)}), identity.Updated)
		}
	}
	for name, c := range map[string]struct {
		methods string // those of attribute_sync that it is true of, or all
		name    string // settings of the name
		between history
		claims  func(map[string]any)
		want    any
		by      string
	}{
		"the provider's value follows the provider":             {"override_all preserve_local", "sync: inherit", nil, with("name", "Two"), "Two", "provider:acme"},
		"none changes nothing":                                  {"none", "sync: inherit", nil, with("name", "Two"), "Ann Example", "provider:acme"},
		"none clears nothing":                                   {"none", "absent: clear", nil, without("name"), "Ann Example", "provider:acme"},
		"none takes no default":                                 {"none", "absent: default, default: N.N.", nil, without("name"), "Ann Example", "provider:acme"},
		"none brings nothing back":                              {"none", "absent: keep", admin(nil), with("name", "Two"), nil, ""},
		"none misses nothing that it would not write":           {"none", "required: true", admin(nil), with("name", "Two"), nil, ""},
		"force changes":                                         {"", "sync: force", nil, with("name", "Two"), "Two", "provider:acme"},
		"force clears":                                          {"", "sync: force, absent: clear", nil, without("name"), nil, ""},
		"force overwrites the administrator":                    {"", "sync: force", admin("Boss"), with("name", "Two"), "Two", "provider:acme"},
		"force clears the administrator's":                      {"", "sync: force, absent: clear", admin("Boss"), without("name"), nil, ""},
		"force keeps":                                           {"", "sync: force, absent: keep", admin("Boss"), without("name"), "Boss", "admin"},
		"import never changes":                                  {"", "sync: import", nil, with("name", "Two"), "Ann Example", "provider:acme"},
		"import never clears":                                   {"", "sync: import, absent: clear", nil, without("name"), "Ann Example", "provider:acme"},
		"import brings nothing back":                            {"", "sync: import", admin(nil), with("name", "Two"), nil, ""},
		"import leaves the administrator's":                     {"", "sync: import", admin("Boss"), with("name", "Two"), "Boss", "admin"},
		"the administrator's stays":                             {"preserve_local none", "absent: keep", admin("Boss"), with("name", "Two"), "Boss", "admin"},
		"the administrator's is not cleared":                    {"preserve_local none", "absent: clear", admin("Boss"), without("name"), "Boss", "admin"},
		"the administrator's takes no default":                  {"preserve_local none", "absent: default, default: N.N.", admin("Boss"), without("name"), "Boss", "admin"},
		"the administrator's is overwritten":                    {"override_all", "absent: keep", admin("Boss"), with("name", "Two"), "Two", "provider:acme"},
		"the administrator's is overwritten by the same claims": {"override_all", "absent: keep", admin("Boss"), with("name", "Ann Example"), "Ann Example", "provider:acme"},
		"the administrator's is cleared":                        {"override_all", "absent: clear", admin("Boss"), without("name"), nil, ""},
		"the administrator's becomes the default":               {"override_all", "absent: default, default: N.N.", admin("Boss"), without("name"), "N.N.", "provider:acme"},
		"the administrator's is kept where nothing is yielded":  {"override_all", "absent: keep", admin("Boss"), without("name"), "Boss", "admin"},
		"what was removed comes back":                           {"override_all preserve_local", "absent: keep", admin(nil), with("name", "Two"), "Two", "provider:acme"},
		"an absent one is kept":                                 {"override_all preserve_local", "absent: keep", nil, without("name"), "Ann Example", "provider:acme"},
		"an absent one is cleared":                              {"override_all preserve_local", "absent: clear", nil, without("name"), nil, ""},
		"an absent one becomes the default":                     {"override_all preserve_local", "absent: default, default: N.N.", nil, without("name"), "N.N.", "provider:acme"},
	} {
		for method := range strings.FieldsSeq(map[bool]string{true: "override_all preserve_local none"}[c.methods == ""] + c.methods) {
			t.Run(name+" "+method, func(t *testing.T) {
				h := in(t, identity.StateActive, synced(method, c.name))
				if c.between != nil {
					c.between(h)
				}
				h.now = h.now.Add(time.Minute)
				out := h.Provision(t.Context(), generic("s-1", ann(c.claims)))
				if !out.Record.Decision.Allowed() {
					t.Fatalf("%s %v", out.Record.Decision, out.Record.Reasons)
				}
				i := h.only()
				if i.Traits["name"] != c.want || writer(i, "/name") != c.by {
					t.Errorf("name %v by %q, want %v by %q", i.Traits["name"], writer(i, "/name"), c.want, c.by)
				}
				// What comes again changes nothing, and costs one read.
				h.store.reads.Store(0)
				h.store.writes.Store(0)
				want(t, h.Provision(t.Context(), generic("s-1", ann(c.claims))), identity.Unchanged)
				if r, w := h.store.reads.Load(), h.store.writes.Load(); r != 1 || w != 0 {
					t.Errorf("%d reads, %d writes", r, w)
				}
			})
		}
	}
}

// Until a login acknowledges it, an identity is being created: an attempt that
// comes again, with other claims, is its creation too.
func TestCreationEndsWithTheAcknowledgement(t *testing.T) {
	for name, file := range map[string]string{"none": synced("none", "sync: inherit"), "import": synced("override_all", "sync: import")} {
		t.Run(name, func(t *testing.T) {
			h := in(t, identity.StatePending, file)
			again := func(hook identity.Hook, id, name string) string {
				t.Helper()
				h.now = h.now.Add(time.Minute)
				if out := h.Provision(t.Context(), kratos(hook, id, "s-1", ann(with("name", name)))); !out.Record.Decision.Allowed() {
					t.Fatalf("%s %v", out.Record.Decision, out.Record.Reasons)
				}
				return h.only().Traits["name"].(string)
			}
			if got := again(identity.HookPrepare, "", "Two"); got != "Two" {
				t.Errorf("while it is created: %s", got)
			}
			if got := again(identity.HookLogin, "k-1", "Three"); got != "Two" {
				t.Errorf("after it was created: %s", got)
			}
		})
	}
}

// An absent claim that rejects does so under every method, and at every login.
func TestRejectUnderEveryMethod(t *testing.T) {
	for _, method := range []string{"override_all", "preserve_local", "none"} {
		h := in(t, identity.StateActive, synced(method, "absent: reject"))
		want(t, h.Provision(t.Context(), generic("s-1", ann(without("name")))), identity.Denied, identity.CodeTraitMissing)
		if i := h.only(); i.Traits["name"] != "Ann Example" || i.Revision != 1 {
			t.Errorf("%s: %v at revision %d", method, i.Traits["name"], i.Revision)
		}
	}
}

// Traits become exactly what the mapping yields: what it says nothing about goes,
// whoever wrote it, but what the person answered.
func TestOverrideAllLeavesNothingElse(t *testing.T) {
	h := in(t, identity.StateActive, replace(synced("override_all", "absent: clear"), "claims.department}", "claims.department, absent: default, default: none}"))
	h.admin(provision.Amend(provision.Patch{Traits: traits("title", "Boss", "rooms", map[string]any{"a": int64(1)})}), identity.Updated)
	i := h.only()
	i.SetTrait("2026-01", identity.Provenance{Path: "/terms", Source: identity.SourceUser, At: h.now})
	i.SetTrait("de", identity.Provenance{Path: "/prefs/language", Source: identity.SourceUser, At: h.now})
	i.SetTrait("dark", identity.Provenance{Path: "/prefs/theme", Source: identity.SourceAdmin, At: h.now})
	i.SetTrait("Called", identity.Provenance{Path: "/name", Source: identity.SourceUser, At: h.now})
	i.SetTrait("Answered", identity.Provenance{Path: "/department", Source: identity.SourceUser, At: h.now})
	i.Revision++
	if err := h.store.Swap(t.Context(), i, identity.Record{ID: "0", At: h.now}); err != nil {
		t.Fatal(err)
	}
	h.now = h.now.Add(time.Minute)
	out := h.Provision(t.Context(), generic("s-1", ann(without("name"))))
	want(t, out, identity.Updated)
	if diff := cmp.Diff([]identity.Change{remove("/traits/prefs/theme"), remove("/traits/rooms"), remove("/traits/title")}, out.Record.Change); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	i = h.only()
	if diff := cmp.Diff(map[string]any{
		"email": "ann@acme.example", "username": "ann", "name": "Called", "terms": "2026-01", "department": "Answered",
		"prefs": map[string]any{"language": "de"},
	}, i.Traits); diff != "" {
		t.Errorf("traits (-want +got):\n%s", diff)
	}
	var paths []string
	for _, by := range i.Provenance {
		paths = append(paths, by.Path)
	}
	slices.Sort(paths)
	if want := []string{"/department", "/email", "/name", "/prefs/language", "/terms", "/username"}; !slices.Equal(paths, want) {
		t.Errorf("provenance of %v, want %v", paths, want)
	}
	want(t, h.Provision(t.Context(), generic("s-1", ann(without("name")))), identity.Unchanged)
	// A provider that has a value has a better one.
	want(t, h.Provision(t.Context(), generic("s-1", ann(with("department", "HR")))), identity.Updated)
	if i := h.only(); i.Traits["department"] != "HR" || writer(i, "/department") != "provider:acme" {
		t.Errorf("%v by %s", i.Traits["department"], writer(i, "/department"))
	}
}

// Nothing of a mapping that was edited stays under override_all, and all of it
// elsewhere.
func TestTraitThatIsNotMappedAnyMore(t *testing.T) {
	for method, stays := range map[string]bool{"override_all": false, "preserve_local": true, "none": true} {
		h := in(t, identity.StateActive, synced(method, "absent: keep"))
		h.edit(replace(synced(method, "absent: keep"), "  username: {value: [claims.preferred_username, claims.nickname], canonical: username, unique: true}\n", ""))
		h.Provision(t.Context(), generic("s-1", ann()))
		i := h.only()
		if _, has := i.Traits["username"]; has != stays {
			t.Errorf("%s: username there: %v", method, has)
		}
		if held := slices.Contains(i.Keys, identity.NameKey("employees", "/username", "ann")); held && !stays {
			t.Errorf("%s: the name is held still", method)
		}
	}
}

// Two providers write one trait in turn.
func TestTwoProvidersInTurn(t *testing.T) {
	one, two := "provider:acme", "provider:globex"
	for name, c := range map[string]struct {
		acme, globex   string // method and `sync`
		first, second  string // the name after acme's and then globex's login
		firstBy, secBy string
		third          string // and after acme's next
	}{
		"both preserve: the first one's stays":      {"preserve_local inherit", "preserve_local inherit", "A", "A", one, one, "A2"},
		"the second overrides: then it is theirs":   {"preserve_local inherit", "override_all inherit", "A", "G", one, two, "G"},
		"both override: the last one's stands":      {"override_all inherit", "override_all inherit", "A", "G", one, two, "A2"},
		"the first overrides: it comes back":        {"override_all inherit", "preserve_local inherit", "A", "A", one, one, "A2"},
		"the second forces this trait":              {"preserve_local inherit", "none force", "A", "G", one, two, "G"},
		"both force":                                {"none force", "preserve_local force", "A", "G", one, two, "A2"},
		"the second imports: nobody is created":     {"preserve_local inherit", "override_all import", "A", "A", one, one, "A2"},
		"the first writes nothing after creation":   {"none inherit", "preserve_local inherit", "Ann Example", "Ann Example", one, one, "Ann Example"},
		"none of the second":                        {"preserve_local inherit", "none inherit", "A", "A", one, one, "A2"},
		"what the first one imported is overridden": {"preserve_local import", "override_all inherit", "Ann Example", "G", one, two, "G"},
	} {
		t.Run(name, func(t *testing.T) {
			file := func(of func(method, name string) string, s string) string {
				method, sync, _ := strings.Cut(s, " ")
				return of(method, "sync: "+sync)
			}
			h := both(t, file(synced, c.acme), file(globexOf, c.globex))
			for step, s := range []struct {
				login    identity.Login
				name, by string
			}{
				{generic("s-1", ann(with("name", "A"))), c.first, c.firstBy},
				{viaGlobex(ann(with("name", "G"))), c.second, c.secBy},
				{generic("s-1", ann(with("name", "A2"))), c.third, map[bool]string{true: two, false: one}[c.third == "G"]},
			} {
				h.now = h.now.Add(time.Minute)
				h.Provision(t.Context(), s.login)
				if i := h.only(); i.Traits["name"] != s.name || writer(i, "/name") != s.by {
					t.Errorf("login %d: name %v by %s, want %s by %s", step+1, i.Traits["name"], writer(i, "/name"), s.name, s.by)
				}
				want(t, h.Provision(t.Context(), s.login), identity.Unchanged)
			}
		})
	}
}

// I7: claims that were made before another provider, or an administrator, wrote
// a trait are what was true then.
func TestLateClaimsOfAnotherProvider(t *testing.T) {
	for _, method := range []string{"override_all inherit", "none force", "preserve_local inherit"} {
		t.Run(method, func(t *testing.T) {
			m, sync, _ := strings.Cut(method, " ")
			h := both(t, synced(m, "sync: "+sync), globexOf("override_all", "absent: keep"))
			h.admin(provision.Amend(provision.Patch{Traits: traits("title", "Boss")}), identity.Updated)
			before := h.now
			h.now = h.now.Add(time.Minute)
			want(t, h.Provision(t.Context(), viaGlobex(ann(with("name", "Newer")))), identity.Updated)
			h.admin(provision.Amend(provision.Patch{Traits: traits("office", "7")}), identity.Updated)
			late := generic("s-1", ann(with("name", "Older")))
			late.At = before.Add(30 * time.Second)
			h.now = h.now.Add(time.Second)
			h.Provision(t.Context(), late)
			if i := h.only(); i.Traits["name"] != "Newer" || i.Traits["office"] != "7" {
				t.Errorf("%v", i.Traits)
			}
			// Claims of now are not late.
			h.Provision(t.Context(), generic("s-1", ann(with("name", "Now"))))
			if i, changes := h.only(), m != "preserve_local"; (i.Traits["name"] == "Now") != changes {
				t.Errorf("%v", i.Traits)
			}
		})
	}
}

// Of two providers' dated claims the newer ones stand, whichever arrive first,
// and however long after both were made; undated ones are as new as their
// login, and so is what an administrator writes.
func TestClaimsOfTwoProvidersInAnyOrder(t *testing.T) {
	at := func(l identity.Login, when time.Time) identity.Login { l.At = when; return l }
	older := func(now time.Time) identity.Login {
		return at(generic("s-1", ann(with("name", "Older"))), now.Add(-50*time.Second))
	}
	newer := func(now time.Time) identity.Login {
		return at(viaGlobex(ann(with("name", "Newer"))), now.Add(-20*time.Second))
	}
	undated := func(time.Time) identity.Login { return viaGlobex(ann(with("name", "Undated"))) }
	for name, c := range map[string]struct {
		logins []func(now time.Time) identity.Login
		want   string
	}{
		"the older first":              {[]func(time.Time) identity.Login{older, newer}, "Newer"},
		"the newer first":              {[]func(time.Time) identity.Login{newer, older}, "Newer"},
		"the older come again":         {[]func(time.Time) identity.Login{older, newer, older}, "Newer"},
		"undated ones, then the older": {[]func(time.Time) identity.Login{undated, older}, "Undated"},
		"the older, then undated ones": {[]func(time.Time) identity.Login{older, undated}, "Undated"},
	} {
		for _, method := range []string{"override_all inherit", "none force"} {
			t.Run(name+" "+method, func(t *testing.T) {
				m, sync, _ := strings.Cut(method, " ")
				h := both(t, synced(m, "sync: "+sync), globexOf(m, "sync: "+sync))
				h.now = h.now.Add(time.Hour)
				now := h.now
				for _, login := range c.logins {
					h.now = h.now.Add(time.Second)
					h.Provision(t.Context(), login(now))
				}
				if got := h.only().Traits["name"]; got != c.want {
					t.Errorf("name %v, want %v", got, c.want)
				}
				h.admin(provision.Amend(provision.Patch{Traits: traits("name", "By hand")}), identity.Updated)
				h.Provision(t.Context(), at(generic("s-1", ann(with("name", "Newest"))), now))
				if got := h.only().Traits["name"]; got != "By hand" {
					t.Errorf("name %v after an administrator wrote it", got)
				}
			})
		}
	}
}

// Its own older claims overwrite nothing, whatever the method.
func TestLateClaimsUnderEveryMethod(t *testing.T) {
	for _, c := range []string{"override_all inherit", "preserve_local inherit", "none force", "override_all force"} {
		t.Run(c, func(t *testing.T) {
			method, sync, _ := strings.Cut(c, " ")
			h := in(t, identity.StateActive, synced(method, "sync: "+sync))
			newer, older := generic("s-1", ann(with("name", "Newer"))), generic("s-1", ann(with("name", "Older")))
			newer.At, older.At = h.now.Add(30*time.Second), h.now.Add(20*time.Second)
			h.now = h.now.Add(time.Minute)
			want(t, h.Provision(t.Context(), newer), identity.Updated)
			want(t, h.Provision(t.Context(), older), identity.Unchanged, identity.CodeUnchanged, identity.CodeClaimsStale)
			if i := h.only(); i.Traits["name"] != "Newer" {
				t.Errorf("%v", i.Traits["name"])
			}
		})
	}
}

// Verified is what the very value is: it goes when the value changes, by
// whomever, and stays while the value does.
func TestVerifiedUnderEveryMethod(t *testing.T) {
	const old, other = "ann@acme.example", "other@acme.example"
	unverified := func(address string) map[string]any {
		return ann(with("email", address), with("email_verified", false))
	}
	untrusted := func(method string) string {
		return replace(globexOf(method, "absent: keep"), "trust: {authoritative_domains: [acme.example]}", "trust: {authoritative_domains: [globex.example]}")
	}
	for name, c := range map[string]struct {
		acme, globex string
		act          func(h *house)
		email, by    string
	}{
		"override_all: another value, unverified":   {"override_all", "none", func(h *house) { h.Provision(t.Context(), generic("s-1", unverified(other))) }, other, ""},
		"preserve_local: another value, unverified": {"preserve_local", "none", func(h *house) { h.Provision(t.Context(), generic("s-1", unverified(other))) }, other, ""},
		"none: another value":                       {"none", "none", func(h *house) { h.Provision(t.Context(), generic("s-1", unverified(other))) }, old, "provider:acme"},
		"another value, verified":                   {"override_all", "none", func(h *house) { h.Provision(t.Context(), generic("s-1", ann(with("email", other)))) }, other, "provider:acme"},
		"override_all: withdrawn":                   {"override_all", "none", func(h *house) { h.Provision(t.Context(), generic("s-1", unverified(old))) }, old, ""},
		"preserve_local: withdrawn":                 {"preserve_local", "none", func(h *house) { h.Provision(t.Context(), generic("s-1", unverified(old))) }, old, ""},
		"another provider writes another value":     {"preserve_local", "override_all", func(h *house) { h.Provision(t.Context(), viaGlobex(ann(with("email", other)))) }, other, ""},
		"another provider says the same":            {"preserve_local", "override_all", func(h *house) { h.Provision(t.Context(), viaGlobex(ann())) }, old, "provider:acme"},
		"another provider may not write":            {"preserve_local", "preserve_local", func(h *house) { h.Provision(t.Context(), viaGlobex(ann(with("email", other)))) }, old, "provider:acme"},
		"an administrator writes another value": {"override_all", "none", func(h *house) {
			h.admin(provision.Amend(provision.Patch{Traits: traits("email", other)}), identity.Updated)
		}, other, ""},
		"an administrator writes the same": {"override_all", "none", func(h *house) {
			h.admin(provision.Amend(provision.Patch{Traits: traits("email", old)}), identity.Updated)
		}, old, "provider:acme"},
		"overwritten, then back by who verified": {"override_all", "override_all", func(h *house) {
			h.Provision(t.Context(), viaGlobex(ann(with("email", other))))
			h.now = h.now.Add(time.Minute)
			h.Provision(t.Context(), generic("s-1", ann()))
		}, old, "provider:acme"},
		"overwritten, then back by who does not": {"preserve_local", "override_all", func(h *house) {
			h.Provision(t.Context(), viaGlobex(ann(with("email", other))))
			h.now = h.now.Add(time.Minute)
			h.Provision(t.Context(), viaGlobex(ann()))
		}, old, ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := both(t, synced(c.acme, "absent: keep"), untrusted(c.globex))
			c.act(h)
			i := h.only()
			by, _ := i.ProvenanceOf("/email")
			if i.Traits["email"] != c.email || by.VerifiedBy != c.by {
				t.Errorf("%v verified by %q, want %q by %q", i.Traits["email"], by.VerifiedBy, c.email, c.by)
			}
			for _, address := range []string{old, other} {
				held := slices.Contains(i.Keys, identity.MailKey("employees", address))
				if held != (address == c.email && c.by != "") {
					t.Errorf("%s is held: %v", address, held)
				}
			}
		})
	}
}

// A name that was overwritten is free, one that was not is not: whoever wrote it.
func TestKeysFollowWhoeverWrites(t *testing.T) {
	for method, free := range map[string]bool{"override_all": true, "preserve_local": false, "none": false} {
		h := in(t, identity.StateActive, synced(method, "absent: keep"))
		h.admin(provision.Amend(provision.Patch{Traits: traits("username", "boss")}), identity.Updated)
		h.now = h.now.Add(time.Minute)
		h.Provision(t.Context(), generic("s-1", ann()))
		out := h.Provision(t.Context(), generic("s-2", ann(with("email", "b@acme.example"), with("preferred_username", "boss"))))
		if got := out.Record.Decision == identity.Created; got != free {
			t.Errorf("%s: the administrator's name is free: %v", method, got)
		}
	}
}

// A trait has as many entries as there are paths, each with who and when.
func TestProvenanceOfEachPath(t *testing.T) {
	h := both(t, synced("preserve_local", "absent: keep"), globexOf("preserve_local", "absent: keep"))
	second := h.now
	h.Provision(t.Context(), viaGlobex(ann(with("department", "HR"))))
	h.now = h.now.Add(time.Minute)
	h.admin(provision.Amend(provision.Patch{Traits: traits("name", "By hand")}), identity.Updated)
	first := second.Add(-time.Minute)
	got := map[string]string{}
	for _, by := range h.only().Provenance {
		got[by.Path] = fmt.Sprint(by.Source, " ", by.At.Sub(first), " ", by.VerifiedBy)
	}
	if diff := cmp.Diff(map[string]string{
		"/email": "provider:acme 0s provider:acme", "/username": "provider:acme 0s ",
		"/department": "provider:globex 1m0s ", "/name": "admin 2m0s ",
	}, got); diff != "" {
		t.Errorf("provenance (-want +got):\n%s", diff)
	}
}
