package generic_test

// These tests prove what a caller hears when a second provider's subject is
// somebody who is there: the same account, or a no that shows nobody.

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/jithook/jithook/hook/generic"
	"github.com/jithook/jithook/identity"
)

const people = `
version: 1
provider: %s
issuer: https://%[1]s.example
trust: {authoritative_domains: [acme.example]}
jit: {enabled: true, account_lookup: [{local: /traits/email, federated: claims.email}], account_linking: %s}
traits:
  email: {value: claims.email, verified: claims.email_verified, canonical: email, unique: true, required: true}
  phone: {value: claims.phone}
groups: {from: claims.groups, allow: [staff, partner]}
`

func TestSecondProvider(t *testing.T) {
	for mode, c := range map[string]struct {
		status   int
		decision identity.Decision
		code     identity.Code
	}{
		"auto":     {http.StatusOK, identity.Linked, identity.CodeLinked},
		"confirm":  {http.StatusForbidden, identity.Denied, identity.CodeLinkApprovalRequired},
		"disabled": {http.StatusForbidden, identity.Denied, identity.CodeLinkingDisabled},
	} {
		t.Run(mode, func(t *testing.T) {
			s := serveAll(t, fmt.Sprintf(people, "acme", "disabled"), fmt.Sprintf(people, "other", mode))
			first := s.post(`{"version":1,"provider":"acme","subject":"s-1","claims":{"email":"ann@acme.example","email_verified":true,"phone":"555-0100","groups":["staff"]}}`)
			var made, got generic.Response
			if err := json.Unmarshal(first.Body.Bytes(), &made); err != nil || made.Decision != identity.Created {
				t.Fatalf("%d %s", first.Code, first.Body)
			}
			w := s.post(`{"version":1,"provider":"other","subject":"o-1","claims":{"email":"Ann@ACME.example","email_verified":true,"groups":["partner"]}}`)
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != c.status || got.Decision != c.decision || got.Reasons[0].Code != c.code {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
			if c.decision == identity.Linked {
				if got.Identity.ID != made.Identity.ID || !slices.Equal(got.Identity.Groups, []string{"partner", "staff"}) {
					t.Errorf("%s", w.Body)
				}
				return
			}
			for _, secret := range []string{made.Identity.ID, "ann@", "555-0100", "staff", "s-1", "acme"} {
				if strings.Contains(strings.ToLower(w.Body.String()), secret) {
					t.Errorf("a refusal tells %q: %s", secret, w.Body)
				}
			}
		})
	}
}
