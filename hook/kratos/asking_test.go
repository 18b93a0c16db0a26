package kratos_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/jithook/jithook/store"
)

// asking asks for a nickname and the terms.
var asking = strings.NewReplacer(
	"jit: {enabled: true,", `jit: {enabled: true, scheme: prompt, consent: {path: /traits/terms, version: "1"},`,
	"  name:", "  nick: {value: claims.nick, canonical: username, unique: true, required: true}\n  name:",
).Replace(acme)

// TestQuestions: each stands at its field, in Kratos's form of a message.
func TestQuestions(t *testing.T) {
	s := serveFile(t, asking)
	status, reply := s.post("/registration/prepare", payload(nobody))
	question := func(field, reason, text string, id float64) object {
		return object{"instance_ptr": "#/traits/" + field, "messages": []any{
			object{"id": id, "text": text, "type": "error", "context": object{"reason": reason}},
		}}
	}
	want := object{"messages": []any{
		question("nick", "prompt_required", "Please fill this in.", 4990080),
		question("terms", "consent_required", "Please accept this to go on.", 4990081),
	}}
	ids := cmpopts.IgnoreMapEntries(func(key string, v any) bool { return key == "decision_id" && v != "" })
	if diff := cmp.Diff(want, reply, ids); status != http.StatusUnprocessableEntity || diff != "" {
		t.Errorf("status %d (-want +got):\n%s", status, diff)
	}
	if page, err := s.Bolt.List(t.Context(), store.Query{}); err != nil || len(page.Identities) != 0 {
		t.Errorf("%+v, %v", page, err)
	}
}

// TestS46_AnswersReachKratos: Kratos gets the answers as they count, those of an
// earlier attempt too, whatever restore_traits names; and nothing that was not
// asked for.
func TestS46_AnswersReachKratos(t *testing.T) {
	forged := object{"email": "ceo@acme.example", "name": "The CEO", "department": "Root"}
	for name, c := range map[string]struct {
		restore []string
		more    object
	}{
		"all":    {nil, nil},
		"listed": {[]string{"email", "name"}, object{"department": "Root"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := serveFile(t, asking, c.restore...)
			want := object{"email": "ann@acme.example", "name": "Ann", "nick": "annie", "terms": true}
			for k, v := range c.more {
				want[k] = v
			}
			for _, answers := range []object{{"nick": "AnnIe", "terms": true}, {}, {"terms": false}} {
				for k, v := range forged {
					answers[k] = v
				}
				status, reply := s.post("/registration/prepare", payload(nobody, traits(answers)))
				got, _ := reply["identity"].(object)["traits"].(object)
				if diff := cmp.Diff(want, got); status != http.StatusOK || diff != "" {
					t.Errorf("status %d, traits for Kratos (-want +got):\n%s", status, diff)
				}
			}
			// The settings form does not take them back.
			s.post("/registration/commit", payload("k-1", signedIn()))
			_, reply := s.post("/settings/profile", payload("k-1", signedIn(), traits(object{"email": "ann@acme.example"})))
			got, _ := reply["identity"].(object)["traits"].(object)
			if c.restore == nil && (got["terms"] != true || got["nick"] != "annie") {
				t.Errorf("after the settings form: %v", got)
			}
		})
	}
}

// TestAnswersCountInPrepareOnly: traits that come with any other hook are no
// answers.
func TestAnswersCountInPrepareOnly(t *testing.T) {
	s := serveFile(t, asking)
	answers := traits(object{"nick": "annie", "terms": true})
	withClaims := func(_, session object) { session["authentication_methods"] = []object{byAcme} }
	status, reply := s.post("/login", payload("k-1", answers, withClaims))
	if _, reason := message(t, reply); status != http.StatusForbidden || reason != "trait_missing" {
		t.Errorf("%d %v", status, reply)
	}
	if page, err := s.Bolt.List(t.Context(), store.Query{}); err != nil || len(page.Identities) != 0 {
		t.Errorf("%d %v: %+v, %v", status, reply, page, err)
	}
}
