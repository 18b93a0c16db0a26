package admin_test

// What a record keeps of the claims is shown for one record and for one person,
// as far as it can be read, and never in a list.

import (
	"bytes"
	"strings"
	"testing"

	"github.com/jithook/jithook/admin"
	"github.com/jithook/jithook/hook/generic"
	"github.com/jithook/jithook/identity"
	"github.com/jithook/jithook/internal/claimlog"
)

func TestKeptClaims(t *testing.T) {
	for mode, c := range map[identity.ClaimsMode]struct{ with, without string }{
		identity.ClaimsOff:    {`"reasons"`, `"reasons"`},
		identity.ClaimsHashed: {`"hashes":[{"path":"/email","hmac":"`, `"hashes":[{"path":"/email","hmac":"`},
		identity.ClaimsFull:   {`"values":{"email":"ann@acme.example"`, `"note":"the claims are encrypted with the key \"k\"`},
	} {
		t.Run(string(mode), func(t *testing.T) {
			w := newWorld(t)
			var err error
			key := claimlog.Key{ID: "k", Secret: bytes.Repeat([]byte{1}, claimlog.KeySize)}
			if w.service.ClaimLog, err = claimlog.New(mode, []claimlog.Key{key}); err != nil {
				t.Fatal(err)
			}
			r := w.login(t, generic.Request{Subject: "s-ann", Claims: person("ann", nil)})
			seen := func(path, want string) {
				t.Helper()
				reply := w.get(t, path)
				if reply.status != 200 || !strings.Contains(string(reply.body), want) || mode == identity.ClaimsOff && strings.Contains(string(reply.body), `"claims":`) {
					t.Errorf("%s: %d %s, want %s", path, reply.status, reply.body, want)
				}
			}
			one, person := "/decisions/"+r.ID, "/identities/"+r.IdentityID+"/export"
			seen(one, c.with)
			seen(person, c.with)
			if mode == identity.ClaimsFull {
				seen(one, `"subject":"s-ann"`)
			}
			for _, d := range into[admin.Decisions](t, w.get(t, "/decisions")).Decisions {
				if d.Claims != nil {
					t.Errorf("a list holds claims: %+v", d.Claims)
				}
			}
			w.service.ClaimLog = nil
			seen(one, c.without)
			seen(person, c.without)
		})
	}
}
