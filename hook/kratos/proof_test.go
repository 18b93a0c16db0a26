// These tests prove what Kratos is told where it has to ask for a proof: the
// person as the provider describes them, whole, and nothing of whom they may
// turn out to be; and that its settings connect only what is awaited.
package kratos_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/kratos"
	"github.com/jithook/jithook/test/service"
)

const globex = `
version: 1
provider: globex
issuer: https://globex.example
trust: {authoritative_domains: [acme.example]}
jit:
  enabled: true
  account_lookup: [{local: /traits/email, federated: claims.email}]
  account_linking: auto
traits:
  email: {value: claims.email, verified: claims.email_verified, canonical: email, unique: true, required: true}
  name: {value: claims.name}
`

// linking is a server at which globex may link to ann, who is k-1 in Kratos, and
// which restores only her name.
func linking(t *testing.T) *server {
	t.Helper()
	s := serve(t, "name")
	over, err := service.Over(s.Bolt, &s.log, acme, globex)
	if err != nil {
		t.Fatal(err)
	}
	s.Service.Service.Providers = over.Providers
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		who := object{"id": "k-1", "schema_id": "s", "schema_url": "u", "traits": object{}, "credentials": object{"oidc": object{"identifiers": []string{"acme:s-1"}}}}
		switch {
		case r.URL.Query().Get("credentials_identifier") == "ann@acme.example":
			json.NewEncoder(w).Encode([]object{who})
		case r.URL.Path == "/admin/identities":
			json.NewEncoder(w).Encode([]object{})
		default:
			json.NewEncoder(w).Encode(who)
		}
	}))
	t.Cleanup(api.Close)
	s.post("/registration/prepare", payload(nobody))
	s.post("/registration/commit", payload("k-1"))
	admin, err := kratos.NewAdmin(api.URL, "")
	if err != nil {
		t.Fatal(err)
	}
	s.Kratos = map[string]*kratos.Admin{"main": admin}
	return s
}

func byGlobex(email string) object {
	return payload(nobody, func(who, _ object) {
		who["traits"] = object{"email": "forged@acme.example", "name": "Forged", "department": "Root"}
		who["metadata_public"] = object{"jithook": object{
			"provider": "globex", "issuer": "https://globex.example", "subject": "g-1", "identity_id": "forged",
			"claims": object{"email": email, "email_verified": true, "name": "Ann at Globex"},
			"traits": object{"email": email, "name": "Ann at Globex"},
		}}
	})
}

func TestProofIsAwaited(t *testing.T) {
	s := linking(t)
	status, reply := s.post("/registration/prepare", byGlobex("Ann@acme.example"))
	want := object{"identity": object{
		"traits": object{"email": "ann@acme.example", "name": "Ann at Globex"},
		"metadata_public": object{"jithook": object{
			"provider": "globex", "issuer": "https://globex.example", "subject": "g-1",
			"traits": object{"email": "Ann@acme.example", "name": "Ann at Globex"},
		}},
		"verifiable_addresses": []any{object{"value": "ann@acme.example", "via": "email", "verified": true, "status": "completed"}},
	}}
	if diff := cmp.Diff(want, reply); status != http.StatusOK || diff != "" {
		t.Errorf("status %d (-want +got):\n%s", status, diff)
	}
	i := s.only()
	if len(i.Proposals) != 1 || i.Proposals[0].State != identity.ProposalAwaited || i.Traits["name"] != "Ann" {
		t.Errorf("%+v", i)
	}
}

func TestConnectingWhatIsAwaited(t *testing.T) {
	s := linking(t)
	if status, reply := s.post("/settings/check", payload("k-1")); status != http.StatusForbidden {
		t.Errorf("nothing is awaited: %d %v", status, reply)
	}
	s.post("/registration/prepare", byGlobex("ann@acme.example"))
	if status, reply := s.post("/settings/check", payload("k-1")); status != http.StatusNoContent {
		t.Errorf("awaited: %d %v", status, reply)
	}
	if status, reply := s.post("/settings/check", payload("k-2")); status != http.StatusForbidden {
		t.Errorf("of somebody else: %d %v", status, reply)
	}
	s.Kratos = nil
	if status, reply := s.post("/settings/check", payload("k-1")); status != http.StatusForbidden {
		t.Errorf("without an Admin API: %d %v", status, reply)
	}
}
