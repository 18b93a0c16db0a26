package scim_test

// Whoever is at the target and not ours stays as they are, whatever their names,
// and whatever the target makes of filters; and nobody is made twice when replies
// are lost.

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/outbound"
	"github.com/jithook/jithook/outbound/scim"
	"github.com/jithook/jithook/test/scim/scimtest"
)

func isRejected(err error) bool {
	_, ok := errors.AsType[*outbound.RejectedError](err)
	return ok
}

// stranger is an account that the target's people made, with ann's name.
func stranger(edit func(scimtest.Doc)) scimtest.Doc {
	d := scimtest.Doc{"userName": "Ann@acme.example", "active": true, "title": "Intern", "externalId": "of-another"}
	if edit != nil {
		edit(d)
	}
	return d
}

func without(names ...string) func(scimtest.Doc) {
	return func(d scimtest.Doc) {
		maps.DeleteFunc(d, func(k string, _ any) bool { return slices.Contains(names, k) })
	}
}

// everyWay is each quirk, with the lookup that copes with it and those that do not.
var everyWay = map[string]struct {
	quirks scimtest.Quirks
	lookup string
}{
	"as the standard says":        {scimtest.Quirks{}, scim.LookupExternalID},
	"409 without scimType":        {scimtest.Quirks{PlainConflict: true}, scim.LookupExternalID},
	"filter ignored":              {scimtest.Quirks{IgnoresFilter: true}, scim.LookupExternalID},
	"filter ignored, by name":     {scimtest.Quirks{IgnoresFilter: true}, scim.LookupUserName},
	"no filter on externalId":     {scimtest.Quirks{NoExternalIDFilter: true}, scim.LookupExternalID},
	"by userName":                 {scimtest.Quirks{NoExternalIDFilter: true}, scim.LookupUserName},
	"no filter":                   {scimtest.Quirks{IgnoresFilter: true}, scim.LookupNone},
	"GET is empty, POST says 409": {scimtest.Quirks{FindsNobody: true, PlainConflict: true}, scim.LookupExternalID},
	"versions":                    {scimtest.Quirks{ETags: true}, scim.LookupExternalID},
	"PUT":                         {scimtest.Quirks{NoPatch: true}, scim.LookupExternalID},
}

// TestS57_Strangers: somebody at the target has the name that a new account would
// have. Nothing of theirs changes, in any state of the identity.
func TestS57_Strangers(t *testing.T) {
	for name, way := range everyWay {
		for owner, edit := range map[string]func(scimtest.Doc){"of another": nil, "of nobody": without("externalId")} {
			t.Run(name+", "+owner, func(t *testing.T) {
				s := scimtest.New(t)
				s.Quirks = way.quirks
				s.Put("Users", stranger(edit))
				before := s.All("Users", "", "")
				x := connector(t, s.URL, func(o *scim.Options) { o.Lookup, o.OnDeprovision = way.lookup, scim.Delete })
				i := ann(nil)
				err := deliver(t, x, &i)
				if err == nil {
					t.Error("delivered")
				}
				if cannot := way.quirks.IgnoresFilter || way.quirks.NoExternalIDFilter; isRejected(err) != (!cannot || way.lookup != scim.LookupExternalID) {
					t.Errorf("given up: %v (%v)", isRejected(err), err)
				}
				for _, state := range []identity.State{identity.StateSuspended, identity.StateDeprovisioned} {
					i.State = state
					_ = deliver(t, x, &i)
				}
				if diff := cmp.Diff(before, s.All("Users", "", "")); diff != "" {
					t.Errorf("the stranger's account (-before +after):\n%s", diff)
				}
				for _, w := range s.Writes() {
					if w.Method != "POST" {
						t.Errorf("wrote %s %s", w.Method, w.Path)
					}
				}
			})
		}
	}
}

// TestS57_IDGivenAway: an id that was noted belongs to somebody else by now.
func TestS57_IDGivenAway(t *testing.T) {
	s := scimtest.New(t)
	i := ann(nil)
	id := s.Put("Users", stranger(func(d scimtest.Doc) { d["userName"] = "bob@acme.example" }))
	before := s.All("Users", "", "")
	i.Remember(identity.Resource{Target: hr, ID: id})
	for _, state := range []identity.State{identity.StateActive, identity.StateSuspended, identity.StateDeprovisioned} {
		i.State = state
		if err := deliver(t, connector(t, s.URL, func(o *scim.Options) { o.OnDeprovision = scim.Delete }), &i); !isRejected(err) {
			t.Errorf("%s: %v", state, err)
		}
	}
	if diff := cmp.Diff(before, s.All("Users", "", "")); diff != "" {
		t.Errorf("the stranger's account (-before +after):\n%s", diff)
	}
}

