package threats_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jithook/jithook/identity"
)

var ann = person{"acme", "ann", object{"email": "ann@acme.example", "email_verified": true, "name": "Ann", "groups": []string{"eng"}}}

// TestS26_NotRevived: whom an administrator has barred no way in revives, and
// none makes them anew.
func TestS26_NotRevived(t *testing.T) {
	for edit, code := range map[string]identity.Code{"suspend": identity.CodeSuspended, "deprovision": identity.CodeDeprovisioned} {
		for name, enter := range map[string]func(world) (int, object){
			"registration": func(w world) (int, object) { return w.register(ann) },
			"login":        func(w world) (int, object) { return w.login(ann, oidc("acme")) },
			"password":     func(w world) (int, object) { return w.login(ann, object{"method": "password"}) },
			"recovery":     func(w world) (int, object) { return w.login(ann, object{"method": "link_recovery"}) },
			"no method":    func(w world) (int, object) { return w.login(ann) },
			"profile form": func(w world) (int, object) {
				return w.post("/hooks/kratos/settings/profile", ann.payload("k-ann", object{"name": "x"}))
			},
			"generic contract": func(w world) (int, object) { return w.generic(ann) },
			"newer claims": func(w world) (int, object) {
				return w.generic(person{ann.provider, ann.subject, object{"email": "new@acme.example", "email_verified": true}})
			},
		} {
			t.Run(edit+", "+name, func(t *testing.T) {
				w := open(t, acme, social)
				w.register(ann)
				w.edit(w.all()[0].ID, edit)
				before := w.all()
				status, reply := enter(w)
				if got := reason(reply); status != http.StatusForbidden || got != string(code) {
					t.Errorf("%d %s", status, got)
				}
				// A commit that comes late is answered, and changes nothing either.
				w.post("/hooks/kratos/registration/commit", ann.payload("k-ann", object{}))
				if diff := cmp.Diff(before, w.all()); diff != "" {
					t.Errorf("(-before +after):\n%s", diff)
				}
			})
		}
	}
}
