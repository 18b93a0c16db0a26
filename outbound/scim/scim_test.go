// These tests prove what the connector does at a target for each state of an
// identity, in each form that targets want, and that it never touches an account
// that is not ours, makes nobody twice, and lets nothing of a person or of the
// target's words into an error or a log. The target is a service with faults; that
// independent ones understand the same is proven in test/scim.
package scim_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/expr"
	"github.com/jithook/jithook/internal/safedial"
	"github.com/jithook/jithook/outbound"
	"github.com/jithook/jithook/outbound/scim"
	"github.com/jithook/jithook/store/bolt"
	"github.com/jithook/jithook/test/scim/scimtest"
)

const (
	hr         = "hr"
	enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	annID      = "0192f0a0-0000-7000-8000-000000000001"
)

var loopback = safedial.New([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")})

// attributes compiles names and expressions; a name that begins with + is one of
// the enterprise extension.
func attributes(t testing.TB, pairs ...string) []scim.Attribute {
	t.Helper()
	env, err := expr.NewEnv()
	must(t, err)
	var out []scim.Attribute
	for n := 0; n < len(pairs); n += 2 {
		p, err := env.Compile(expr.Source{Text: pairs[n+1], File: "jithook.yaml", Line: n + 1, Col: 1})
		must(t, err)
		name, enterprise := strings.CutPrefix(pairs[n], "+")
		out = append(out, scim.Attribute{Name: name, Enterprise: enterprise, Value: p})
	}
	return out
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// logged is a log that several write to.
type logged struct {
	mu sync.Mutex
	bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.Write(p)
}

// connector returns one to the target with all that there is.
func connector(t testing.TB, target string, edit func(*scim.Options)) *scim.Connector {
	t.Helper()
	o := scim.Options{
		URL: target, Auth: scim.Bearer("token"), Patch: scim.PatchAuto, Lookup: scim.LookupExternalID,
		Groups: scim.GroupsCreate, OnDeprovision: scim.Deactivate,
		First: alone, Guard: loopback, Now: time.Now, Log: slog.New(slog.DiscardHandler),
		Attributes: attributes(t,
			"userName", "identity.traits.email", "name.givenName", "identity.traits.given", "name.familyName", "identity.traits.family",
			"title", "identity.traits.title", "emails", `[{"value": identity.traits.email, "primary": true}]`, "+department", "identity.traits.department"),
	}
	if edit != nil {
		edit(&o)
	}
	c, err := scim.New(o)
	must(t, err)
	return c
}

// ann is somebody in two groups.
func ann(edit func(*identity.Identity)) identity.Identity {
	i := identity.Identity{
		ID: annID, Userstore: "default", State: identity.StateActive, Revision: 1,
		Traits: map[string]any{"email": "ann@acme.example", "given": "Ann", "family": "Lee", "title": "Chair", "department": "R&D"},
		Groups: []identity.Group{{Name: "eng", Source: "provider:acme"}, {Name: "staff", Source: "provider:acme"}},
	}
	if edit != nil {
		edit(&i)
	}
	return i
}

// deliver delivers i, and notes the outcome in it as a worker does.
func deliver(t testing.TB, c *scim.Connector, i *identity.Identity) error {
	t.Helper()
	has, err := c.Deliver(t.Context(), i.Clone(), identity.Delivery{Target: hr, Revision: i.Revision})
	note(i, has, err)
	return err
}

func note(i *identity.Identity, has identity.Resource, err error) {
	has.Target = hr
	if i.Forget(hr); err != nil || has.ID != "" {
		i.Remember(has)
	}
}

// one returns the only user at the target.
func one(t testing.TB, s *scimtest.Target) scimtest.Doc {
	t.Helper()
	all := s.All("Users", "", "")
	if len(all) != 1 {
		t.Fatalf("the target has %d users, want 1", len(all))
	}
	return all[0]
}

// wantUser compares an account with what it should have, but for id, meta and
// schemas.
func wantUser(t testing.TB, got scimtest.Doc, want scimtest.Doc) {
	t.Helper()
	for _, k := range []string{"id", "meta", "schemas", "groups"} {
		delete(got, k)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the account (-want +got):\n%s", diff)
	}
}

func account(edit func(scimtest.Doc)) scimtest.Doc {
	d := scimtest.Doc{
		"externalId": annID, "userName": "ann@acme.example", "active": true, "title": "Chair",
		"name": scimtest.Doc{"givenName": "Ann", "familyName": "Lee"}, "emails": []any{scimtest.Doc{"value": "ann@acme.example", "primary": true}},
		enterprise: scimtest.Doc{"department": "R&D"},
	}
	if edit != nil {
		edit(d)
	}
	return d
}

func wantMembers(t testing.TB, s *scimtest.Target, group string, want ...string) {
	t.Helper()
	if got := s.Members(group); !slices.Equal(got, want) {
		t.Errorf("members of %s: %q, want %q", group, got, want)
	}
}

// TestLife follows one person through all states, in each form of changes.
func TestLife(t *testing.T) {
	for name, c := range map[string]struct {
		quirks scimtest.Quirks
		patch  string
	}{
		"PATCH":              {scimtest.Quirks{}, scim.PatchAuto},
		"PATCH, groups seen": {scimtest.Quirks{ShowsGroups: true}, scim.PatchRFC},
		"PATCH of Microsoft": {scimtest.Quirks{Microsoft: true}, scim.PatchMicrosoft},
		"PUT":                {scimtest.Quirks{}, scim.PatchPut},
		"PUT, discovered":    {scimtest.Quirks{NoPatch: true}, scim.PatchAuto},
		"versions":           {scimtest.Quirks{ETags: true}, scim.PatchAuto},
		"PUT, versions":      {scimtest.Quirks{ETags: true, NoPatch: true}, scim.PatchAuto},
		"no configuration":   {scimtest.Quirks{NoConfig: true}, scim.PatchAuto},
	} {
		t.Run(name, func(t *testing.T) {
			s := scimtest.New(t)
			s.Quirks = c.quirks
			s.Put("Groups", scimtest.Doc{"displayName": "staff", "members": []any{scimtest.Doc{"value": "U-of-theirs"}}})
			x := connector(t, s.URL, func(o *scim.Options) { o.Patch = c.patch })
			i := ann(nil)
			must(t, deliver(t, x, &i))
			id := one(t, s)["id"].(string)
			wantUser(t, one(t, s), account(nil))
			wantMembers(t, s, "eng", id)
			wantMembers(t, s, "staff", "U-of-theirs", id)
			if got, _ := i.Resource(hr); got.ID != id || !slices.Equal(got.Groups, []string{"eng", "staff"}) {
				t.Errorf("noted: %+v", got)
			}

			// Traits change and go, a group is lost.
			i.Traits["given"], i.Traits["department"] = "Anna", "Sales"
			delete(i.Traits, "title")
			i.Groups = i.Groups[:1]
			must(t, deliver(t, x, &i))
			changed := account(func(d scimtest.Doc) {
				d["name"].(scimtest.Doc)["givenName"], d[enterprise].(scimtest.Doc)["department"] = "Anna", "Sales"
				delete(d, "title")
			})
			wantUser(t, one(t, s), changed)
			wantMembers(t, s, "eng", id)
			wantMembers(t, s, "staff", "U-of-theirs")

			// Suspended: inactive, even if an attribute could not be computed.
			i.State, i.Traits = identity.StateSuspended, nil
			must(t, deliver(t, x, &i))
			changed["active"] = false
			wantUser(t, one(t, s), changed)
			wantMembers(t, s, "eng", id)

			i = ann(func(a *identity.Identity) { a.Resources = i.Resources })
			must(t, deliver(t, x, &i))
			wantUser(t, one(t, s), account(nil))
			wantMembers(t, s, "staff", "U-of-theirs", id)

			i.State, i.Groups = identity.StateDeprovisioned, nil
			must(t, deliver(t, x, &i))
			wantUser(t, one(t, s), account(func(d scimtest.Doc) { d["active"] = false }))
			wantMembers(t, s, "eng")
			wantMembers(t, s, "staff", "U-of-theirs")
		})
	}
}

// TestAgain: what the target knows already is not written again, nor what it has
// added itself.
func TestAgain(t *testing.T) {
	s := scimtest.New(t)
	s.Quirks.ShowsGroups = true
	x := connector(t, s.URL, nil)
	i := ann(nil)
	must(t, deliver(t, x, &i))
	before := len(s.Writes())
	must(t, deliver(t, x, &i))
	i.Resources = nil // and if nobody had noted that it was told
	must(t, deliver(t, x, &i))
	if after := s.Writes(); len(after) != before {
		t.Errorf("written again: %+v", after[before:])
	}
	if n := len(s.All("Groups", "", "")); n != 2 {
		t.Errorf("%d groups", n)
	}
}

func TestGroups(t *testing.T) {
	for name, c := range map[string]struct {
		mode       string
		groups     int // at the target in the end
		staff, eng bool
		noted      []string
	}{
		scim.GroupsNone:   {scim.GroupsNone, 1, false, false, nil},
		scim.GroupsKnown:  {scim.GroupsKnown, 1, true, false, []string{"staff"}},
		scim.GroupsCreate: {scim.GroupsCreate, 2, true, true, []string{"eng", "staff"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := scimtest.New(t)
			s.Put("Groups", scimtest.Doc{"displayName": "staff"})
			x := connector(t, s.URL, func(o *scim.Options) { o.Groups = c.mode })
			i := ann(nil)
			must(t, deliver(t, x, &i))
			has, _ := i.Resource(hr)
			if len(s.Members("staff")) == 1 != c.staff || len(s.Members("eng")) == 1 != c.eng || len(s.All("Groups", "", "")) != c.groups || !slices.Equal(has.Groups, c.noted) {
				t.Errorf("staff %q, eng %q, noted %+v", s.Members("staff"), s.Members("eng"), has)
			}
			i.Groups = nil
			must(t, deliver(t, x, &i))
			wantMembers(t, s, "staff")
			wantMembers(t, s, "eng")
		})
	}
}

// TestGroupsOfOthers: a membership that the target's people have granted is theirs
// to take away.
func TestGroupsOfOthers(t *testing.T) {
	s := scimtest.New(t)
	x := connector(t, s.URL, nil)
	i := ann(nil)
	must(t, deliver(t, x, &i))
	id := one(t, s)["id"]
	s.Put("Groups", scimtest.Doc{"displayName": "board", "members": []any{scimtest.Doc{"value": id}}})
	i.Groups = nil
	must(t, deliver(t, x, &i))
	wantMembers(t, s, "eng")
	wantMembers(t, s, "board", id.(string))
}

func alone(context.Context, string) (bool, error) { return true, nil }

// TestGroupMadeTwice: SCIM keeps no two groups of a name apart, so of many who
// would make one at the same time one process does.
func TestGroupMadeTwice(t *testing.T) {
	s := scimtest.New(t)
	userstore, err := bolt.Open(filepath.Join(t.TempDir(), "jithook.db"), bolt.Options{})
	must(t, err)
	defer userstore.Close()
	var all sync.WaitGroup
	for n := range 3 { // processes
		first := outbound.Election{Store: userstore, Process: fmt.Sprint("p-", n), Now: time.Now}
		x := connector(t, s.URL, func(o *scim.Options) { o.First = first.First })
		for k := range 4 { // deliveries in each
			all.Go(func() {
				i := ann(func(i *identity.Identity) {
					i.ID = strings.TrimSuffix(annID, "01") + string(rune('a'+n)) + string(rune('a'+k))
					i.Traits["email"] = i.ID + "@acme.example"
				})
				for range 1000 {
					err := deliver(t, x, &i)
					if err == nil {
						return
					}
					if isRejected(err) {
						t.Error(err)
					}
					time.Sleep(time.Millisecond)
				}
				t.Error("never delivered")
			})
		}
	}
	all.Wait()
	for _, name := range []string{"eng", "staff"} {
		if n := len(s.All("Groups", "displayName", name)); n != 1 {
			t.Errorf("%d groups %s", n, name)
		}
		if n := len(s.Members(name)); n != 12 {
			t.Errorf("%d members of %s, want 12", n, name)
		}
	}
}

func TestDelete(t *testing.T) {
	for name, quirks := range map[string]scimtest.Quirks{"plain": {}, "versions": {ETags: true}} {
		t.Run(name, func(t *testing.T) { testDelete(t, quirks) })
	}
}

func testDelete(t *testing.T, quirks scimtest.Quirks) {
	s := scimtest.New(t)
	s.Quirks = quirks
	x := connector(t, s.URL, func(o *scim.Options) { o.OnDeprovision = scim.Delete })
	i := ann(nil)
	must(t, deliver(t, x, &i))
	i.State = identity.StateSuspended
	must(t, deliver(t, x, &i))
	if one(t, s)["active"] != false {
		t.Error("somebody suspended is active")
	}
	i.State, i.Groups = identity.StateDeprovisioned, nil
	for range 2 { // the second finds nobody
		must(t, deliver(t, x, &i))
		if n := len(s.All("Users", "", "")); n != 0 {
			t.Errorf("%d users after the deletion", n)
		}
		if _, told := i.Resource(hr); told {
			t.Error("the account is still noted")
		}
	}
	i = ann(nil)
	must(t, deliver(t, x, &i))
	wantUser(t, one(t, s), account(nil))
}

// TestDeletedIdentity: an account is closed by what was noted of it alone, as the
// target's setting says. What nobody can find any more waits for a person.
func TestDeletedIdentity(t *testing.T) {
	for name, c := range map[string]struct {
		edit  func(*scim.Options)
		note  func(*identity.Identity, *scimtest.Target) // before the deletion
		there int                                        // accounts afterwards, all of them closed
		fails bool
	}{
		"deactivated":       {there: 1},
		"removed":           {edit: func(o *scim.Options) { o.OnDeprovision = scim.Delete }},
		"a lost reply":      {note: func(i *identity.Identity, _ *scimtest.Target) { i.Resources[0].ID = "" }, there: 1},
		"removed by others": {note: func(i *identity.Identity, s *scimtest.Target) { s.Drop("Users", i.Resources[0].ID) }},
		"by name, removed by others": {
			edit: func(o *scim.Options) { o.Lookup = scim.LookupUserName },
			note: func(i *identity.Identity, s *scimtest.Target) { s.Drop("Users", i.Resources[0].ID) }, fails: true,
		},
		"by name, a lost reply": {
			edit: func(o *scim.Options) { o.Lookup = scim.LookupUserName },
			note: func(i *identity.Identity, _ *scimtest.Target) { i.Resources[0].ID = "" }, there: 1, fails: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := scimtest.New(t)
			x := connector(t, s.URL, c.edit)
			i := ann(nil)
			must(t, deliver(t, x, &i))
			if c.note != nil {
				c.note(&i, s)
			}
			i = identity.Identity{ID: i.ID, Userstore: i.Userstore, State: identity.StateDeleted, Revision: 2, Resources: i.Resources}
			err := deliver(t, x, &i)
			if _, rejected := errors.AsType[*outbound.RejectedError](err); rejected != c.fails || (err != nil) != c.fails {
				t.Fatalf("%v", err)
			}
			all := s.All("Users", "", "")
			if len(all) != c.there || c.there > 0 && (all[0]["active"] != c.fails || all[0]["userName"] != "ann@acme.example") {
				t.Errorf("%v", all)
			}
			if n := len(s.Members("eng")); n != 0 && !c.fails && c.there > 0 {
				t.Errorf("%d members of eng", n)
			}
		})
	}
}

// TestNobodyToTell: who was barred before the target was told is not made there.
func TestNobodyToTell(t *testing.T) {
	for _, state := range []identity.State{identity.StateSuspended, identity.StateDeprovisioned, "frozen"} {
		s := scimtest.New(t)
		i := ann(func(i *identity.Identity) { i.State = state })
		must(t, deliver(t, connector(t, s.URL, nil), &i))
		if got := s.Requests(); len(got) > 0 {
			t.Errorf("%s: asked %+v", state, got)
		}
		// Perhaps told, but the target has nobody.
		i.Remember(identity.Resource{Target: hr})
		must(t, deliver(t, connector(t, s.URL, nil), &i))
		if got := s.Writes(); len(got) > 0 {
			t.Errorf("%s: wrote %+v", state, got)
		}
	}
}

// TestGone: an account that the target's people removed is made again.
func TestGone(t *testing.T) {
	s := scimtest.New(t)
	x := connector(t, s.URL, nil)
	i := ann(nil)
	must(t, deliver(t, x, &i))
	s.Drop("Users", one(t, s)["id"].(string))
	s.Drop("Groups", s.All("Groups", "displayName", "eng")[0]["id"].(string))
	must(t, deliver(t, x, &i))
	wantUser(t, one(t, s), account(nil))
	wantMembers(t, s, "eng", one(t, s)["id"].(string))
}

// TestDryRun: nothing is written, nothing noted, and the log has names only.
func TestDryRun(t *testing.T) {
	s := scimtest.New(t)
	var out logged
	dry := connector(t, s.URL, func(o *scim.Options) {
		o.DryRun, o.OnDeprovision, o.Log = true, scim.Delete, slog.New(slog.NewTextHandler(&out, nil))
	})
	wet := connector(t, s.URL, nil)
	i := ann(nil)
	must(t, deliver(t, dry, &i))
	if _, noted := i.Resource(hr); noted {
		t.Error("noted what was not done")
	}
	must(t, deliver(t, wet, &i))
	before := len(s.Writes())
	i.Traits["title"], i.Groups = "Dean", nil
	must(t, deliver(t, dry, &i))
	i.State = identity.StateDeprovisioned
	must(t, deliver(t, dry, &i))
	if got := s.Writes(); len(got) != before {
		t.Errorf("a dry run wrote %+v", got[before:])
	}
	for _, want := range []string{"create user", "update user", "title", "update group", "delete user"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, out.String())
		}
	}
	for _, secret := range []string{"ann@", "Ann", "Chair", "Dean", "R&D", "token", "staff"} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("the log has %q:\n%s", secret, out.String())
		}
	}
}

// TestConcurrently is for the race detector.
func TestConcurrently(t *testing.T) {
	s := scimtest.New(t)
	x := connector(t, s.URL, nil)
	var all sync.WaitGroup
	for n := range 16 {
		all.Go(func() {
			i := ann(func(i *identity.Identity) {
				i.ID, i.Traits["email"] = string(rune('a'+n)), string(rune('a'+n))+"@acme.example"
			})
			if _, err := x.Deliver(context.Background(), i, identity.Delivery{Target: hr}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := len(s.All("Users", "", "")); n != 16 {
		t.Errorf("%d users", n)
	}
}
