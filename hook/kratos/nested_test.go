package kratos_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// nested maps into objects of Kratos's schema, and one of them as a whole.
var nested = strings.Replace(acme, "name: {value: claims.name}",
	"name: {value: claims.name}\n  address/country: {value: claims.country}\n  contact/mail/work: {value: claims.email, canonical: email, verified: claims.email_verified}\n  office: {value: claims.office}", 1)

// at an office adds what the nested traits are made of.
func atOffice(who, _ object) {
	ours := who["metadata_public"].(object)["jithook"].(object)
	ours["claims"].(object)["country"] = "DE"
	ours["claims"].(object)["office"] = object{"floor": 2}
	ours["traits"].(object)["address"] = object{"country": "DE"}
}

// The neighbours of a mapped trait are as much the client's invention as any
// other at the first sign-in, and the person's own afterwards; of what is mapped
// as a whole they are neither.
func TestForgedBesideNestedTraits(t *testing.T) {
	s := serveFile(t, nested)
	forged := object{
		"email": "ann@acme.example", "name": "Ann", "address": object{"country": "XX", "street": "Forged 1"},
		"contact": object{"mail": object{"work": "ceo@acme.example", "home": "x@evil.example"}, "phone": "+1"},
		"office":  object{"floor": 99, "key": "master"},
	}
	_, reply := s.post("/registration/prepare", payload(nobody, atOffice, traits(forged)))
	who, _ := reply["identity"].(object)
	truth := object{
		"email": "ann@acme.example", "name": "Ann", "address": object{"country": "DE"},
		"contact": object{"mail": object{"work": "ann@acme.example"}}, "office": object{"floor": 2.0},
	}
	if diff := cmp.Diff(any(truth), who["traits"]); diff != "" {
		t.Errorf("registration (-want +got):\n%s", diff)
	}
	if addresses, _ := who["verifiable_addresses"].([]any); len(addresses) != 1 {
		t.Errorf("verifiable addresses %v, want one: email and contact/mail/work are the same", addresses)
	}

	s.post("/registration/commit", payload("k-1", signedIn()))
	for name, c := range map[string]struct{ posted, want object }{
		"beside them": {forged, object{
			"email": "ann@acme.example", "name": "Ann", "address": object{"country": "DE", "street": "Forged 1"},
			"contact": object{"mail": object{"work": "ann@acme.example", "home": "x@evil.example"}, "phone": "+1"},
			"office":  object{"floor": 2.0},
		}},
		"something in their place": {object{"email": "ann@acme.example", "name": "Ann", "address": "none", "contact": object{"mail": []any{}}, "office": []any{}}, truth},
	} {
		t.Run(name, func(t *testing.T) {
			status, reply := s.post("/settings/profile", payload("k-1", signedIn(), traits(c.posted)))
			who, _ := reply["identity"].(object)
			if diff := cmp.Diff(any(c.want), who["traits"]); status != 200 || diff != "" {
				t.Errorf("status %d (-want +got):\n%s", status, diff)
			}
		})
	}
}
