//go:build unix

// These tests prove the client of Kratos's Admin API against a real Kratos, and
// with it the sentences about that API on which decisions rest: a newer Kratos
// that breaks one shows here first.
package kratos_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jithook/jithook/kratos"
	"github.com/jithook/jithook/test/kratos/kratostest"
)

// passwordSchema has the e-mail as the identifier of a sign-in with a password:
// with it Kratos offers to connect a provider that brings a known address.
const passwordSchema = `{
  "$id": "https://jithook.example/test/password.json",
  "type": "object",
  "properties": { "traits": { "type": "object", "properties": {
    "email": { "type": "string", "format": "email", "ory.sh/kratos": { "credentials": { "password": { "identifier": true } }, "verification": { "via": "email" } } },
    "username": { "type": "string" }, "name": { "type": "string" }, "nickname": { "type": "string" },
    "groups": { "type": "array", "items": { "type": "string" } }
  }, "required": ["email"], "additionalProperties": false } }
}`

const password = "a-password-of-a-test-0001"

func TestAdminAPI(t *testing.T) {
	t.Parallel()
	k := kratostest.StartKratos(t, kratostest.Config{IdentitySchema: passwordSchema, Password: true})
	admin, err := kratos.NewAdmin(k.AdminURL+"/", "")
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	made := k.Import(t, map[string]any{
		"schema_id": "default", "traits": map[string]any{"email": "Ann@acme.example"},
		"metadata_admin": map[string]any{"jithook": map[string]any{"provider": "acme", "claims": map[string]any{"big": 9007199254740993}}},
		"credentials":    kratostest.Credentials(password, "acme:a:1", "globex:g-1"),
	})
	want := kratos.Account{
		ID: made.ID, Active: true,
		Credentials: []kratos.Credential{{Provider: "acme", Subject: "a:1"}, {Provider: "globex", Subject: "g-1"}},
		Metadata:    map[string]any{"provider": "acme", "claims": map[string]any{"big": int64(9007199254740993)}},
		Traits:      map[string]any{"email": "Ann@acme.example"},
	}
	holds := func() kratos.Account {
		t.Helper()
		a, err := admin.Account(ctx, made.ID)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	if diff := cmp.Diff(want, holds()); diff != "" {
		t.Errorf("account (-want +got):\n%s", diff)
	}

	b := kratostest.NewBrowser()
	signIn := kratostest.SignIn{ExtraForm: map[string][]string{"method": {"password"}, "identifier": {"ann@acme.example"}, "password": {password}}}
	if r := b.SignIn(t, k, signIn); r.Outcome != kratostest.OutcomeSession {
		t.Fatalf("by password: %q %v %s", r.Outcome, r.Messages, r.Error)
	}
	for range 2 { // the second time there is nothing to do
		if err := admin.SetActive(ctx, made.ID, false); err != nil {
			t.Fatal(err)
		}
		if err := admin.EndSessions(ctx, made.ID); err != nil {
			t.Fatal(err)
		}
	}
	if s := b.Whoami(t, k); s != nil || holds().Active {
		t.Errorf("inactive, its sessions ended: session %+v, account %+v", s, holds())
	}
	if err := admin.SetActive(ctx, made.ID, true); err != nil || !holds().Active {
		t.Errorf("active again: %+v, %v", holds(), err)
	}

	for range 2 {
		if err := admin.RemoveCredential(ctx, made.ID, want.Credentials[1]); err != nil {
			t.Fatal(err)
		}
	}
	want.Credentials = want.Credentials[:1]
	if diff := cmp.Diff(want, holds()); diff != "" {
		t.Errorf("a credential less (-want +got):\n%s", diff)
	}
	if err := admin.RemoveCredential(ctx, made.ID, want.Credentials[0]); err != nil || holds().Credentials == nil || len(holds().Credentials) != 0 {
		t.Errorf("none left: %+v, %v", holds(), err)
	}

	for identifier, want := range map[string]bool{"ann@acme.example": true, "ANN@acme.example": true, "bob@acme.example": false, "": false} {
		if held, err := admin.Holds(ctx, identifier); err != nil || held != want {
			t.Errorf("holds %q: %v, %v", identifier, held, err)
		}
	}

	if gone, err := admin.Gone(ctx, made.ID); err != nil || gone {
		t.Errorf("there: gone %v, %v", gone, err)
	}
	k.DeleteIdentity(t, made.ID)
	if gone, err := admin.Gone(ctx, made.ID); err != nil || !gone {
		t.Errorf("deleted: gone %v, %v", gone, err)
	}
	if _, err := admin.Account(ctx, made.ID); !errors.Is(err, kratos.ErrNoIdentity) {
		t.Errorf("deleted: %v", err)
	}
	if err := admin.SetActive(ctx, made.ID, true); !errors.Is(err, kratos.ErrNoIdentity) {
		t.Errorf("state of a deleted one: %v", err)
	}
	if gone, err := admin.Gone(ctx, "no-uuid"); gone {
		t.Errorf("an id that is none: gone %v, %v", gone, err)
	}
	// The public port is not the Admin API: what it does not have is not gone.
	public, err := kratos.NewAdmin(k.PublicURL, "")
	if err != nil {
		t.Fatal(err)
	}
	if gone, err := public.Gone(ctx, made.ID); gone || err == nil {
		t.Errorf("at the public port: gone %v, %v", gone, err)
	}
}
