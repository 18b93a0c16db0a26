package admin_test

// These tests prove that a plan is what the login then becomes, that it writes
// nothing at all, and that a malformed login is refused with its place.

import (
	"bytes"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/jithook/jithook/admin"
	"github.com/jithook/jithook/hook/generic"
	"github.com/jithook/jithook/identity"
)

func TestPlan(t *testing.T) {
	ann := generic.Request{Subject: "s-1", ExternalID: "x-1", Claims: person("ann", nil)}
	for name, c := range map[string]struct {
		login    generic.Request
		decision identity.Decision
		code     identity.Code
		changes  []string
	}{
		"created":       {generic.Request{Subject: "s-2", Claims: person("bob", nil)}, identity.Created, identity.CodeCreated, []string{"/traits/email", "/traits/name", "/groups/engineering"}},
		"unchanged":     {ann, identity.Unchanged, identity.CodeUnchanged, nil},
		"updated":       {generic.Request{Subject: "s-1", Claims: person("ann", map[string]any{"department": "x", "groups": []any{"staff"}})}, identity.Updated, identity.CodeUpdated, []string{"/traits/department", "/groups/engineering", "/groups/staff"}},
		"not allowed":   {generic.Request{Subject: "s-2", Claims: person("bob", map[string]any{"hd": "evil.example"})}, identity.Denied, identity.CodeNotAllowed, nil},
		"deny rule":     {generic.Request{Subject: "s-2", Claims: person("bob", map[string]any{"user_type": "guest"})}, identity.Denied, identity.CodeDenyRule, nil},
		"trait taken":   {generic.Request{Subject: "s-2", Claims: person("ann", nil)}, identity.Denied, identity.CodeTraitTaken, nil},
		"trait missing": {generic.Request{Subject: "s-2", Claims: map[string]any{"hd": "acme.example"}}, identity.Denied, identity.CodeTraitMissing, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			before := w.login(t, ann)
			state := contents(t, w)
			p := into[admin.Plan](t, w.plan(t, body(t, c.login)))
			w.drain()
			if !bytes.Equal(state, contents(t, w)) {
				t.Error("the plan wrote to the store")
			}
			if p.Decision != c.decision || p.Reasons[0].Code != c.code {
				t.Fatalf("%s, %v", p.Decision, p.Reasons)
			}
			var changed []string
			for _, ch := range p.Changes {
				changed = append(changed, ch.Path)
			}
			if slices.Sort(changed); !slices.Equal(changed, slices.Sorted(slices.Values(c.changes))) {
				t.Errorf("changes %v, want %v", changed, c.changes)
			}
			checkPlanned(t, p, before.IdentityID)
			if r := w.login(t, c.login); r.Decision != p.Decision || r.Reasons[0].Code != p.Reasons[0].Code || r.Rule != p.Rule || r.Policy != p.Policy {
				t.Errorf("the login became %s (%v, %s), not what was planned", r.Decision, r.Reasons, r.Rule)
			}
		})
	}
}

// checkPlanned checks the person in a plan.
func checkPlanned(t *testing.T, p admin.Plan, known string) {
	t.Helper()
	if !p.Decision.Allowed() {
		if p.Identity != nil {
			t.Error("a refused login has an identity")
		}
		return
	}
	want := known
	if p.Decision == identity.Created {
		want = "" // nobody could look it up
	}
	if p.Identity == nil || p.Identity.ID != want || p.Identity.Traits["email"] == nil || len(p.Identity.Groups) != 1 {
		t.Errorf("identity: %+v", p.Identity)
	}
}

