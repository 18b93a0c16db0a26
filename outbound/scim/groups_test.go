package scim_test

// Groups at targets that do not find them, or whose people rename them: none is
// made twice, and no membership stays that was granted on our word.

import (
	"io"
	"net/http"
	"testing"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/outbound/scim"
	"github.com/jithook/jithook/test/scim/scimtest"
)

// TestGroupsUnfound: where the target does not find groups by their names, none is
// made, and the deliveries of those in groups are given up: no others wait for
// them. Nothing keeps an account open.
func TestGroupsUnfound(t *testing.T) {
	for name, c := range map[string]struct {
		quirks   scimtest.Quirks
		lookup   string
		there    []string // groups
		rejected bool
	}{
		"filter ignored":                 {scimtest.Quirks{IgnoresFilter: true}, scim.LookupUserName, []string{"board", "chess", "eng", "staff"}, true},
		"filter ignored, one group":      {scimtest.Quirks{IgnoresFilter: true}, scim.LookupUserName, []string{"board"}, true},
		"filter refused":                 {scimtest.Quirks{NoFilter: true}, scim.LookupNone, []string{"eng", "staff"}, true},
		"case ignored, all but the case": {scimtest.Quirks{FoldsCase: true}, scim.LookupExternalID, []string{"Eng", "ENG", "eng", "staff"}, true},
		"case ignored, one":              {scimtest.Quirks{FoldsCase: true}, scim.LookupExternalID, []string{"Eng", "staff"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := scimtest.New(t)
			s.Quirks = c.quirks
			for _, group := range c.there {
				s.Put("Groups", scimtest.Doc{"displayName": group})
			}
			i := ann(nil)
			for range 2 { // each process, and each time that the memory of groups is over
				x := connector(t, s.URL, func(o *scim.Options) { o.Lookup = c.lookup })
				if err := deliver(t, x, &i); isRejected(err) != c.rejected || (err != nil) != c.rejected {
					t.Errorf("got %v", err)
				}
			}
			if n := len(s.All("Groups", "", "")) - len(c.there); c.rejected && n != 0 || n > 1 {
				t.Errorf("%d groups were made", n)
			}
			i.State = identity.StateSuspended
			_ = deliver(t, connector(t, s.URL, func(o *scim.Options) { o.Lookup = c.lookup }), &i)
			if one(t, s)["active"] != false {
				t.Error("somebody suspended is active")
			}
		})
	}
}

// TestGroupLostAndUngrantable: a group that was lost is taken even if another
// cannot be granted.
func TestGroupLostAndUngrantable(t *testing.T) {
	s := scimtest.New(t)
	x := connector(t, s.URL, func(o *scim.Options) { o.Groups = scim.GroupsKnown })
	s.Put("Groups", scimtest.Doc{"displayName": "staff"})
	i := ann(nil)
	must(t, deliver(t, x, &i))
	s.Put("Groups", scimtest.Doc{"displayName": "board"})
	s.Put("Groups", scimtest.Doc{"displayName": "board"})
	i.Groups = []identity.Group{{Name: "board", Source: "provider:acme"}}
	if err := deliver(t, x, &i); !isRejected(err) {
		t.Errorf("got %v", err)
	}
	wantMembers(t, s, "staff")
}

// TestGatewaySays404: an answer that a gateway gives for everything does not prove
// that somebody's account is gone.
func TestGatewaySays404(t *testing.T) {
	for _, lookup := range []string{scim.LookupExternalID, scim.LookupUserName, scim.LookupNone} {
		t.Run(lookup, func(t *testing.T) {
			s := scimtest.New(t)
			x := connector(t, s.URL, func(o *scim.Options) { o.Lookup, o.Groups = lookup, scim.GroupsNone })
			i := ann(nil)
			must(t, deliver(t, x, &i))
			gateway := true
			s.Before = func(w http.ResponseWriter, _ *http.Request) bool {
				if gateway {
					w.WriteHeader(http.StatusNotFound)
					_, _ = io.WriteString(w, "<html>")
				}
				return gateway
			}
			for _, state := range []identity.State{identity.StateSuspended, identity.StateDeprovisioned} {
				i.State = state
				if err := deliver(t, x, &i); err == nil {
					t.Errorf("%s: delivered", state)
				}
			}
			gateway = false
			must(t, deliver(t, x, &i))
			if one(t, s)["active"] != false {
				t.Error("the account is open")
			}
		})
	}
}

// TestGroupRenamed: the target's people give a group another name. Whoever was in
// it on our word loses that with the group, or at once, since what it is now was
// not granted.
func TestGroupRenamed(t *testing.T) {
	rename := func(s *scimtest.Target) {
		s.Rename("Groups", s.All("Groups", "displayName", "eng")[0]["id"].(string), "displayName", "engineering")
	}
	lost := func(i *identity.Identity) { i.Groups = i.Groups[1:] }
	kept := func(*identity.Identity) {}
	for name, c := range map[string]struct {
		mode   string
		change func(*identity.Identity)
		fails  bool // before, having granted
		eng    int  // members of a group that has the name
	}{
		"lost":                   {scim.GroupsKnown, lost, false, 0},
		"lost, after a failure":  {scim.GroupsKnown, lost, true, 0},
		"kept":                   {scim.GroupsKnown, kept, false, 0},
		"kept, and made again":   {scim.GroupsCreate, kept, false, 1},
		"all lost with the rest": {scim.GroupsKnown, func(i *identity.Identity) { i.State, i.Groups = identity.StateDeprovisioned, nil }, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := scimtest.New(t)
			fresh := func() *scim.Connector { return connector(t, s.URL, func(o *scim.Options) { o.Groups = c.mode }) }
			s.Put("Groups", scimtest.Doc{"displayName": "eng", "members": []any{scimtest.Doc{"value": "U-of-theirs"}}})
			s.Put("Groups", scimtest.Doc{"displayName": "staff"})
			i := ann(nil)
			must(t, deliver(t, fresh(), &i))
			if c.fails {
				i = ann(nil)
				s.Drop("Users", one(t, s)["id"].(string))
				s.Before = func(w http.ResponseWriter, r *http.Request) bool {
					if failing := r.Method == http.MethodGet && r.URL.Query().Get("filter") == `displayName eq "staff"`; failing {
						w.WriteHeader(http.StatusInternalServerError)
						return true
					}
					return false
				}
				if err := deliver(t, fresh(), &i); err == nil {
					t.Fatal("delivered")
				}
				has, _ := i.Resource(hr)
				has.Groups = i.GroupNames() // as the lease notes them
				i.Remember(has)
				s.Before = nil
			}
			rename(s)
			c.change(&i)
			if drift, err := fresh().Compare(t.Context(), i.Clone(), identity.Delivery{Target: hr}); err != nil || len(drift) == 0 {
				t.Errorf("compared: %v, %v", drift, err)
			}
			must(t, deliver(t, fresh(), &i))
			if got := s.Members("engineering"); len(got) == 0 || got[0] != "U-of-theirs" || len(got) > 1 && got[len(got)-1] == one(t, s)["id"] {
				t.Errorf("members of the renamed group: %q", got)
			}
			if n := len(s.Members("eng")); n != c.eng {
				t.Errorf("%d members of eng, want %d", n, c.eng)
			}
			if drift, err := fresh().Compare(t.Context(), i.Clone(), identity.Delivery{Target: hr}); err != nil || len(drift) > 0 {
				t.Errorf("compared afterwards: %v, %v", drift, err)
			}
		})
	}
}
