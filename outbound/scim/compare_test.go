package scim_test

// A comparison says what a delivery would write, in words without values, and
// writes nothing.

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/outbound"
	"github.com/jithook/jithook/outbound/scim"
	"github.com/jithook/jithook/test/scim/scimtest"
)

func TestCompare(t *testing.T) {
	for name, quirks := range map[string]scimtest.Quirks{"PATCH": {}, "groups seen": {ShowsGroups: true}, "PUT": {NoPatch: true}} {
		t.Run(name, func(t *testing.T) {
			s := scimtest.New(t)
			s.Quirks = quirks
			x := connector(t, s.URL, func(o *scim.Options) { o.OnDeprovision = scim.Delete })
			i := ann(nil)
			differs := func(want ...outbound.Difference) {
				t.Helper()
				before := len(s.Writes())
				got, err := x.Compare(t.Context(), i.Clone(), identity.Delivery{Target: hr, Revision: 1})
				must(t, err)
				if diff := cmp.Diff(append([]outbound.Difference{}, want...), got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				if after := s.Writes(); len(after) != before {
					t.Errorf("wrote %+v", after[before:])
				}
			}
			differs(outbound.Difference{What: "create user", Attributes: []string{"active", "emails", "externalId", "name", "schemas", "title", enterprise, "userName"}})
			must(t, deliver(t, x, &i))
			differs()
			id := one(t, s)["id"].(string)

			i.Traits["title"] = "Dean"
			differs(outbound.Difference{What: "update user", Attributes: []string{"title"}})
			i.Traits["title"] = "Chair"
			s.Drop("Groups", s.All("Groups", "displayName", "eng")[0]["id"].(string))
			differs(outbound.Difference{What: "create group", Attributes: []string{}})
			i.Groups = i.Groups[1:]
			differs()
			i.Groups = nil
			differs(outbound.Difference{What: "update group", Attributes: []string{"members"}})
			i.State = identity.StateDeprovisioned
			differs(outbound.Difference{What: "delete user", Attributes: []string{}})
			s.Drop("Users", id)
			differs()
		})
	}
}