// TestS57_Adopt: with the operator's word an account without an owner is taken
// over, and no other.
func TestS57_Adopt(t *testing.T) {
	for name, c := range map[string]struct {
		edit    func(scimtest.Doc)
		quirks  scimtest.Quirks
		lookup  string
		another bool // that has the name
		adopted bool
	}{
		"nobody's":                   {without("externalId"), scimtest.Quirks{}, scim.LookupExternalID, false, true},
		"nobody's, with versions":    {without("externalId"), scimtest.Quirks{ETags: true}, scim.LookupExternalID, false, true},
		"nobody's, found by name":    {without("externalId"), scimtest.Quirks{NoExternalIDFilter: true}, scim.LookupUserName, false, true},
		"empty externalId":           {func(d scimtest.Doc) { d["externalId"] = "" }, scimtest.Quirks{}, scim.LookupExternalID, false, true},
		"another's":                  {nil, scimtest.Quirks{}, scim.LookupExternalID, false, false},
		"another name":               {func(d scimtest.Doc) { d["userName"] = "bob"; delete(d, "externalId") }, scimtest.Quirks{IgnoresFilter: true}, scim.LookupUserName, false, false},
		"two of the name":            {without("externalId"), scimtest.Quirks{IgnoresFilter: true}, scim.LookupUserName, true, false},
		"no filter, nobody to adopt": {without("externalId"), scimtest.Quirks{}, scim.LookupNone, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := scimtest.New(t)
			s.Quirks = c.quirks
			id := s.Put("Users", stranger(c.edit))
			if c.another {
				s.Put("Users", stranger(c.edit))
			}
			before := s.All("Users", "", "")
			x := connector(t, s.URL, func(o *scim.Options) { o.Adopt, o.Lookup = true, c.lookup })
			i := ann(nil)
			err := deliver(t, x, &i)
			if c.adopted {
				must(t, err)
				wantUser(t, one(t, s), account(nil))
				if has, _ := i.Resource(hr); has.ID != id {
					t.Errorf("noted %+v", has)
				}
				return
			}
			if diff := cmp.Diff(before, s.All("Users", "id", id)); diff != "" && !c.another {
				t.Errorf("the account (-before +after), %v:\n%s", err, diff)
			}
			if c.another && !isRejected(err) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestLostReplies: the target did what it was told and the reply was lost, at any
// write. Nobody is made twice, and all ends as it should.
func TestLostReplies(t *testing.T) {
	for name, c := range map[string]struct {
		quirks scimtest.Quirks
		lookup string
	}{
		"as the standard says": {scimtest.Quirks{}, scim.LookupExternalID},
		"by userName":          {scimtest.Quirks{NoExternalIDFilter: true, PlainConflict: true}, scim.LookupUserName},
		"PUT, versions":        {scimtest.Quirks{NoPatch: true, ETags: true}, scim.LookupExternalID},
	} {
		t.Run(name, func(t *testing.T) {
			s := scimtest.New(t)
			s.Quirks, s.Losing = c.quirks, 5
			x := connector(t, s.URL, func(o *scim.Options) { o.Lookup = c.lookup })
			i := ann(nil)
			failed := 0
			for ; failed < 20; failed++ {
				err := deliver(t, x, &i)
				if err == nil {
					break
				}
				if isRejected(err) {
					t.Fatal(err)
				}
			}
			if failed < 4 {
				t.Errorf("%d attempts failed: the test lost nothing", failed)
			}
			wantUser(t, one(t, s), account(nil))
			id := one(t, s)["id"].(string)
			wantMembers(t, s, "eng", id)
			wantMembers(t, s, "staff", id)
			if n := len(s.All("Groups", "", "")); n != 2 {
				t.Errorf("%d groups", n)
			}
		})
	}
}

// TestLostReplyWithoutFilter: where nobody can tell whose the account is, a person
// has to.
func TestLostReplyWithoutFilter(t *testing.T) {
	s := scimtest.New(t)
	s.Quirks, s.Losing = scimtest.Quirks{FindsNobody: true, PlainConflict: true}, 1
	x := connector(t, s.URL, func(o *scim.Options) { o.Lookup = scim.LookupNone })
	i := ann(nil)
	if err := deliver(t, x, &i); err == nil || isRejected(err) {
		t.Fatalf("the lost reply: %v", err)
	}
	if err := deliver(t, x, &i); !isRejected(err) {
		t.Errorf("got %v", err)
	}
	i.State = identity.StateSuspended
	if err := deliver(t, x, &i); !isRejected(err) {
		t.Errorf("suspended: %v, and the account is active for all that anybody knows", err)
	}
	one(t, s)
}

// TestOvertaken: somebody else changes the account between reading and writing.
func TestOvertaken(t *testing.T) {
	for name, always := range map[string]bool{"once": false, "each time": true} {
		t.Run(name, func(t *testing.T) {
			s := scimtest.New(t)
			s.Quirks.ETags = true
			x := connector(t, s.URL, nil)
			i := ann(nil)
			i.Groups = nil
			must(t, deliver(t, x, &i))
			id := one(t, s)["id"].(string)
			s.Before = overtake(s, id, always)
			i.Traits["title"] = "Dean"
			err := deliver(t, x, &i)
			if always {
				if err == nil || isRejected(err) {
					t.Errorf("got %v", err)
				}
				return
			}
			must(t, err)
			wantUser(t, one(t, s), account(func(d scimtest.Doc) { d["title"], d["nickName"] = "Dean", "Annie" }))
		})
	}
}

// TestErrorsSayNothing: no error holds a value, a name or what the target wrote.
func TestErrorsSayNothing(t *testing.T) {
	for name, way := range everyWay {
		s := scimtest.New(t)
		s.Quirks = way.quirks
		s.Put("Users", stranger(nil))
		i := ann(nil)
		err := deliver(t, connector(t, s.URL, func(o *scim.Options) { o.Lookup = way.lookup }), &i)
		quiet(t, name, err)
	}
}

func quiet(t *testing.T, name string, err error) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error", name)
		return
	}
	for _, secret := range []string{"ann", "Ann", "SECRET", "token", "127.0.0.1:", "/Users", annID} {
		if strings.Contains(strings.ReplaceAll(err.Error(), "token endpoint gave no token", ""), secret) {
			t.Errorf("%s: the error has %q: %v", name, secret, err)
		}
	}
}
