package webhook_test

// These tests prove that no id stands for two contents, and that no message is left
// out, where it is unknown whether the one before has arrived.

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/jithook/jithook/identity"
)

// TestLostReplies: the reply to a message is lost, or the process dies before it
// comes, and rules or files change before it is sent again.
func TestLostReplies(t *testing.T) {
	const active, gone, suspended = identity.StateActive, identity.StateDeprovisioned, identity.StateSuspended
	type step struct {
		state identity.State
		newer bool // a revision
		lost  bool
		want  string // empty is no message
	}
	for name, steps := range map[string][]step{
		"the same again":                    {{active, false, false, ".1 created"}, {gone, true, true, ".2 deprovisioned"}, {gone, false, false, ".2 deprovisioned"}, {gone, false, false, ""}},
		"the first one, and then otherwise": {{active, false, true, ".1 created"}, {gone, false, false, ".1.1 created"}, {gone, false, false, ""}},
		"a newer revision, and then otherwise": {{active, false, false, ".1 created"}, {active, true, true, ".2 updated"}, {gone, false, true, ".2.1 deprovisioned"},
			{gone, false, false, ".2.1 deprovisioned"}},
		"and then as it was": {{active, false, false, ".1 created"}, {gone, false, true, ".1.1 deprovisioned"}, {active, false, true, ".1.2 activated"},
			{active, false, false, ".1.2 activated"}, {active, false, false, ""}},
		"to and fro": {{active, false, false, ".1 created"}, {gone, false, true, ".1.1 deprovisioned"}, {active, false, true, ".1.2 activated"},
			{gone, false, false, ".1.3 deprovisioned"}, {active, true, false, ".2 activated"}},
		"perhaps gone, and suspended": {{active, false, false, ".1 created"}, {gone, true, true, ".2 deprovisioned"}, {suspended, true, false, ".3 deprovisioned"}, {suspended, true, false, ""}},
		"gone, perhaps back, and gone": {{active, false, false, ".1 created"}, {gone, false, false, ".1.1 deprovisioned"}, {active, true, true, ".2 activated"},
			{gone, true, false, ".3 deprovisioned"}, {gone, true, false, ""}},
		"deleted": {{active, false, false, ".1 created"}, {gone, false, true, ".1.1 deprovisioned"}, {identity.StateDeleted, true, false, ".2 deleted"}},
	} {
		for how, dies := range map[string]bool{"the reply is lost": false, "the process dies": true} {
			t.Run(name+", "+how, func(t *testing.T) {
				r := newReceiver(t)
				c := r.connector(t)
				i := ann()
				said := map[string]string{}
				for n, step := range steps {
					if i.State = step.state; step.newer {
						i.Revision++
					}
					r.ids, r.messages, r.answer = nil, nil, nil
					if step.lost {
						r.answer = func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) }
					}
					owed := identity.Delivery{Target: "crm", Revision: i.Revision}
					intended := c.Intend(t.Context(), i.Clone(), owed)
					has, err := c.Deliver(t.Context(), i.Clone(), owed)
					if (err != nil) != step.lost {
						t.Fatalf("step %d: %v", n, err)
					}
					if dies && step.lost {
						has = intended
					}
					has.Target = "crm"
					i.Remember(has)
					got := ""
					for n, m := range r.messages {
						got += strings.TrimPrefix(r.ids[n], i.ID) + " " + strings.TrimPrefix(string(m.Type), "identity.")
						content := string(m.Data.Identity.State) + string(m.Type)
						if said[r.ids[n]] != "" && said[r.ids[n]] != content {
							t.Errorf("step %d: %s says %s, and said %s", n, r.ids[n], content, said[r.ids[n]])
						}
						said[r.ids[n]] = content
					}
					if got != step.want {
						t.Errorf("step %d: told %q, want %q", n, got, step.want)
					}
				}
			})
		}
	}
}

// TestUnlinkedAndLost: what has happened since a message that may have arrived is
// told, though it is nothing since the one before.
func TestUnlinkedAndLost(t *testing.T) {
	r := newReceiver(t)
	c := r.connector(t)
	i := ann()
	link := identity.Link{Provider: "beta", Issuer: "https://beta.example", Subject: "b-1"}
	for n, links := range [][]identity.Link{i.Links, append(slices.Clone(i.Links), link), i.Links} {
		i.Links, r.answer = links, nil
		if n == 1 {
			r.answer = func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) }
		}
		has, _ := c.Deliver(t.Context(), i.Clone(), identity.Delivery{Target: "crm"})
		has.Target = "crm"
		i.Remember(has)
		i.Revision++
	}
	if m := r.messages[2]; m.Type != "identity.unlinked" {
		t.Errorf("told %s of %q", m.Type, m.Data.Events)
	}
}
