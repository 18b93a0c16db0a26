//go:build unix

package kratos_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jithook/jithook/test/kratos/kratostest"
)

// unverifiedSchema is an identity schema in which no address can be verified.
const unverifiedSchema = `{
  "$id": "https://jithook.example/test/unverified.json",
  "type": "object",
  "properties": { "traits": { "type": "object", "properties": {
    "email": { "type": "string" }, "name": { "type": "string" }
  }, "additionalProperties": false } }
}`

// TestPrepareReply proves what Kratos stores after a reply to prepare. Each case
// is a sentence that jithook's reply rests on; a newer Kratos that breaks one
// shows here first. EMAIL stands for an address of the case's own.
func TestPrepareReply(t *testing.T) {
	t.Parallel()
	op, h, k := standInWorld(t, "")
	cases := 0
	for name, tc := range map[string]struct {
		reply    string
		traits   string
		verified bool
		metadata string
	}{
		"an address is verified where the reply says so, also for another e-mail": {
			reply:    `{"traits":{"email":"EMAIL","name":"N"},"metadata_public":{"j":"1"},"verifiable_addresses":[{"value":"EMAIL","via":"email","verified":true,"status":"completed"}]}`,
			traits:   `{"email":"EMAIL","name":"N"}`,
			verified: true,
			metadata: `{"j":"1"}`,
		},
		"the status may be missing": {
			reply:    `{"traits":{"email":"EMAIL"},"metadata_public":{"j":"1"},"verifiable_addresses":[{"value":"EMAIL","via":"email","verified":true}]}`,
			traits:   `{"email":"EMAIL"}`,
			verified: true,
			metadata: `{"j":"1"}`,
		},
		"without via an address is dropped": {
			reply:    `{"traits":{"email":"EMAIL"},"metadata_public":{"j":"1"},"verifiable_addresses":[{"value":"EMAIL","verified":true}]}`,
			traits:   `{"email":"EMAIL"}`,
			metadata: `{"j":"1"}`,
		},
		"an address that no trait holds is dropped": {
			reply:    `{"traits":{"email":"EMAIL"},"metadata_public":{"j":"1"},"verifiable_addresses":[{"value":"x-EMAIL","via":"email","verified":true,"status":"completed"}]}`,
			traits:   `{"email":"EMAIL"}`,
			metadata: `{"j":"1"}`,
		},
		"a trait that the reply lacks is removed; an empty object replaces metadata": {
			reply:    `{"traits":{"email":"EMAIL"},"metadata_public":{}}`,
			traits:   `{"email":"EMAIL"}`,
			metadata: `{}`,
		},
		"null clears metadata": {
			reply:    `{"traits":{"email":"EMAIL"},"metadata_public":null}`,
			traits:   `{"email":"EMAIL"}`,
			metadata: `null`,
		},
	} {
		cases++
		subject := fmt.Sprintf("case-%d", cases)
		t.Run(name, func(t *testing.T) {
			email := subject + "@reply.example"
			fill := func(text string) string { return strings.ReplaceAll(text, "EMAIL", email) }
			op.SetAccount(t, subject, ada(subject))
			h.answer("prepare", http.StatusOK, json.RawMessage(`{"identity":`+fill(tc.reply)+`}`))

			r := kratostest.NewBrowser().SignIn(t, k, kratostest.SignIn{Provider: "acme", Subject: subject})
			if r.Session == nil {
				t.Fatalf("ended at %q with %v", r.Outcome, r.Messages)
			}
			got := k.GetIdentity(t, r.Session.Identity.ID)
			wantJSON(t, "traits", fill(tc.traits), got.Traits)
			wantJSON(t, "metadata_public", tc.metadata, got.MetadataPublic)
			status := map[bool]string{true: "completed", false: "pending"}[tc.verified]
			want := []kratostest.VerifiableAddress{{Value: email, Via: "email", Verified: tc.verified, Status: status}}
			if diff := cmp.Diff(want, got.VerifiableAddresses); diff != "" {
				t.Errorf("addresses (-want +got):\n%s", diff)
			}
		})
	}
}

// TestPrepareReplyNullTrait: null is no way to remove a trait.
func TestPrepareReplyNullTrait(t *testing.T) {
	t.Parallel()
	op, h, k := standInWorld(t, "")
	op.SetAccount(t, "s", ada("s"))
	h.answer("prepare", http.StatusOK, json.RawMessage(`{"identity":{"traits":{"email":"s@acme.example","name":null}}}`))
	r := kratostest.NewBrowser().SignIn(t, k, kratostest.SignIn{Provider: "acme", Subject: "s"})
	if r.Outcome != kratostest.OutcomeFlow || len(r.Messages) != 1 || r.Messages[0].Field != "traits.name" {
		t.Errorf("ended at %q with %v", r.Outcome, r.Messages)
	}
	if got := k.ListIdentities(t); len(got) != 0 {
		t.Errorf("%d identities, want none", len(got))
	}
}

// TestPrepareReplyWithoutVerification: with a schema that verifies nothing, an
// address in the reply does no harm and is not stored.
func TestPrepareReplyWithoutVerification(t *testing.T) {
	t.Parallel()
	op, h, k := standInWorld(t, unverifiedSchema)
	op.SetAccount(t, "s", ada("s"))
	h.answer("prepare", http.StatusOK, json.RawMessage(
		`{"identity":{"traits":{"email":"s@acme.example"},"verifiable_addresses":[{"value":"s@acme.example","via":"email","verified":true,"status":"completed"}]}}`))
	r := kratostest.NewBrowser().SignIn(t, k, kratostest.SignIn{Provider: "acme", Subject: "s"})
	if r.Session == nil {
		t.Fatalf("ended at %q with %v", r.Outcome, r.Messages)
	}
	if got := k.GetIdentity(t, r.Session.Identity.ID); len(got.VerifiableAddresses) != 0 {
		t.Errorf("addresses = %v, want none", got.VerifiableAddresses)
	}
}

// wantJSON compares a value with what want decodes to.
func wantJSON(t *testing.T, what, want string, got map[string]any) {
	t.Helper()
	var value map[string]any
	if err := json.Unmarshal([]byte(want), &value); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(value, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}
