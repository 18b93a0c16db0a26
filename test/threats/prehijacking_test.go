package threats_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jithook/jithook/identity"
)

// mallory at social says that the victim's address is theirs, and verified.
var mallory = person{"social", "mallory", object{"email": "ann@acme.example", "email_verified": true, "name": "Mallory"}}

// TestPreHijacking: the five classes of Sudhodanan and Paverd, "Pre-hijacked
// accounts" (USENIX Security 2022, arXiv 2205.10174). Each row makes an account
// before the victim has one, keeps a way in, and lets the victim sign in for the
// first time. Whatever the attacker then tries, they stay two people: nothing of
// the one reaches the other.
func TestPreHijacking(t *testing.T) {
	for name, c := range map[string]struct {
		before, after func(world)
	}{
		// The attacker registers by password with the victim's address, which
		// nobody asks jithook about, and signs in again once the victim has.
		"P1 classic-federated merge": {
			func(w world) { w.allowed(w.login(byPassword, object{"method": "password"})) },
			func(w world) { w.allowed(w.login(byPassword, object{"method": "password"})) },
		},
		// The attacker's session lives on, with all forms of the settings.
		"P2 unexpired session": {
			func(w world) { w.allowed(w.register(mallory)) },
			func(w world) {
				w.settings(mallory, object{"name": "Mallory", "email": "ann@acme.example"})
				w.allowed(w.login(mallory, oidc("social")))
			},
		},
		// The attacker connects a provider of theirs to an account made in the
		// victim's name, and the victim's provider to theirs.
		"P3 trojan identifier": {
			func(w world) {
				w.allowed(w.register(mallory))
				w.refused(w.post("/hooks/kratos/settings/check", mallory.payload(mallory.kratosID(), object{})))
			},
			func(w world) {
				w.refused(w.post("/hooks/kratos/settings/check", mallory.payload(mallory.kratosID(), object{})))
				w.refused(w.login(mallory, oidc("social"), object{"method": "oidc"}))
				w.refused(w.login(mallory, oidc("acme")))
				w.allowed(w.login(mallory, oidc("social")))
			},
		},
		// The attacker has begun to change their address to the victim's, and
		// completes it afterwards.
		"P4 unexpired change of address": {
			func(w world) {
				own := mallory
				own.claims = object{"email": "mallory@social.example", "email_verified": true, "name": "Mallory"}
				w.allowed(w.register(own))
				w.settings(own, object{"name": "Mallory", "email": "mallory@social.example"})
			},
			func(w world) {
				own := mallory
				own.claims = object{}
				w.settings(own, object{"name": "Mallory", "email": "mallory@social.example"})
				w.allowed(w.generic(mallory)) // the provider changed it, too
			},
		},
		// The attacker's provider does not verify addresses, and says that it
		// does.
		"P5 provider that does not verify": {
			func(w world) { w.allowed(w.generic(mallory)) },
			func(w world) { w.allowed(w.generic(mallory)) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Run("strangers", func(t *testing.T) { stayTwo(t, open(t, acme, social), c.before, c.after) })
			// Both providers link whom they find, as they may.
			t.Run("linked", func(t *testing.T) { stayTwo(t, open(t, linking(acme), linking(social)), c.before, c.after) })
		})
	}
}

// linking is a file whose provider's subjects are linked to whom their address
// finds.
func linking(file string) string {
	return strings.Replace(file, "jit: {", "jit: {account_lookup: [{local: /traits/email, federated: claims.email}], account_linking: auto, ", 1)
}

// stayTwo plays an attack, and looks whether attacker and victim are two people.
func stayTwo(t *testing.T, w world, before, after func(world)) {
	t.Helper()
	before(w)
	w.allowed(w.register(ann))
	first := w.find(ann.key())
	if first == nil {
		t.Fatal("the victim has no account")
	}
	after(w)
	w.allowed(w.login(ann, oidc("acme")))
	w.allowed(w.generic(ann))

	victim, attacker := w.find(ann.key()), w.find(mallory.key())
	if victim == nil || victim.ID != first.ID || len(victim.Links) != 1 || len(victim.ExternalIDs) != 1 || victim.ExternalIDs[0].ID != ann.kratosID() {
		t.Fatalf("the victim is %+v", victim)
	}
	if diff := cmp.Diff(first.Traits, victim.Traits); diff != "" {
		t.Errorf("the victim's traits (-first +now):\n%s", diff)
	}
	if attacker != nil && (attacker.ID == victim.ID || len(attacker.Links) != 1 || len(attacker.Groups) != 0) {
		t.Errorf("the attacker is %+v", attacker)
	}
	if holder := w.find(identity.MailKey("default", "ann@acme.example")); holder == nil || holder.ID != victim.ID {
		t.Errorf("the victim's address belongs to %+v", holder)
	}
	if by, ok := victim.ProvenanceOf("/email"); !ok || by.VerifiedBy != "provider:acme" {
		t.Errorf("the victim's address: %+v", by)
	}
	if attacker != nil && attacker.Traits["email"] == "ann@acme.example" {
		if by, _ := attacker.ProvenanceOf("/email"); by.VerifiedBy != "" {
			t.Errorf("the attacker's address: %+v", by)
		}
	}
}

// byPassword is known to Kratos alone.
var byPassword = person{"", "mallory-by-password", object{"email": "ann@acme.example"}}

// settings sends the profile form with the victim's address, and wants these
// traits instead.
func (w world) settings(p person, want object) {
	w.t.Helper()
	status, reply := w.post("/hooks/kratos/settings/profile", p.payload(p.kratosID(), object{"name": "Mallory", "email": "ann@acme.example"}))
	if diff := cmp.Diff(object{"identity": object{"traits": want}}, reply); status != http.StatusOK || diff != "" {
		w.t.Errorf("profile: %d (-want +got):\n%s", status, diff)
	}
}

func (w world) allowed(status int, reply object) {
	w.t.Helper()
	if status != http.StatusOK && status != http.StatusNoContent {
		w.t.Errorf("%d %v", status, reply)
	}
}

func (w world) refused(status int, reply object) {
	w.t.Helper()
	if status != http.StatusForbidden {
		w.t.Errorf("%d %v", status, reply)
	}
}