// contents is the store's file: no write of any kind leaves it as it is.
func contents(t *testing.T, w *world) []byte {
	t.Helper()
	data, err := os.ReadFile(w.path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestPlanUnknownProvider: a plan for it is a plan, as the hook's answer is a
// decision.
func TestPlanUnknownProvider(t *testing.T) {
	w := newWorld(t)
	p := into[admin.Plan](t, w.plan(t, `{"version":1,"provider":"nobody","subject":"s-1","claims":{}}`))
	if p.Decision != identity.Denied || p.Reasons[0].Code != identity.CodeUnknownProvider {
		t.Errorf("%+v", p)
	}
}

// TestPlanOfAKratosProvider: rules whose claims only Kratos's mapper brings can
// be tried without a Kratos.
func TestPlanOfAKratosProvider(t *testing.T) {
	w := newWorld(t)
	p := into[admin.Plan](t, w.plan(t, `{"version":1,"provider":"umbrella","subject":"s-1","claims":{"iss":"https://umbrella.example"}}`))
	if p.Decision != identity.Denied || p.Reasons[0].Code != identity.CodeJITDisabled {
		t.Errorf("%+v", p)
	}
}

// TestPlanInstance: an external id is one of an instance; another instance's
// caller with the same words would add an id.
func TestPlanInstance(t *testing.T) {
	w := newWorld(t)
	ann := generic.Request{Subject: "s-1", ExternalID: "x-1", Claims: person("ann", nil)}
	w.login(t, ann)
	for path, want := range map[string]identity.Decision{
		"/plan": identity.Unchanged, "/plan?instance=main": identity.Unchanged, "/plan?instance=eu": identity.Updated,
	} {
		p := into[admin.Plan](t, w.ask(t, request(http.MethodPost, path, body(t, ann))))
		if p.Decision != want {
			t.Errorf("%s: %s, want %s", path, p.Decision, want)
		}
	}
}

func TestPlanMalformed(t *testing.T) {
	for name, c := range map[string]struct{ body, place string }{
		"empty":             {``, ""},
		"no JSON":           {`{"version":1,`, ""},
		"no object":         {`[]`, ""},
		"duplicate":         {`{"version":1,"provider":"acme","subject":"a","subject":"b","claims":{}}`, "/subject"},
		"duplicate claim":   {`{"version":1,"provider":"acme","subject":"a","claims":{"hd":"x","hd":"acme.example"}}`, "/claims/hd"},
		"equal when folded": {`{"version":1,"provider":"acme","subject":"a","Subject":"b","claims":{}}`, "/Subject"},
		"unknown member":    {`{"version":1,"provider":"acme","subject":"a","claims":{},"admin":true}`, "/admin"},
		"trailing data":     {`{"version":1,"provider":"acme","subject":"a","claims":{}} {}`, ""},
		"wrong type":        {`{"version":1,"provider":"acme","subject":7,"claims":{}}`, "/subject"},
		"claims a list":     {`{"version":1,"provider":"acme","subject":"a","claims":[]}`, "/claims"},
		"no version":        {`{"provider":"acme","subject":"a","claims":{}}`, "/version"},
		"version 2":         {`{"version":2,"provider":"acme","subject":"a","claims":{}}`, "/version"},
		"no provider":       {`{"version":1,"subject":"a","claims":{}}`, "/provider"},
		"no subject":        {`{"version":1,"provider":"acme","claims":{}}`, "/subject"},
		"padded subject":    {`{"version":1,"provider":"acme","subject":" a","claims":{}}`, "/subject"},
		"padded external":   {`{"version":1,"provider":"acme","subject":"a","external_id":"x ","claims":{}}`, "/external_id"},
		"from the future":   {`{"version":1,"provider":"acme","subject":"a","claims":{},"at":"2999-01-01T00:00:00Z"}`, "/at"},
		"invalid UTF-8":     {"{\"version\":1,\"provider\":\"acme\",\"subject\":\"\xff\",\"claims\":{}}", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			state := contents(t, w)
			p := refused(t, w.plan(t, c.body), http.StatusBadRequest)
			if c.place != "" && p.Place != c.place {
				t.Errorf("place %q, want %q (%s)", p.Place, c.place, p.Detail)
			}
			if p.Detail == "" {
				t.Error("no detail")
			}
			if !bytes.Equal(state, contents(t, w)) {
				t.Error("a refused plan wrote to the store")
			}
		})
	}
}

func TestPlanTooLong(t *testing.T) {
	w := newWorld(t)
	whole := body(t, generic.Request{Subject: "s-1", Claims: person("ann", map[string]any{"x": strings.Repeat("x", 1<<20)})})
	p := refused(t, w.plan(t, whole), http.StatusRequestEntityTooLarge)
	if !strings.Contains(p.Detail, "1048576") {
		t.Errorf("the detail does not tell the limit: %s", p.Detail)
	}
	fits := body(t, generic.Request{Subject: "s-1", Claims: person("ann", map[string]any{"x": strings.Repeat("x", 1<<20-1000)})})
	if got := w.plan(t, fits); got.status != http.StatusOK {
		t.Errorf("a body just below 1 MiB: %d %s", got.status, got.body)
	}
	refused(t, w.ask(t, request(http.MethodPost, "/plan?flow=1", "{}")), http.StatusBadRequest)
}

// TestPlanExplained: with the reasons for all of it, where they are asked for,
// and the plan is the same.
func TestPlanExplained(t *testing.T) {
	w := newWorld(t)
	w.login(t, generic.Request{Subject: "s-1", ExternalID: "x-1", Claims: person("ann", nil)})
	for name, c := range map[string]struct {
		login  generic.Request
		rules  int // that were asked
		traits string
	}{
		"known":       {generic.Request{Subject: "s-1", Claims: person("ann", map[string]any{"groups": []any{"staff", "wheel"}})}, 2, "same"},
		"new":         {generic.Request{Subject: "s-2", Claims: person("bob", nil)}, 2, "set"},
		"denied":      {generic.Request{Subject: "s-2", Claims: person("bob", map[string]any{"user_type": "guest"})}, 1, "not_asked"},
		"a rule ends": {generic.Request{Subject: "s-2", Claims: map[string]any{"hd": "acme.example"}}, 2, "refused"},
	} {
		t.Run(name, func(t *testing.T) {
			state := contents(t, w)
			plain := into[admin.Plan](t, w.plan(t, body(t, c.login)))
			p := into[admin.Plan](t, w.ask(t, request(http.MethodPost, "/plan?explain=true", body(t, c.login))))
			x := p.Explanation
			if plain.Explanation != nil || x == nil || p.Decision != plain.Decision || p.Rule != plain.Rule || !slices.Equal(p.Reasons, plain.Reasons) {
				t.Fatalf("%+v, want %+v explained", p, plain)
			}
			asked := 0
			for _, r := range x.Rules {
				if r.Asked {
					asked++
				}
			}
			if asked != c.rules || x.Traits[0].Outcome != c.traits || x.File != "acme.yaml" {
				t.Errorf("%d rules asked, %s %+v", asked, x.File, x.Traits[0])
			}
			if !bytes.Equal(state, contents(t, w)) {
				t.Error("the plan wrote to the store")
			}
		})
	}
	refused(t, w.ask(t, request(http.MethodPost, "/plan?explain=yes", "{}")), http.StatusBadRequest)
	p := into[admin.Plan](t, w.ask(t, request(http.MethodPost, "/plan?explain=true", `{"version":1,"provider":"nobody","subject":"s-1","claims":{}}`)))
	if p.Explanation == nil || p.Explanation.Match.By != "nobody" {
		t.Errorf("%+v", p.Explanation)
	}
}
