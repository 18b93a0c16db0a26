package scim_test

// A reply was lost, and the name changes before the next attempt: nobody is made
// twice, and nobody who is barred counts as closed.

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/outbound/scim"
	"github.com/jithook/jithook/test/scim/scimtest"
)

const married = "ann.fox@acme.example"

func TestLostReplyAndNewName(t *testing.T) {
	for lookup, refused := range map[string]bool{scim.LookupExternalID: false, scim.LookupUserName: true, scim.LookupNone: true} {
		for name, lose := range map[string]func(*testing.T, *scimtest.Target, *scim.Connector, *identity.Identity){
			"by the target": func(t *testing.T, s *scimtest.Target, x *scim.Connector, i *identity.Identity) {
				s.Losing = 1
				if err := deliver(t, x, i); err == nil || isRejected(err) {
					t.Fatalf("the lost reply: %v", err)
				}
			},
			"by a process that died": func(t *testing.T, s *scimtest.Target, x *scim.Connector, i *identity.Identity) {
				i.Remember(x.Intend(t.Context(), i.Clone(), identity.Delivery{Target: hr}))
				s.Put("Users", account(nil))
			},
			"of an account that was made again": func(t *testing.T, s *scimtest.Target, x *scim.Connector, i *identity.Identity) {
				must(t, deliver(t, x, i))
				s.Drop("Users", one(t, s)["id"].(string))
				s.Losing = 1
				if err := deliver(t, x, i); err == nil {
					t.Fatal("the lost reply: delivered")
				}
			},
		} {
			t.Run(lookup+", "+name, func(t *testing.T) {
				s := scimtest.New(t)
				x := connector(t, s.URL, func(o *scim.Options) { o.Lookup, o.Groups = lookup, scim.GroupsNone })
				i := ann(nil)
				lose(t, s, x, &i)
				if has, _ := i.Resource(hr); strings.Contains(has.Told, "ann") {
					t.Errorf("noted %+v", has)
				}
				i.Traits["email"] = married
				for range 2 {
					if err := deliver(t, x, &i); isRejected(err) != refused || (err != nil) != refused {
						t.Errorf("with the new name: %v", err)
					}
				}
				one(t, s)
				i.State = identity.StateSuspended
				err := deliver(t, x, &i)
				if open := one(t, s)["active"] != false; isRejected(err) != refused || open != refused {
					t.Errorf("suspended: %v, and the account is open: %v", err, open)
				}
				// Once somebody has noted the account's id, as a comparison does, all is well.
				noted := i.Clone()
				has, _ := noted.Resource(hr)
				has.ID = one(t, s)["id"].(string)
				noted.Remember(has)
				noted.State = identity.StateActive
				must(t, deliver(t, x, &noted))
				if got, _ := noted.Resource(hr); one(t, s)["userName"] != married || got.Told != "" {
					t.Errorf("%v, noted %+v", one(t, s), got)
				}
				s.Rename("Users", has.ID, "userName", "ann@acme.example")
				if lookup != scim.LookupUserName {
					return
				}
				// Under the old name it is found, and under the new one, too.
				i.Traits["email"] = "ann@acme.example"
				must(t, deliver(t, x, &i))
				if one(t, s)["active"] != false {
					t.Error("the account is open")
				}
			})
		}
	}
}

// TestNeverMade: where no account can have been made, a new name is no matter.
func TestNeverMade(t *testing.T) {
	says := func(status int) func(*scimtest.Target) {
		return func(s *scimtest.Target) {
			s.Before = func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method != http.MethodPost {
					return false
				}
				w.WriteHeader(status)
				_, _ = io.WriteString(w, "{}")
				return true
			}
		}
	}
	for name, c := range map[string]struct {
		fail func(*scimtest.Target)
		made bool // for all that anybody knows
	}{
		"refused":           {says(400), false},
		"taken":             {func(s *scimtest.Target) { s.Put("Users", stranger(nil)) }, false},
		"too many requests": {says(429), false},
		"unauthorized":      {says(401), false},
		"timed out":         {says(408), true},
		"broken":            {says(500), true},
		"unavailable":       {says(503), true},
		"no resource":       {says(201), true},
	} {
		for _, lookup := range []string{scim.LookupUserName, scim.LookupNone} {
			t.Run(name+", "+lookup, func(t *testing.T) {
				s := scimtest.New(t)
				c.fail(s)
				x := connector(t, s.URL, func(o *scim.Options) { o.Lookup, o.Groups = lookup, scim.GroupsNone })
				i := ann(nil)
				if err := deliver(t, x, &i); err == nil {
					t.Fatal("delivered")
				}
				s.Before = nil
				i.Traits["email"] = married
				if err := deliver(t, x, &i); isRejected(err) != c.made || (err != nil) != c.made {
					t.Errorf("with the new name: %v", err)
				}
				if n := len(s.All("Users", "userName", married)); (n == 0) != c.made {
					t.Errorf("%d accounts", n)
				}
			})
		}
	}
	t.Run("nobody listens", func(t *testing.T) {
		s := scimtest.New(t)
		s.Before = func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Connection", "close") // so that a new one is made
			return false
		}
		front := httptest.NewServer(s)
		x := connector(t, front.URL, func(o *scim.Options) { o.Lookup, o.Groups = scim.LookupNone, scim.GroupsNone })
		bob := ann(func(i *identity.Identity) { i.ID, i.Traits["email"] = "bob", "bob@acme.example" })
		must(t, deliver(t, x, &bob)) // what the target can do is known by now
		front.Close()
		i := ann(nil)
		if err := deliver(t, x, &i); err == nil {
			t.Fatal("delivered")
		}
		back := httptest.NewUnstartedServer(s)
		back.Listener.Close()
		l, err := net.Listen("tcp", strings.TrimPrefix(front.URL, "http://"))
		must(t, err)
		back.Listener = l
		back.Start()
		defer back.Close()
		i.Traits["email"] = married
		must(t, deliver(t, x, &i))
	})
}

// TestBarredAmongOthers: where a target shows others than it is asked for, it does
// not say that somebody barred has no account.
func TestBarredAmongOthers(t *testing.T) {
	s := scimtest.New(t)
	s.Quirks.IgnoresFilter = true
	for n := range 3 {
		s.Put("Users", stranger(func(d scimtest.Doc) { d["userName"] = fmt.Sprint("someone-", n) }))
	}
	s.Losing = 1
	x := connector(t, s.URL, func(o *scim.Options) { o.Lookup, o.Groups = scim.LookupUserName, scim.GroupsNone })
	i := ann(nil)
	if err := deliver(t, x, &i); err == nil {
		t.Fatal("delivered")
	}
	i.State = identity.StateSuspended
	if err := deliver(t, x, &i); !isRejected(err) {
		t.Errorf("got %v", err)
	}
}
